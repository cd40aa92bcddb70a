"""Arithmetic on pairs of a wide value and a bound for its error, carried along in first order.

Both arithmetics of this kind share the propagation and differ in what one operation adds: ``WideMaths`` the
rounding of the wide format itself, ``Running`` (in running.py) the bound of a device's op in a target format.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dovetail_conformance.judge import precise
from dovetail_conformance.judge.functions import FUNCTIONS
from dovetail_conformance.judge.number import Arrays, Dim, Maths, Number, count_over
from dovetail_conformance.judge.ulp import WIDE_SMALLEST, WIDE_UNIT, Wide, widen

_INF = np.longdouble(np.inf)
_ZERO = np.longdouble(0)


def silent() -> np.errstate:
    """Overflow, NaN and division by zero are results here, not accidents."""
    return np.errstate(all="ignore")


class Bounded(Maths):
    """Propagation of errors: ``|dy| <= sum of |dy/dx| |dx|`` over the operands, plus the op's own error."""

    @abstractmethod
    def slack(self, op: str, value: Wide, error: Wide, terms: Wide | None = None, n: int = 1) -> Wide:
        """What the op itself adds to the error of a result near ``value``, already uncertain by ``error``.

        A reduction hands in the sum of its absolute terms and how many there were.
        """

    @property
    def pi(self) -> Number:
        """4 arctan 1."""
        return self.number(np.longdouble(4) * np.arctan(np.longdouble(1)))

    def number(self, values: object) -> Number:
        """An exact input."""
        if isinstance(values, Number):
            return values
        wide = widen(values)
        return Number(self, wide, np.zeros_like(wide), given=True)

    def used(self, values: object, curved: bool = False) -> Number:
        """An operand, of a ``curved`` function or not. An arithmetic may find here that nothing bounds it."""
        return self.number(values)

    @silent()
    def add(self, input: object, other: object) -> Number:
        """Errors add up."""
        a, b = self.used(input), self.used(other)
        return self._made("add", a.value + b.value, a.error + b.error, a, b)

    @silent()
    def sub(self, input: object, other: object) -> Number:
        """Errors add up."""
        a, b = self.used(input), self.used(other)
        return self._made("sub", a.value - b.value, a.error + b.error, a, b)

    @silent()
    def mul(self, input: object, other: object) -> Number:
        """|a| db + |b| da + da db: the last term costs nothing and keeps the product of two zeros honest."""
        a, b = self.used(input), self.used(other)
        error = scaled(a.error, np.abs(b.value) + b.error) + scaled(b.error, np.abs(a.value))
        return self._made("mul", a.value * b.value, error, a, b)

    @silent()
    def div(self, input: object, other: object) -> Number:
        """(da + |a / b| db) / (|b| - db), exactly; unbounded where the divisor may be zero."""
        a, b = self.used(input), self.used(other)
        quotient = a.value / b.value
        room = np.where(b.error > 0, np.abs(b.value) - b.error, np.abs(b.value))
        moved = a.error + scaled(b.error, np.abs(quotient))
        error = np.where(moved == 0, _ZERO, np.where(room > 0, moved / room, _INF))
        return self._made("div", quotient, error, a, b)

    @silent()
    def pow(self, input: object, exponent: object) -> Number:
        """|b a^(b-1)| da + |a^b log a| db."""
        a, b = self.used(input, True), self.used(exponent, True)
        value = np.power(a.value, b.value)
        by_base = scaled(a.error, np.abs(b.value * np.power(a.value, b.value - 1)))
        by_exponent = scaled(b.error, np.abs(value * np.log(np.abs(a.value))))
        return self._made("power", value, by_base + by_exponent, a, b)

    @silent()
    def atan2(self, input: object, other: object) -> Number:
        """(|x| dy + |y| dx) / (x^2 + y^2)."""
        y, x = self.used(input, True), self.used(other, True)
        size = np.square(np.hypot(x.value, y.value))
        error = scaled(y.error, np.abs(x.value) / size) + scaled(x.error, np.abs(y.value) / size)
        return self._made("atan2", np.arctan2(y.value, x.value), error, y, x)

    @silent()
    def function(self, name: str, input: object) -> Number:
        """|f'(x)| dx."""
        x, row = self.used(input, True), FUNCTIONS[name]
        value = precise.wide_values(name, x.value) if row.wide is None else row.wide(x.value)
        if name == "sqrt":
            error = _root_error(x, value)
        else:
            error = scaled(x.error, np.asarray(row.slope(x.value, value), np.longdouble))
        return self._made(name, np.asarray(value, np.longdouble), error, x)

    def neg(self, input: object) -> Number:
        """Exact."""
        a = self.number(input)
        return _like(self, np.asarray(-a.value), a.error, a)

    def abs(self, input: object) -> Number:
        """Exact."""
        a = self.number(input)
        return _like(self, np.asarray(np.abs(a.value)), a.error, a)

    @silent()
    def maximum(self, input: object, other: object) -> Number:
        """Never further off than the worse operand."""
        return self._chosen(np.maximum, input, other)

    @silent()
    def minimum(self, input: object, other: object) -> Number:
        """Never further off than the worse operand."""
        return self._chosen(np.minimum, input, other)

    def where(self, condition: NDArray[np.bool_], input: object, other: object) -> Number:
        """The error of what is chosen."""
        a, b = self.number(input), self.number(other)
        value = np.where(condition, a.value, b.value)
        return _like(self, value, np.where(condition, a.error, b.error), a, b)

    @silent()
    def sum(self, input: object, dim: Dim = None, keepdim: bool = False) -> Number:
        """Errors of the terms add up."""
        return self._summed("sum", self.used(input), dim, keepdim, 1)

    @silent()
    def mean(self, input: object, dim: Dim = None, keepdim: bool = False) -> Number:
        """The sum and its error, divided."""
        x = self.used(input)
        return self._summed("mean", x, dim, keepdim, count_over(x.shape, dim))

    @silent()
    def amax(self, input: object, dim: Dim = None, keepdim: bool = False) -> Number:
        """Never further off than the worst element."""
        return self._extreme(np.max, self.number(input), dim, keepdim)

    @silent()
    def amin(self, input: object, dim: Dim = None, keepdim: bool = False) -> Number:
        """Never further off than the worst element."""
        return self._extreme(np.min, self.number(input), dim, keepdim)

    @silent()
    def linear(self, op: str, compute: Arrays, input: object, n: int) -> Number:
        """Errors of the terms add up."""
        x = self.used(input)
        value, error, terms = (compute(part) for part in (x.value, x.error, np.abs(x.value)))
        return self._made(op, value, error, x, terms=terms, n=n)

    @silent()
    def bilinear(self, op: str, compute: Arrays, input: object, other: object, n: int) -> Number:
        """|A| dB + dA |B| + dA dB."""
        a, b = self.used(input), self.used(other)
        error = compute(np.abs(a.value), b.error) + compute(a.error, np.abs(b.value) + b.error)
        terms = compute(np.abs(a.value), np.abs(b.value))
        return self._made(op, compute(a.value, b.value), error, a, b, terms=terms, n=n)

    def move(self, mover: Arrays, *inputs: object) -> Number:
        """Values and errors move together."""
        numbers = [self.number(x) for x in inputs]
        value = np.asarray(mover(*(x.value for x in numbers)), np.longdouble)
        error = np.asarray(mover(*(x.error for x in numbers)), np.longdouble)
        return _like(self, value, error, *numbers)

    def _made(
        self, op: str, value: Wide, error: Wide, *operands: Number, terms: Wide | None = None, n: int = 1
    ) -> Number:
        """The result of an op: its error gets the op's own share, and the rules for infinities and NaN."""
        value = np.asarray(value, np.longdouble)
        error = np.asarray(error, np.longdouble)
        total = error + self.slack(op, value, error, terms, n)
        total = np.where(np.isnan(total), _INF, total)
        # An infinity or NaN that comes from one in the inputs is exact. One that appears on the way may be an
        # accident of this arithmetic: unless it is the only op, somebody more careful has to look.
        special = np.asarray(False)
        if terms is None:
            for x in operands:
                special = special | (~np.isfinite(x.value) & (x.error == 0))
        unsafe = ~np.isfinite(value)
        total = np.where(unsafe, np.where(special, _ZERO, _INF), total)
        return Number(self, value, np.broadcast_to(total, value.shape), direct=all(x.given for x in operands))

    def _chosen(self, choose: Callable[..., Any], input: object, other: object) -> Number:
        a, b = self.number(input), self.number(other)
        value = np.asarray(choose(a.value, b.value), np.longdouble)
        return _like(self, value, np.maximum(a.error, b.error), a, b)

    def _extreme(self, choose: Callable[..., Any], x: Number, dim: Dim, keepdim: bool) -> Number:
        value = np.asarray(choose(x.value, axis=dim, keepdims=keepdim), np.longdouble)
        error = np.asarray(np.max(x.error, axis=dim, keepdims=keepdim), np.longdouble)
        return _like(self, value, error, x)

    def _summed(self, op: str, x: Number, dim: Dim, keepdim: bool, divisor: int) -> Number:
        n = count_over(x.shape, dim)
        parts = (x.value, x.error, np.abs(x.value))
        value, error, terms = (tree_sum(part, dim, keepdim) / np.longdouble(divisor) for part in parts)
        whole = self._made(op, value, error, x, terms=terms, n=n)
        # A special element makes an exact special sum; the shapes differ, so _made could not see it.
        special = np.any(~np.isfinite(x.value) & (x.error == 0), axis=dim, keepdims=keepdim)
        whole.error = np.where(special & ~np.isfinite(whole.value), _ZERO, whole.error)
        return whole


class WideMaths(Bounded):
    """Values in the wide format with a bound for what its own roundings did: the fast half of a reference.

    A curved function of an operand that lost most of its digits is unbounded: the first order holds no more.
    """

    _LOST = 2.0**-16

    def used(self, values: object, curved: bool = False) -> Number:
        """The operand; unbounded where less than 16 bits of it are certain and a curve would bend that."""
        x = self.number(values)
        if x.given or not curved:
            return x
        lost = x.error > np.abs(x.value) * self._LOST + 64 * WIDE_SMALLEST
        return Number(self, x.value, np.where(lost, _INF, x.error), direct=x.direct)

    def slack(self, op: str, value: Wide, error: Wide, terms: Wide | None = None, n: int = 1) -> Wide:
        """Half an ULP for arithmetic, the table's figure for functions, the depth of the tree for sums."""
        if terms is not None:
            # Sums and means are halved here; what else adds up does it in any order.
            depth = math.ceil(math.log2(max(n, 1))) + 1 if op in ("sum", "mean") else n
            return np.asarray((depth + 2) * WIDE_UNIT * terms + n * WIDE_SMALLEST, np.longdouble)
        halves = 2 * FUNCTIONS[op].ulps if op in FUNCTIONS else 16.0 if op in ("power", "atan2") else 1.0
        return np.asarray(halves * WIDE_UNIT * np.abs(value) + WIDE_SMALLEST, np.longdouble)


def scaled(error: Wide, factor: Wide) -> Wide:
    """error * factor, where no error stays none and an unbounded one stays unbounded."""
    product = np.asarray(error * factor, np.longdouble)
    product = np.where(np.isnan(product), _INF, product)
    return np.asarray(np.where(error == 0, _ZERO, np.where(np.isinf(error), _INF, product)), np.longdouble)


def tree_sum(values: Wide, dim: Dim, keepdim: bool) -> Wide:
    """A sum by halving, so that no element takes part in more than log2(n) + 1 additions."""
    dims = tuple(range(values.ndim)) if dim is None else dim if isinstance(dim, tuple) else (dim,)
    dims = tuple(d % values.ndim for d in dims)
    rest = [d for d in range(values.ndim) if d not in dims]
    kept = tuple(1 if d in dims else values.shape[d] for d in range(values.ndim))
    short = tuple(values.shape[d] for d in rest)
    total = np.transpose(values, (*dims, *rest)).reshape(math.prod(values.shape[d] for d in dims), *short)
    if total.shape[0] == 0:
        total = np.zeros((1, *short), np.longdouble)
    while total.shape[0] > 1:
        half = (total.shape[0] + 1) // 2
        folded = total[:half].copy()
        folded[: total.shape[0] - half] += total[half:]
        total = folded
    return np.asarray(total[0].reshape(kept if keepdim else short), np.longdouble)


def _like(maths: Bounded, value: Wide, error: Wide, *operands: Number) -> Number:
    """A result that no rounding touched: it is an input if all its operands are."""
    given = all(x.given for x in operands)
    return Number(maths, value, error, given=given, direct=all(x.given or x.direct for x in operands))


def _root_error(x: Number, value: Wide) -> Wide:
    """How far the root moves: exact, so that it is bounded at zero as well, where the slope is not."""
    up = scaled(x.error, 1 / (np.sqrt(x.value + x.error) + value))
    down = np.minimum(x.error, x.value)
    down = scaled(down, 1 / (np.sqrt(x.value - down) + value))
    return np.maximum(up, np.where(np.isnan(down), _ZERO, down))
