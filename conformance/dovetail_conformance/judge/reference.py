"""What a result should have been: exact values, known as closely as a judgement needs them.

A reference carries a value in the wide format with a radius, for all elements at once, and can enclose any
single element as tightly as asked. So a judgement costs one pass in the wide format, and rational or
multi-precision arithmetic only for elements that lie near a tie or near their bound.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import isqrt
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dovetail_conformance.judge.bounded import WideMaths, silent
from dovetail_conformance.judge.number import Formula, Maths, Number
from dovetail_conformance.judge.precise import Precise, to_fraction, to_wide
from dovetail_conformance.judge.ulp import (
    WIDE_BITS,
    WIDE_RANGE,
    WIDE_SMALLEST,
    WIDE_UNIT,
    Format,
    Wide,
    round_fraction,
    round_to,
    tie_near,
    widen,
)

Enclosure: TypeAlias = tuple[Fraction, Fraction] | None
"""Two rationals with the exact value between them; None where it is no number: the wide value says what."""

LADDER = (128, 512, 4096)
"""Bits asked for one after the other. A value that is at a tie to the last of them is taken to be the tie."""

_DEEP = 1280
"""The finer of two computations has so many bits at least: float64 reaches 2^-1074, and so may a difference
from 1 in a formula such as 1 - tanh(x)^2, which fewer bits would show as nothing at all."""


class Source(ABC):
    """Where the exact values come from."""

    @abstractmethod
    def enclose(self, indices: Sequence[int], bits: int) -> list[Enclosure]:
        """Enclosures of the elements at flat ``indices``, from about so many bits of working precision."""


@dataclass(frozen=True)
class Reference:
    """Exact results of one call: ``|exact - value| <= radius`` for every element.

    NaN and infinities are exact where the radius is 0. ``terms`` is the sum of the absolute terms that a
    result adds up, ``count`` how many they are (class G).
    """

    value: Wide
    radius: Wide
    source: Source
    terms: Wide | None = None
    count: int | NDArray[np.int64] = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the result."""
        return self.value.shape

    def with_terms(self, terms: Any, count: int | NDArray[np.int64]) -> Reference:
        """The same results, with sums of absolute terms and their number, for class G."""
        wide = np.broadcast_to(widen(terms), self.shape)
        return replace(self, terms=np.asarray(np.abs(wide), np.longdouble), count=count)

    @silent()
    def rounded(self, fmt: Format) -> NDArray[Any]:
        """The exact values rounded once to nearest even, in the dtype of ``fmt``: certain for each one."""
        result = round_to(self.value, fmt)
        low, high = round_to(self.value - self.radius, fmt), round_to(self.value + self.radius, fmt)
        certain = (low == high) | ((self.radius == 0) & ~np.isfinite(self.value))
        flat = result.reshape(-1)
        for index, value in self._refined(np.flatnonzero(~certain), fmt):
            # None: an exact zero, which keeps the sign that the wide format, and so IEEE 754, gave it.
            flat[index] = np.copysign(0.0, widen(flat[index])) if value is None else value
        return flat.reshape(self.shape)

    def _refined(self, indices: NDArray[np.int64], fmt: Format) -> list[tuple[int, float | None]]:
        """The rounded values of single elements, from enclosures tightened until both ends agree."""
        found: list[tuple[int, float | None]] = []
        for bits in LADDER:
            left = []
            for index, ends in zip(indices, self.source.enclose(indices.tolist(), bits), strict=True):
                if ends is None:
                    continue
                low, high = (round_fraction(end, fmt) for end in ends)
                if low == high:
                    found.append((int(index), None if ends[0] <= 0 <= ends[1] else low))
                elif bits == LADDER[-1]:
                    found.append((int(index), round_fraction(tie_near((ends[0] + ends[1]) / 2, fmt), fmt)))
                else:
                    left.append(index)
            indices = np.asarray(left, np.int64)
        return found


def evaluate(
    formula: Formula,
    *inputs: Any,
    elementwise: bool = True,
    terms: Formula | None = None,
    count: int | NDArray[np.int64] = 1,
) -> Reference:
    """The exact results of ``formula(m, *inputs)`` on arrays, scalars or bfloat16 arrays, which broadcast.

    ``elementwise=False`` for formulas that reduce or move elements. ``terms`` gives the sum of the absolute
    terms by a formula over the same inputs, ``count`` their number.
    """
    arrays = [np.asarray(x) for x in inputs]
    if elementwise:
        arrays = list(np.broadcast_arrays(*arrays))
    maths = WideMaths()
    with silent():
        numbers = [maths.number(a) for a in arrays]
        result = maths.number(formula(maths, *numbers))
        radius = np.where(np.isfinite(result.value), result.error, np.longdouble(np.inf))
        # Infinities and NaN: exact where an input has one, or where the result is one step from the inputs;
        # though without a wider range that one step may have overflowed.
        one_step = result.direct & (WIDE_RANGE | np.isnan(result.value))
        special = ~np.isfinite(result.value) & ((result.error == 0) | one_step)
        radius = np.where(special, np.longdouble(0), radius)
        amounts = None if terms is None else maths.number(terms(maths, *numbers)).value
    value = np.asarray(result.value, np.longdouble)
    source = _FormulaSource(formula, arrays, elementwise)
    reference = Reference(value, np.asarray(radius, np.longdouble), source)
    return reference if amounts is None else reference.with_terms(amounts, count)


def derivative(formula: Formula, *inputs: Any, wrt: int = 0, order: int = 1) -> Reference:
    """The exact partial derivative of an elementwise formula in its input number ``wrt``, of any order.

    Differences at a precision high enough that nothing is lost: slow (about a millisecond per element), and
    independent of any rule that somebody wrote down. Not for points where the derivative does not exist.
    """
    arrays = list(np.broadcast_arrays(*(np.asarray(x) for x in inputs)))
    source = _DerivativeSource(formula, arrays, wrt, order)
    ends = source.enclose(range(arrays[0].size), WIDE_BITS + 8)
    middles = [np.nan if pair is None else to_wide((pair[0] + pair[1]) / 2) for pair in ends]
    halves = [0 if pair is None else to_wide(pair[1] - pair[0]) for pair in ends]
    value, half = (np.asarray(x, np.longdouble).reshape(arrays[0].shape) for x in (middles, halves))
    return Reference(value, np.where(np.isnan(value), half, half + _rounding_radius(value)), source)


def from_fractions(values: NDArray[Any], special: Wide | None = None) -> Reference:
    """A reference made of exact rationals (an object array); None stands for what ``special`` has there."""
    source = _FractionSource(values)
    wide = np.asarray([to_wide(v) if v is not None else np.nan for v in values.reshape(-1)], np.longdouble)
    wide = wide.reshape(values.shape)
    radius = _rounding_radius(wide)
    if special is not None:
        missing = np.asarray([v is None for v in values.reshape(-1)], bool).reshape(values.shape)
        wide = np.where(missing, special, wide)
        radius = np.where(missing, np.longdouble(0), radius)
    return Reference(wide, radius, source)


def square_root(reference: Reference) -> Reference:
    """The square root of exact results, for norms and standard deviations; the terms are the root itself."""
    with silent():
        value = np.sqrt(reference.value)
        # A square root moves by half the relative distance, and rounds once.
        radius = reference.radius / np.where(value > 0, value, np.longdouble(1)) + _rounding_radius(value)
        radius = np.where(np.isfinite(value), radius, reference.radius)
    root = Reference(value, np.asarray(radius, np.longdouble), _RootSource(reference.source))
    return root.with_terms(value, reference.count)


class _FormulaSource(Source):
    """A formula at two precisions, whose distance says how far the better one can be off."""

    def __init__(self, formula: Formula, inputs: Sequence[NDArray[Any]], elementwise: bool) -> None:
        self.formula = formula
        self.inputs = inputs
        self.elementwise = elementwise
        self._cache: dict[int, NDArray[Any]] = {}

    def enclose(self, indices: Sequence[int], bits: int) -> list[Enclosure]:
        if not indices:
            return []
        rough, fine = self._values(indices, bits + 32), self._values(indices, max(2 * bits + 64, _DEEP))
        return [_between(a, b, bits) for a, b in zip(rough, fine, strict=True)]

    def _values(self, indices: Sequence[int], bits: int) -> list[Any]:
        maths = Precise(bits)
        if self.elementwise:
            chosen = [a.reshape(-1)[list(indices)] for a in self.inputs]
            result = self._run(maths, [maths.number(a) for a in chosen])
            return list(np.broadcast_to(result, (len(indices),)))
        if bits not in self._cache:
            self._cache[bits] = self._run(maths, [maths.number(a) for a in self.inputs]).reshape(-1)
        return [self._cache[bits][i] for i in indices]

    def _run(self, maths: Maths, numbers: list[Number]) -> NDArray[Any]:
        return np.asarray(maths.number(self.formula(maths, *numbers)).value, object)


class _DerivativeSource(_FormulaSource):
    """Derivatives by mpmath's differences, which raise the working precision by as much as they lose."""

    def __init__(self, formula: Formula, inputs: Sequence[NDArray[Any]], wrt: int, order: int) -> None:
        super().__init__(formula, inputs, elementwise=True)
        self.wrt = wrt
        self.order = order

    def _values(self, indices: Sequence[int], bits: int) -> list[Any]:
        maths = Precise(bits)
        columns = [maths.number(a.reshape(-1)[list(indices)]).value for a in self.inputs]
        return [self._one(maths, list(point)) for point in zip(*columns, strict=True)]

    def _one(self, maths: Precise, point: list[Any]) -> Any:
        def along(x: Any) -> Any:
            moved = [*point[: self.wrt], x, *point[self.wrt + 1 :]]
            numbers = [maths.wrap(np.asarray(v, object)) for v in moved]
            return self._run(maths, numbers).item()

        return maths.context.diff(along, point[self.wrt], self.order)


class _FractionSource(Source):
    """Rationals that are known already."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.values = values.reshape(-1)

    def enclose(self, indices: Sequence[int], bits: int) -> list[Enclosure]:
        found = [self.values[i] for i in indices]
        return [None if v is None else (v, v) for v in found]


class CallSource(Source):
    """Rationals that are worked out when they are asked for: ``exact(flat index) -> Fraction or None``."""

    def __init__(self, exact: Callable[[int], Fraction | None]) -> None:
        self.exact = exact

    def enclose(self, indices: Sequence[int], bits: int) -> list[Enclosure]:
        found = [self.exact(i) for i in indices]
        return [None if v is None else (v, v) for v in found]


class _RootSource(Source):
    """Square roots of what another source encloses, by the integer square root."""

    def __init__(self, inner: Source) -> None:
        self.inner = inner

    def enclose(self, indices: Sequence[int], bits: int) -> list[Enclosure]:
        pairs = self.inner.enclose(indices, bits + 2)
        return [None if p is None else (_root(p[0], bits, 0), _root(p[1], bits, 1)) for p in pairs]


def _root(square: Fraction, bits: int, up: int) -> Fraction:
    """The square root of a rational, rounded down, or up unless exact, after ``bits`` digits or more."""
    numerator, denominator = max(square.numerator, 0), square.denominator
    shift = max(0, 2 * bits - numerator.bit_length() - denominator.bit_length() + 2)
    shift = shift // 2 + denominator.bit_length()
    scaled = (numerator * denominator) << (2 * shift)
    root = isqrt(scaled)
    return Fraction(root + (up and root * root != scaled), denominator << shift)


def _between(rough: Any, fine: Any, bits: int) -> Enclosure:
    """What two computations say, the second with far more digits than the first: the truth is near both."""
    a, b = to_fraction(rough), to_fraction(fine)
    if b is None:
        return None
    if a is None:
        return b - abs(b), b + abs(b)  # it took more digits to get anywhere: this says little yet
    # A zero may be all that the digits can show of something smaller.
    width = 2 * abs(a - b) + (abs(b) or 1) / Fraction(1 << bits)
    return b - width, b + width


def _rounding_radius(value: Wide) -> Wide:
    """A radius for wide numbers that were rounded, or nearly, from exact ones; infinite after overflow."""
    with silent():
        radius = np.abs(value) * (8 * WIDE_UNIT) + WIDE_SMALLEST
    return np.asarray(np.where(np.isfinite(value), radius, np.longdouble(np.inf)), np.longdouble)
