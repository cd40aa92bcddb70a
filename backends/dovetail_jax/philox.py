"""Random numbers on JAX: Philox rounds in a loop, distributions by the portable arithmetic of the core.

Every function is a jitted kernel of its own when it is called eagerly, and a part of the program when it is
called inside one; shapes, widths and dtypes are static, everything else is a live input. All need 64-bit
mode: call them under ``jax.enable_x64(True)``.

`dovetail.backend.streams` defines what every function returns, bit for bit, and keeps the compiler from
contracting its products and sums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from dovetail.backend import streams

Array = Any

CHUNK: Final = 1 << 17
"""Blocks that are worked on at a time: 4 MiB. A larger draw goes through memory once, not ten times."""

blocks = streams.blocks


def random_words(state: Array, *, shape: Sequence[int], width: int) -> Array:
    """Return the random words of one draw: uint32 for width 32, uint64 for width 64.

    ``state`` is the int64 array [seed, stream, offset]; it is not changed, and the host does not read it.
    """
    blocks(shape, width)
    return _random_words(state, shape=tuple(shape), width=width)


@partial(jax.jit, static_argnames=("shape", "width"))
def _random_words(state: Array, *, shape: tuple[int, ...], width: int) -> Array:
    _require_x64(state, jnp.int64)
    seed, stream, offset = lax.bitcast_convert_type(state, jnp.uint64)
    count = blocks(shape, width)
    if count == 0:
        return jnp.zeros(shape, jnp.uint32 if width == 32 else jnp.uint64)
    # Two chunks at least: a loop's result stays an array of its own. Without a loop XLA works the order of
    # the words into whatever is computed from them, element by element, and that takes three times as long.
    size = -(-count // max(2, -(-count // CHUNK)))

    def chunk(first: Array) -> Array:
        c0 = offset + first + jnp.arange(1, size + 1, dtype=jnp.uint64)
        zero = jnp.zeros_like(c0)
        carry = (c0 < offset).astype(jnp.uint64)
        words = rounds(jnp.stack([c0, carry, zero, zero]), jnp.stack([seed, stream])).T
        return lax.bitcast_convert_type(words, jnp.uint32) if width == 32 else words  # the low half first

    words = lax.map(chunk, jnp.arange(0, count, size, dtype=jnp.uint64))
    return words.reshape(-1)[: math.prod(shape)].reshape(shape)


def rounds(counter: Array, key: Array) -> Array:
    """Return the Philox4x64-10 blocks, one per column of the uint64 ``counter`` (4, n), under ``key`` (2,).

    A loop, because XLA inlines every use of a value into its users and is not done with ten unrolled rounds
    in minutes; both products in one, because that makes one kernel of a round.
    """
    high_halves, low_halves = np.array(streams.multiplier_halves(), np.uint64).T[:, :, None]
    weyl = jnp.array(streams.PHILOX_WEYL, jnp.uint64)

    def one(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        c, k = carry
        high, low = streams.multiply_wide(c[::2], high_halves, low_halves)
        return jnp.stack([high[1] ^ c[1] ^ k[0], low[1], high[0] ^ c[3] ^ k[1], low[0]]), k + weyl

    result, _ = lax.fori_loop(0, streams.PHILOX_ROUNDS, one, (counter, key))
    return result


def uniform_from_words(words: Array, *, dtype: Any, low: float = 0.0, high: float = 1.0) -> Array:
    """Return uniform numbers in [0, 1), exact multiples of 2^-24 (float32) or 2^-53 (float64).

    Other bounds give ``u * (high - low) + low`` in float64, rounded once. TypeError for other words.
    """
    return _uniform(words, streams.uniform_affine(low, high), dtype=np.dtype(dtype))


@partial(jax.jit, static_argnames="dtype")
def _uniform(words: Array, affine: streams.Affine | None, *, dtype: np.dtype[Any]) -> Array:
    _require_x64(words)
    return streams.uniform(jnp, words, dtype, affine)


def normal_from_words(words: Array, *, dtype: Any, mean: float = 0.0, std: float = 1.0) -> Array:
    """Return normal numbers: the quantile of each word's fraction in float64, rounded once.

    Other parameters give ``x * std + mean`` before that rounding. TypeError for words of the wrong width.
    """
    return _normal(words, streams.normal_affine(mean, std), dtype=np.dtype(dtype))


@partial(jax.jit, static_argnames="dtype")
def _normal(words: Array, affine: streams.Affine | None, *, dtype: np.dtype[Any]) -> Array:
    _require_x64(words)
    return streams.normal(jnp, words, dtype, affine)


def randint_from_words(words: Array, *, low: int, high: int) -> Array:
    """Return int64 numbers in [low, high): low plus the high part of each 64-bit word times (high - low)."""
    return _randint(words, *streams.randint_halves(low, high))


@jax.jit
def _randint(words: Array, span_high: Array, span_low: Array, low_high: Array, low_low: Array) -> Array:
    _require_x64(words, jnp.uint64)
    span_high, span_low = span_high.astype(jnp.uint64), span_low.astype(jnp.uint64)
    return streams.randint(jnp, words, span_high, span_low, low_high, low_low)


@jax.jit
def permutation_from_words(words: Array) -> Array:
    """Return the permutation (int64) that sorts 64-bit words of shape (n,), equal words in their order."""
    _require_x64(words, jnp.uint64)
    return streams.permutation_from_words(jnp, words)


def bernoulli_from_words(words: Array, *, p: float | Array) -> Array:
    """Return bools, true where a 32-bit word is below p 2^32 rounded half to even.

    ``p`` is a Python number in [0, 1] (else ValueError) or a floating array that broadcasts with the words.
    """
    if isinstance(p, (int, float)):
        return _below(words, float(streams.bernoulli_threshold(p)))
    return _bernoulli(words, p)


@jax.jit
def _below(words: Array, threshold: Array) -> Array:
    _require_x64(words, jnp.uint32)
    return streams.below(jnp, words, threshold)


@jax.jit
def _bernoulli(words: Array, p: Array) -> Array:
    _require_x64(words, jnp.uint32)
    return streams.bernoulli_from_words(jnp, words, p=p)


def _require_x64(array: Array, dtype: Any = None) -> None:
    """Raise TypeError outside of 64-bit mode, where JAX would turn float64 into float32 in silence."""
    if jnp.result_type(float) != jnp.float64:
        raise TypeError("random numbers need 64-bit mode: call the kernel under jax.enable_x64(True)")
    if dtype is not None and array.dtype != dtype:
        raise TypeError(f"expected an array of {np.dtype(dtype)}, got {array.dtype}")
