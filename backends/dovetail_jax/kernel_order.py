"""Running sums, sorting and joining under XLA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax.numpy as jnp
from jax import lax

from dovetail.backend import Array, Call, KernelTable, dtypes, ops

table: Final = KernelTable()
Kernel = Callable[..., Array]
HALF: Final = (dtypes.float16, dtypes.bfloat16)


@table(ops.cat)
def _cat(tensors: Any, dim: int) -> Array:
    """Empty vectors join anything, as in PyTorch."""
    return jnp.concatenate([t for t in tensors if t.shape != (0,)] or list(tensors), axis=dim)


def _scan(function: Any) -> Callable[[Call], Kernel]:
    def bind(call: Call) -> Kernel:
        dim, host = call.statics["dim"], call.output.dtype.host
        wide = jnp.float32 if call.output.dtype in HALF else host
        if not call.output.ndim:
            return lambda x: x.astype(host)
        return lambda x: function(x.astype(wide), axis=dim).astype(host)

    return bind


table.binder(ops.cumsum)(_scan(jnp.cumsum))
table.binder(ops.cumprod)(_scan(jnp.cumprod))


@table.binder(ops.argsort)
def _argsort(call: Call) -> Kernel:
    """Always stable; NaN last, first when descending; equal elements keep their order in both directions."""
    dim, descending = call.statics["dim"], call.statics["descending"]
    kind = call.inputs[0].dtype
    if not call.output.ndim:
        return lambda x: jnp.zeros((), jnp.int64)
    if not descending:
        return lambda x: jnp.argsort(_ordered(x, kind), axis=dim, stable=True).astype(jnp.int64)

    def falling(x: Array) -> Array:
        turned = jnp.flip(_ordered(x, kind), axis=dim)
        order = jnp.flip(jnp.argsort(turned, axis=dim, stable=True), axis=dim)
        return (x.shape[dim] - 1 - order).astype(jnp.int64)

    return falling


def _ordered(x: Array, kind: dtypes.dtype) -> Array:
    """Values that sort as the tensor's: bools as numbers, zeros without their sign (XLA puts -0 before +0)."""
    if kind is dtypes.bool_:
        return x.astype(jnp.uint8)
    return jnp.where(x == 0, jnp.zeros((), x.dtype), x) if kind.is_floating_point else x


@table(ops.argmax)
def _argmax(x: Array, dim: int | None, keepdim: bool) -> Array:
    return _position(jnp.argmax, x, dim, keepdim)


@table(ops.argmin)
def _argmin(x: Array, dim: int | None, keepdim: bool) -> Array:
    return _position(jnp.argmin, x, dim, keepdim)


def _position(function: Any, x: Array, dim: int | None, keepdim: bool) -> Array:
    axis = dim if x.ndim else None
    return function(x, axis=axis, keepdims=keepdim and x.ndim > 0).astype(jnp.int64)


def reduction(function: Any) -> Callable[[Call], Kernel]:
    """Bind a reduction over a tuple of axes, 16-bit floats accumulated in float32."""

    def bind(call: Call) -> Kernel:
        axis = call.statics["dim"] if call.inputs[0].ndim else None
        keep, host = call.statics["keepdim"], call.output.dtype.host
        if call.inputs[0].dtype in HALF:
            return lambda x: function(x.astype(jnp.float32), axis=axis, keepdims=keep).astype(host)
        return lambda x: function(x, axis=axis, keepdims=keep).astype(host)

    return bind


def _mean(x: Array, axis: Any, keepdims: bool) -> Array:
    """The sum divided by the count, and not multiplied by its reciprocal."""
    total = jnp.sum(x, axis=axis, keepdims=keepdims)
    axes = range(x.ndim) if axis is None else axis
    number = 1
    for a in axes:
        number *= x.shape[a]
    return total / lax.optimization_barrier(jnp.full(total.shape, number, x.dtype))


for _op, _function in (
    (ops.amax, jnp.max),
    (ops.amin, jnp.min),
    (ops.any, jnp.any),
    (ops.all, jnp.all),
    (ops.sum, jnp.sum),
    (ops.mean, _mean),
):
    table.binder(_op)(reduction(_function))


@table.binder(ops.prod)
def _prod(call: Call) -> Kernel:
    return reduction(jnp.prod)(call)


@table(ops.matmul)
def _matmul(a: Array, b: Array) -> Array:
    if a.dtype in (jnp.float16, jnp.bfloat16):
        wide = jnp.matmul(a.astype(jnp.float32), b.astype(jnp.float32), precision="highest")
        return wide.astype(a.dtype)
    return jnp.matmul(a, b, precision="highest")
