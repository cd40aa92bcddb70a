"""Random numbers on NumPy: words from NumPy's own Philox, distributions in blocks that stay in the cache.

`dovetail.backend.streams` defines what every function returns, bit for bit, and the constants used here.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from dovetail.backend import streams

Array = np.ndarray[Any, Any]

BLOCK: Final = 1 << 15
"""Elements that are worked on at a time: a block's few float64 temporaries fit into a second-level cache."""

_LOW_HALF: Final = np.uint64(0xFFFFFFFF)
_HALF: Final = np.uint64(32)
_SQRT_HALF_BITS: Final = np.float64(streams.SQRT_HALF).view(np.int64)

blocks = streams.blocks
_local = threading.local()


def random_words(state: Array, *, shape: Sequence[int], width: int) -> Array:
    """Return the random words of one draw: uint32 for width 32, uint64 for width 64.

    ``state`` is the int64 array [seed, stream, offset]; it is not changed.

    >>> random_words(np.array([1, 2, 0]), shape=(2, 3), width=64).dtype
    dtype('uint64')
    """
    raw = _generator(state).random_raw(4 * blocks(shape, width))
    # "<": the low half of a word comes first, also on a machine that stores the high one first.
    words: Array = raw
    if width == 32:
        words = raw.astype("<u8", copy=False).view("<u4").astype(np.uint32, copy=False)
    return words[: math.prod(shape)].reshape(shape)


def _generator(state: Array) -> np.random.Philox:
    """Return this thread's Philox, set to the state: a quarter of the time that making a new one takes."""
    philox = getattr(_local, "philox", None)
    if philox is None:
        philox = _local.philox = np.random.Philox(key=0)
    seed, stream, offset = state.view(np.uint64)
    philox.state = {
        "bit_generator": "Philox",
        "state": {
            "counter": np.array([offset, 0, 0, 0], np.uint64),
            "key": np.array([seed, stream], np.uint64),
        },
        "buffer": np.zeros(4, np.uint64),
        "buffer_pos": 4,
        "has_uint32": 0,
        "uinteger": 0,
    }
    return philox


def uniform_from_words(words: Array, *, dtype: Any, low: float = 0.0, high: float = 1.0) -> Array:
    """Return uniform numbers in [0, 1), exact multiples of 2^-24 (float32) or 2^-53 (float64).

    Other bounds give ``u * (high - low) + low`` in float64, rounded once. TypeError for other words.
    """
    dtype, width = np.dtype(dtype), _width(words)
    bits = streams.UNIFORM_BITS[streams.check_words(width, dtype)]
    shift = words.dtype.type(width - bits)
    affine = streams.uniform_affine(low, high)
    # float32 holds up to 24 bits exactly, and takes half the memory.
    exact = np.dtype(np.float32) if affine is None and bits <= 24 else np.dtype(np.float64)
    unit = exact.type(2.0**-bits)

    def block(part: Array) -> Array:
        u = (part >> shift).astype(exact)
        u *= unit
        return _transformed(u, affine)

    return _by_block(block, words, dtype)


def normal_from_words(words: Array, *, dtype: Any, mean: float = 0.0, std: float = 1.0) -> Array:
    """Return normal numbers: the quantile of each word's fraction in float64, rounded once.

    Other parameters give ``x * std + mean`` before that rounding. TypeError for words of the wrong width.
    """
    dtype = np.dtype(dtype)
    streams.check_words(_width(words), dtype)
    affine = streams.normal_affine(mean, std)

    def block(part: Array) -> Array:
        return _transformed(_quantile(streams.centred(np, part)), affine)

    return _by_block(block, words, dtype)


def randint_from_words(words: Array, *, low: int, high: int) -> Array:
    """Return int64 numbers in [low, high): low plus the high part of each 64-bit word times (high - low)."""
    span_high, span_low, _, _ = streams.randint_halves(low, high)

    def block(part: Array) -> Array:
        if span_high:
            scaled, _ = streams.multiply_wide(part, np.uint64(span_high), np.uint64(span_low))
        else:
            span = np.uint64(span_low)
            scaled = part & _LOW_HALF
            scaled *= span
            scaled >>= _HALF
            scaled += (part >> _HALF) * span
            scaled >>= _HALF
        numbers: Array = scaled.view(np.int64)
        numbers += np.int64(low)  # modulo 2^64; the sum itself is an int64
        return numbers

    _width(words, 64)
    return _by_block(block, words, np.dtype(np.int64))


def permutation_from_words(words: Array) -> Array:
    """Return the permutation (int64) that sorts 64-bit words of shape (n,), equal words in their order."""
    _width(words, 64)
    order: Array = np.argsort(words, kind="stable")
    return order.astype(np.int64, copy=False)


def bernoulli_from_words(words: Array, *, p: float | Array) -> Array:
    """Return bools, true where a 32-bit word is below p 2^32 rounded half to even.

    ``p`` is a Python number in [0, 1] (else ValueError) or a floating array that broadcasts with the words.
    """
    _width(words, 32)
    if not isinstance(p, (int, float)):
        return _below(words, np.rint(p.astype(np.float64) * 2.0**32))
    whole = streams.bernoulli_threshold(p)
    if whole == 2**32:
        return np.ones(words.shape, np.bool_)
    return _below(words, np.uint32(whole))


# ------------------------------------------------------------------------------------------------ arithmetic


def _below(words: Array, threshold: Any) -> Array:
    result: Array = np.less(words, threshold, out=...)  # an array also where the words have no dimension
    return result


def _width(words: Array, wanted: int | None = None) -> int:
    """Return the bits of a word; TypeError for other arrays, or where another width is wanted."""
    width = {"uint32": 32, "uint64": 64}.get(words.dtype.name, 0)
    if width == 0 or wanted not in (None, width):
        raise TypeError(f"expected random words of {wanted or '32 or 64'} bits, got {words.dtype}")
    return width


def _by_block(compute: Callable[[Array], Array], words: Array, dtype: np.dtype[Any]) -> Array:
    """Apply an elementwise function to blocks of the words, and round each to ``dtype`` once."""
    flat = words.reshape(-1)
    result = np.empty(flat.shape, dtype)
    # A large deviation may overflow a short dtype to infinity, as it does on every other backend.
    with np.errstate(over="ignore", under="ignore"):
        for start in range(0, flat.size, BLOCK):
            values = compute(flat[start : start + BLOCK])
            if dtype.name == "bfloat16" and values.dtype == np.float64:
                values = _odd_float32(values)  # to bfloat16 by way of float32: round to odd on the way
            result[start : start + BLOCK] = values
    return result.reshape(words.shape)


def _transformed(x: Array, affine: streams.Affine | None) -> Array:
    if affine is not None:
        scale, shift = affine
        x *= scale
        x += shift
    return x


def _odd_float32(x: Array) -> Array:
    """Return x in float32 where it is one, else the odd one of the two around it (see streams.round_once)."""
    near = x.astype(np.float32)
    back = near.astype(np.float64)
    bits = near.view(np.uint32)
    bits -= np.abs(back) > np.abs(x)  # towards zero
    bits |= back != x
    return near


def _horner(x: Array, coefficients: Sequence[float]) -> Array:
    total = x * coefficients[-1]
    for coefficient in coefficients[-2:0:-1]:
        total += coefficient
        total *= x
    total += coefficients[0]
    return total


def _quantile(q: Array) -> Array:
    """Return the normal quantile of q + 1/2: the central formula for all, the tails where they apply."""
    x = q * q
    np.subtract(streams.CENTRAL_SHIFT, x, out=x)
    numerator, denominator = streams.CENTRAL
    value = _horner(x, numerator)
    value /= _horner(x, denominator)
    value *= q
    np.abs(q, out=x)
    tails = np.flatnonzero(x > streams.CENTRAL_EDGE)
    value[tails] = np.copysign(_tail(0.5 - x[tails]), q[tails])
    return value


def _tail(p: Array) -> Array:
    """Return the size of the quantile of a probability p below 1/2 - CENTRAL_EDGE."""
    r = np.sqrt(_minus_log(p))
    value = _ratio(r - streams.NEAR_SHIFT, streams.NEAR)
    far = np.flatnonzero(r > streams.FAR_EDGE)  # one word in 10^11
    if far.size:
        value[far] = _ratio(r[far] - streams.FAR_SHIFT, streams.FAR)
    return value


def _ratio(x: Array, parts: tuple[Sequence[float], Sequence[float]]) -> Array:
    value = _horner(x, parts[0])
    value /= _horner(x, parts[1])
    return value


def _minus_log(p: Array) -> Array:
    """Return -log(p) of positive normal float64, exponent and mantissa taken from its bits."""
    bits = p.view(np.int64)
    exponent = (bits - _SQRT_HALF_BITS) >> 52
    mantissa = (bits - (exponent << 52)).view(np.float64)
    e = exponent.astype(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    fraction = _horner(s * s, streams.LOG_SERIES)
    fraction *= s
    fraction += e * streams.LN2_LOW
    e *= streams.LN2_HIGH
    fraction += e
    return np.negative(fraction, out=fraction)
