"""The kernel table of the JAX backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax.numpy as jnp
import numpy as np
from jax import lax

from dovetail.backend import Array, Call, KernelTable, dtypes, ops, transfer
from dovetail_jax import attention, kernel_math, kernel_nn, kernel_order, philox, recurrent

table: Final = KernelTable()
Kernel = Callable[..., Array]

ON_HOST: Final = frozenset({ops.copy_to.record.name})
"""Ops that leave the device, so that they cannot be part of a compiled function."""

for _family in (attention, kernel_math, kernel_nn, kernel_order, recurrent):
    table.update(_family.table)


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
    if source is dtypes.float64 and target.category == dtypes.FLOATING and target.itemsize == 2:
        return lambda x: _to_odd(x).astype(host)
    return lambda x: x.astype(host)


def _to_odd(x: Array) -> Array:
    """float64 as float32 rounded to odd, so that rounding that to 16 bits rounds once (XLA goes through float32).

    S. Boldo and G. Melquiond, Emulation of FMA and correctly rounded sums, IEEE Trans. Computers 57 (2008), 462-471.
    """
    near = x.astype(jnp.float32)
    wide = near.astype(jnp.float64)
    bits = lax.bitcast_convert_type(near, jnp.int32)
    towards_zero = bits - (jnp.abs(wide) > jnp.abs(x)).astype(jnp.int32)
    odd = lax.bitcast_convert_type(towards_zero | 1, jnp.float32)
    return jnp.where((wide == x) | jnp.isnan(x), near, odd)


def _to_integer(x: Array, host: Any) -> Array:
    """Truncate; NaN gives 0, what is out of range the nearest integer (XLA's conversion saturates)."""
    info = np.iinfo(host)
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


@table(ops.diagonal)
def _diagonal(x: Array, offset: int, dim1: int, dim2: int) -> Array:
    return jnp.diagonal(x, offset, dim1, dim2)


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
    kind, half = x.dtype, x.dtype.itemsize == 2 and jnp.issubdtype(x.dtype, jnp.floating)
    if half:  # added up in float32 and rounded once
        x, source = x.astype(jnp.float32), source.astype(jnp.float32)
    moved = jnp.moveaxis(x, dim, 0).at[index.reshape(-1)].add(jnp.moveaxis(source, dim, 0))
    return jnp.moveaxis(moved, 0, dim).astype(kind)


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
    if not x.ndim:
        return x + src
    half = x.dtype.itemsize == 2 and jnp.issubdtype(x.dtype, jnp.floating)
    wide = x.astype(jnp.float32) if half else x  # added up in float32 and rounded once
    return wide.at[_places(index, dim)].add(src.astype(wide.dtype)).astype(x.dtype)


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
