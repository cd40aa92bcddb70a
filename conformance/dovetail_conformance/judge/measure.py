"""Errors against bounds, decided for certain: in the wide format where it can tell, else in rationals."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dovetail_conformance.judge.bounded import silent
from dovetail_conformance.judge.precise import to_wide
from dovetail_conformance.judge.reference import LADDER, Reference
from dovetail_conformance.judge.ulp import (
    WIDE_BITS,
    WIDE_SMALLEST,
    Format,
    Wide,
    fraction_ulp,
    round_to,
    ulp_at,
    widen,
)


@dataclass(frozen=True)
class Limit:
    """What an element may be off by: ``ulps`` ULP at the exact result, plus an amount of its own."""

    fmt: Format
    ulps: float
    amount: Wide

    def around(self, value: Wide, radius: Wide) -> tuple[Wide, Wide]:
        """The least and the most it can be for an exact value that is known up to a radius."""
        nearest = np.maximum(np.abs(value) - radius, np.longdouble(0))
        low = self.ulps * ulp_at(np.asarray(nearest), self.fmt)
        high = self.ulps * ulp_at(np.asarray(np.abs(value) + radius), self.fmt)
        return np.asarray(low + self.amount), np.asarray(high + self.amount)

    def between(self, index: int, low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
        """The same for the exact value at a flat index, which lies between two rationals."""
        units = [fraction_ulp(end, self.fmt) for end in (low, high)]
        if low <= 0 <= high:
            units.append(fraction_ulp(Fraction(0), self.fmt))
        amount = exact_fraction(self.amount.reshape(-1)[index])
        return Fraction(self.ulps) * min(units) + amount, Fraction(self.ulps) * max(units) + amount


@dataclass
class Finding:
    """For every element whether it is good, its absolute error, what was allowed, and what has no bound."""

    good: NDArray[np.bool_]
    error: Wide
    allowed: Wide
    excluded: NDArray[np.bool_]


@silent()
def measure(
    got: NDArray[Any], reference: Reference, limit: Limit, *, signed_zero: bool, flush: bool = False
) -> Finding:
    """Hold results against their limits.

    An infinite result is right where the exact one rounds to it, and counts as the number after the largest
    near there (OpenCL's rule 7). Exact NaN and infinities must be met. With ``flush`` a zero is right where
    the exact result is below the smallest normal number, or within the limit of it (rules 4 and 8). With
    ``signed_zero`` a zero must have the sign of the exact result, be it zero or too small.
    """
    fmt, value, radius = limit.fmt, reference.value, reference.radius
    given = widen(got)
    special = ~np.isfinite(value) & (radius == 0)
    met = np.where(np.isnan(value), np.isnan(given), given == value)
    stepped = np.where(np.isinf(given), np.copysign(fmt.beyond, given), given)
    error = np.abs(stepped - value)
    low, high = limit.around(value, radius)
    excluded = ~np.isfinite(limit.amount) & ~special
    over = _overflows(given, value, radius, fmt)
    good = (error + radius <= low) | over
    lost = np.isnan(given) & ~np.isnan(value)
    # An infinite error may be that of an infinite result, where the wide format has no number beyond.
    bad = (error - radius > high) & ~good & np.isfinite(error) | lost
    doubtful = ~good & ~bad & ~special & ~excluded
    finding = Finding(np.where(special, met, good), error, low, excluded)
    finding.error = np.where(special, np.where(met, np.longdouble(0), np.longdouble(np.inf)), finding.error)
    finding.error = np.where(over, np.longdouble(0), finding.error)
    finding.error = np.where(lost & ~special, np.longdouble(np.inf), finding.error)
    _decide(finding, given, reference, limit, np.flatnonzero(doubtful))
    if signed_zero:
        finding.good &= ~_wrong_zero(given, value, radius)
    if flush:
        flushed = _flushed(given, value, radius, limit, signed_zero) & ~finding.good
        finding.error = np.where(flushed, np.longdouble(0), finding.error)
        finding.good |= flushed
    finding.good |= excluded
    return finding


def _overflows(given: Wide, value: Wide, radius: Wide, fmt: Format) -> NDArray[np.bool_]:
    """Infinite results whose exact value rounds to infinity: it is half an ULP or more above the largest."""
    last = np.longdouble(np.ldexp(np.longdouble(1), fmt.emax - fmt.precision))
    edge = np.longdouble(fmt.largest) + last
    return np.asarray(np.isinf(given) & (np.sign(given) == np.sign(value)) & (np.abs(value) - radius >= edge))


def _wrong_zero(given: Wide, value: Wide, radius: Wide) -> NDArray[np.bool_]:
    """Zeros whose sign is certainly not that of the exact result, be it zero or too small to show."""
    exact_zero = (value == 0) & (radius <= 64 * WIDE_SMALLEST)
    known = exact_zero | (np.abs(value) > radius)
    return np.asarray((given == 0) & known & (np.signbit(given) != np.signbit(value)))


def _flushed(
    given: Wide, value: Wide, radius: Wide, limit: Limit, signed: bool
) -> NDArray[np.bool_]:
    """Zeros in place of results that are, or may come out as, subnormal."""
    room = (limit.ulps + 1) * limit.fmt.smallest + limit.amount
    small = np.abs(value) - radius - room < limit.fmt.smallest_normal
    right_sign = (np.signbit(given) == np.signbit(value)) if signed else True
    return np.asarray((given == 0) & small & right_sign)


def _decide(
    finding: Finding, given: Wide, reference: Reference, limit: Limit, indices: NDArray[np.int64]
) -> None:
    """Settle single elements by enclosures that become tighter until there is no doubt."""
    good, error = finding.good.reshape(-1), finding.error.reshape(-1)
    allowed = finding.allowed.reshape(-1)
    flat, wide = given.reshape(-1), reference.value.reshape(-1)
    for bits in LADDER:
        left = []
        chosen = indices.tolist()
        for index, ends in zip(chosen, reference.source.enclose(chosen, bits), strict=True):
            if ends is None:
                both_nan = bool(np.isnan(flat[index]) and np.isnan(wide[index]))
                good[index] = both_nan or flat[index] == wide[index]
                error[index] = np.longdouble(0 if good[index] else np.inf)
                continue
            answer = _settle(flat[index], ends, index, limit, last=bits == LADDER[-1])
            if answer is None:
                left.append(index)
            else:
                good[index], error[index], allowed[index] = answer
        indices = np.asarray(left, np.int64)
    shape = finding.good.shape
    finding.good, finding.error = good.reshape(shape), error.reshape(shape)
    finding.allowed = allowed.reshape(shape)


def _settle(
    given: np.longdouble, ends: tuple[Fraction, Fraction], index: int, limit: Limit, last: bool
) -> tuple[bool, np.longdouble, np.longdouble] | None:
    """Whether one element keeps its limit, its error and the limit; None while that is open."""
    low, high = ends
    fmt = limit.fmt
    largest = Fraction(fmt.largest)
    edge = largest + Fraction(2) ** (fmt.emax - fmt.precision)
    least, most = limit.between(index, low, high)
    if np.isinf(given):
        if (given > 0 and low >= edge) or (given < 0 and high <= -edge):
            return True, np.longdouble(0), to_wide(least)
        number = Fraction(2) ** (fmt.emax + 1) * (1 if given > 0 else -1)
    else:
        number = exact_fraction(given)
    far = max(abs(number - low), abs(number - high))
    near = Fraction(0) if low <= number <= high else min(abs(number - low), abs(number - high))
    if far <= least:
        return True, to_wide(far), to_wide(least)
    if near > most or last:
        # To the last digit asked for the error is the limit: a limit that is reached is kept.
        return near <= most, to_wide(far), to_wide(least)
    return None


def exact_fraction(value: np.longdouble) -> Fraction:
    """A finite wide number as a rational, exactly."""
    fraction, exponent = np.frexp(value)
    return int(np.ldexp(fraction, WIDE_BITS)) * Fraction(2) ** (int(exponent) - WIDE_BITS)


def rounded_share(got: NDArray[Any], reference: Reference, fmt: Format) -> float | None:
    """The share of results that are the nearest number, as far as the wide format tells; None of nothing."""
    if not got.size:
        return None
    with np.errstate(all="ignore"):
        nearest = widen(round_to(reference.value, fmt))
    given = widen(got)
    return float(np.mean((given == nearest) | (np.isnan(given) & np.isnan(nearest))))
