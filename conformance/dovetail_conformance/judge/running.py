"""The running error: what a composite may be off by if each of its ops keeps its own bound.

The error of every intermediate t, ``bound(op_t) |t|``, is carried to the result by its derivative, in first
order. Run the decomposition of an op, or a gradient formula, over this arithmetic, and the errors of the
result are the bounds that its values are judged by:

    m = Running("float32", lambda name: registry[name].agree)
    y = decomposition(m, m.number(x))
    judge(Agree.running(), got, evaluate(closed_form, x), case, running=y)

Errors that would cancel, because an intermediate is used twice, are added up instead: the result is never
below the running error with exact total derivatives, and seldom more than twice it.
"""

from __future__ import annotations

import numpy as np

from dovetail_conformance.judge.agreement import Bounds
from dovetail_conformance.judge.bounded import Bounded, silent
from dovetail_conformance.judge.number import Number
from dovetail_conformance.judge.ulp import Wide, format_of, round_to, ulp_at, widen


class Running(Bounded):
    """Arithmetic of a device that computes in ``dtype`` and keeps the bounds of its ops.

    ``bounds`` gives the agreement of an op by name: add, sub, mul, div, power, sum, mean, matmul, and the
    functions that the formula calls. With ``flush``, subnormal results may become zero.
    Errors: ValueError where a formula calls an op whose own agreement is a running error.
    """

    def __init__(self, dtype: object, bounds: Bounds, *, flush: bool = False) -> None:
        self.format = format_of(dtype)
        self.bounds = bounds
        self.flush = flush

    @property
    def pi(self) -> Number:
        """The constant, as the format has it."""
        return self._constant(super().pi.value)

    @silent()
    def number(self, values: object) -> Number:
        """An array is an exact input; a Python number is a constant that the device rounds."""
        if isinstance(values, int | float) and not isinstance(values, bool):
            return self._constant(widen(values))
        return super().number(values)

    def used(self, values: object, curved: bool = False) -> Number:
        """An operand: one that overflows in the format has no bound. (A last result that overflows has.)"""
        x = self.number(values)
        size = np.abs(x.value)
        over = np.isfinite(size) & (size + x.error > self.format.largest)
        error = np.where(over, np.longdouble(np.inf), x.error)
        return Number(self, x.value, error, given=x.given, direct=x.direct)

    def slack(self, op: str, value: Wide, error: Wide, terms: Wide | None = None, n: int = 1) -> Wide:
        """The bound of the op in ULP of the format, or for class G over its terms and with one rounding."""
        agreement = self.bounds(op)
        unit = ulp_at(np.asarray(np.abs(value) + error, np.longdouble), self.format)
        if agreement.kind == "C":
            raise ValueError(f"{op} is a composite: run its decomposition, it has no bound of its own")
        if agreement.kind == "G":
            inner = self.format.accumulator
            amount = np.abs(value) if terms is None else terms
            factor = np.longdouble(agreement.factor(n) * inner.unit)
            own = factor * amount + n * np.longdouble(inner.smallest) + unit / 2
        else:
            own = np.longdouble(agreement.at_most(self.format.name)) * unit
        if self.flush:
            small = np.abs(value) - error < self.format.smallest_normal
            own = np.where(small, own + np.longdouble(self.format.smallest_normal), own)
        return np.asarray(own, np.longdouble)

    def _constant(self, value: Wide) -> Number:
        rounded = widen(round_to(value, self.format))
        return Number(self, value, np.asarray(np.abs(rounded - value), np.longdouble), given=True)
