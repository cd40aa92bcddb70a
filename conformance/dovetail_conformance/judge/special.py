"""The error function and its relatives in the wide format, which NumPy and libm do not offer there."""

from __future__ import annotations

import math

import numpy as np

from dovetail_conformance.judge.ulp import WIDE_BITS, Wide

ROOT_PI = np.sqrt(np.longdouble(4) * np.arctan(np.longdouble(1)))
"""The square root of pi."""

_SPLIT = WIDE_BITS // 2


def erf(x: Wide) -> Wide:
    """erf: its Maclaurin series times exp(-x^2) near zero (Abramowitz and Stegun 7.1.6), else 1 - erfc."""
    size = np.abs(x)
    small = size < 1
    series = _series(np.where(small, x, np.longdouble(0)))
    tail = np.copysign(1 - _erfc_large(np.where(small, np.longdouble(1), size)), x)
    return np.asarray(np.where(small, series, np.where(np.isnan(x), x, tail)), np.longdouble)


def erfc(x: Wide) -> Wide:
    """erfc: a continued fraction right of 1 (Abramowitz and Stegun 7.1.14), elsewhere from erf."""
    right = x >= 1
    tail = _erfc_large(np.where(right, x, np.longdouble(1)))
    return np.asarray(np.where(right, tail, 1 - erf(np.where(right, np.longdouble(0), x))), np.longdouble)


def sigmoid(x: Wide) -> Wide:
    """1 / (1 + exp(-x)), from the exponential that does not overflow."""
    decay = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, np.longdouble(1), decay) / (1 + decay), np.longdouble)


def softplus(x: Wide) -> Wide:
    """log(1 + exp(x)), from the exponential that does not overflow."""
    return np.asarray(np.maximum(x, np.longdouble(0)) + np.log1p(np.exp(-np.abs(x))), np.longdouble)


def gauss(x: Wide) -> Wide:
    """exp(-x^2) to nearly full relative precision.

    Rounding x^2 would cost x^2 ULP; so x is split into a head whose square is exact, and the rest enters
    through x^2 = h^2 + (x - h)(x + h), as in the error function of FreeBSD's libm.
    """
    fraction, exponent = np.frexp(np.where(np.isfinite(x), x, np.longdouble(0)))
    head = np.ldexp(np.trunc(np.ldexp(fraction, _SPLIT)), exponent - _SPLIT)
    product = np.exp(-head * head) * np.exp((head - x) * (head + x))
    return np.asarray(np.where(np.isinf(x), np.longdouble(0), product), np.longdouble)


def _series(x: Wide) -> Wide:
    """2 / sqrt(pi) exp(-x^2) x (1 + 2x^2/3 (1 + 2x^2/5 (1 + ...))): every term is positive."""
    doubled = 2 * x * x
    total: Wide = np.ones_like(x)
    for n in range(40 + WIDE_BITS // 4, 0, -1):
        total = 1 + total * doubled / np.longdouble(2 * n + 1)
    return np.asarray(2 / ROOT_PI * gauss(x) * x * total, np.longdouble)


def _erfc_large(x: Wide) -> Wide:
    """exp(-x^2) / (sqrt(pi) (x + (1/2) / (x + 1 / (x + (3/2) / (x + ...))))) for x >= 1."""
    result = np.zeros_like(x)
    near = x < 2
    for chosen, start in ((near, 1.0), (~near, 2.0)):
        if not chosen.any():
            continue
        values = x[chosen]
        # The convergents approach as exp(-2 sqrt(2 n) x): enough for two bits more than the format has.
        steps = math.ceil(((WIDE_BITS + 2) * math.log(2) / (2 * math.sqrt(2) * start)) ** 2) + 8
        fraction = values
        for n in range(steps, 0, -1):
            fraction = values + np.longdouble(n) / 2 / fraction
        result[chosen] = gauss(values) / (ROOT_PI * fraction)
    return np.asarray(np.where(np.isnan(x), x, result), np.longdouble)
