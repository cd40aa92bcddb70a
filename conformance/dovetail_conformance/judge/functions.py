"""The mathematical functions that references are made of: fast in the wide format, certain at any precision.

This is mathematics and not a list of ops: a record's reference is a formula over these functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from dovetail_conformance.judge import special
from dovetail_conformance.judge.ulp import Wide

_LN2 = np.log(np.longdouble(2))
_LN10 = np.log(np.longdouble(10))


@dataclass(frozen=True, slots=True)
class Function:
    """A function of one real variable.

    ``wide`` computes it in the wide format with at most ``ulps`` ULP of error there (glibc's manual states
    1 to 5 for the functions of libm); None sends every value to ``precise``, which takes an mpmath context
    and a number. ``slope`` is the size of the derivative, from x and the result.
    """

    wide: Callable[[Wide], Any] | None
    slope: Callable[[Wide, Wide], Any]
    precise: Callable[[Any, Any], Any]
    ulps: float = 8.0


def _cbrt(context: Any, x: Any) -> Any:
    return context.sign(x) * context.cbrt(abs(x))


def _bell(x: Wide) -> Wide:
    """2 / sqrt(pi) exp(-x^2), the derivative of erf."""
    return np.asarray(2 / special.ROOT_PI * special.gauss(x), np.longdouble)


def _by_mpmath(name: str, *arguments: int) -> Callable[[Wide], Wide]:
    """A slope that only mpmath has; it scales errors, so float64 is enough."""
    function = getattr(mpmath.fp, name)

    def one(x: Any) -> float:
        try:
            return abs(float(function(*arguments, float(x))))
        except (ValueError, ZeroDivisionError, OverflowError, TypeError):
            return float("inf")  # a pole

    mapped = np.frompyfunc(one, 1, 1)
    return lambda x: np.asarray(mapped(x), np.float64).astype(np.longdouble)


_DIGAMMA = _by_mpmath("psi", 0)
_TRIGAMMA = _by_mpmath("psi", 1)

FUNCTIONS: Mapping[str, Function] = {
    "exp": Function(np.exp, lambda x, y: y, lambda c, x: c.exp(x)),
    "exp2": Function(np.exp2, lambda x, y: y * _LN2, lambda c, x: c.power(2, x)),
    "expm1": Function(np.expm1, lambda x, y: np.exp(x), lambda c, x: c.expm1(x)),
    "log": Function(np.log, lambda x, y: 1 / np.abs(x), lambda c, x: c.ln(x)),
    "log2": Function(np.log2, lambda x, y: 1 / np.abs(x * _LN2), lambda c, x: c.ln(x) / c.ln2),
    "log10": Function(np.log10, lambda x, y: 1 / np.abs(x * _LN10), lambda c, x: c.ln(x) / c.ln10),
    "log1p": Function(np.log1p, lambda x, y: 1 / np.abs(1 + x), lambda c, x: c.log1p(x)),
    "sqrt": Function(np.sqrt, lambda x, y: 1 / (2 * y), lambda c, x: c.sqrt(x), ulps=1.0),
    "rsqrt": Function(
        lambda x: 1 / np.sqrt(x),
        lambda x, y: np.abs(y / (2 * x)),
        lambda c, x: 1 / c.sqrt(x),
    ),
    "reciprocal": Function(
        lambda x: 1 / x, lambda x, y: y * y, lambda c, x: 1 / x, ulps=1.0
    ),
    "cbrt": Function(np.cbrt, lambda x, y: np.abs(y / (3 * x)), _cbrt),
    "sin": Function(np.sin, lambda x, y: np.abs(np.cos(x)), lambda c, x: c.sin(x)),
    "cos": Function(np.cos, lambda x, y: np.abs(np.sin(x)), lambda c, x: c.cos(x)),
    "tan": Function(np.tan, lambda x, y: 1 + y * y, lambda c, x: c.tan(x)),
    "asin": Function(np.arcsin, lambda x, y: 1 / np.sqrt(1 - x * x), lambda c, x: c.asin(x)),
    "acos": Function(np.arccos, lambda x, y: 1 / np.sqrt(1 - x * x), lambda c, x: c.acos(x)),
    "atan": Function(np.arctan, lambda x, y: 1 / (1 + x * x), lambda c, x: c.atan(x)),
    "sinh": Function(np.sinh, lambda x, y: np.cosh(x), lambda c, x: c.sinh(x)),
    "cosh": Function(np.cosh, lambda x, y: np.abs(np.sinh(x)), lambda c, x: c.cosh(x)),
    "tanh": Function(np.tanh, lambda x, y: np.cosh(x) ** -2, lambda c, x: c.tanh(x)),
    "asinh": Function(np.arcsinh, lambda x, y: 1 / np.hypot(x, np.longdouble(1)), lambda c, x: c.asinh(x)),
    "acosh": Function(np.arccosh, lambda x, y: 1 / np.sqrt(x * x - 1), lambda c, x: c.acosh(x)),
    "atanh": Function(np.arctanh, lambda x, y: 1 / np.abs(1 - x * x), lambda c, x: c.atanh(x)),
    "erf": Function(special.erf, lambda x, y: _bell(x), lambda c, x: c.erf(x), ulps=16.0),
    "erfc": Function(special.erfc, lambda x, y: _bell(x), lambda c, x: c.erfc(x), ulps=64.0),
    "erfinv": Function(None, lambda x, y: 1 / _bell(y), lambda c, x: c.erfinv(x)),
    "sigmoid": Function(
        special.sigmoid, lambda x, y: y * special.sigmoid(-x), lambda c, x: 1 / (1 + c.exp(-x)), ulps=16.0
    ),
    "softplus": Function(
        special.softplus, lambda x, y: special.sigmoid(x), lambda c, x: c.log1p(c.exp(x)), ulps=16.0
    ),
    "lgamma": Function(None, lambda x, y: _DIGAMMA(x), lambda c, x: c.re(c.loggamma(x))),
    "digamma": Function(None, lambda x, y: _TRIGAMMA(x), lambda c, x: c.digamma(x)),
}
"""Every function that a formula may call, by the name under which it calls it."""
