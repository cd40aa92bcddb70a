"""Large shapes: sizes around powers of two, where kernels change from one block to the next, judged like small ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from dovetail.backend.inspection import Arg, Op, Sample
from dovetail_conformance import draw
from dovetail_conformance.calls import Invocation, args_of
from dovetail_conformance.checks.values import judge_call
from dovetail_conformance.outcome import Row
from dovetail_conformance.session import Session

Host = np.ndarray[Any, Any]

QUICK: Final = (4095, 65537)
"""Elements of the quick tier: one size below and one above a block's boundary."""
FULL: Final = tuple(2**k + d for k in (7, 10, 12, 14, 16, 18, 20) for d in (-1, 0, 1))
COMPILED: Final = (65537,)
"""Elements where every shape is compiled."""

SUMS: Final = frozenset(("sum", "mean", "amax", "amin", "argmax", "argmin", "any", "all", "cumsum", "argsort", "sort"))
"""Ops of one dimension whose cost does not explode with it, and whose order of work depends on the size."""
ROWS: Final = frozenset(("softmax", "log_softmax", "logsumexp", "layer_norm", "var", "norm"))
"""Composites along a dimension: their references cost more, so they get smaller ones."""
PRODUCTS: Final = frozenset(("matmul", "linear"))


def large(session: Session, op: Op) -> Row | None:
    """The op at large shapes in float32; None for an op whose work does not depend on how much there is of it."""
    calls = list(_calls(session, op))
    if not calls:
        return None
    row = session.row(op, "float32", "large")
    for inv in calls:
        judge_call(session, row, inv)
    return row


def _calls(session: Session, op: Op) -> Iterator[Invocation]:
    sizes = FULL if session.full else COMPILED if session.lean else QUICK
    rng = np.random.default_rng(session.seed)
    if op.name in PRODUCTS:
        for m, k, n in ((33, 257, 65), (127, 1025, 129), (513, 511, 512))[: 3 if session.full else 1]:
            right = (n, k) if op.name == "linear" else (k, n)
            yield _call(op, (_normal(rng, (m, k)), _normal(rng, right)))
    elif op.name in SUMS:
        for size in sizes:
            yield _call(op, (_normal(rng, (size,)),), 0)
        yield _call(op, (_normal(rng, (min(sizes[-1], 2**17) // 16, 16)),), 0)
    elif op.name in ROWS:
        for size in [s for s in sizes if s <= 2**16 + 1][-6 if session.full else -1 :]:
            x = _normal(rng, (2, size))
            yield _call(op, (x,), [size] if op.name == "layer_norm" else 1)
    elif _unary(op):
        for size in sizes if session.full else sizes[-1:]:
            arg = args_of(_first(op))[0]
            yield _call(op, (draw.draw(Arg((size,), "float32", arg.low, arg.high), "float32", session.seed),))


def _unary(op: Op) -> bool:
    """Whether the op is a primitive of one number, whose kernel may take another path for the last few elements."""
    inputs = op.signature.inputs
    elementwise = op.samples is not None and op.samples.special and "float" in op.samples.dtypes
    return op.primitive and elementwise and len(inputs) == 1 and len(op.signature.parameters) == 1


def _first(op: Op) -> Sample:
    assert op.samples is not None, "asked for only where there are samples"
    return op.samples.cases[0]


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Host:
    return rng.standard_normal(shape).astype(np.float32)


def _call(op: Op, hosts: tuple[Host, ...], *rest: Any) -> Invocation:
    return Invocation(op, Sample((*(Arg(h.shape) for h in hosts), *rest)), "float32", hosts)
