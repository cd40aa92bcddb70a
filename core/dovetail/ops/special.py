"""Error and gamma functions, composed of arithmetic so that every backend has them with all their digits.

Where no other source is named, polynomials interpolate the function at Chebyshev points (in 60 digits).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from dovetail.errors import ArgumentRuntimeError
from dovetail.ops.arithmetic import power
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import front, op
from dovetail.ops.exponential import WIDE_ON_ACCELERATORS, exp, expm1, function_of_one, log, log1p, sqrt
from dovetail.ops.precision import in_double
from dovetail.ops.rounding import floor, round
from dovetail.ops.trigonometric import sin, tan
from dovetail.random import streams
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.samples import Arg, call, calls, error, unary
from dovetail.tensor.tensor import Tensor

_BELL: Final = 2 / math.sqrt(math.pi)
"""The slope of erf at 0."""


def polynomial(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    """The value of a polynomial by Horner's rule; coefficients in ascending order."""
    total = x * coefficients[-1] + coefficients[-2]
    for c in coefficients[-3::-1]:
        total = total * x + c
    return total


# ------------------------------------------------------------------------------------------ erf and erfc

# erf(x) / x - 1 as a polynomial in x^2 for |x| <= 1, off by 1.3e-19.
_ERF: Final = (
    0.1283791670955126, -0.3761263890318375, 0.11283791670954879, -0.026866170645076792,
    0.0052239776248180145, -0.000854832698083379, 0.0001205533111164271, -1.4925595266831182e-05,
    1.6461000484121368e-06, -1.6350312701054695e-07, 1.4659775274047436e-08, -1.1372848856791674e-09,
    5.957176147748911e-11,
)  # fmt: skip

# (1 + 2x) exp(x^2) erfc(x) as a polynomial in t = (x - 3) / (x + 3) for 0.75 <= x <= 27.5, off by 4.9e-19.
# The form is that of M. M. Shepherd and J. G. Laframboise, Chebyshev approximation of (1 + 2x) exp(x^2)
# erfc x, Mathematics of Computation 36 (1981) 249-253.
_ERFCX: Final = (
    1.2530080582697296, -0.1356211061245812, -0.0475622943534513, 0.12964515870276302, -0.11927366341526446,
    0.06830802734388602, -0.023770514919973142, 0.0025293918179943907, 0.001888690378645774,
    -0.0007798322980415047, -0.00010515995816570184, 0.00012509958397363167, 4.950238637529622e-06,
    -2.0101921714370524e-05, -7.335313654292423e-07, 3.477460989984581e-06, 3.5905658279697116e-07,
    -6.280907934133754e-07, -1.3909274416549087e-07, 1.160073693069895e-07, 3.200639678067364e-08,
    -2.006883812755215e-08,
)  # fmt: skip
_LAST: Final = 27.5
"""Here erfc(x) has vanished even among subnormal numbers."""


def _erf_near(x: Tensor) -> Tensor:
    return x + x * polynomial(x * x, _ERF)


def _erfc_far(x: Tensor) -> Tensor:
    """erfc(x) for x >= 0.75.

    exp(-x^2) is exp(-z^2) exp((z - x) (z + x)) with z = x to 12 binary places, whose square is exact. What
    rounding took from 1 + 2x is given back to first order.
    """
    z = floor(x * 4096.0) * (1 / 4096.0)
    t = (x - 3) / (x + 3)
    divisor = x * 2 + 1
    lost = 1 - (divisor - x * 2)
    head = _ERFCX[0] / divisor
    rest = t * polynomial(t, _ERFCX[1:]) / divisor
    rest = rest + (head + rest) * (expm1((z - x) * (z + x)) - lost / divisor)
    return exp(-(z * z)) * (head + rest)


def _erf(x: Tensor) -> Tensor:
    size = x.abs()
    far = 1 - _erfc_far(size.clamp(max=_LAST))
    return select_by(size < 1, _erf_near(x), select_by(x < 0, -far, far))


def _erfc(x: Tensor) -> Tensor:
    size = x.abs()
    far = _erfc_far(size.clamp(max=_LAST))
    return select_by(size < 0.75, 1 - _erf_near(x), select_by(x < 0, 2 - far, far))


_ERROR_FUNCTION: Final = Agree.ulp(f32=5, f64=3)


@function_of_one(_ERROR_FUNCTION, unary(-3, 3))
def erf(input: Tensor) -> Tensor:
    """The error function, ``2 / sqrt(pi)`` times the integral of ``exp(-t^2)`` from 0 to each element.

    >>> import dovetail
    >>> dovetail.erf(dovetail.tensor([0.0, 0.5]))
    tensor([0.0000, 0.5205])
    """
    return in_double(_erf, input)


@function_of_one(_ERROR_FUNCTION, unary(-3, 6))
def erfc(input: Tensor) -> Tensor:
    """``1 - erf(x)`` of each element, with all its digits where that is small.

    >>> import dovetail
    >>> dovetail.erfc(dovetail.tensor([5.0]))
    tensor([1.5375e-12])
    """
    return in_double(_erfc, input)


erf.vjp(input=lambda g, input: g * (exp(-(input * input)) * _BELL))
erfc.vjp(input=lambda g, input: g * (exp(-(input * input)) * -_BELL))


def _ratio(x: Tensor, coefficients: Sequence[Sequence[float]]) -> Tensor:
    above, below = coefficients
    return polynomial(x, above) / polynomial(x, below)


def _erfinv(x: Tensor) -> Tensor:
    """The normal quantile at (1 + x) / 2 (Wichura's AS 241: see random/streams.py), over the root of 2."""
    q = x * 0.5
    size = q.abs()
    central = q * _ratio(streams.CENTRAL_SHIFT - q * q, streams.CENTRAL)
    r = sqrt(-log(0.5 - size))
    near, far = _ratio(r - streams.NEAR_SHIFT, streams.NEAR), _ratio(r - streams.FAR_SHIFT, streams.FAR)
    tail = select_by(r <= streams.FAR_EDGE, near, far)
    tail = select_by(size == 0.5, math.inf, tail)
    quantile = select_by(size <= streams.CENTRAL_EDGE, central, select_by(x < 0, -tail, tail))
    return quantile * streams.SQRT_HALF


@function_of_one(Agree.running(), unary(-0.95, 0.95), autocast=WIDE_ON_ACCELERATORS)
def erfinv(input: Tensor) -> Tensor:
    """The inverse of erf: infinite at -1 and 1, NaN beyond.

    >>> import dovetail
    >>> dovetail.erfinv(dovetail.tensor([0.5, 1.0]))
    tensor([0.4769,    inf])
    """
    return in_double(_erfinv, input)


erfinv.vjp(input=lambda g, out: g * (exp(out * out) / _BELL))

# ------------------------------------------------------------------------------------------ gamma

# log(gamma(2 + z)) / z as a polynomial for |z| <= 1/2, off by 2.1e-17.
_NEAR_TWO: Final = (
    0.42278433509846713, 0.3224670334241132, -0.06735230105319563, 0.02058080842778338, -0.007385551028935545,
    0.002890510330865901, -0.0011927539009983087, 0.0005096695196526673, -0.00022315497746292723,
    9.945761692157133e-05, -4.4923727564247656e-05, 2.050601970174762e-05, -9.45628851510172e-06,
    4.3828545383846665e-06, -1.9743106888421067e-06, 9.242852225162277e-07, -5.811277768921246e-07,
    2.7475390051909663e-07,
)  # fmt: skip
_BERNOULLI: Final = (
    1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330,
)  # fmt: skip
"""B2, B4, ... for the asymptotic series (NIST Digital Library of Mathematical Functions, 5.11, 25.11.43)."""
_STIRLING: Final = tuple(b / (2 * j * (2 * j - 1)) for j, b in enumerate(_BERNOULLI[:8], 1))
_HALF_LOG_TAU: Final = 0.5 * math.log(2 * math.pi)
_FAR: Final = 8.5
"""From here on Stirling's series is exact to the last digit; below, the argument is brought to [1.5, 2.5]."""


def _lgamma_positive(x: Tensor) -> Tensor:
    """For x >= 1/2: a polynomial around 2, a recurrence towards it, or Stirling's series."""
    y, product = x, x * 0 + 1
    for _ in range(6):
        high = (y > 2.5) & (x < _FAR)
        y = select_by(high, y - 1, y)
        product = select_by(high, product * y, product)
    low = x < 1.5
    z = select_by(low, x - 1, y - 2)
    near = z * polynomial(z, _NEAR_TWO) + select_by(low, -log1p(x - 1), log(product))
    inverse = 1 / x
    series = polynomial(inverse * inverse, _STIRLING) * inverse
    far = (x - 0.5) * (log(x) - 1) + (series + (_HALF_LOG_TAU - 0.5))
    return select_by(x < _FAR, near, select_by(x == math.inf, x, far))


def _lgamma(x: Tensor) -> Tensor:
    """Left of 1/2 by the reflection gamma(x) gamma(1 - x) = pi / sin(pi x)."""
    left = x < 0.5
    value = _lgamma_positive(select_by(left, 1 - x, x))
    sine = sin((x - round(x)).abs() * math.pi)
    reflected = log(math.pi / sine) - value
    pole = (x <= 0) & (x == floor(x))
    return select_by(pole, math.inf, select_by(left, reflected, value))


@function_of_one(Agree.running(), unary(0.2, 6))
def lgamma(input: Tensor) -> Tensor:
    """Logarithm of the size of the gamma function at each element; inf at 0 and at negative integers.

    >>> import dovetail
    >>> dovetail.lgamma(dovetail.tensor([1.0, 5.0]))
    tensor([0.0000, 3.1781])
    """
    return in_double(_lgamma, input)


def _digamma(x: Tensor) -> Tensor:
    """Left of 1/2 by reflection, then upwards by the recurrence until the asymptotic series is exact."""
    left = x < 0.5
    y = select_by(left, 1 - x, x)
    gone = y * 0
    for _ in range(10):
        low = y < 10
        gone = gone + select_by(low, 1 / y, 0)
        y = select_by(low, y + 1, y)
    square = 1 / (y * y)
    series = polynomial(square, [b / (2 * j) for j, b in enumerate(_BERNOULLI[:8], 1)]) * square
    value = select_by(y == math.inf, y, log(y) - 0.5 / y - series - gone)
    reflected = value - math.pi / tan((x - round(x)) * math.pi)
    value = select_by(left, reflected, value)
    pole = (x < 0) & (x == floor(x))
    return select_by(x == 0, -1 / x, select_by(pole, math.nan, value))


@function_of_one(Agree.running(), unary(0.2, 6))
def digamma(input: Tensor) -> Tensor:
    """The derivative of ``lgamma`` at each element; NaN at negative integers."""
    return in_double(_digamma, input)


def _cotangent_derivative(n: int) -> list[float]:
    """The n-th derivative of cot as a polynomial in cot: each step is q -> -(1 + c^2) q'."""
    q = [0.0, 1.0]
    for _ in range(n):
        slope = [i * c for i, c in enumerate(q)][1:]
        q = [-(a + b) for a, b in zip([*slope, 0.0, 0.0], [0.0, 0.0, *slope], strict=True)]
    return q


def _hurwitz(s: int, y: Tensor) -> Tensor:
    """The sum over (y + k)^-s for k = 0, 1, ... by Euler and Maclaurin, for y >= 1/2."""
    edge = 10.0 + s
    total = y * 0
    for _ in range(10 + s):
        low = y < edge
        total = total + select_by(low, power(y, -float(s)), 0)
        y = select_by(low, y + 1, y)
    last = power(y, -float(s))
    total = total + last * y / (s - 1) + last * 0.5
    factor, term = s / 2.0, last / y
    for j, b in enumerate(_BERNOULLI, 1):
        total = total + term * (b * factor)
        factor *= (s + 2 * j - 1) * (s + 2 * j) / ((2 * j + 1) * (2 * j + 2))
        term = term / (y * y)
    return total


def _polygamma(x: Tensor, n: int) -> Tensor:
    left = x < 0.5
    sign = 1.0 if n % 2 else -1.0
    value = _hurwitz(n + 1, select_by(left, 1 - x, x)) * (sign * math.factorial(n))
    cotangent = 1 / tan((x - round(x)) * math.pi)
    mirrored = -value if n % 2 else value
    reflected = mirrored - polynomial(cotangent, _cotangent_derivative(n)) * math.pi ** (n + 1)
    return select_by(left, reflected, value)


@op(
    shape=rules.like_first,
    dtype=rules.to_float,
    samples=calls(
        call(0, Arg((3,), low=0.3, high=5)),
        call(2, Arg((2, 3), low=0.3, high=5)),
        call(3, Arg((), low=0.3, high=5)),
        errors=(error(RuntimeError, "polygamma(n, x) does not support negative n.", -1, Arg((2,))),),
    ),
    agree=Agree.running(),
)
def polygamma(n: int, input: Tensor) -> Tensor:
    """The ``n``-th derivative of ``digamma`` at each element.

    >>> import dovetail
    >>> dovetail.polygamma(1, dovetail.tensor([1.0]))
    tensor([1.6449])
    """
    if n < 0:
        raise ArgumentRuntimeError("polygamma(n, x) does not support negative n.")
    return digamma(input) if n == 0 else in_double(lambda x: _polygamma(x, n), input)


lgamma.vjp(input=lambda g, input: g * digamma(input))
digamma.vjp(input=lambda g, input: g * polygamma(1, input))
polygamma.vjp(input=lambda g, input, *, n: g * polygamma(n + 1, input))


def _polygamma_method(self: Tensor, n: int) -> Tensor:
    """The ``n``-th derivative of ``digamma`` at each element."""
    return polygamma(n, self)


_polygamma_method.__name__ = "tensor_polygamma"
front(method=["polygamma"], public=False)(_polygamma_method)
