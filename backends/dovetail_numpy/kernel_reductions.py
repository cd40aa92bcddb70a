"""Reductions of arrays: one value from many, along axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from dovetail.backend import Array, Call, KernelTable, dtypes, ops
from dovetail_numpy import reductions
from dovetail_numpy.binding import HALF, Kernel

table: Final = KernelTable()


def _over(function: Callable[..., Array]) -> Callable[[Call], Kernel]:
    """Bind a function of an array, the axes and whether to keep them."""

    def bind(call: Call) -> Kernel:
        dim, keep = tuple(call.statics["dim"]), call.statics["keepdim"]
        host = call.output.dtype.host

        def kernel(x: Array) -> Array:
            return np.asarray(function(x, dim, keep), host)

        return kernel

    return bind


def _reduced(ufunc: Any, x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    return ufunc.reduce(x, axis=axes, keepdims=keepdims)


_FEW: Final = 8192
"""Elements below which the number of calls decides."""
_ANY_ORDER: Final = 38
"""So many terms keep the bound of ``reductions`` in whatever order they are added."""


def _total(call: Call) -> Kernel | None:
    """A sum of few terms in one call: any order of adding keeps the bound, or float64 does."""
    source = call.inputs[0]
    dim, keep = tuple(call.statics["dim"]), call.statics["keepdim"]
    count = math.prod(source.shape[d] for d in dim)
    if source.size >= _FEW or source.dtype not in (dtypes.float32, dtypes.float64):
        return None
    if count <= _ANY_ORDER:
        if not call.output.shape:
            return lambda x: np.add.reduce(x, axis=None, out=...)
        return partial(np.add.reduce, axis=dim, keepdims=keep, out=...)
    if source.dtype is dtypes.float64:
        return None
    return lambda x: np.add.reduce(x, axis=dim, dtype=np.float64, keepdims=keep, out=...).astype(np.float32)


@table.binder(ops.sum)
def _sum(call: Call) -> Kernel:
    return _total(call) or _over(reductions.sum_over)(call)


@table.binder(ops.mean)
def _mean(call: Call) -> Kernel:
    total = _total(call)
    if total is None:
        return _over(reductions.mean_over)(call)
    source = call.inputs[0]
    count = np.array(math.prod(source.shape[d] for d in call.statics["dim"]), source.dtype.host)

    def kernel(x: Array) -> Array:
        result = total(x)
        return np.true_divide(result, count, out=result)

    return kernel


for _op, _ufunc in (
    (ops.amax, np.maximum),
    (ops.amin, np.minimum),
    (ops.any, np.logical_or),
    (ops.all, np.logical_and),
):
    table.binder(_op)(_over(partial(_reduced, _ufunc)))


@table.binder(ops.prod)
def _prod(call: Call) -> Kernel:
    dim, keep, host = tuple(call.statics["dim"]), call.statics["keepdim"], call.output.dtype.host
    wide = np.dtype(np.float32) if call.output.dtype in HALF else host

    def kernel(x: Array) -> Array:
        return np.asarray(np.multiply.reduce(x, dim, dtype=wide, keepdims=keep)).astype(host, copy=False)

    return kernel


@table.binder(ops.logsumexp)
def _logsumexp(call: Call) -> Kernel:
    dim, keep, host = tuple(call.statics["dim"]), call.statics["keepdim"], call.output.dtype.host

    def kernel(x: Array) -> Array:
        x = np.asarray(x, np.float32) if x.dtype.itemsize == 2 else x
        shift = np.maximum.reduce(x, dim, keepdims=True, initial=-np.inf)
        shift = np.where(np.isinf(shift), 0, shift).astype(x.dtype)
        total = reductions.sum_over(np.exp(x - shift), dim, True)
        result = np.log(total) + shift
        return np.asarray(result if keep else result.reshape(call.output.shape)).astype(host, copy=False)

    return kernel


def _spread(root: bool) -> Callable[[Call], Kernel]:
    def bind(call: Call) -> Kernel:
        dim, keep = tuple(call.statics["dim"]), call.statics["keepdim"]
        correction, host = call.statics["correction"], call.output.dtype.host

        def kernel(x: Array) -> Array:
            wide = np.asarray(x, np.float32) if x.dtype.itemsize == 2 else x
            spread = reductions.variance_over(wide, dim, correction, keep)
            return np.asarray(np.sqrt(spread) if root else spread).astype(host, copy=False)

        return kernel

    return bind


table.binder(ops.var)(_spread(root=False))
table.binder(ops.std)(_spread(root=True))


@table.binder(ops.norm)
def _norm(call: Call) -> Kernel | None:
    if call.statics["p"] != 2:
        return None
    dim, host, shape = tuple(call.statics["dim"]), call.output.dtype.host, tuple(call.output.shape)

    def kernel(x: Array) -> Array:
        wide = np.asarray(x, np.float32) if x.dtype.itemsize == 2 else x
        squares = reductions.dot_over(wide, wide, dim)
        return np.asarray(np.sqrt(squares)).reshape(shape).astype(host, copy=False)

    return kernel


def _position(function: Any) -> Callable[..., Array]:
    """Of 16-bit floats in float32: NumPy's search does not see a NaN of bfloat16."""

    def kernel(x: Array, dim: int | None, keepdim: bool) -> Array:
        x = np.asarray(x, np.float32) if x.dtype.itemsize == 2 and x.dtype.kind in "fV" else x
        found = function(x, axis=dim if x.ndim else None, keepdims=keepdim and x.ndim > 0)
        return np.asarray(found, np.int64)

    return kernel


table(ops.argmax)(_position(np.argmax))
table(ops.argmin)(_position(np.argmin))
