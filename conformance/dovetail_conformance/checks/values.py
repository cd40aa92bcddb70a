"""Values: every sample, special values and the whole range of the format, and long sums, against exact results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dovetail.backend.inspection import Arg, Op, Sample
from dovetail.errors import CaptureError, DovetailError
from dovetail_conformance import draw
from dovetail_conformance.calls import Invocation, args_of, array, invocation
from dovetail_conformance.expectation import expected
from dovetail_conformance.outcome import Row
from dovetail_conformance.primitives import Unknown
from dovetail_conformance.session import Session, quiet

LONG = 2**17
"""Terms of a sum that tells a blocked order of summation from a sequential one."""


def values(session: Session, op: Op, dtype: str) -> Row:
    """The samples of an op, once with ties if it compares."""
    row = session.row(op, dtype, "values")
    cases = session.invocations(op, dtype)
    if op.agree is not None and op.agree.bitwise and op.reference is None and dtype in draw.FLOATS:
        cases = cases + session.invocations(op, dtype, ties=True)
    for inv in cases:
        judge_call(session, row, inv)
    return row


def specials(session: Session, op: Op, dtype: str) -> Row | None:
    """Special values, every pair of them, and numbers of every magnitude; None for an op that is not elementwise."""
    if op.samples is None or not op.samples.special or (op.checks and dtype not in draw.FLOATS):
        return None
    if session.compiles and not op.primitive and draw.named(dtype).itemsize == 2:
        return None  # 16-bit floats are checked on the primitives that the others are made of
    row = session.row(op, dtype, "specials")
    for inv in _wide(session, op, dtype):
        judge_call(session, row, inv)
    return row if row.cases or row.failed else None


def sums(session: Session, op: Op, dtype: str) -> Row | None:
    """Long sums of 0.1 and of 1 followed by numbers that rounding loses; None for an op that adds up no such sums."""
    agree = op.agree
    if agree is None or agree.kind != "G" or dtype not in draw.FLOATS or len(op.signature.inputs) != 1:
        return None
    if "dim" not in op.signature.index or agree.factor(LONG) > LONG / 64:
        return None
    row = session.row(op, dtype, "sums")
    n = LONG // 4 if dtype == "float16" else LONG  # a float16 counts no further than 65504
    unit = float(np.finfo(np.float64 if dtype == "float64" else np.float32).eps) / 2
    rest = np.full(n, 0.49 * unit)
    rest[0] = 1.0
    for sample, host in (
        (Sample((Arg((n,)),)), np.full(n, 0.1)),
        (Sample((Arg((n,)),)), rest),
        (Sample((Arg((n // 8, 8)), 0)), np.full((n // 8, 8), 0.1)),
    ):
        judge_call(session, row, Invocation(op, sample, dtype, (host.astype(draw.named(dtype).host),)))
    return row


def judge_call(session: Session, row: Row, inv: Invocation) -> None:
    """Judge every result of one call."""
    try:
        with quiet():
            got = [array(t) for t in inv.on(session.device)]
            wanted = expected(session, inv)
    except (CaptureError, Unknown) as error:
        row.fail(f"{inv.op.name}: the suite has no reference for this call: {error}")
        return
    except Exception as error:  # whatever a backend raises is a failure of the cell and not of the run
        row.fail(f"{inv}: {type(error).__name__}: {error}", snippet=inv.program(session.device))
        return
    if len(got) != len(wanted):
        row.fail(f"{inv}: {len(got)} results instead of {len(wanted)}")
        return
    for i, (result, right) in enumerate(zip(got, wanted, strict=True)):
        row.take(right.judge(result, inv, session.device, i))


def _wide(session: Session, op: Op, dtype: str) -> Iterator[Invocation]:
    """One call on wide values for each set of parameters, where the result has the shape of the inputs."""
    assert op.samples is not None, "asked for only where there are samples"
    seen: list[Any] = []
    for sample in op.samples.cases:
        args = args_of(sample)
        key = ([a for a in sample.args if not isinstance(a, Arg)], sample.params, len(args))
        if key in seen or not args or any(a.values is not None for a in args) or len({a.shape for a in args}) > 1:
            continue
        seen.append(key)
        hosts = draw.wide(args, dtype, session.seed + len(seen))
        if dtype not in draw.FLOATS and op.reference is None:
            continue
        inv = invocation(op, sample, dtype, session.seed).with_hosts(hosts)
        try:
            with quiet():
                shape = inv.on(session.host)[0].shape
        except DovetailError:
            continue  # the op takes no vector of this length: it is not elementwise
        if tuple(shape) == (draw.WIDE,):
            yield inv
