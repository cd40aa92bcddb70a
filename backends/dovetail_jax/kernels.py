"""The kernel table of the JAX backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax.numpy as jnp
from jax import lax

from dovetail.backend import Array, Call, KernelTable, dtypes, ops, transfer
from dovetail_jax import philox

table: Final = KernelTable()
Kernel = Callable[..., Array]

ON_HOST: Final = frozenset({ops.copy_to.record.name})
"""Ops that leave the device, so that they cannot be part of a compiled function."""

_HALF: Final = (dtypes.float16, dtypes.bfloat16)

for _op, _function in (
    (ops.add, jnp.add),
    (ops.sub, jnp.subtract),
    (ops.mul, jnp.multiply),
    (ops.neg, jnp.negative),
    (ops.abs, jnp.abs),
    (ops.maximum, jnp.maximum),
    (ops.minimum, jnp.minimum),
    (ops.exp, jnp.exp),
    (ops.log, jnp.log),
    (ops.sqrt, jnp.sqrt),
    (ops.tanh, jnp.tanh),
    (ops.eq, jnp.equal),
    (ops.ne, jnp.not_equal),
    (ops.lt, jnp.less),
    (ops.le, jnp.less_equal),
    (ops.gt, jnp.greater),
    (ops.ge, jnp.greater_equal),
    (ops.bitwise_and, jnp.bitwise_and),
    (ops.bitwise_or, jnp.bitwise_or),
    (ops.bitwise_xor, jnp.bitwise_xor),
    (ops.bitwise_not, jnp.bitwise_not),
    (ops.logical_not, jnp.logical_not),
    (ops.isnan, jnp.isnan),
    (ops.select_by, jnp.where),
):
    table(_op)(_function)


@table(ops.div)
def _div(x: Array, y: Array) -> Array:
    return jnp.true_divide(x, y)


@table(ops.floor_divide)
def _floor_divide(x: Array, y: Array) -> Array:
    return jnp.floor_divide(x, y)


@table(ops.remainder)
def _remainder(x: Array, y: Array) -> Array:
    return jnp.remainder(x, y)


@table(ops.fmod)
def _fmod(x: Array, y: Array) -> Array:
    return jnp.fmod(x, y)


@table(ops.power)
def _power(x: Array, y: Array) -> Array:
    if jnp.issubdtype(x.dtype, jnp.floating):
        return jnp.power(x, y)
    if x.dtype == jnp.bool_:
        return x | ~y
    positive = jnp.power(x, jnp.maximum(y, 0))
    odd = y % 2 != 0
    inverse = jnp.where(x == 1, 1, jnp.where(x == -1, jnp.where(odd, -1, 1), 0)).astype(x.dtype)
    return jnp.where(y < 0, inverse, positive)


@table(ops.sign)
def _sign(x: Array) -> Array:
    if x.dtype == jnp.bool_:
        return x
    return (x > 0).astype(x.dtype) - (x < 0).astype(x.dtype)


# ------------------------------------------------------------------------------------------ dtype and device

table.binder(ops.copy_to)(transfer)


@table.binder(ops.cast)
def _cast(call: Call) -> Kernel:
    source, target = call.inputs[0].dtype, call.output.dtype
    host = target.host
    if source.category == dtypes.FLOATING and target.category == dtypes.INTEGER:
        return lambda x: _to_integer(x, host)
    if target.category == dtypes.BOOL:
        return lambda x: x != 0
    return lambda x: x.astype(host)


def _to_integer(x: Array, host: Any) -> Array:
    """Truncate; NaN gives 0, what is out of range the nearest integer (XLA's conversion saturates)."""
    info = jnp.iinfo(host)
    wide = x.astype(jnp.float64)
    clipped = jnp.clip(jnp.where(jnp.isnan(wide), 0.0, jnp.trunc(wide)), float(info.min), float(info.max))
    top = clipped >= float(info.max)
    return jnp.where(top, jnp.asarray(info.max, host), jnp.where(top, 0.0, clipped).astype(host))


@table(ops.clone)
def _clone(x: Array) -> Array:
    return jnp.copy(x)


# ------------------------------------------------------------------------------------------ shape


@table.binder(ops.view_as_shape)
def _reshape(call: Call) -> Kernel:
    shape = tuple(call.output.shape)
    return lambda x: x.reshape(shape)


@table.binder(ops.permute)
def _permute(call: Call) -> Kernel:
    dims = call.statics["dims"]
    return lambda x: jnp.transpose(x, dims)


@table.binder(ops.expand)
def _expand(call: Call) -> Kernel:
    shape = tuple(call.output.shape)
    return lambda x: jnp.broadcast_to(x, shape)


@table.binder(ops.basic_index)
def _basic_index(call: Call) -> Kernel:
    entries = [p for p in call.statics["pattern"] if p is not None]
    shape = tuple(call.output.shape)
    spans = tuple(1 if p == "int" else max((p[0] - 1) * p[1] + 1, 0) if p[0] else 0 for p in entries)
    steps = tuple(1 if p == "int" else p[1] for p in entries)

    def kernel(x: Array, starts: Any) -> Array:
        if 0 in shape:
            return jnp.zeros(shape, x.dtype)
        cut = lax.dynamic_slice(x, starts, spans) if spans else x
        if any(s != 1 for s in steps):
            cut = cut[tuple(slice(None, None, s) for s in steps)]
        return cut.reshape(shape)

    return kernel


@table.binder(ops.basic_index_put)
def _basic_index_put(call: Call) -> Kernel:
    entries = [p for p in call.statics["pattern"] if p is not None]
    lengths = tuple(1 if p == "int" else p[0] for p in entries)
    steps = tuple(1 if p == "int" else p[1] for p in entries)

    def kernel(x: Array, value: Array, starts: Any) -> Array:
        if 0 in lengths:
            return x
        block = value.reshape(lengths)
        if all(s == 1 for s in steps):
            return lax.dynamic_update_slice(x, block, starts) if lengths else block
        places = [start + step * jnp.arange(n) for start, step, n in zip(starts, steps, lengths, strict=True)]
        return x.at[jnp.ix_(*places)].set(block)

    return kernel


# ------------------------------------------------------------------------------------------ making


@table.binder(ops.filled)
def _filled(call: Call) -> Kernel:
    shape = tuple(call.output.shape)
    return lambda value: jnp.broadcast_to(value, shape)


@table.binder(ops.iota)
def _iota(call: Call) -> Kernel:
    length = call.output.shape[0]
    return lambda anchor: jnp.arange(length, dtype=jnp.int64)


# ------------------------------------------------------------------------------------------ reductions


def reduction(function: Any) -> Callable[[Call], Kernel]:
    """Bind a reduction over a tuple of axes, 16-bit floats accumulated in float32."""

    def bind(call: Call) -> Kernel:
        axis = call.statics["dim"] if call.inputs[0].ndim else None
        keep = call.statics["keepdim"]
        host = call.output.dtype.host
        if call.inputs[0].dtype in _HALF:
            return lambda x: function(x.astype(jnp.float32), axis=axis, keepdims=keep).astype(host)
        return lambda x: function(x, axis=axis, keepdims=keep).astype(host)

    return bind


for _op, _function in (
    (ops.amax, jnp.max),
    (ops.amin, jnp.min),
    (ops.any, jnp.any),
    (ops.all, jnp.all),
    (ops.sum, jnp.sum),
    (ops.mean, jnp.mean),
):
    table.binder(_op)(reduction(_function))


@table(ops.argmax)
def _argmax(x: Array, dim: int | None, keepdim: bool) -> Array:
    return jnp.argmax(x, axis=dim if x.ndim else None, keepdims=keepdim and x.ndim > 0).astype(jnp.int64)


@table(ops.argmin)
def _argmin(x: Array, dim: int | None, keepdim: bool) -> Array:
    return jnp.argmin(x, axis=dim if x.ndim else None, keepdims=keepdim and x.ndim > 0).astype(jnp.int64)


@table(ops.matmul)
def _matmul(a: Array, b: Array) -> Array:
    if a.dtype in (jnp.float16, jnp.bfloat16):
        wide = jnp.matmul(a.astype(jnp.float32), b.astype(jnp.float32), precision="highest")
        return wide.astype(a.dtype)
    return jnp.matmul(a, b, precision="highest")


# ------------------------------------------------------------------------------------------ positions


@table(ops.index_select)
def _index_select(x: Array, index: Array, dim: int) -> Array:
    if not x.ndim:
        return x
    return jnp.take(x, index.reshape(-1), axis=dim, mode="clip")


@table(ops.index_add)
def _index_add(x: Array, index: Array, source: Array, dim: int) -> Array:
    if not x.ndim:
        return x + source
    moved = jnp.moveaxis(x, dim, 0).at[index.reshape(-1)].add(jnp.moveaxis(source, dim, 0))
    return jnp.moveaxis(moved, 0, dim)


@table(ops.index_copy)
def _index_copy(x: Array, index: Array, source: Array, dim: int) -> Array:
    if not x.ndim:
        return source
    moved = jnp.moveaxis(x, dim, 0).at[index.reshape(-1)].set(jnp.moveaxis(source, dim, 0))
    return jnp.moveaxis(moved, 0, dim)


def _places(index: Array, dim: int) -> tuple[Array, ...]:
    grids = list(jnp.indices(index.shape, sparse=True))
    grids[dim] = index
    return tuple(grids)


@table(ops.gather)
def _gather(x: Array, index: Array, dim: int) -> Array:
    if not x.ndim:
        return jnp.broadcast_to(x, index.shape)
    return x[_places(index, dim)]


@table(ops.scatter_elements)
def _scatter(x: Array, index: Array, src: Array, dim: int) -> Array:
    return src if not x.ndim else x.at[_places(index, dim)].set(src)


@table(ops.scatter_add_elements)
def _scatter_add(x: Array, index: Array, src: Array, dim: int) -> Array:
    return x + src if not x.ndim else x.at[_places(index, dim)].add(src)


# ------------------------------------------------------------------------------------------ random

table(ops.random_words)(philox.random_words)
table(ops.permutation_from_words)(philox.permutation_from_words)
table(ops.randint_from_words)(philox.randint_from_words)
table(ops.bernoulli_from_words)(philox.bernoulli_from_words)


@table(ops.bernoulli_each_from_words)
def _bernoulli_each(words: Array, p: Array) -> Array:
    return philox.bernoulli_from_words(words, p=p)


@table(ops.uniform_from_words)
def _uniform(words: Array, dtype: dtypes.dtype, low: float, high: float) -> Array:
    return philox.uniform_from_words(words, dtype=dtype.host, low=low, high=high)


@table(ops.normal_from_words)
def _normal(words: Array, dtype: dtypes.dtype, mean: float, std: float) -> Array:
    return philox.normal_from_words(words, dtype=dtype.host, mean=mean, std=std)
