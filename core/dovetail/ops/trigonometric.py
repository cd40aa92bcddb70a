"""Circular and hyperbolic functions and their inverses."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from dovetail import dtypes
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import NoDecomposition, Number, op
from dovetail.ops.exponential import LN2, WIDE_ON_ACCELERATORS, exp, expm1, function_of_one, log, log1p, rsqrt, sqrt
from dovetail.ops.precision import in_double
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.samples import binary, unary
from dovetail.tensor.tensor import Tensor

_NARROW: Final = Agree.ulp(f32=4, f64=2)

# ------------------------------------------------------------------------------------------ circular


@function_of_one(Agree.ulp(f32=2, f64=1), unary(-6, 6), np.sin)
def sin(input: Tensor) -> Tensor:
    """Sine of each element, in radians."""
    raise NoDecomposition


@function_of_one(Agree.ulp(f32=2, f64=1), unary(-6, 6), np.cos)
def cos(input: Tensor) -> Tensor:
    """Cosine of each element, in radians."""
    raise NoDecomposition


@function_of_one(_NARROW, unary(-1.4, 1.4), np.tan, autocast=WIDE_ON_ACCELERATORS)
def tan(input: Tensor) -> Tensor:
    """Tangent of each element, in radians."""
    raise NoDecomposition


sin.vjp(input=lambda g, input: g * cos(input))
cos.vjp(input=lambda g, input: -(g * sin(input)))
tan.vjp(input=lambda g, out: g * (out * out + 1))

# ------------------------------------------------------------------------------------------ their inverses


@function_of_one(_NARROW, unary(-0.9, 0.9), np.arcsin, autocast=WIDE_ON_ACCELERATORS)
def asin(input: Tensor) -> Tensor:
    """Angle in [-pi/2, pi/2] with that sine; NaN outside of [-1, 1]."""
    raise NoDecomposition


@function_of_one(_NARROW, unary(-0.9, 0.9), np.arccos, autocast=WIDE_ON_ACCELERATORS)
def acos(input: Tensor) -> Tensor:
    """Angle in [0, pi] with that cosine; NaN outside of [-1, 1]."""
    raise NoDecomposition


@op(
    shape=rules.broadcast,
    dtype=rules.to_float,
    method=["atan2", "arctan2"],
    inplace=True,
    samples=binary(right=(0.5, 2), scalars=(1.5,)),
    agree=_NARROW,
    reference=np.arctan2,
    autocast={"accelerator": "widest"},
)
def atan2(input: Tensor, other: Tensor | Number) -> Tensor:
    """Angle in [-pi, pi] of the point whose ordinate is ``input`` and whose abscissa is ``other``.

    The gradient at (0, 0) is 0.

    >>> import dovetail
    >>> dovetail.atan2(dovetail.tensor([1.0, -1.0]), dovetail.tensor([0.0, -1.0]))
    tensor([ 1.5708, -2.3562])
    """
    raise NoDecomposition


@function_of_one(_NARROW, unary(-3, 3), np.arctan)
def atan(input: Tensor) -> Tensor:
    """Angle in [-pi/2, pi/2] with that tangent."""
    return atan2(input, 1)


def _leg(x: Tensor) -> Tensor:
    """sqrt(1 - x^2) as a product, which keeps its digits near 1."""
    return sqrt((1 - x) * (x + 1))


def _inverse_square(input: Tensor, other: Tensor) -> Tensor:
    """1 / (y^2 + x^2), and 0 at the origin."""
    square = input * input + other * other
    return select_by(square == 0, 0, 1 / square)


asin.vjp(input=lambda g, input: g / _leg(input))
acos.vjp(input=lambda g, input: -(g / _leg(input)))
atan.vjp(input=lambda g, input: g / (input * input + 1))
atan2.vjp(
    input=lambda g, input, other: g * (other * _inverse_square(input, other)),
    other=lambda g, input, other: -(g * (input * _inverse_square(input, other))),
)

# ------------------------------------------------------------------------------------------ hyperbolic

# ln 2 = head + tail. The head has 40 bits, so that subtracting it from an argument of 16 to 711 is exact.
_LN2_HEAD: Final = math.floor(LN2 * 2.0**40) / 2.0**40
_EXP_OF_TAIL: Final = 1 - 7.3710025651677990e-13
_LARGE: Final = 30.0
"""From here on ``exp(-x)`` is beneath the last digit of ``exp(x)``."""


def _half_exp(x: Tensor) -> Tensor:
    """exp(x) / 2, also where exp(x) would overflow: exp(x - ln 2)."""
    return exp(x - _LN2_HEAD) * _EXP_OF_TAIL


def _sinh(input: Tensor) -> Tensor:
    size = input.abs()
    e = expm1(size)
    value = select_by(size > _LARGE, _half_exp(size), (e + e / (e + 1)) * 0.5)
    return select_by(input == 0, input, select_by(input < 0, -value, value))


def _cosh(input: Tensor) -> Tensor:
    size = input.abs()
    e = exp(size)
    return select_by(size > _LARGE, _half_exp(size), e * 0.5 + 0.5 / e)


@function_of_one(_NARROW, unary(-3, 3), np.sinh, autocast=WIDE_ON_ACCELERATORS)
def sinh(input: Tensor) -> Tensor:
    """Hyperbolic sine of each element."""
    return in_double(_sinh, input)


@function_of_one(_NARROW, unary(-3, 3), np.cosh, autocast=WIDE_ON_ACCELERATORS)
def cosh(input: Tensor) -> Tensor:
    """Hyperbolic cosine of each element."""
    return in_double(_cosh, input)


@function_of_one(Agree.ulp(f32=4.5, f64=2.5), unary(-3, 3), np.tanh)
def tanh(input: Tensor) -> Tensor:
    """Hyperbolic tangent of each element."""
    raise NoDecomposition


sinh.vjp(input=lambda g, input: g * cosh(input))
cosh.vjp(input=lambda g, input: g * sinh(input))
tanh.vjp(input=lambda g, out: g * (1 - out * out))

# ------------------------------------------------------------------------------------------ their inverses

_HUGE: Final = 2.0**28
"""From here on ``x^2 + 1`` and ``x^2 - 1`` are ``x^2`` to the last digit of a float64."""


def _asinh(input: Tensor) -> Tensor:
    """log(x + sqrt(x^2 + 1)), written so that nothing cancels near 0."""
    size = input.abs()
    square = size * size
    near = log1p(size + square / (sqrt(square + 1) + 1))
    value = select_by(size > _HUGE, log(size) + LN2, near)
    return select_by(input == 0, input, select_by(input < 0, -value, value))


def _acosh(input: Tensor) -> Tensor:
    """log(x + sqrt(x^2 - 1)), written so that nothing cancels near 1."""
    above = input - 1
    near = log1p(above + sqrt(above) * sqrt(input + 1))
    return select_by(input > _HUGE, log(input) + LN2, near)


def _atanh(input: Tensor) -> Tensor:
    """log((1 + x) / (1 - x)) / 2, written so that nothing cancels near 0."""
    size = input.abs()
    value = log1p(size / (1 - size) * 2) * 0.5
    return select_by(input == 0, input, select_by(input < 0, -value, value))


@function_of_one(Agree.running(), unary(-3, 3), np.arcsinh)
def asinh(input: Tensor) -> Tensor:
    """Inverse hyperbolic sine of each element."""
    return in_double(_asinh, input)


@function_of_one(Agree.running(), unary(1.1, 5), np.arccosh)
def acosh(input: Tensor) -> Tensor:
    """Inverse hyperbolic cosine of each element; NaN below 1."""
    return in_double(_acosh, input)


@function_of_one(Agree.running(), unary(-0.9, 0.9), np.arctanh)
def atanh(input: Tensor) -> Tensor:
    """Inverse hyperbolic tangent of each element; inf at 1, NaN beyond."""
    return in_double(_atanh, input)


asinh.vjp(input=lambda g, input: g * rsqrt(input * input + 1))
acosh.vjp(input=lambda g, input: g / sqrt((input - 1) * (input + 1)))
atanh.vjp(input=lambda g, input: g / ((1 - input) * (input + 1)))

# ------------------------------------------------------------------------------------------ degrees


@op(method=True, inplace=True, samples=unary(-200, 200), agree=Agree.running())
def deg2rad(input: Tensor) -> Tensor:
    """Degrees as radians.

    >>> import dovetail
    >>> dovetail.deg2rad(dovetail.tensor([180.0]))
    tensor([3.1416])
    """
    return _floating(input) * (math.pi / 180)


@op(method=True, inplace=True, samples=unary(-6, 6), agree=Agree.running())
def rad2deg(input: Tensor) -> Tensor:
    """Radians as degrees."""
    return _floating(input) * (180 / math.pi)


def _floating(input: Tensor) -> Tensor:
    return input if input.dtype.category >= dtypes.FLOATING else input.to(rules.floating(input.dtype))


@op(
    shape=rules.broadcast,
    dtype=rules.promote,
    method=True,
    inplace=True,
    samples=binary(low=0.5, high=3),
    agree=Agree.running(),
    reference=np.hypot,
)
def hypot(input: Tensor, other: Tensor) -> Tensor:
    """sqrt(x^2 + y^2) of each pair, without overflow on the way; its gradient at (0, 0) is NaN.

    >>> import dovetail
    >>> dovetail.hypot(dovetail.tensor([3.0, 3e38]), dovetail.tensor([4.0, 0.0]))
    tensor([5.0000e+00, 3.0000e+38])
    """
    return in_double(_hypot, input, other)


def _hypot(input: Tensor, other: Tensor) -> Tensor:
    a, b = input.abs(), other.abs()
    high = a.maximum(b)
    ratio = a.minimum(b) / select_by(high == 0, 1, high)
    length = high * sqrt(ratio * ratio + 1)
    return select_by((a == math.inf) | (b == math.inf), math.inf, length)


hypot.vjp(
    input=lambda g, input, out: g * (input / out),
    other=lambda g, other, out: g * (other / out),
)
