"""Running sums and extremes, sorting and searching on arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from dovetail.backend import Array, Call, KernelTable, ops
from dovetail_numpy.binding import HALF, Kernel

table: Final = KernelTable()

# ------------------------------------------------------------------------------------------ scans


def _accumulated(ufunc: Any) -> Callable[[Call], Kernel]:
    """Bind the running form of a ufunc; 16-bit floats run in float32 and are rounded once."""

    def bind(call: Call) -> Kernel:
        dim, host = call.statics["dim"], call.output.dtype.host
        half = call.output.dtype in HALF
        if not call.output.ndim:
            return lambda x: x

        def kernel(x: Array) -> Array:
            running = ufunc.accumulate(np.asarray(x, np.float32) if half else x, axis=dim)
            return np.asarray(running).astype(host, copy=False)

        return kernel

    return bind


table.binder(ops.cumsum)(_accumulated(np.add))
table.binder(ops.cumprod)(_accumulated(np.multiply))
table.binder(ops.logcumsumexp)(_accumulated(np.logaddexp))


def _last_best(ufunc: Any, x: Array, dim: int) -> Array:
    """Where an element equals the running extreme (or is NaN), its own position; else the last such one."""
    if not x.ndim:
        return np.zeros((), np.int64)
    best = ufunc.accumulate(x, axis=dim)
    line = np.arange(x.shape[dim]).reshape([-1 if d == dim else 1 for d in range(x.ndim)])
    return np.asarray(np.maximum.accumulate(np.where((x == best) | (x != x), line, 0), axis=dim))


table(ops.argcummax)(partial(_last_best, np.maximum))
table(ops.argcummin)(partial(_last_best, np.minimum))

# ------------------------------------------------------------------------------------------ order


@table.binder(ops.argsort)
def _argsort(call: Call) -> Kernel:
    if not call.output.ndim:
        return lambda x: np.zeros((), np.int64)
    dim, descending = call.statics["dim"], call.statics["descending"]
    half = call.inputs[0].dtype in HALF

    def kernel(x: Array) -> Array:
        x = np.asarray(x, np.float32) if half else x
        if not descending:
            return np.argsort(x, axis=dim, kind="stable")
        # the last element first in a row turned round: ties keep their order, and NaN, the largest, leads
        turned = np.argsort(np.flip(x, dim), axis=dim, kind="stable")
        return np.subtract(x.shape[dim] - 1, np.flip(turned, dim))

    return kernel


@table.binder(ops.searchsorted)
def _searchsorted(call: Call) -> Kernel | None:
    if call.inputs[0].ndim != 1:
        return None
    host = call.output.dtype.host
    side: Any = "right" if call.statics["right"] else "left"
    half = call.inputs[0].dtype in HALF

    def kernel(row: Array, values: Array, sorter: Array | None) -> Array:
        if half:
            row, values = np.asarray(row, np.float32), np.asarray(values, np.float32)
        found = np.asarray(np.searchsorted(row, values, side, sorter))
        return np.where(values != values, row.size, found).astype(host)

    return kernel
