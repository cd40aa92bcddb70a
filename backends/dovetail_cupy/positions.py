"""Reading and writing at positions given by tensors.

Places that repeat are sorted, and one thread adds up all rows of a place in their order: no atomic operation, whose
order differs from run to run. Sums of floats run in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import cupy
import numpy as np

from dovetail.backend import Array, KernelTable, ops
from dovetail_cupy import fused_source, launch

table: Final = KernelTable()

Put = Callable[[Array, Array, Array], None]


def put_sum(out: Array, places: Array, rows: Array) -> None:
    """Add rows at places of the first axis of ``out``, which is contiguous and is written."""
    if out.dtype == cupy.bool_:
        _segments("segment_sum_uint8", out.view(cupy.uint8), places, rows.view(cupy.uint8))
        cupy.minimum(out.view(cupy.uint8), 1, out=out.view(cupy.uint8))  # bools add up to "or"
        return
    _segments(f"segment_sum_{launch.spelled(out)}", out, places, rows)


def put_last(out: Array, places: Array, rows: Array) -> None:
    """Put rows at places of the first axis of ``out``; of equal places the last one counts."""
    bits = fused_source.BITS[out.dtype.itemsize]
    _segments(f"segment_last_{bits}", out.view(bits), places, rows.view(bits))


def _segments(kernel: str, out: Array, places: Array, rows: Array) -> None:
    count = places.size
    if not count or not out.size:
        return
    order = cupy.argsort(places)  # CuPy's sort is always stable
    width = out.size // out.shape[0]
    sorted_places = cupy.ascontiguousarray(places[order])
    sizes = np.int64(width), np.int64(count), np.int64(out.shape[0])
    launch.each(fused_source.source(), kernel, count * width, sorted_places, order, rows, out, *sizes)


def _by_rows(put: Put, x: Array, index: Array, source: Array, dim: int) -> Array:
    """One place per row along a dimension."""
    out = cupy.moveaxis(x, dim, 0).copy(order="C")
    rows = cupy.ascontiguousarray(cupy.moveaxis(source, dim, 0)).astype(x.dtype, copy=False)
    put(out, index.reshape(-1).astype(cupy.int64, copy=False), rows)
    return cupy.ascontiguousarray(cupy.moveaxis(out, 0, dim))


def _by_elements(put: Put, x: Array, index: Array, source: Array, dim: int) -> Array:
    """One place per element: rows of one element of the flattened tensor."""
    out = x.copy(order="C")
    flat = out.reshape(-1) if out.ndim else out.reshape(1)
    put(flat, _places(x.shape, index, dim), cupy.ascontiguousarray(source).reshape(-1))
    return out


def _places(shape: tuple[int, ...], index: Array, dim: int) -> Array:
    """The positions in the flattened tensor that an index along ``dim`` means."""
    total = index.astype(cupy.int64) * math.prod(shape[dim + 1 :])
    for d, length in enumerate(index.shape):
        if d != dim:
            steps = cupy.arange(length, dtype=cupy.int64) * math.prod(shape[d + 1 :])
            total = total + steps.reshape([-1 if e == d else 1 for e in range(index.ndim)])
    return total.reshape(-1)


@table(ops.index_add)
def _index_add(x: Array, index: Array, source: Array, dim: int) -> Array:
    return _by_rows(put_sum, x, index, source, dim) if x.ndim else x + source


@table(ops.index_copy)
def _index_copy(x: Array, index: Array, source: Array, dim: int) -> Array:
    return _by_rows(put_last, x, index, source, dim) if x.ndim else source.copy()


@table(ops.scatter_add_elements)
def _scatter_add(x: Array, index: Array, src: Array, dim: int) -> Array:
    return _by_elements(put_sum, x, index, src, dim)


@table(ops.scatter_elements)
def _scatter(x: Array, index: Array, src: Array, dim: int) -> Array:
    return _by_elements(put_last, x, index, src, dim)


@table(ops.gather)
def _gather(x: Array, index: Array, dim: int) -> Array:
    if not x.ndim:
        return cupy.broadcast_to(x, index.shape).copy()
    lines = x[tuple(slice(None) if d == dim else slice(0, n) for d, n in enumerate(index.shape))]
    return cupy.take_along_axis(lines, index, dim)


@table(ops.embedding)
def _embedding(indices: Array, weight: Array, padding_idx: int | None) -> Any:
    return cupy.take(weight, indices, axis=0)


@table(ops.embedding_backward)
def _embedding_backward(grad: Array, indices: Array, num_weights: int, padding_idx: int | None) -> Array:
    width = grad.shape[-1]
    out = cupy.zeros((num_weights, width), grad.dtype)
    put_sum(out, indices.reshape(-1).astype(cupy.int64, copy=False), cupy.ascontiguousarray(grad).reshape(-1, width))
    if padding_idx is not None and num_weights:
        out[padding_idx] = 0
    return out
