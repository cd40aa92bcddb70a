"""Reading and writing at positions that are themselves arrays."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from dovetail.backend import Array, KernelTable, ops
from dovetail_numpy.sums_at import is_large, sums_at

table: Final = KernelTable()

CHECKED: Final = frozenset({"index_select", "gather", "wrap_index"})
"""Ops whose kernels raise IndexError by themselves."""


@table(ops.wrap_index)
def _wrap_index(index: Array, size: int, dim: int) -> Array:
    if index.size:
        low, high = index.min(), index.max()
        if low < -size or high >= size:
            raise IndexError("out of range")
        if low >= 0:
            return index
    return np.asarray(np.where(index < 0, index + size, index))


def _non_negative(index: Array) -> None:
    if index.size and index.min() < 0:
        raise IndexError("negative index")


@table(ops.index_select)
def _index_select(x: Array, index: Array, dim: int) -> Array:
    _non_negative(index)
    if not x.ndim:
        return x.reshape(1).take(index.reshape(-1)).reshape(())
    return x.take(index.reshape(-1), axis=dim)


def _accumulator(x: Array) -> Array:
    """Where 16-bit floats are added up: one rounding at the end, and not one for each term."""
    return x.astype(np.float32) if x.dtype.itemsize == 2 and x.dtype.kind not in "iu" else x


@table(ops.index_add)
def _index_add(x: Array, index: Array, source: Array, dim: int) -> Array:
    result = np.array(x, order="C", copy=True)
    if not x.ndim:
        return np.asarray(result + source)
    sums = _accumulator(result)
    rows = np.moveaxis(source, dim, 0)
    if is_large(sums) and is_large(source):
        sums += np.moveaxis(sums_at(index, rows.astype(sums.dtype, copy=False), x.shape[dim]), 0, dim)
    else:
        np.add.at(np.moveaxis(sums, dim, 0), index.reshape(-1), rows)
    return sums.astype(x.dtype, copy=False)


@table(ops.index_copy)
def _index_copy(x: Array, index: Array, source: Array, dim: int) -> Array:
    result = np.array(x, order="C", copy=True)
    if not x.ndim:
        return np.array(source, copy=True)
    np.moveaxis(result, dim, 0)[index.reshape(-1)] = np.moveaxis(source, dim, 0)
    return result


def _lines(x: Array, index: Array, dim: int) -> Array:
    """The part of the tensor that the index reaches in the other dimensions."""
    return x[tuple(slice(None) if d == dim else slice(0, n) for d, n in enumerate(index.shape))]


@table(ops.gather)
def _gather(x: Array, index: Array, dim: int) -> Array:
    _non_negative(index)
    if not x.ndim:
        return np.asarray(x.reshape(1)[index])
    return np.take_along_axis(_lines(x, index, dim), index, axis=dim)


@table(ops.scatter_elements)
def _scatter(x: Array, index: Array, src: Array, dim: int) -> Array:
    result = np.array(x, order="C", copy=True)
    if not x.ndim:
        return np.array(src, copy=True)
    np.put_along_axis(_lines(result, index, dim), index, src, axis=dim)
    return result


@table(ops.scatter_add_elements)
def _scatter_add(x: Array, index: Array, src: Array, dim: int) -> Array:
    result = np.array(x, order="C", copy=True)
    if not x.ndim:
        return np.asarray(result + src)
    places = list(np.indices(index.shape, sparse=True))
    places[dim] = index
    sums = _accumulator(result)
    if is_large(sums) and is_large(src):
        pitches = (math.prod(x.shape[d + 1 :]) for d in range(x.ndim))
        flat = sum(place * pitch for place, pitch in zip(places, pitches))
        terms = src.astype(sums.dtype, copy=False).reshape(-1)
        sums += sums_at(np.broadcast_to(flat, index.shape).reshape(-1), terms, x.size).reshape(x.shape)
    else:
        np.add.at(sums, tuple(places), src)
    return sums.astype(x.dtype, copy=False)


_AT: Final = {"sum": np.add, "mean": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


@table(ops.scatter_reduce_elements)
def _scatter_reduce(x: Array, index: Array, src: Array, dim: int, reduce: str, include_self: bool) -> Array:
    if not x.ndim:
        return _scatter_reduce(x.reshape(1), index.reshape(1), src.reshape(1), 0, reduce, include_self).reshape(())
    places = list(np.indices(index.shape, sparse=True))
    places[dim] = index
    where = tuple(places)
    result = np.array(x, order="C", copy=True)
    if not include_self:
        # What arrives replaces: all that arrives at one position is reduced from a neutral start.
        result[where] = src if reduce in ("amax", "amin") else int(reduce == "prod")
    sums = _accumulator(result)
    _AT[reduce].at(sums, where, src)
    if reduce == "mean":
        count = np.zeros(x.shape, np.int64)
        np.add.at(count, where, 1)
        terms = np.maximum(count + include_self, 1).astype(sums.dtype)
        sums = np.floor_divide(sums, terms) if sums.dtype.kind in "iu" else np.true_divide(sums, terms)
    return sums.astype(x.dtype, copy=False)
