"""The random stream that every backend shares: its layout, its constants, a portable form of each step.

The generator is Philox4x64-10 (J. Salmon, M. Moraes, R. Dror, D. Shaw, Parallel random numbers: as easy as
1, 2, 3, SC'11). Its state is three 64-bit words in an int64 array of shape (3,) on the device (the bits
count, not the sign): [seed, stream, offset]. The key is (seed, stream); offset counts the blocks of four
words that are taken already. Block k of a draw (k = 0, 1, ...) is the Philox block at the 256-bit counter
``offset + 1 + k``, so the stream is that of ``numpy.random.Philox(key=[seed, stream], counter=offset)``,
which increments before its first block. Element i of a draw depends on the state and on i alone; no shape,
chunking, thread or device can change it:

    width 64   word i mod 4 of block i div 4: float64, randint, permutation
    width 32   half-word i mod 8 of block i div 8, the low half of a word first: shorter floats, bernoulli

A draw takes whole blocks. Distributions are functions of the words, element by element; those in float64
arithmetic are a fixed sequence of correctly rounded operations, then rounded once to their dtype.

The functions here take the array-API namespace ``xp`` first and use nothing beyond the standard. They serve
a backend that has no kernel of its own; kernels replace them and must equal them bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

Array = Any
Pin = Callable[[Array], Array]
Affine = tuple[Any, Any]
"""(scale, shift) of ``x * scale + shift``: Python numbers, or float64 arrays of shape ()."""

PHILOX_ROUNDS: Final = 10
PHILOX_MULTIPLIERS: Final = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
PHILOX_WEYL: Final = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)

UNIFORM_BITS: Final = {"bfloat16": 8, "float16": 11, "float32": 24, "float64": 53}
"""Leading bits of a word that a uniform number keeps: its dtype's precision, so none is rounded up to 1."""

# The inverse of the normal distribution: M. J. Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37
# (1988) 477-484. Coefficients of numerator and denominator in ascending order, three ranges of q = u - 1/2.
CENTRAL_EDGE: Final = 0.425
"""|q| up to here: q R(CENTRAL_SHIFT - q^2)."""
CENTRAL_SHIFT: Final = 0.180625
CENTRAL: Final = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)  # fmt: skip
FAR_EDGE: Final = 5.0
"""r = sqrt(-log(1/2 - |q|)) up to here: R(r - NEAR_SHIFT) with q's sign; beyond: R(r - FAR_SHIFT)."""
NEAR_SHIFT: Final = 1.6
NEAR: Final = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2,
     7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
     1.05075007164441684324e-9),
)  # fmt: skip
FAR_SHIFT: Final = 5.0
FAR: Final = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5,
     2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
     2.04426310338993978564e-15),
)  # fmt: skip

# log(2^e m) for m in [SQRT_HALF, 2 SQRT_HALF) is e log 2 + s LOG_SERIES(s^2) with s = (m - 1) / (m + 1): the
# minimax series of fdlibm's e_log.c (Sun Microsystems, 1993). LN2_HIGH has 32 bits: its product is exact.
SQRT_HALF: Final = 0.7071067811865476
LOG_SERIES: Final = (
    2.0, 6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
    2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01,
)  # fmt: skip
LN2_HIGH: Final = 6.93147180369123816490e-01
LN2_LOW: Final = 1.90821492927058770002e-10

_LOW_HALF: Final = 0xFFFFFFFF


# ------------------------------------------------------------------------- what is known before any word


def blocks(shape: Sequence[int], width: int) -> int:
    """Return how many Philox blocks a draw takes: the amount by which it moves the offset.

    ``width`` is 32 or 64, the bits that an element uses; ValueError for any other.

    >>> blocks((3, 3), 32), blocks((3, 3), 64), blocks((0,), 32)
    (2, 3, 0)
    """
    if width not in (32, 64):
        raise ValueError(f"random words are 32 or 64 bits wide, got width {width}")
    return -(-math.prod(shape) * width // 256)


def float_name(dtype: object) -> str:
    """Return the plain name of any library's floating dtype; TypeError when it has no random numbers.

    >>> import numpy as np
    >>> float_name(np.float32), float_name(np.dtype("float64"))
    ('float32', 'float64')
    """
    name = str(dtype).strip("<>'").rsplit(".", 1)[-1]
    if name not in UNIFORM_BITS:
        raise TypeError(f"random floating-point numbers are {', '.join(UNIFORM_BITS)}, got {dtype}")
    return name


def word_width(dtype: object) -> int:
    """Return the width of the words that a floating dtype is made from: 64 for float64, 32 for all others."""
    return 64 if float_name(dtype) == "float64" else 32


def check_words(width: int, dtype: object) -> str:
    """Return the name of a floating dtype; TypeError unless its numbers are made from words of this width."""
    name = float_name(dtype)
    if width != word_width(name):
        raise TypeError(f"{name} is made from {word_width(name)}-bit words, got words of {width} bits")
    return name


def bernoulli_threshold(p: float) -> int:
    """Return p 2^32 rounded to an integer, half to even: a 32-bit word below it is a success.

    0 never succeeds, and 1 gives 2^32, which is above every word. ValueError outside of [0, 1].

    >>> bernoulli_threshold(0.0), bernoulli_threshold(0.5), bernoulli_threshold(1.0) == 2**32
    (0, 2147483648, True)
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"a probability lies between 0 and 1, got {p}")
    return round(float(p) * 2.0**32)


def randint_halves(low: int, high: int) -> tuple[int, int, int, int]:
    """Return the high and low 32 bits of ``high - low``, then of ``low`` (its high ones signed)."""
    if not -(2**63) <= low < high <= 2**63:
        raise ValueError(f"random integers need -2^63 <= low < high <= 2^63, got low {low}, high {high}")
    span = high - low
    return span >> 32, span & _LOW_HALF, low >> 32, low & _LOW_HALF


def uniform_affine(low: float, high: float) -> Affine | None:
    """Return the (scale, shift) that takes [0, 1) to [low, high), None where there is nothing to do."""
    return None if (low, high) == (0.0, 1.0) else (float(high) - float(low), float(low))


def normal_affine(mean: float, std: float) -> Affine | None:
    """Return the (scale, shift) from the standard normal to mean and deviation, None for itself."""
    return None if (mean, std) == (0.0, 1.0) else (float(std), float(mean))


# ---------------------------------------------------------------------------------------------- words


def multiply_wide(a: Array, high: Any, low: Any) -> tuple[Array, Array]:
    """Return the high and low 64 bits of ``a * (high * 2^32 + low)``, uint64, without overflow.

    ``high`` and ``low`` are integers or uint64 arrays below 2^32 (``high`` may be 2^32 where ``low`` is 0).
    """
    upper, lower = a >> 32, a & _LOW_HALF
    bottom = lower * low
    middle = upper * low + (bottom >> 32)
    other = lower * high + (middle & _LOW_HALF)
    return upper * high + (middle >> 32) + (other >> 32), (other << 32) | (bottom & _LOW_HALF)


def multiplier_halves() -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the high and the low half of each of Philox's two multipliers."""
    first, second = PHILOX_MULTIPLIERS
    return (first >> 32, first & _LOW_HALF), (second >> 32, second & _LOW_HALF)


def philox(xp: Any, counter: Sequence[Array], key: Sequence[Array]) -> tuple[Array, ...]:
    """Return the four words of the blocks at ``counter`` (four uint64 arrays) under ``key`` (two)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    w0, w1 = (xp.asarray([w], dtype=xp.uint64, device=k0.device) for w in PHILOX_WEYL)
    m0, m1 = multiplier_halves()
    for _ in range(PHILOX_ROUNDS):
        high0, low0 = multiply_wide(c0, *m0)
        high1, low1 = multiply_wide(c2, *m1)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = k0 + w0, k1 + w1
    return c0, c1, c2, c3


def random_words(xp: Any, state: Array, *, shape: Sequence[int], width: int) -> Array:
    """Return the random words of one draw: uint32 for width 32, uint64 for width 64.

    ``state`` is the int64 array [seed, stream, offset]; it is read on the device and not changed.

    >>> import numpy as np
    >>> words = random_words(np, np.array([1, 2, 0]), shape=(5,), width=64)
    >>> bool((words == np.random.Philox(key=[1, 2]).random_raw(5)).all())
    True
    """
    count = blocks(shape, width)
    seed, stream, offset = (_unsigned(xp, state[i : i + 1]) for i in range(3))
    c0 = offset + xp.arange(1, count + 1, dtype=xp.uint64, device=state.device)
    carry = xp.astype(c0 < offset, xp.uint64)
    zero = xp.zeros_like(c0)
    words = xp.reshape(xp.stack(philox(xp, (c0, carry, zero, zero), (seed, stream)), axis=-1), (-1,))
    if width == 32:
        halves = [xp.astype(words & _LOW_HALF, xp.uint32), xp.astype(words >> 32, xp.uint32)]
        words = xp.reshape(xp.stack(halves, axis=-1), (-1,))
    return xp.reshape(words[: math.prod(shape)], tuple(shape))


def _unsigned(xp: Any, x: Array) -> Array:
    """Reinterpret int64 as uint64, in halves: the standard leaves the cast of a negative number open."""
    return (xp.astype((x >> 32) & _LOW_HALF, xp.uint64) << 32) | xp.astype(x & _LOW_HALF, xp.uint64)


# -------------------------------------------------------------------------------------- distributions


def uniform_from_words(xp: Any, words: Array, *, dtype: Any, low: float = 0.0, high: float = 1.0) -> Array:
    """Return uniform numbers: the leading bits of each word times a power of two, so that they lie in [0, 1).

    float64 keeps 53 bits of a 64-bit word, float32 24, float16 11 and bfloat16 8 bits of a 32-bit one. Other
    bounds give ``u * (high - low) + low`` in float64, rounded once (so ``high`` itself can come out).
    """
    return uniform(xp, words, dtype, uniform_affine(low, high))


def normal_from_words(xp: Any, words: Array, *, dtype: Any, mean: float = 0.0, std: float = 1.0) -> Array:
    """Return normal numbers: the inverse of the normal distribution at u, in float64, rounded once.

    u is ``(word + 1/2) 2^-32`` for 32-bit words, ``(word div 2^11 + 1/2) 2^-53`` for 64-bit ones (float64):
    symmetric about 1/2, so the words w and ~w give opposite numbers, and 0 and infinity never come out.
    Other parameters give ``x * std + mean`` in float64 before the one rounding.
    """
    return normal(xp, words, dtype, normal_affine(mean, std))


def randint_from_words(xp: Any, words: Array, *, low: int, high: int) -> Array:
    """Return int64 numbers in [low, high): low plus the high part of each 64-bit word times (high - low)."""
    return randint(xp, words, *randint_halves(low, high))


def permutation_from_words(xp: Any, words: Array) -> Array:
    """Return the permutation (int64) that sorts 64-bit words of shape (n,), equal words in their order."""
    return xp.astype(xp.argsort(words, stable=True), xp.int64)


def bernoulli_from_words(xp: Any, words: Array, *, p: Any) -> Array:
    """Return bools, true where a 32-bit word is below p 2^32 rounded half to even.

    ``p`` is a Python number in [0, 1], or a floating array that broadcasts with the words, where anything up
    to 0 and nan never succeed and anything from 1 always does.
    """
    if isinstance(p, (int, float)):
        return below(xp, words, float(bernoulli_threshold(p)))
    return below(xp, words, xp.round(xp.astype(p, xp.float64) * 2.0**32))


# The same with parameters in the form in which they enter the arithmetic: a compiled program takes these as
# live inputs, and is not compiled anew for another interval or deviation.


def uniform(xp: Any, words: Array, dtype: Any, affine: Affine | None) -> Array:
    """Return :func:`uniform_from_words`, on [0, 1) where ``affine`` is None."""
    width = _width(xp, words)
    bits = UNIFORM_BITS[check_words(width, dtype)]
    u = xp.astype(words >> (width - bits), xp.float64) * 2.0**-bits
    if affine is None:
        return xp.astype(u, dtype)
    return round_once(xp, _transformed(xp, u, words, affine), dtype)


def normal(xp: Any, words: Array, dtype: Any, affine: Affine | None) -> Array:
    """Return :func:`normal_from_words`, of mean 0 and deviation 1 where ``affine`` is None."""
    check_words(_width(xp, words), dtype)
    x = _quantile(xp, centred(xp, words), _pin_to(xp, words))
    return round_once(xp, x if affine is None else _transformed(xp, x, words, affine), dtype)


def randint(xp: Any, words: Array, span_high: Any, span_low: Any, low_high: Any, low_low: Any) -> Array:
    """Return :func:`randint_from_words`, added in halves: no sum and no cast leaves the range of int64."""
    scaled, _ = multiply_wide(words, span_high, span_low)
    bottom = xp.astype(scaled & _LOW_HALF, xp.int64) + low_low
    top = xp.astype(scaled >> 32, xp.int64) + low_high + (bottom >> 32)
    return top * 2**32 + (bottom & _LOW_HALF)


def below(xp: Any, words: Array, threshold: Any) -> Array:
    """Tell which 32-bit words are below a float64 threshold of whole numbers; float64 holds both exactly."""
    return xp.astype(words, xp.float64) < threshold


# ------------------------------------------------------------------ float64 arithmetic with fixed results


def opaque_zero(xp: Any, words: Array) -> Array:
    """Return a zero of the words' dtype and shape (1,) that no compiler can know; words are not empty.

    (A fourth power is 0 or 1 modulo 16.) It stands between two steps that a compiler would make one.
    """
    first = xp.reshape(words, (-1,))[:1] & 0xFF
    square = first * first
    return square * square & 12


def _pin_to(xp: Any, words: Array) -> Pin:
    """Return a function that rounds a product before anything is added to it, also in a compiled program.

    Compilers contract ``a * b + c`` to one operation with one rounding where they see both steps.
    ``a * b - 0.0`` is the product for every value, and if a compiler contracts just that, it still is,
    correctly rounded. (``where(isnan(p), nan, p)`` does not serve: where the factors come from integers, XLA
    on a CPU proves that there is no nan, removes the test, and contracts.)
    """
    if math.prod(words.shape) == 0:
        return lambda product: product
    zero = xp.astype(opaque_zero(xp, words), xp.float64)
    if not words.shape:
        zero = xp.reshape(zero, ())
    return lambda product: product - zero


def centred(xp: Any, words: Array) -> Array:
    """Return q = u - 1/2 of :func:`normal_from_words` in float64; every step is exact."""
    if _width(xp, words) == 32:
        return xp.astype(words, xp.float64) * 2.0**-32 + (2.0**-33 - 0.5)
    return xp.astype(words >> 11, xp.float64) * 2.0**-53 - 0.5 + 2.0**-54


def _horner(x: Array, coefficients: Sequence[Any], pin: Pin) -> Array:
    total = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        total = pin(total * x) + coefficient
    return total


def _minus_log(xp: Any, p: Array, pin: Pin) -> Array:
    """Return -log(p) for 2^-63 < p < 1, good to about one unit in the last place of its largest part."""
    exponent = xp.zeros_like(p)
    for edge, k in *((2.0**-k, k) for k in (32, 16, 8, 4, 2, 1)), (SQRT_HALF, 1):
        small = p < edge
        p, exponent = xp.where(small, p * 2.0**k, p), xp.where(small, exponent - float(k), exponent)
    s = (p - 1.0) / (p + 1.0)
    fraction = pin(s * _horner(s * s, LOG_SERIES, pin)) + pin(exponent * LN2_LOW)
    return -(fraction + exponent * LN2_HIGH)


def _quantile(xp: Any, q: Array, pin: Pin) -> Array:
    """Return the normal quantile of q + 1/2: one rational function, each element with its coefficients."""
    size = xp.abs(q)
    central = size <= CENTRAL_EDGE
    r = xp.sqrt(_minus_log(xp, 0.5 - size, pin))
    far = r > FAR_EDGE
    x = xp.where(central, CENTRAL_SHIFT - pin(q * q), xp.where(far, r - FAR_SHIFT, r - NEAR_SHIFT))

    def pick(a: float, b: float, c: float) -> Array:
        tail = xp.where(far, xp.full_like(x, c), xp.full_like(x, b))
        return xp.where(central, xp.full_like(x, a), tail)

    numerator, denominator = (_horner(x, [pick(*abc) for abc in zip(*parts)], pin) for parts in zip(CENTRAL, NEAR, FAR))
    value = numerator / denominator
    return xp.where(central, pin(q * value), xp.where(q < 0.0, -value, value))


def _transformed(xp: Any, x: Array, words: Array, affine: Affine) -> Array:
    pin = _pin_to(xp, words)
    scale, shift = affine
    return pin(x * scale) + pin(shift)


def round_once(xp: Any, x: Array, dtype: Any) -> Array:
    """Return float64 numbers in another dtype, rounded once.

    Array libraries reach 16 bits by way of float32 and so round twice; rounding to odd the first time makes
    that harmless (S. Boldo, G. Melquiond, Emulation of FMA and correctly rounded sums, 2008).
    """
    return xp.astype(_round_to_odd(xp, x) if float_name(dtype) in ("float16", "bfloat16") else x, dtype)


def _round_to_odd(xp: Any, x: Array) -> Array:
    """Return x where a float32 holds it, else the odd one of the two float32 around it, as float64."""
    size = xp.abs(x)
    unit = xp.full_like(size, 2.0**-149)  # the distance of float32 numbers, from that of subnormals upwards
    for k in (128, 64, 32, 16, 8, 4, 2, 1):
        unit = xp.where(size >= unit * 2.0 ** (23 + k), unit * 2.0**k, unit)
    whole = xp.floor(size / unit)
    odd = xp.where(whole == 2.0 * xp.floor(0.5 * whole), whole + 1.0, whole) * unit
    return xp.where(whole * unit == size, x, xp.where(x < 0.0, -odd, odd))


def _width(xp: Any, words: Array) -> int:
    """Return the bits of a word; TypeError for anything but uint32 and uint64 arrays."""
    if words.dtype not in (xp.uint32, xp.uint64):
        raise TypeError(f"random words are uint32 or uint64, got {words.dtype}")
    return 32 if words.dtype == xp.uint32 else 64
