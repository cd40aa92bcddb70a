"""Sums, products and variances in exact rational arithmetic, with the terms that class G measures errors by.

Every float is an integer times a power of two; an array of them becomes an array of Python integers over one
common power, and NumPy adds and multiplies those without rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dovetail_conformance.judge.bounded import silent, tree_sum
from dovetail_conformance.judge.number import Dim, count_over
from dovetail_conformance.judge.reference import CallSource, Reference, from_fractions, square_root
from dovetail_conformance.judge.ulp import widen

_NARROW = ("float32", "float16", "bfloat16")


@dataclass(frozen=True, slots=True)
class Dyadic:
    """An array of exact numbers ``integers * 2^exponent``; NaN and infinities are kept as zeros."""

    integers: NDArray[Any]
    exponent: int

    @classmethod
    def of(cls, values: Any) -> Dyadic:
        """The exact values of an array of floats or integers."""
        array = np.asarray(values)
        if array.dtype.kind in "iub":
            return cls(array.astype(object), 0)
        doubles = array.astype(np.float64)
        fractions, exponents = np.frexp(np.where(np.isfinite(doubles), doubles, 0.0))
        mantissas = np.ldexp(fractions, 53).astype(np.int64)
        used = mantissas != 0
        least = int(exponents[used].min()) if used.any() else 0
        shifts = np.where(used, exponents - least, 0)
        # Python's own integers on both sides, so that a shift by thousands of bits keeps them all.
        return cls(np.asarray(mantissas.astype(object) * 2 ** shifts.astype(object), object), least - 53)

    def fractions(self, divisor: int = 1) -> NDArray[Any]:
        """The values as rationals, divided."""
        scale = Fraction(2) ** self.exponent / divisor
        return _each(lambda n: int(n) * scale, self.integers)


def exact_sum(values: Any, dim: Dim = None, keepdim: bool = False) -> Reference:
    """The sum over ``dim``; terms: the absolute elements."""
    return _sum_over(values, dim, keepdim, 1)


def exact_mean(values: Any, dim: Dim = None, keepdim: bool = False) -> Reference:
    """The mean over ``dim``; terms: the absolute elements, divided. The mean of nothing is NaN."""
    count = count_over(np.shape(values), dim)
    if count == 0:
        empty = exact_sum(values, dim, keepdim)
        return from_fractions(_each(lambda _: None, empty.value), np.full_like(empty.value, np.nan))
    return _sum_over(values, dim, keepdim, count)


def exact_dot(input: Any, other: Any) -> Reference:
    """The inner product of two vectors; terms: the absolute products."""
    return exact_matmul(input, other)


def exact_matmul(input: Any, other: Any) -> Reference:
    """The matrix product with NumPy's rules for 1-d and batched operands; terms: the absolute products.

    Narrow operands are multiplied in float64, where their products are exact, with a bound for its sums; an
    element that a judgement asks for is worked out exactly. float64 operands are exact from the start.
    """
    a, b = np.asarray(input), np.asarray(other)
    count = a.shape[-1]
    with silent():
        special = np.matmul(a.astype(np.float64), b.astype(np.float64))
        terms = np.matmul(np.abs(widen(a)), np.abs(widen(b)))
    narrow = a.dtype.name in _NARROW and b.dtype.name in _NARROW
    finite = bool(np.isfinite(widen(a)).all() and np.isfinite(widen(b)).all())
    if narrow and finite:
        # The classical bound for an inner product in any order, with a little room for its second order.
        radius = widen(np.asarray((count + 2) * 2.0**-53)) * terms * np.longdouble(1.0001)
        source = CallSource(_product_elements(a, b, special.shape))
        reference = Reference(widen(special), np.asarray(radius, np.longdouble), source)
    else:
        left, right = Dyadic.of(a), Dyadic.of(b)
        product = Dyadic(np.asarray(left.integers @ right.integers, object), left.exponent + right.exponent)
        # An element of the product is odd if its row or its column has a NaN or an infinity.
        odd_a, odd_b = (~np.isfinite(widen(x)) * 1.0 for x in (a, b))
        odd = np.matmul(odd_a, np.ones(b.shape)) + np.matmul(np.ones(a.shape), odd_b) > 0
        reference = from_fractions(_without(product.fractions(), odd), widen(special))
    return reference.with_terms(terms, count)


def exact_prod(values: Any, dim: int | None = None, keepdim: bool = False) -> Reference:
    """The product over ``dim``; terms: the absolute product, since its error is relative."""
    array = np.asarray(values)
    exact = Dyadic.of(array)
    count = count_over(array.shape, dim)
    integers = np.prod(exact.integers, axis=dim, keepdims=keepdim)
    with silent():
        special = np.asarray(np.prod(widen(array), axis=dim, keepdims=keepdim), np.longdouble)
        odd = np.any(~np.isfinite(widen(array)), axis=dim, keepdims=keepdim)
    product = Dyadic(np.asarray(integers, object), exact.exponent * count)
    reference = from_fractions(_without(product.fractions(), odd), special)
    return reference.with_terms(reference.value, count)


def exact_cumsum(values: Any, dim: int) -> Reference:
    """The sums of all beginnings along ``dim``; terms: their absolute elements, counted for each."""
    array = np.asarray(values)
    exact = Dyadic.of(array)
    sums = Dyadic(np.add.accumulate(exact.integers, axis=dim), exact.exponent)
    with silent():
        special = np.cumsum(widen(array), axis=dim)
        terms = np.cumsum(np.abs(widen(array)), axis=dim)
    odd = np.logical_or.accumulate(~np.isfinite(widen(array)), axis=dim)
    return from_fractions(_without(sums.fractions(), odd), special).with_terms(terms, _places(array, dim))


def exact_cumprod(values: Any, dim: int) -> Reference:
    """The products of all beginnings along ``dim``; terms: the absolute products, counted for each."""
    array = np.asarray(values)
    exact = Dyadic.of(array)
    products = np.multiply.accumulate(exact.integers, axis=dim)
    places = _places(array, dim)
    rationals = _each(lambda n, k: int(n) * Fraction(2) ** (exact.exponent * int(k)), products, places)
    with silent():
        special = np.cumprod(widen(array), axis=dim)
    odd = np.logical_or.accumulate(~np.isfinite(widen(array)), axis=dim)
    reference = from_fractions(_without(rationals, odd), special)
    return reference.with_terms(reference.value, places)


def exact_var(
    values: Any, dim: Dim = None, correction: int = 1, keepdim: bool = False, unit: float = 0.0
) -> Reference:
    """The variance over ``dim``; terms: the variance itself.

    A two-pass algorithm works with a mean that is off by about u |mean|; where that is allowed, ``unit``
    (that of the format that accumulates) adds u n mean^2 / (n - correction) to the terms. NaN for too few
    elements.
    """
    array = np.asarray(values)
    count = count_over(array.shape, dim)
    exact = Dyadic.of(array)
    totals = np.sum(exact.integers, axis=dim, keepdims=keepdim)
    squares = np.sum(exact.integers * exact.integers, axis=dim, keepdims=keepdim)
    odd = np.any(~np.isfinite(widen(array)), axis=dim, keepdims=keepdim)
    rest = count - correction
    missing = np.full_like(np.asarray(widen(np.zeros(np.shape(odd)))), np.nan)
    if rest <= 0 or count == 0:
        return from_fractions(_each(lambda _: None, missing), missing).with_terms(missing, count)
    # sum (x - mean)^2 = (n sum x^2 - (sum x)^2) / n, which cancels nothing here.
    integers = np.asarray(count * np.asarray(squares, object) - np.asarray(totals, object) ** 2, object)
    spread = Dyadic(integers, 2 * exact.exponent)
    reference = from_fractions(_without(spread.fractions(count * rest), odd), missing)
    with silent():
        mean = tree_sum(np.abs(widen(array)), dim, keepdim) / np.longdouble(count)
        terms = reference.value + np.longdouble(unit) * count / rest * mean * mean
    return reference.with_terms(terms, count)


def exact_std(values: Any, dim: Dim = None, correction: int = 1, keepdim: bool = False) -> Reference:
    """The standard deviation over ``dim``, the root of the exact variance; terms: itself."""
    return square_root(exact_var(values, dim, correction, keepdim))


def exact_norm(values: Any, dim: Dim = None, keepdim: bool = False) -> Reference:
    """The Euclidean norm over ``dim``; terms: itself."""
    array = np.asarray(values)
    exact = Dyadic.of(array)
    integers = np.sum(exact.integers * exact.integers, axis=dim, keepdims=keepdim)
    odd = np.any(~np.isfinite(widen(array)), axis=dim, keepdims=keepdim)
    with silent():
        special = tree_sum(np.square(widen(array)), dim, keepdim)
    squares = Dyadic(np.asarray(integers, object), 2 * exact.exponent).fractions()
    reference = from_fractions(_without(squares, odd), special)
    return square_root(reference.with_terms(special, count_over(array.shape, dim)))


def _sum_over(values: Any, dim: Dim, keepdim: bool, divisor: int) -> Reference:
    array = np.asarray(values)
    exact = Dyadic.of(array)
    total = Dyadic(np.asarray(np.sum(exact.integers, axis=dim, keepdims=keepdim), object), exact.exponent)
    with silent():
        wide = widen(array)
        terms = tree_sum(np.abs(wide), dim, keepdim) / np.longdouble(divisor)
        special = tree_sum(wide, dim, keepdim)
    # NaN and infinities among the elements make their own sum, by the rules of IEEE 754.
    odd = np.any(~np.isfinite(wide), axis=dim, keepdims=keepdim)
    reference = from_fractions(_without(total.fractions(divisor), odd), special)
    return reference.with_terms(terms, count_over(array.shape, dim))


def _product_elements(a: NDArray[Any], b: NDArray[Any], shape: tuple[int, ...]) -> Any:
    """``exact(flat index)`` for the elements of a matrix product."""
    rows = a if a.ndim > 1 else a[np.newaxis, :]
    columns = b if b.ndim > 1 else b[:, np.newaxis]
    batch = np.broadcast_shapes(rows.shape[:-2], columns.shape[:-2])
    rows = np.broadcast_to(rows, (*batch, *rows.shape[-2:]))
    columns = np.broadcast_to(columns, (*batch, *columns.shape[-2:]))
    full = (*batch, rows.shape[-2], columns.shape[-1])

    def element(index: int) -> Fraction:
        place: list[Any] = [int(n) for n in np.unravel_index(index, full)]
        *where, i, j = place
        left, right = Dyadic.of(rows[(*where, i)]), Dyadic.of(columns[(*where, slice(None), j)])
        return int(np.dot(left.integers, right.integers)) * Fraction(2) ** (left.exponent + right.exponent)

    return element


def _places(array: NDArray[Any], dim: int) -> NDArray[np.int64]:
    """For each element its place along ``dim``, counted from 1."""
    shape = [1] * array.ndim
    shape[dim] = -1
    places = np.arange(1, array.shape[dim] + 1).reshape(shape)
    return np.asarray(np.broadcast_to(places, array.shape), np.int64)


def _without(rationals: NDArray[Any], odd: Any) -> NDArray[Any]:
    """The rationals, with None where NaN or infinities took part."""
    return np.where(odd, np.asarray(None, object), rationals)


def _each(compute: Any, *arrays: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.frompyfunc(compute, len(arrays), 1)(*arrays), object)
