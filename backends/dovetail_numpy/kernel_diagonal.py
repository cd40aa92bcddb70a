"""Diagonals and triangles of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from dovetail.backend import Array, Call, KernelTable, ops
from dovetail_numpy.binding import Kernel

table: Final = KernelTable()


@table(ops.diagonal)
def _diagonal(x: Array, offset: int, dim1: int, dim2: int) -> Array:
    """A view, which NumPy hands out as one that may not be written."""
    found = x.diagonal(offset, dim1, dim2)
    found.flags.writeable = x.flags.writeable
    return found


def _triangle(keeps: Callable[[Array, int], Any]) -> Callable[[Call], Kernel]:
    def bind(call: Call) -> Kernel:
        rows, columns = call.output.shape[-2:]
        distance = np.arange(columns) - np.arange(rows)[:, None]
        mask = keeps(distance, call.statics["diagonal"])
        zero = np.zeros((), call.output.dtype.host)
        return lambda x: np.where(mask, x, zero)

    return bind


table.binder(ops.tril)(_triangle(lambda distance, diagonal: distance <= diagonal))
table.binder(ops.triu)(_triangle(lambda distance, diagonal: distance >= diagonal))
