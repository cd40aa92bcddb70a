"""One judge per class of exactness, behind one function: does a result keep the agreement of its op?

    verdict = judge(op.agree, got, evaluate(op.reference, x), Case("exp", "float32", {"input": x}))
    verdict.check()
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dovetail_conformance.judge.agreement import Agreement
from dovetail_conformance.judge.bounded import silent
from dovetail_conformance.judge.measure import Finding, Limit, measure, rounded_share
from dovetail_conformance.judge.number import Number
from dovetail_conformance.judge.reference import Reference
from dovetail_conformance.judge.ulp import FORMATS, Wide, format_of, round_to, ulp_at, ulps, widen
from dovetail_conformance.judge.verdict import Case, Verdict, bits, describe


@dataclass
class _Judged:
    """For every element: is it good, how far is it off, and what was allowed, both in ``unit``."""

    good: NDArray[np.bool_]
    amount: NDArray[np.float64]
    bound: NDArray[np.float64]
    excluded: NDArray[np.bool_]
    unit: str


def judge(
    agree: Agreement,
    got: Any,
    expected: Reference | NDArray[Any],
    case: Case,
    *,
    running: Number | None = None,
    flushed: Reference | NDArray[Any] | None = None,
    typical: bool = False,
) -> Verdict:
    """Hold a result against the agreement of its op.

    ``expected`` is a reference, or for the bitwise classes (E, CR, S, D) also an array of the right results.
    Class G needs a reference with terms, class C the ``running`` error of the decomposition. ``flushed``, the
    expected results for inputs whose subnormals are zero, declares a device that flushes: then either is
    right, and so is a zero for a subnormal. ``typical`` holds class G against its factor for standard normal
    data.
    Errors: ValueError where the class lacks what it needs, and for an elementwise case that is none.
    """
    result = np.asarray(got)
    wrong = _wrong_form(result, expected, case)
    if wrong:
        return Verdict(False, case, agree.kind, "", np.inf, 0.0, result.size, result.size, reason=wrong)
    if case.elementwise and not case.fits(result.shape):
        raise ValueError(f"the inputs of {case.op} do not broadcast to its result: it is not elementwise")
    judged = _elements(agree, result, expected, case, running, typical, flushed is not None)
    if flushed is not None:
        other = _elements(agree, result, flushed, case, running, typical, True)
        judged.amount = np.where(other.good & ~judged.good, other.amount, judged.amount)
        judged.good |= other.good
    return _verdict(agree, result, expected, case, judged)


def flush(values: Any) -> NDArray[Any]:
    """The array with its subnormal numbers replaced by zeros of their sign, as a flushing device reads it."""
    array = np.asarray(values)
    if array.dtype.name not in FORMATS:
        return array
    small = np.abs(widen(array)) < format_of(array).smallest_normal
    return np.where(small, np.copysign(np.zeros_like(array), array), array).astype(array.dtype)


def _wrong_form(got: NDArray[Any], expected: Reference | NDArray[Any], case: Case) -> str:
    """What is wrong with the dtype or the shape, which no bound can excuse; nothing, if nothing is."""
    if got.dtype.name != case.dtype:
        return f"the result has dtype {got.dtype.name} instead of {case.dtype}"
    if got.shape != np.shape(expected):
        return f"the result has shape {got.shape} instead of {np.shape(expected)}"
    return ""


def _elements(
    agree: Agreement,
    got: NDArray[Any],
    expected: Reference | NDArray[Any],
    case: Case,
    running: Number | None,
    typical: bool,
    flushes: bool,
) -> _Judged:
    if agree.bitwise:
        return _bitwise(agree, got, expected, flushes)
    if not isinstance(expected, Reference):
        raise ValueError(f"{case.op}: class {agree.kind} is measured, it needs a reference and not an array")
    if agree.kind == "U":
        return _by_ulp(agree, got, expected, flushes)
    if agree.kind == "G":
        return _by_terms(agree, got, expected, case, typical, flushes)
    if running is None:
        raise ValueError(f"{case.op}: class C needs the running error of the decomposition")
    return _by_running(agree, got, expected, running, flushes)


@silent()
def _bitwise(
    agree: Agreement, got: NDArray[Any], expected: Reference | NDArray[Any], flushes: bool
) -> _Judged:
    """Classes E, CR, S and D: one right answer. Any NaN equals any NaN."""
    right = expected.rounded(format_of(got)) if isinstance(expected, Reference) else np.asarray(expected)
    if right.dtype.name != got.dtype.name:
        raise ValueError(f"expected results of dtype {right.dtype.name} for results of {got.dtype.name}")
    if got.dtype.kind == "c":
        whole = _bitwise(agree, _parts(got), _parts(right), flushes)
        good = np.asarray(whole.good.all(axis=-1))
        amount = np.asarray(whole.amount.max(axis=-1, initial=0))
        return _Judged(good, amount, np.zeros(good.shape), np.zeros(good.shape, bool), whole.unit)
    if got.dtype.name not in FORMATS:
        good = np.asarray(got == right)
        distance = np.abs(got.astype(np.float64) - right.astype(np.float64))
        return _Judged(good, np.asarray(distance), np.zeros(good.shape), np.zeros(good.shape, bool), "steps")
    given, target = widen(got), widen(right)
    good = (given == target) | (np.isnan(given) & np.isnan(target))
    if agree.signed_zero:
        good &= (given != 0) | (np.signbit(given) == np.signbit(target))
    fmt = format_of(got)
    exact = expected.value if isinstance(expected, Reference) else target
    if flushes:
        same_sign = (np.signbit(given) == np.signbit(target)) | (not agree.signed_zero)
        good |= (given == 0) & (np.abs(exact) < fmt.smallest_normal) & same_sign
    bound = np.full(good.shape, 0.5 if isinstance(expected, Reference) else 0.0)
    amount = np.abs(ulps(got, exact, fmt))
    # What is right is within its bound, whatever the wide format makes of a tie.
    amount = np.where(good, np.minimum(amount, bound), amount)
    return _Judged(np.asarray(good), amount, bound, np.zeros(good.shape, bool), "ULP")


@silent()
def _by_ulp(agree: Agreement, got: NDArray[Any], expected: Reference, flushes: bool) -> _Judged:
    """Class U: ULP of the target format at the exact result."""
    fmt = format_of(got)
    bound = agree.at_most(fmt.name)
    nothing = np.zeros(got.shape, np.longdouble)
    finding = measure(got, expected, Limit(fmt, bound, nothing), signed_zero=agree.signed_zero, flush=flushes)
    # The limit is the bound in ULP, also where the exact value was settled in rationals.
    amount = bound * _share_of(finding.error, finding.allowed)
    return _measured(finding, amount, np.full(got.shape, bound), "ULP")


@silent()
def _by_terms(
    agree: Agreement, got: NDArray[Any], expected: Reference, case: Case, typical: bool, flushes: bool
) -> _Judged:
    """Class G: k u times the sum of the absolute terms, n smallest numbers, and one rounding of the result.

    A sum whose terms alone overflow has no bound: some order of adding them up overflows on the way.
    """
    if expected.terms is None:
        raise ValueError(f"{case.op}: class G needs a reference with terms")
    if typical and agree.typical is None:
        raise ValueError(f"{case.op}: the agreement has no factor for standard normal data")
    fmt = format_of(got)
    inner = fmt.accumulator
    counts = np.broadcast_to(np.asarray(expected.count), got.shape)
    lengths, which = np.unique(counts, return_inverse=True)
    factors = [agree.typical if typical else agree.factor(int(n)) for n in lengths]
    k = np.asarray(factors, np.float64)[which].reshape(got.shape)
    least = inner.smallest_normal if flushes else inner.smallest
    scale = np.asarray(inner.unit * expected.terms, np.longdouble)
    floor = np.asarray(counts * np.longdouble(least), np.longdouble)
    amount = np.where(expected.terms > inner.largest, np.longdouble(np.inf), k * scale + floor)
    finding = measure(got, expected, Limit(fmt, 0.5, amount), signed_zero=agree.signed_zero, flush=flushes)
    # What is left when the rounding of the result and the smallest numbers are taken off.
    excess = np.maximum(finding.error - ulp_at(expected.value, fmt) / 2 - floor, np.longdouble(0))
    return _measured(finding, _share_of(excess, scale), k, "u sum|terms|")


@silent()
def _by_running(
    agree: Agreement, got: NDArray[Any], expected: Reference, running: Number, flushes: bool
) -> _Judged:
    """Class C: the running error. The half ULP that any result is off by is taken off both sides of the share."""
    fmt = format_of(got)
    amount = np.asarray(np.broadcast_to(running.error, got.shape), np.longdouble)
    finding = measure(got, expected, Limit(fmt, 0.0, amount), signed_zero=agree.signed_zero, flush=flushes)
    half = np.minimum(ulp_at(expected.value, fmt) / 2, finding.allowed)
    excess = np.where(finding.error == 0, np.longdouble(0), np.maximum(finding.error - half, np.longdouble(0)))
    used = _share_of(np.asarray(excess), np.asarray(finding.allowed - half))
    used = np.where(finding.good & (finding.allowed == 0), np.longdouble(0), used)
    return _measured(finding, np.asarray(used), np.ones(got.shape), "of the running error")


def _share_of(error: Wide, whole: Wide) -> Wide:
    """error / whole, where no error is no share of anything, NaN and infinity included."""
    return np.asarray(np.where(error == 0, np.longdouble(0), error / whole), np.longdouble)


def _measured(finding: Finding, amount: Wide, bound: NDArray[np.float64], unit: str) -> _Judged:
    amount = np.where(np.isnan(amount), np.longdouble(np.inf), amount)
    amount = np.where(finding.good, np.minimum(amount, bound), amount)
    amount = np.where(finding.excluded, np.longdouble(0), amount)
    return _Judged(finding.good, amount.astype(np.float64), bound, finding.excluded, unit)


def _verdict(
    agree: Agreement, got: NDArray[Any], expected: Reference | NDArray[Any], case: Case, judged: _Judged
) -> Verdict:
    """The counts, and the worst element: of those that fail, if any do."""
    base = Verdict(True, case, agree.kind, judged.unit, 0.0, 0.0, got.size, shape=got.shape)
    if not got.size:
        return base
    bad = ~judged.good
    failures, excluded = int(bad.sum()), int(judged.excluded.sum())
    ratio = judged.amount / np.where(judged.bound > 0, judged.bound, 1.0)
    rank = np.where(bad, 2.0, 0.0) + np.arctan(ratio)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(rank)), got.shape))
    ok = failures == 0 and excluded < got.size
    reason = "" if failures or ok else "no element has a bound: an intermediate overflows in all of them"
    if failures and agree.bitwise:
        reason = _difference(judged, bad, got)
    elements = case.at(index, got.shape) if case.elementwise else {}
    return Verdict(
        ok,
        case,
        agree.kind,
        judged.unit,
        float(judged.amount[index]),
        float(judged.bound[index]),
        got.size,
        failures,
        excluded,
        int((bad & _special(got, expected)).sum()),
        _rounded_share_of(got, expected),
        index,
        got.shape,
        {name: bits(x) for name, x in elements.items()},
        _expectation(got, expected, index),
        describe(got[index]),
        reason,
    )


def _difference(judged: _Judged, bad: NDArray[np.bool_], got: NDArray[Any]) -> str:
    far = float(judged.amount[bad].max())
    size = f"by up to {far:.4g} {judged.unit}" if far > 0 else "in the sign of zero"
    return f"not the same bits: {int(bad.sum())} of {got.size} elements differ, {size}"


def _special(got: NDArray[Any], expected: Reference | NDArray[Any]) -> NDArray[np.bool_]:
    """Where a NaN, an infinity or a zero was expected, or came."""
    if got.dtype.name not in FORMATS:
        return np.zeros(got.shape, bool)
    exact = expected.value if isinstance(expected, Reference) else widen(expected)
    given = widen(got)
    return np.asarray(~np.isfinite(exact) | (exact == 0) | ~np.isfinite(given) | (given == 0))


def _rounded_share_of(got: NDArray[Any], expected: Reference | NDArray[Any]) -> float | None:
    if isinstance(expected, Reference):
        return rounded_share(got, expected, format_of(got))
    return None


def _expectation(got: NDArray[Any], expected: Reference | NDArray[Any], index: tuple[int, ...]) -> str:
    if isinstance(expected, Reference):
        value = expected.value[index]
        nearest = round_to(np.asarray(value), format_of(got))
        return f"{describe(nearest)}, exactly {value!s}"
    return describe(np.asarray(expected)[index])


def _parts(values: NDArray[Any]) -> NDArray[Any]:
    """Complex numbers as pairs of their parts, along a new last axis."""
    return np.stack([values.real, values.imag], axis=-1)
