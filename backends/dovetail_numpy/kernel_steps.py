"""Optimizer steps of the NumPy backend: into the arrays that dispatch hands over, else into copies."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dovetail.backend import Array, KernelTable, ops
from dovetail_numpy import optimizers

table: Final = KernelTable()


def _own(out: tuple[Array, ...] | None, *arrays: Array) -> tuple[Array, ...]:
    """The arrays to update: those that were granted, else copies."""
    return out if out is not None else tuple(np.array(a, order="C", copy=True) for a in arrays)


@table(ops.sgd_step, out=True)
def _sgd_step(
    param: Array, grad: Array, buffer: Array | None, lr: Array, *, out: tuple[Array, ...] | None = None, **options: Any
) -> Any:
    kept = (param,) if buffer is None else (param, buffer)
    own = _own(out, *kept)
    optimizers.sgd_step(own[0], grad, own[1] if buffer is not None else None, lr=float(lr), **options)
    return own[0] if buffer is None else own


@table(ops.adam_step, out=True)
def _adam_step(
    param: Array, grad: Array, mean: Array, square: Array, largest: Array | None, lr: Array, step: Array,
    *, out: tuple[Array, ...] | None = None, **options: Any,
) -> Any:  # fmt: skip
    kept = (param, mean, square) if largest is None else (param, mean, square, largest)
    own = _own(out, *kept)
    optimizers.adam_step(
        own[0], grad, own[1], own[2], own[3] if largest is not None else None, lr=float(lr), step=float(step), **options
    )
    return own
