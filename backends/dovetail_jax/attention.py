"""Attention under XLA: one kernel forward, and its gradient by JAX from the same function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp

from dovetail.backend import Array, Call, KernelTable, dtypes, ops

table: Final = KernelTable()
Kernel = Callable[..., Any]


def _wide(array: Array) -> Array:
    return array.astype(jnp.float32) if array.dtype.itemsize == 2 else array


def _dot(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision="highest")


def _attend(call: Call, q: Array, k: Array, v: Array, mask: Array | None, kept: Array | None) -> tuple[Array, Array]:
    """The result and the weights before dropout; a query that may look nowhere gets zeros."""
    statics = call.statics
    scores = _dot(q * statics["scale"], jnp.swapaxes(k, -1, -2))
    if statics["is_causal"]:
        mask = jnp.tril(jnp.ones(scores.shape[-2:], bool))
    if mask is not None:
        scores = jnp.where(mask, scores, -jnp.inf) if mask.dtype == bool else scores + mask.astype(scores.dtype)
    if scores.size:
        # a row of -inf would give NaN, here and in the gradient
        open_ = scores.max(axis=-1, keepdims=True) != -jnp.inf
        weights = jnp.where(open_, jax.nn.softmax(jnp.where(open_, scores, 0), axis=-1), 0)
    else:
        weights = scores
    used = weights
    if kept is not None:
        p = statics["dropout_p"]
        used = weights * kept * (1.0 / (1.0 - p) if p < 1 else 0.0)
    return _dot(used, v), jnp.broadcast_to(weights, (*jnp.broadcast_shapes(weights.shape[:-2], v.shape[:-2]),
                                                     *weights.shape[-2:]))  # fmt: skip


@table.binder(ops.attention)
def _attention(call: Call) -> Kernel:
    def kernel(q: Array, k: Array, v: Array, mask: Array | None, kept: Array | None) -> tuple[Array, Array]:
        out, weights = _attend(call, _wide(q), _wide(k), _wide(v), mask, kept)
        return out.astype(q.dtype), weights

    return kernel


@table.binder(ops.attention_backward)
def _attention_backward(call: Call) -> Kernel:
    mask_spec: Any = call.inputs[4]  # None where there is no mask
    added = mask_spec is not None and mask_spec.dtype is not dtypes.bool_
    shapes = [tuple(s.shape) for s in call.outputs]

    def kernel(
        g: Array, q: Array, k: Array, v: Array, mask: Array | None, kept: Array | None, out: Array, weights: Array
    ) -> tuple[Array, ...]:
        # with the dimensions of the whole batch, so that nothing is summed over it here
        wide = [jnp.broadcast_to(_wide(a), s) for a, s in zip((q, k, v), shapes, strict=False)]
        if added:
            offset = jnp.broadcast_to(_wide(mask), shapes[3])
            _, pull = jax.vjp(lambda q, k, v, m: _attend(call, q, k, v, m, kept)[0], *wide, offset)
        else:
            _, pull = jax.vjp(lambda q, k, v: _attend(call, q, k, v, mask, kept)[0], *wide)
        found = [*pull(_wide(g))]
        if not added:
            found.append(jnp.zeros((0,), q.dtype))
        return tuple(f.astype(s.dtype.host) for f, s in zip(found, call.outputs, strict=True))

    return kernel
