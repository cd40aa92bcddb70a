"""Two backends on the same inputs, cell by cell: how much is the same bit for bit, and how far apart the rest is.

What has one right answer (exact, correctly rounded and random classes) must be the same. Elsewhere two devices that
both keep their bounds may differ; how far they do is reported.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dovetail.backend.inspection import Agree, Op
from dovetail_conformance import draw
from dovetail_conformance.calls import Invocation, array
from dovetail_conformance.checks.values import _wide as wide_calls
from dovetail_conformance.judge import FORMATS, format_of, ulps
from dovetail_conformance.judge.ulp import widen
from dovetail_conformance.judge.verdict import bits
from dovetail_conformance.outcome import Row
from dovetail_conformance.session import Session, quiet

Host = np.ndarray[Any, Any]


def against(session: Session, op: Op, dtype: str) -> Row | None:
    """The samples and the wide draws of an op on both devices; None where no other device was named."""
    if session.other is None:
        return None
    row = session.row(op, dtype, "against")
    row.kind, row.unit = (op.agree or Agree.exact()).kind, "ULP"
    if not session.other.runtime.supports_dtype(draw.named(dtype), session.other):
        row.status, row.reason = "unsupported", f"{session.other} has no such dtype"
        return row
    calls = session.invocations(op, dtype)
    if op.samples is not None and op.samples.special and dtype in draw.FLOATS:
        calls = calls + list(wide_calls(session, op, dtype))
    same = 0
    for inv in calls:
        same += _one(session, row, inv)
    row.facts = {"identical": same, "differing": row.tested - same}
    return row if row.cases or row.failed else None


def _one(session: Session, row: Row, inv: Invocation) -> int:
    """Compare all results of one call; how many elements are the same."""
    row.cases += 1
    try:
        with quiet():
            ours = [array(t) for t in inv.on(session.device)]
            theirs = [array(t) for t in inv.on(session.other)]
    except Exception as error:  # whatever a backend raises is a failure of the cell and not of the run
        row.fail(f"{inv}: {type(error).__name__}: {error}")
        return 0
    same = 0
    for a, b in zip(ours, theirs, strict=True):
        if a.dtype != b.dtype or a.shape != b.shape:
            row.fail(
                f"{inv}: {a.dtype.name}{list(a.shape)} on {session.device}, {b.dtype.name}{list(b.shape)} on "
                f"{session.other}",
                expected=f"{b.dtype.name}{list(b.shape)}",
                got=f"{a.dtype.name}{list(a.shape)}",
            )
            return 0
        same += _compare(session, row, inv, a, b)
    return same


def _compare(session: Session, row: Row, inv: Invocation, a: Host, b: Host) -> int:
    row.tested += a.size
    equal = _equal(a, b)
    apart = np.where(equal, 0.0, _distance(a, b))
    if apart.size and float(apart.max()) > row.figure:
        place = np.unravel_index(int(apart.argmax()), a.shape)
        row.figure = float(apart[place])
        row.at = _inputs(inv, a.shape, place)
        row.expected, row.got = str(b[place]), str(a[place])
    wrong = ~equal & ~_excused(session, inv, a, b)
    if (inv.op.agree or Agree.exact()).bitwise and wrong.any():
        place = np.unravel_index(int(np.argmax(wrong)), a.shape)
        row.at = _inputs(inv, a.shape, place)
        row.fail(
            f"{inv}: {int(wrong.sum())} of {a.size} elements differ between {session.device} and {session.other}, "
            f"where there is one right answer; at {[int(i) for i in place]} with {row.at}",
            expected=f"{bits(b[place])} ({b[place]!s})",
            got=f"{bits(a[place])} ({a[place]!s})",
            snippet=_snippet(session, inv),
        )
    return int(equal.sum())


def _equal(a: Host, b: Host) -> NDArray[np.bool_]:
    """The same bits; any NaN is any other."""
    if a.dtype.name not in FORMATS:
        return np.asarray(a == b)
    x, y = widen(a), widen(b)
    return np.asarray((x == y) & (np.signbit(x) == np.signbit(y)) | np.isnan(x) & np.isnan(y))


def _distance(a: Host, b: Host) -> NDArray[np.float64]:
    if a.dtype.name not in FORMATS:
        return np.abs(a.astype(np.float64) - b.astype(np.float64))
    return np.abs(ulps(a, widen(b), format_of(a)))


def _excused(session: Session, inv: Invocation, a: Host, b: Host) -> NDArray[np.bool_]:
    """Where subnormal numbers are at work and one of the two takes them for zero, or the sign of zero is free."""
    nothing = np.zeros(a.shape, bool)
    if a.dtype.name in FORMATS:
        agree = inv.op.agree or Agree.exact()
        zeros = (a == 0) & (b == 0)
        nothing = np.asarray(zeros & (not agree.signed_zero))
    flushing = [d for d in FORMATS if _flushes(session, d)]
    if not flushing:
        return nothing
    for h in inv.hosts:
        if h.dtype.name in flushing and _small(h).any():
            try:
                nothing = nothing | np.broadcast_to(_small(h), a.shape)
            except ValueError:
                return np.ones(a.shape, bool)
    if a.dtype.name in flushing:
        nothing = nothing | _small(a) | _small(b)
    return np.asarray(nothing)


def _flushes(session: Session, dtype: str) -> bool:
    other = Session(session.other, session.models)
    return any(s.supports(dtype) and s.flushes(dtype) for s in (session, other))


def _small(values: Host) -> NDArray[np.bool_]:
    size = np.abs(widen(values))
    return np.asarray((size < format_of(values).smallest_normal) & (size > 0))


def _inputs(inv: Invocation, shape: tuple[int, ...], place: tuple[Any, ...]) -> dict[str, str]:
    """The bits of the inputs at a place, where the op is elementwise."""
    try:
        return {n: bits(np.broadcast_to(h, shape)[place]) for n, h in inv.inputs.items()}
    except ValueError:
        return {}


def _snippet(session: Session, inv: Invocation) -> str:
    """A program that makes the call on both devices."""
    return f"{inv.program(session.device)}\n\n{inv.program(session.other)}"
