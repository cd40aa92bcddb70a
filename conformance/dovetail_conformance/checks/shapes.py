"""Shapes: seven dimensions, none, empty and single ones, odd lengths, overlapping views, dimensions from the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np

import dovetail
from dovetail.backend.inspection import Arg, Op, Sample
from dovetail.errors import CaptureError, DovetailError
from dovetail_conformance import draw
from dovetail_conformance.calls import Invocation, args_of, array, invocation
from dovetail_conformance.checks.values import judge_call
from dovetail_conformance.expectation import expected
from dovetail_conformance.outcome import Row
from dovetail_conformance.primitives import Unknown
from dovetail_conformance.session import Session, quiet

Host = np.ndarray[Any, Any]
Shape = tuple[int, ...]

ODD: Final[tuple[Shape, ...]] = (
    (2, 1, 3, 1, 2, 1, 2), (0,), (3, 0, 2), (2, 0), (1,), (1, 1), (127,), (129,), (1023,), (1025,),
)  # fmt: skip
"""For elementwise ops: seven dimensions, nothing, one element, and one more and fewer than a block has."""

FEW: Final = 2
"""So many of them where every shape is compiled."""

REDUCED: Final[dict[str, Callable[..., Any]]] = {
    "sum": np.sum, "mean": np.mean, "prod": np.prod, "amax": np.max, "amin": np.min, "any": np.any, "all": np.all,
    "var": np.var, "std": np.std, "logsumexp": np.sum, "nansum": np.nansum, "nanmean": np.mean,
    "count_nonzero": np.count_nonzero, "argmax": np.argmax, "argmin": np.argmin, "norm": np.sum,
}  # fmt: skip
"""Reductions by ``dim``, and NumPy's function that gives a result of the same shape."""


def shapes(session: Session, op: Op, dtype: str) -> Row | None:
    """Unusual shapes of one op in a dtype; None where it takes no tensors of any shape and has no dimension."""
    if op.samples is None or op.internal:
        return None
    row = session.row(op, dtype, "shapes")
    for inv in _elementwise(session, op, dtype):
        judge_call(session, row, inv)
    for inv in _overlapping(session, op, dtype):
        _expanded(session, row, inv)
    for inv in session.invocations(op, dtype)[: 1 if session.lean else None]:
        _from_the_end(session, row, inv)
    if op.name in REDUCED and dtype == "float32":
        _reduced(session, row, op)
    return row if row.cases or row.failed else None


def _elementwise(session: Session, op: Op, dtype: str) -> Iterator[Invocation]:
    """The first sample with every tensor in another shape, where the op takes that and keeps it."""
    assert op.samples is not None, "asked for only where there are samples"
    sample = next((s for s in op.samples.cases if args_of(s)), None)
    if sample is None or any(a.values is not None for a in args_of(sample)):
        return
    for shape in ODD[:FEW] if session.lean else ODD:
        try:
            with quiet():
                inv = invocation(op, _shaped(sample, shape), dtype, session.seed)
                kept = [tuple(t.shape) for t in inv.on(session.host)] == [shape]
        except (DovetailError, ValueError):
            return  # it is not elementwise
        if not kept:
            return
        yield inv


def _shaped(sample: Sample, shape: Shape) -> Sample:
    def other(value: Any) -> Any:
        return replace(value, shape=shape) if isinstance(value, Arg) else value

    return Sample(tuple(map(other, sample.args)), {k: other(v) for k, v in sample.params.items()}, sample.grad)


def _overlapping(session: Session, op: Op, dtype: str) -> list[Invocation]:
    """The first sample whose tensors have rows, all rows made equal: they can be views that repeat one row."""
    if op.view is not None or op.signature.live or dtype not in draw.FLOATS:
        return []
    for inv in session.invocations(op, dtype)[:3]:
        args = args_of(inv.sample)
        if any(h.ndim >= 2 and h.size > 1 for h in inv.hosts) and all(a.values is None for a in args):
            same = [np.ascontiguousarray(np.broadcast_to(h[:1], h.shape)) if _rows(h) else h for h in inv.hosts]
            return [inv.with_hosts(same)]
    return []


def _rows(host: Host) -> bool:
    return host.ndim >= 2 and host.size > 1


def _expanded(session: Session, row: Row, inv: Invocation) -> None:
    """A tensor that is one row many times over gives what a tensor of equal rows gives."""
    try:
        with quiet():
            wanted = expected(session, inv)
            with dovetail.use_backend(session.device):
                tensors = [
                    dovetail.tensor(h[:1]).expand(*h.shape) if _rows(h) else dovetail.tensor(h) for h in inv.hosts
                ]
                got = inv.call(tensors)
    except (CaptureError, Unknown):
        return  # the check of values says so
    except Exception as error:  # whatever a backend raises is a failure of the cell and not of the run
        row.fail(f"{inv} of expanded inputs: {type(error).__name__}: {error}")
        return
    for i, (t, right) in enumerate(zip(got, wanted, strict=True)):
        row.take(right.judge(array(t), inv, session.device, i))


def _from_the_end(session: Session, row: Row, inv: Invocation) -> None:
    """A dimension counted from the end is the one counted from the start: the same bits."""
    other = _counted_back(inv)
    if other is None:
        return
    try:
        with quiet():
            got, right = other.on(session.device), inv.on(session.device)
    except Exception as error:  # whatever a backend raises is a failure of the cell and not of the run
        row.fail(f"{other}: {type(error).__name__}: {error}")
        return
    for a, b in zip(map(array, got), map(array, right), strict=True):
        row.cases += 1
        row.tested += b.size
        if a.shape != b.shape or a.tobytes() != b.tobytes():
            row.fail(f"{other} is not {inv.expression}", expected=b.tolist(), got=a.tolist())


def _counted_back(inv: Invocation) -> Invocation | None:
    """The call with ``dim`` counted from the other end; None without one."""
    names = [p.name for p in inv.op.signature.parameters]
    sample = inv.sample
    ndim = inv.hosts[0].ndim + (inv.op.name == "stack") if inv.hosts else 0  # stack counts in its result
    place = names.index("dim") if "dim" in names else -1
    dim = sample.args[place] if 0 <= place < len(sample.args) else sample.params.get("dim")
    flipped = _flipped(dim, ndim)
    if flipped is None or not isinstance(sample, Sample):
        return None
    if 0 <= place < len(sample.args):
        args = (*sample.args[:place], flipped, *sample.args[place + 1 :])
        return replace(inv, sample=replace(sample, args=args))
    return replace(inv, sample=replace(sample, params={**sample.params, "dim": flipped}))


def _flipped(dim: Any, ndim: int) -> Any:
    if isinstance(dim, bool) or not ndim:
        return None
    if isinstance(dim, int):
        return dim - ndim if dim >= 0 else dim + ndim
    if isinstance(dim, tuple | list) and dim and all(isinstance(d, int) for d in dim):
        return type(dim)(_flipped(d, ndim) for d in dim)
    return None


def _reduced(session: Session, row: Row, op: Op) -> None:
    """Every dimension of a tensor of three different sizes, from both ends: the shape that NumPy gives."""
    host = np.arange(1, 25, dtype=np.float32).reshape(2, 3, 4)
    keeps = (False, True) if "keepdim" in op.signature.index and not session.lean else (False,)
    for dim in (-2, 1) if session.lean else range(-3, 3):
        for keepdim in keeps:
            words = {"keepdim": keepdim} if "keepdim" in op.signature.index else {}
            right = REDUCED[op.name](host, axis=dim, keepdims=keepdim).shape
            row.cases += 1
            row.tested += 1
            try:
                with quiet(), dovetail.use_backend(session.device):
                    got = array(op.call(dovetail.tensor(host), dim=dim, **words)).shape
            except Exception as error:  # whatever a backend raises is a failure of the cell and not of the run
                row.fail(f"{op.name} of [2, 3, 4], dim={dim}: {type(error).__name__}: {error}")
                continue
            if got != right:
                row.fail(f"{op.name} of [2, 3, 4], dim={dim}, keepdim={keepdim}", expected=right, got=got)
