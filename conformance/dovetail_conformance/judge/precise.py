"""The same formulas at any precision, on mpmath: slow, for where the fast reference is not certain."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

from dovetail_conformance.judge.functions import FUNCTIONS
from dovetail_conformance.judge.number import Arrays, Dim, Maths, Number, count_over
from dovetail_conformance.judge.ulp import WIDE_BITS, Wide

_EXPONENT_LIMIT = 1 << 13
"""Exponents beyond this are beyond every format; an exact fraction of such a number would fill the memory."""

_ARGUMENT_LIMIT = 1 << 40
"""An exponential of more than this is infinite, or zero, whatever follows."""


class Precise(Maths):
    """Values at ``bits`` of precision, in a context of its own, so that nobody else's mpmath is disturbed.

    What is not a real number (a pole, the logarithm of -1) is NaN.
    """

    def __init__(self, bits: int) -> None:
        self.context = mpmath.MPContext()
        self.context.prec = bits

    @property
    def pi(self) -> Number:
        """To the last bit of the precision."""
        return self.wrap(np.asarray(+self.context.pi, object))

    def number(self, values: object) -> Number:
        """An exact input: every float and integer, and every wide number."""
        if isinstance(values, Number):
            return values
        array = np.asarray(values)
        if array.dtype != np.longdouble and array.dtype.kind not in "iub":
            array = array.astype(np.float64)
        return self.wrap(self._map(self._exact, array))

    def add(self, input: object, other: object) -> Number:
        """input + other."""
        return self._binary(lambda a, b: a + b, input, other)

    def sub(self, input: object, other: object) -> Number:
        """input - other."""
        return self._binary(lambda a, b: a - b, input, other)

    def mul(self, input: object, other: object) -> Number:
        """input * other."""
        return self._binary(lambda a, b: a * b, input, other)

    def div(self, input: object, other: object) -> Number:
        """input / other."""
        return self._binary(lambda a, b: a / b, input, other)

    def pow(self, input: object, exponent: object) -> Number:
        """input to the power of exponent."""
        return self._binary(lambda a, b: a**b, input, exponent)

    def atan2(self, input: object, other: object) -> Number:
        """The angle of the point (other, input)."""
        return self._binary(self.context.atan2, input, other)

    def neg(self, input: object) -> Number:
        """-input."""
        return self._unary(lambda a: -a, input)

    def abs(self, input: object) -> Number:
        """The absolute value."""
        return self._unary(abs, input)

    def maximum(self, input: object, other: object) -> Number:
        """The larger one."""
        return self._binary(max, input, other)

    def minimum(self, input: object, other: object) -> Number:
        """The smaller one."""
        return self._binary(min, input, other)

    def where(self, condition: NDArray[np.bool_], input: object, other: object) -> Number:
        """Elements of input where the condition holds, else of other."""
        return self.wrap(np.where(condition, self.number(input).value, self.number(other).value))

    def sum(self, input: object, dim: Dim = None, keepdim: bool = False) -> Number:
        """The sum over ``dim``; that of nothing is zero."""
        value = np.sum(self.number(input).value, axis=dim, keepdims=keepdim, initial=self.context.zero)
        return self.wrap(np.asarray(value, object))

    def mean(self, input: object, dim: Dim = None, keepdim: bool = False) -> Number:
        """The sum, divided by the number of terms."""
        x = self.number(input)
        return self.div(self.sum(x, dim, keepdim), count_over(x.shape, dim))

    def amax(self, input: object, dim: Dim = None, keepdim: bool = False) -> Number:
        """The largest element over ``dim``."""
        return self.wrap(np.asarray(np.max(self.number(input).value, axis=dim, keepdims=keepdim), object))

    def amin(self, input: object, dim: Dim = None, keepdim: bool = False) -> Number:
        """The smallest element over ``dim``."""
        return self.wrap(np.asarray(np.min(self.number(input).value, axis=dim, keepdims=keepdim), object))

    def linear(self, op: str, compute: Arrays, input: object, n: int) -> Number:
        """Sums of elements."""
        return self.move(compute, input)

    def bilinear(self, op: str, compute: Arrays, input: object, other: object, n: int) -> Number:
        """Sums of products."""
        return self.move(compute, input, other)

    def function(self, name: str, input: object) -> Number:
        """A function of one variable."""
        compute, context = FUNCTIONS[name].precise, self.context
        if name in ("exp", "exp2", "expm1", "sinh", "cosh", "sigmoid", "softplus"):
            return self._unary(lambda x: compute(context, self._limited(x)), input)
        return self._unary(lambda x: compute(context, x), input)

    def move(self, mover: Arrays, *inputs: object) -> Number:
        """Elements moved about."""
        return self.wrap(np.asarray(mover(*(self.number(x).value for x in inputs)), object))

    def wrap(self, value: NDArray[Any]) -> Number:
        return Number(self, value, np.zeros((), np.longdouble))

    def _unary(self, compute: Callable[[Any], Any], x: object) -> Number:
        return self.wrap(self._map(compute, self.number(x).value))

    def _binary(self, compute: Callable[[Any, Any], Any], a: object, b: object) -> Number:
        return self.wrap(self._map(compute, self.number(a).value, self.number(b).value))

    def _map(self, compute: Callable[..., Any], *arrays: NDArray[Any]) -> NDArray[Any]:
        """``compute`` of every element; what is not a real number becomes NaN."""
        nan = self.context.nan

        def safe(*values: Any) -> Any:
            try:
                result = compute(*values)
            except (ValueError, ZeroDivisionError, OverflowError):
                return nan
            return result if isinstance(result, self.context.mpf) else self._real(result)

        return np.asarray(np.frompyfunc(safe, len(arrays), 1)(*arrays), object)

    def _real(self, value: Any) -> Any:
        context = self.context
        if isinstance(value, context.mpc):
            return value.real if value.imag == 0 else context.nan
        return context.mpf(value)

    def _limited(self, x: Any) -> Any:
        """An argument of an exponential, with what lies beyond every format made infinite."""
        if abs(x) <= _ARGUMENT_LIMIT or self.context.isnan(x):
            return x
        return self.context.inf if x > 0 else self.context.ninf

    def _exact(self, value: Any) -> Any:
        # NumPy hands floats and integers over as Python's; only wide numbers stay its own.
        if isinstance(value, float | int):
            return self.context.mpf(value)
        if not np.isfinite(value):
            return self.context.mpf(float(value))
        fraction, exponent = np.frexp(value)
        mantissa = int(np.ldexp(fraction, WIDE_BITS))
        return self.context.ldexp(self.context.mpf(mantissa), int(exponent) - WIDE_BITS)


def to_fraction(value: Any) -> Fraction | None:
    """The exact rational of an mpmath number; None for NaN, infinities and what is beyond every format."""
    sign, mantissa, exponent, bits = value._mpf_
    if not mantissa:
        return Fraction(0) if not exponent else None
    if exponent + bits > _EXPONENT_LIMIT:
        return None
    signed = -int(mantissa) if sign else int(mantissa)
    # Far below every format only the sign matters.
    return Fraction(signed) * Fraction(2) ** int(max(exponent, -_EXPONENT_LIMIT - bits))


def to_wide(value: Fraction) -> np.longdouble:
    """The wide number nearest to a rational, with at most one unit of error in its last place."""
    if not value:
        return np.longdouble(0)
    numerator, denominator = value.numerator, value.denominator
    shift = WIDE_BITS + 1 - (numerator.bit_length() - denominator.bit_length())
    scaled = (numerator << shift) // denominator if shift >= 0 else numerator // (denominator << -shift)
    with np.errstate(all="ignore"):
        # Halves of at most 32 bits each are exact in every wide format; joining them rounds once.
        high, low = divmod(scaled, 1 << (WIDE_BITS // 2))
        joined = np.ldexp(np.longdouble(high), WIDE_BITS // 2) + np.longdouble(low)
        return np.longdouble(np.ldexp(joined, -shift))


def wide_values(name: str, values: Wide) -> Wide:
    """A function of ``FUNCTIONS`` in the wide format by way of mpmath; NaN where it has no finite value."""
    maths = Precise(2 * WIDE_BITS)
    result = maths.function(name, values).value
    flat = [to_fraction(v) for v in result.reshape(-1)]
    wide = [np.longdouble(np.nan) if v is None else to_wide(v) for v in flat]
    return np.asarray(wide, np.longdouble).reshape(values.shape)
