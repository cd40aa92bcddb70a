"""What a call should give: references that do not come from the kernel under test, and the error that is allowed.

An op with a reference of its own is held to that formula, a function that the judge knows to that function, a composite
to its captured decomposition. What only moves or compares is held to another implementation, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

import dovetail
from dovetail.backend.inspection import Agree, Op
from dovetail.errors import HostFallbackError
from dovetail_conformance.calls import Invocation, array
from dovetail_conformance.judge import (
    Case,
    Number,
    Reference,
    Verdict,
    evaluate,
    flush,
    format_of,
    formula_of,
    judge,
    ulp_at,
)
from dovetail_conformance.judge.ulp import widen
from dovetail_conformance.replay import Judged, judged
from dovetail_conformance.session import Session, quiet
from dovetail_conformance.wrapped import single

Host = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Expected:
    """What one result is held against."""

    agree: Any
    value: Reference | Host
    running: Number | None = None
    flushed: Callable[[], tuple[Reference | Host, Number | None]] | None = None
    """Makes what is right as well on a device that takes subnormal numbers for zero."""
    elementwise: bool = False

    def judge(self, got: Host, inv: Invocation, device: Any, number: int = 0) -> Verdict:
        """The judgement on a result of the call."""
        text = inv.expression + (f"[{number}]" if number else "")
        dtype = got.dtype.name if isinstance(self.value, Reference) else self.value.dtype.name
        case = Case(inv.op.name, dtype, inv.inputs, {}, str(device), text, self.elementwise)
        verdict = judge(self.agree, got, self.value, case, running=self.running)
        if verdict.ok or self.flushed is None:
            return verdict
        value, error = self.flushed()
        running = self.running if error is None else _larger(self.running, error)
        return judge(self.agree, got, self.value, case, running=running, flushed=value)


def _larger(a: Number | None, b: Number) -> Number:
    """The larger of two errors for each element."""
    return b if a is None else Number(b.maths, a.value, np.maximum(a.error, b.error))


def expected(session: Session, inv: Invocation) -> list[Expected]:
    """What every result of a call is held against.

    Errors: CaptureError where a composite reads values; Unknown where it holds a primitive that the judge lacks.
    """
    op = inv.op
    first = inv.on(session.second)
    floating = [t.dtype.is_floating_point for t in first]
    if op.reference is not None and len(first) == 1 and _formula_applies(inv, session.host):
        return [_by_formula(session, inv, first[0])]
    agree = op.agree or Agree.exact()
    if not agree.bitwise and any(floating):
        if agree.kind in ("U", "CR") and single(op):
            return [_by_function(session, inv)]
        model = judged(session.models, copied(inv), inv.hosts)
        found = []
        parts = inv.on(dovetail.device(session.models.parts))
        for i, t in enumerate(first):
            if floating[i]:
                found.append(_composite(session, inv, model, i, array(parts[i])))
            else:
                found.append(_same_bits(session, inv, i, t))
        return found
    return [_same_bits(session, inv, i, t) for i, t in enumerate(_opinion(session, inv, first))]


def copied(inv: Invocation) -> Callable[..., Any]:
    """The call with copies of its results, so that there is an op to capture even where it returns its input."""
    return lambda *tensors: [t.clone() for t in inv.call(tensors)]


def _composite(session: Session, inv: Invocation, model: Judged, number: int, opinion: Host) -> Expected:
    """The exact result of the decomposition, with its running error."""
    dtype = opinion.dtype.name
    flushes = _any_flush(session, dtype)
    exact, running = settled(model.exact(number), model.error(number, dtype, flush=flushes), opinion)
    running = _at_least(running, inv, opinion, model, number)
    flushed = partial(flushed_composite, session, copied(inv), inv.hosts, number)
    return Expected(Agree.running(), exact, running, flushed if flushes else None)


def flushed_composite(
    session: Session, function: Callable[..., Any], hosts: Sequence[Host], number: int
) -> tuple[Reference, Number]:
    """A result for inputs whose subnormal numbers are zero: other branches may be taken."""
    small = [flush(h) for h in hosts]
    model, place = judged(session.models, function, small), dovetail.device(session.models.parts)
    with dovetail.use_backend(place), quiet():
        opinion = array(function(*(dovetail.tensor(h, device=place) for h in small))[number])
    error = model.error(number, opinion.dtype.name, flush=True)
    return settled(model.exact(number), error, opinion)


def settled(exact: Reference, running: Number, opinion: Host) -> tuple[Reference, Number]:
    """Where an exact result is no number, the decomposition in its own dtype says which infinity or NaN it is.

    The wide format reaches further than the dtype: there -inf times a factor that should have vanished is -inf.
    """
    said = widen(opinion)
    where = ~np.isfinite(exact.value) & ~np.isfinite(said)
    if not where.any():
        return exact, running
    nothing = np.longdouble(0)
    value, radius = np.where(where, said, exact.value), np.where(where, nothing, exact.radius)
    error = np.where(where, nothing, np.broadcast_to(running.error, where.shape))
    return replace(exact, value=value, radius=radius), Number(running.maths, running.value, error)


ONCE = 0.6
"""ULP of a result that was computed in a wider dtype and rounded once: no composite is asked for more."""


def _at_least(running: Number, inv: Invocation, result: Host, model: Judged, number: int) -> Number:
    """One rounding; and for a sum the record's own bound over its terms, where that is the larger one.

    A decomposition adds up in one order and a kernel in another, with other intermediates. The terms are what the
    sizes of the inputs add up to; there are at most as many as an input has elements.
    """
    fmt = format_of(result)
    size = np.asarray(np.abs(running.value), np.longdouble)
    with quiet():
        own = np.longdouble(ONCE) * ulp_at(size, fmt)
        if inv.op.agree is not None and inv.op.agree.kind == "G":
            terms = model.exact(number, [np.abs(h) for h in model.whole.floating()]).value
            count = max((h.size for h in inv.hosts), default=1)
            factor = inv.op.agree.factor(count) * np.longdouble(fmt.accumulator.unit)
            own = factor * np.abs(terms) + count * np.longdouble(fmt.accumulator.smallest) + ulp_at(size, fmt) / 2
        error = np.where(running.error == 0, running.error, np.fmax(running.error, own))
    return Number(running.maths, running.value, error)


def _by_function(session: Session, inv: Invocation) -> Expected:
    (x,) = inv.hosts
    name = inv.op.name
    dtype = dovetail.tensor(x).dtype
    x = x if dtype.is_floating_point else x.astype(np.float32)

    def exact(values: Host) -> Reference:
        return evaluate(lambda m, v: m.function(name, v), values)

    flushed = partial(_alone, exact, flush(x)) if _any_flush(session, x.dtype.name) else None
    return Expected(inv.op.agree, exact(x), None, flushed, elementwise=True)


def operands(inv: Invocation, device: Any) -> list[Host] | None:
    """The inputs after the casts of the op's dtype rule; None where an input is absent or is a list."""
    args, params = inv.fill(list(inv.hosts))
    values, statics = inv.op.signature.bind(args, params)
    defaults = {p.name: p.default for p in inv.op.signature.statics}
    if any(not _same(defaults[name], value) for name, value in statics.items()):
        return None
    plan = inv.plan(device)
    found: list[Host] = []
    for value, spec in zip(values, plan.ins, strict=True):
        if spec is None or isinstance(value, list | tuple):
            return None
        found.append(np.asarray(value).astype(spec.dtype.host))
    return found


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


def _formula_applies(inv: Invocation, host: Any) -> bool:
    return not inv.op.takes_list and operands(inv, host) is not None


def _by_formula(session: Session, inv: Invocation, like: Any) -> Expected:
    op, arrays = inv.op, operands(inv, session.host)
    assert arrays is not None, "asked for only where it applies"
    assert op.reference is not None, "asked for only where there is one"
    agree, dtype = op.agree or Agree.exact(), like.dtype
    flushes = any(_any_flush(session, a.dtype.name) for a in arrays)
    small = [flush(a) for a in arrays]
    if agree.kind == "E":
        right = exact_bits(op, arrays, dtype.host)
        flat = partial(_alone, exact_bits, op, small, dtype.host) if flushes else None
        return Expected(agree, right, None, flat, elementwise=True)
    formula = formula_of(op.reference)
    running = None
    if agree.kind == "C":
        model = judged(session.models, copied(inv), inv.hosts)
        running = _at_least(model.error(0, dtype.name, flush=flushes), inv, array(like), model, 0)
    flushed = partial(_alone, evaluate, formula, *small) if flushes else None
    return Expected(agree, evaluate(formula, *arrays), running, flushed, elementwise=True)


def exact_bits(op: Op, arrays: Sequence[Host], dtype: Any) -> Host:
    """The reference of an exact op on host arrays: one IEEE operation, so the dtype's own arithmetic is right."""
    assert op.reference is not None, "asked for only where there is one"
    with quiet():
        return np.asarray(op.reference(*arrays)).astype(dtype)


def _opinion(session: Session, inv: Invocation, first: list[Any]) -> list[Any]:
    """Results of the second implementation: for a primitive on the host, NumPy's namespace through generic kernels."""
    if session.device is not session.host or not inv.op.primitive:
        return first
    plain = dovetail.device(session.models.plain)
    with quiet():
        try:
            return first if inv.plan(plain).origin == "fallback" else inv.on(plain)
        except HostFallbackError:
            return first


def _same_bits(session: Session, inv: Invocation, number: int, t: Any) -> Expected:
    flushed = None
    if any(_any_flush(session, name) for name in (t.dtype.name, *(h.dtype.name for h in inv.hosts))):
        small = inv.with_hosts([flush(h) for h in inv.hosts])
        flushed = partial(_alone, _result, session, small, number)
    agree = inv.op.agree if inv.op.agree is not None and inv.op.agree.bitwise else Agree.exact()
    return Expected(agree, array(t), None, flushed)


def _alone(function: Callable[..., Any], *args: Any) -> tuple[Any, None]:
    """A reference that needs no running error."""
    return function(*args), None


def _result(session: Session, inv: Invocation, number: int) -> Host:
    with quiet():
        return array(inv.on(session.second)[number])


def _any_flush(session: Session, dtype: str) -> bool:
    return dtype in ("float32", "float64", "float16", "bfloat16") and session.flushes(dtype)
