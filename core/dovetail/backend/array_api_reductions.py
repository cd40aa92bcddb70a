"""Kernels in the array-API standard that reduce dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from dovetail import dtypes, ops
from dovetail.backend.array_api_halves import Halves
from dovetail.backend.array_api_space import Space
from dovetail.contract.kernels import Array, Call, KernelTable

Kernel = Callable[..., Array]

_ANY_ORDER: Final = 32
"""So many terms may be added in any order: every term may pass through ceil(log2 n) + 32 additions."""


def kernels_for(space: Space, halves: Halves) -> KernelTable:
    """Return the kernels of this family."""
    table = KernelTable()
    _sums(table, space)
    _extremes(table, space)
    _positions(table, space)
    return table


def _over(function: Kernel) -> Callable[[Call], Kernel]:
    """Bind a reduction to the dimensions of a call."""

    def bind(call: Call) -> Kernel:
        axis = call.statics["dim"] if call.inputs[0].ndim else None
        keep = call.statics["keepdim"]
        return lambda x: function(x, axis=axis, keepdims=keep)

    return bind


def _sums(table: KernelTable, space: Space) -> None:
    xp = space.xp

    @table.binder(ops.sum)
    def sum(call: Call) -> Kernel:
        total = _adder(space, call)
        own = space.own[call.output.dtype]
        return lambda x: xp.astype(total(x), own, copy=False)

    @table.binder(ops.mean)
    def mean(call: Call) -> Kernel:
        total = _adder(space, call)
        own = space.own[call.output.dtype]
        count = math.prod(call.inputs[0].shape[d] for d in call.statics["dim"]) if call.inputs[0].ndim else 1

        def kernel(x: Array) -> Array:
            found = total(x)
            return xp.astype(found / space.scalar(count, found), own, copy=False)

        return kernel


def _adder(space: Space, call: Call) -> Kernel:
    """A sum that keeps the bound: the standard leaves the order of additions open.

    float32 is added in float64; float64 in halves that are laid over each other until few terms are left.
    """
    xp = space.xp
    dims: tuple[int, ...] = call.statics["dim"] if call.inputs[0].ndim else ()
    keep: bool = call.statics["keepdim"]
    axis = dims if call.inputs[0].ndim else None
    source = call.inputs[0]
    if source.dtype.category != dtypes.FLOATING:
        own = space.own[call.output.dtype]
        return lambda x: xp.sum(x, axis=axis, keepdims=keep, dtype=own)
    if source.dtype is dtypes.float32 and space.has_double:
        return lambda x: xp.sum(x, axis=axis, keepdims=keep, dtype=xp.float64)
    count = math.prod(source.shape[d] for d in dims)
    own = space.own[source.dtype]
    if count <= _ANY_ORDER:
        return lambda x: xp.sum(x, axis=axis, keepdims=keep, dtype=own)
    kept = tuple(d for d in range(source.ndim) if d not in dims)
    shape = (*(source.shape[d] for d in kept), count)
    result = tuple(1 if d in dims else n for d, n in enumerate(source.shape)) if keep else shape[:-1]

    def kernel(x: Array) -> Array:
        terms = xp.reshape(xp.permute_dims(x, (*kept, *dims)), shape)
        return xp.reshape(xp.sum(_folded(xp, terms), axis=-1, dtype=own), result)

    return kernel


def _folded(xp: Any, terms: Array) -> Array:
    """Lay the second half of the last axis over the first, one addition deep, until few terms are left."""
    while terms.shape[-1] > _ANY_ORDER:
        half = (terms.shape[-1] + 1) // 2
        rest = terms.shape[-1] - half
        folded = terms[..., :rest] + terms[..., half:]
        terms = xp.concat([folded, terms[..., rest:half]], axis=-1) if rest < half else folded
    return terms


def _extremes(table: KernelTable, space: Space) -> None:
    xp = space.xp

    def extreme(function: Kernel, on_bools: Kernel) -> Callable[[Call], Kernel]:
        return lambda call: _over(on_bools if call.inputs[0].dtype is dtypes.bool_ else function)(call)

    table.binder(ops.amax)(extreme(xp.max, xp.any))
    table.binder(ops.amin)(extreme(xp.min, xp.all))
    table.binder(ops.any)(_over(xp.any))
    table.binder(ops.all)(_over(xp.all))


def _positions(table: KernelTable, space: Space) -> None:
    xp = space.xp

    def position(function: Kernel) -> Kernel:
        def kernel(x: Array, dim: int | None, keepdim: bool) -> Array:
            if not x.ndim:
                return xp.zeros((), dtype=xp.int64, device=x.device)
            plain = xp.astype(x, xp.uint8) if x.dtype == xp.bool else x
            return xp.astype(_nan_first(space, function, plain, dim, keepdim), xp.int64, copy=False)

        return kernel

    table(ops.argmax)(position(xp.argmax))
    table(ops.argmin)(position(xp.argmin))


def _nan_first(space: Space, function: Kernel, x: Array, axis: int | None, keepdims: bool) -> Array:
    """The standard leaves open where a NaN is; its position counts as the extreme one."""
    xp = space.xp
    if not space.is_floating(x):
        return function(x, axis=axis, keepdims=keepdims)
    bad = xp.isnan(x)
    first = xp.argmax(xp.astype(bad, xp.int8), axis=axis, keepdims=keepdims)
    plain = function(xp.where(bad, xp.zeros_like(x), x), axis=axis, keepdims=keepdims)
    return xp.where(xp.any(bad, axis=axis, keepdims=keepdims), first, plain)
