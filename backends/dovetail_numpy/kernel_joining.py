"""Joining, padding and turning arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from dovetail.backend import Array, Call, KernelTable, ops
from dovetail_numpy.binding import Kernel

table: Final = KernelTable()


@table.binder(ops.cat)
def _cat(call: Call) -> Kernel:
    dim, ndim = call.statics["dim"], call.output.ndim
    if any(s.ndim != ndim for s in call.inputs):
        return lambda arrays: np.concatenate([a for a in arrays if a.ndim == ndim], axis=dim)
    return lambda arrays: np.concatenate(arrays, axis=dim)


@table(ops.stack)
def _stack(arrays: Sequence[Array], dim: int) -> Array:
    return np.stack(arrays, axis=dim)


@table(ops.flip)
def _flip(x: Array, dims: tuple[int, ...]) -> Array:
    return np.array(np.flip(x, dims), order="C") if dims else x


@table(ops.roll)
def _roll(x: Array, shifts: tuple[int, ...], dims: tuple[int, ...] | None) -> Array:
    return np.roll(x, shifts if dims is not None else shifts[0], dims) if x.ndim else x


@table.binder(ops.constant_pad)
def _constant_pad(call: Call) -> Kernel:
    source: list[slice] = []
    target: list[slice] = []
    for n, (before, after) in zip(call.inputs[0].shape, call.statics["pairs"], strict=True):
        source.append(slice(max(-before, 0), n - max(-after, 0)))
        target.append(slice(max(before, 0), n + before + after - max(after, 0)))
    shape, host = tuple(call.output.shape), call.output.dtype.host
    value: Any = np.asarray(call.statics["value"]).astype(host)
    inner, outer = tuple(source), tuple(target)

    def kernel(x: Array) -> Array:
        result = np.full(shape, value, host)
        result[outer] = x[inner]
        return result

    return kernel
