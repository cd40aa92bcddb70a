"""Exponentials, logarithms and roots."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, ParamSpec, TypeVar

import numpy as np

from dovetail import dtypes
from dovetail.ops.arithmetic import maximum, minimum, power
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import NoDecomposition, Number, OpFunction, op
from dovetail.ops.precision import floating_only, in_double, in_single, number
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.autocast import Rule
from dovetail.record.samples import Arg, Samples, binary, call, calls, error, unary
from dovetail.tensor.tensor import Tensor

LN2: Final = math.log(2)
LN10: Final = math.log(10)


P = ParamSpec("P")
R = TypeVar("R")


def function_of_one(
    agree: Agree,
    samples: Samples,
    reference: Callable[..., Any] | None = None,
    autocast: Rule | Mapping[str, Rule] | None = None,
) -> Callable[[Callable[P, R]], OpFunction[P, R]]:
    """The record of a smooth function of one number: integers become floating; also as methods."""
    return op(
        shape=rules.like_first,
        dtype=rules.to_float,
        method=True,
        inplace=True,
        samples=samples,
        agree=agree,
        reference=reference,
        autocast=autocast,
    )


WIDE_ON_ACCELERATORS: Final[Mapping[str, Rule]] = {"accelerator": "float32"}
"""The autocast rule of functions that leave the range of 16 bits, or need more than its digits."""


# ------------------------------------------------------------------------------------------ exponentials


@function_of_one(Agree.ulp(f32=3, f64=1.5), unary(-5, 5), np.exp, autocast=WIDE_ON_ACCELERATORS)
def exp(input: Tensor) -> Tensor:
    """e to the power of each element."""
    raise NoDecomposition


exp.vjp(input=lambda g, out: g * out)


@function_of_one(Agree.ulp(f32=3, f64=1.5), unary(-5, 5), np.exp2)
def exp2(input: Tensor) -> Tensor:
    """2 to the power of each element.

    >>> import dovetail
    >>> dovetail.exp2(dovetail.tensor([0.0, 3.0]))
    tensor([1., 8.])
    """
    return power(2, input)  # type: ignore[arg-type]  # a number on the left is lifted like any operand


exp2.vjp(input=lambda g, out: g * out * LN2)


@function_of_one(Agree.ulp(f32=2.5, f64=1.5), unary(-2, 2), np.expm1, autocast=WIDE_ON_ACCELERATORS)
def expm1(input: Tensor) -> Tensor:
    """``exp(x) - 1`` of each element, without the loss of digits near 0.

    >>> import dovetail
    >>> dovetail.expm1(dovetail.tensor([1e-10, 1.0]))
    tensor([1.0000e-10, 1.7183e+00])
    """
    raise NoDecomposition


expm1.vjp(input=lambda g, out: g * (out + 1))


def _sigmoid(input: Tensor) -> Tensor:
    """Both branches divide by ``1 + exp(-|x|)``, which neither overflows nor cancels."""
    e = exp(-input.abs())
    return select_by(input >= 0, 1, e) / (e + 1)


@function_of_one(Agree.ulp(f32=4.5, f64=2.5), unary(-6, 6))
def sigmoid(input: Tensor) -> Tensor:
    """``1 / (1 + exp(-x))`` of each element, with all its digits in both tails.

    >>> import dovetail
    >>> dovetail.sigmoid(dovetail.tensor([0.0, -100.0]))
    tensor([5.0000e-01, 3.7835e-44])
    """
    return in_single(_sigmoid, input)


sigmoid.vjp(input=lambda g, out: g * (1 - out) * out)


# ------------------------------------------------------------------------------------------ logarithms


@function_of_one(Agree.ulp(f32=3, f64=1.5), unary(0.1, 5), np.log, autocast=WIDE_ON_ACCELERATORS)
def log(input: Tensor) -> Tensor:
    """Natural logarithm of each element; -inf of 0, NaN of negative numbers."""
    raise NoDecomposition


log.vjp(input=lambda g, input: g / input)


@function_of_one(Agree.ulp(f32=3, f64=1.5), unary(0.1, 5), np.log2, autocast=WIDE_ON_ACCELERATORS)
def log2(input: Tensor) -> Tensor:
    """Logarithm to the base 2 of each element."""
    raise NoDecomposition


log2.vjp(input=lambda g, input: g / (input * LN2))


@function_of_one(Agree.ulp(f32=3, f64=1.5), unary(0.1, 5), np.log10, autocast=WIDE_ON_ACCELERATORS)
def log10(input: Tensor) -> Tensor:
    """Logarithm to the base 10 of each element."""
    raise NoDecomposition


log10.vjp(input=lambda g, input: g / (input * LN10))


@function_of_one(Agree.ulp(f32=2, f64=1.5), unary(-0.9, 3), np.log1p, autocast=WIDE_ON_ACCELERATORS)
def log1p(input: Tensor) -> Tensor:
    """``log(1 + x)`` of each element, without the loss of digits near 0.

    >>> import dovetail
    >>> dovetail.log1p(dovetail.tensor([1e-10, 1.0]))
    tensor([1.0000e-10, 6.9315e-01])
    """
    raise NoDecomposition


log1p.vjp(input=lambda g, input: g / (input + 1))


@op(
    method=True,
    inplace=True,
    samples=calls(call(Arg((2, 3), low=0.05, high=0.95)), call(Arg((5,), low=0.2, high=0.8), eps=0.1)),
    agree=Agree.running(),
)
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """``log(x / (1 - x))``, the inverse of sigmoid; with ``eps`` of x moved into ``[eps, 1 - eps]``.

    >>> import dovetail
    >>> dovetail.logit(dovetail.tensor([0.5, 0.9]))
    tensor([0.0000, 2.1972])
    """
    if input.dtype.category < dtypes.FLOATING:
        input = input.to(rules.floating(input.dtype))
    inside = input if eps is None else input.clamp(eps, 1 - eps)
    return log(inside / (1 - inside))


# ------------------------------------------------------------------------------------------ roots


@function_of_one(Agree.rounded(), unary(0.1, 5), np.sqrt)
def sqrt(input: Tensor) -> Tensor:
    """Square root of each element; its gradient at 0 is infinite."""
    raise NoDecomposition


sqrt.vjp(input=lambda g, out: g / (out * 2))

_FAR: Final = 2.0**900
"""Beyond this (and below its reciprocal) the reciprocal of a float64 would overflow or lose digits."""


def _rsqrt_of_double(input: Tensor) -> Tensor:
    """``sqrt(1 / x)``, whose first rounding the root halves, where ``1 / sqrt(x)`` would double it."""
    high, low, one = (number(v, input) for v in (2.0**200, 2.0**-200, 1.0))
    size = input.abs()
    back = select_by(size > _FAR, low, select_by(size < 1 / _FAR, high, one))
    inverse = 1 / (input * (back * back))
    return select_by(input == 0, inverse, select_by(input < 0, math.nan, sqrt(inverse) * back))


def _rsqrt(input: Tensor) -> Tensor:
    return 1 / sqrt(input)


@function_of_one(Agree.ulp(f32=1, f64=1), unary(0.1, 5), autocast=WIDE_ON_ACCELERATORS)
def rsqrt(input: Tensor) -> Tensor:
    """``1 / sqrt(x)`` of each element; inf of 0.

    >>> import dovetail
    >>> dovetail.rsqrt(dovetail.tensor([4.0, 0.0]))
    tensor([0.5000,    inf])
    """
    return _rsqrt_of_double(input) if input.dtype is dtypes.float64 else in_double(_rsqrt, input)


rsqrt.vjp(input=lambda g, out: g * (out * out * out) * -0.5)


# ------------------------------------------------------------------------------------------ of two numbers

_LONG: Final = Arg((2,), dtype="int64")
_INTEGERS: Final = error(NotImplementedError, "not implemented for 'Long'", _LONG, _LONG)


def _logaddexp(input: Tensor, other: Tensor) -> Tensor:
    high = maximum(input, other)
    sum_ = high + log1p(exp(minimum(input, other) - high))
    return select_by(high.abs() == math.inf, high, sum_)


@op(
    shape=rules.broadcast,
    dtype=floating_only("logaddexp"),
    method=True,
    samples=binary(errors=(_INTEGERS,)),
    agree=Agree.running(),
    reference=np.logaddexp,
)
def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """``log(exp(x) + exp(y))`` of each pair, without overflow.

    >>> import dovetail
    >>> dovetail.logaddexp(dovetail.tensor([1000.0]), dovetail.tensor([1000.0]))
    tensor([1000.6932])
    """
    return in_single(_logaddexp, input, other)


logaddexp.vjp(
    input=lambda g, input, other: g / (exp(other - input) + 1),
    other=lambda g, input, other: g / (exp(input - other) + 1),
)


def _logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    high = maximum(input, other)
    sum_ = high + log1p(exp2(minimum(input, other) - high)) / LN2
    return select_by(high.abs() == math.inf, high, sum_)


@op(
    shape=rules.broadcast,
    dtype=floating_only("logaddexp2"),
    method=True,
    samples=binary(errors=(_INTEGERS,)),
    agree=Agree.running(),
    reference=np.logaddexp2,
)
def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """``log2(2**x + 2**y)`` of each pair, without overflow."""
    return in_single(_logaddexp2, input, other)


logaddexp2.vjp(
    input=lambda g, input, other: g / (exp2(other - input) + 1),
    other=lambda g, input, other: g / (exp2(input - other) + 1),
)


def _xlogy(input: Tensor, other: Tensor) -> Tensor:
    zero = (input == 0) & (other == other)
    return select_by(zero, 0, input * log(other))


@op(
    shape=rules.broadcast,
    dtype=rules.to_float,
    method=True,
    inplace=True,
    samples=binary(right=(0.1, 3), scalars=(2.0,)),
    agree=Agree.running(),
)
def xlogy(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """``x * log(y)`` of each pair, 0 where x is 0 unless y is NaN.

    >>> import dovetail
    >>> dovetail.xlogy(dovetail.tensor([0.0, 2.0]), dovetail.tensor([0.0, 1.0]))
    tensor([0., 0.])
    """
    return in_single(_xlogy, input, other)  # type: ignore[arg-type]  # numbers are lifted before the body runs


def _log_or_zero(g: Tensor, input: Tensor, other: Tensor) -> Tensor:
    return select_by((input == 0) & (other <= 0), 0, xlogy(g, other))


xlogy.vjp(
    input=_log_or_zero,
    other=lambda g, input, other: g * input / other,
)
