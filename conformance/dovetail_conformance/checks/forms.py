"""Forms: dtype, shape and device of results, of the arrays that hold them, and results of views of every layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import dovetail
from dovetail.backend.inspection import Op
from dovetail.errors import CaptureError
from dovetail_conformance.calls import Invocation, array, held
from dovetail_conformance.expectation import expected
from dovetail_conformance.outcome import Row
from dovetail_conformance.primitives import Unknown
from dovetail_conformance.session import Session, quiet

Host = np.ndarray[Any, Any]


def forms(session: Session, op: Op, dtype: str) -> Row:
    """Every result has the dtype, shape and device of the op's rule, and so has the backend's own array."""
    row = session.row(op, dtype, "forms")
    for inv in session.invocations(op, dtype):
        row.cases += 1
        try:
            with quiet():
                got, right = inv.on(session.device), inv.on(session.second)
        except Exception as error:  # whatever a backend raises is a failure of the cell and not of the run
            row.fail(f"{inv}: {type(error).__name__}: {error}")
            continue
        for t, r in zip(got, right, strict=True):
            form_of(row, str(inv), t, (tuple(r.shape), r.dtype.name), session.device)
    return row


def form_of(row: Row, what: str, t: Any, right: tuple[tuple[int, ...], str], device: Any) -> None:
    """Compare what a tensor says of itself, and what its array is, with the form that is right."""
    said = (tuple(t.shape), t.dtype.name)
    row.tested += 1
    if said != right:
        row.fail(f"{what}: the tensor is {said[1]}{list(said[0])}", expected=right, got=said)
    if t.device is not device:
        row.fail(f"{what}: the tensor is on another device", expected=device, got=t.device)
    inside = held(t)
    if (tuple(inside[0]), inside[1]) != right:
        row.fail(
            f"{what}: the kernel gave an array of {inside[1]}{list(inside[0])} where the op's rule says "
            f"{right[1]}{list(right[0])}",
            expected=right,
            got=inside,
        )


def _transposed(host: Host, device: Any) -> Any:
    """The tensor as the transpose of one whose elements lie the other way round."""
    return dovetail.tensor(np.ascontiguousarray(host.T), device=device).permute(*range(host.ndim)[::-1])


def _sliced(host: Host, device: Any) -> Any:
    """The tensor as every second element of the last dimension of a larger one, from the second on."""
    wide = np.zeros((*host.shape[:-1], 2 * host.shape[-1] + 1), host.dtype)
    wide[..., 1::2] = host
    return dovetail.tensor(wide, device=device)[..., 1::2]


LAYOUTS: tuple[tuple[str, Callable[[Host, Any], Any]], ...] = (
    ("transposed", _transposed),
    ("sliced", _sliced),
)


def layouts(session: Session, op: Op, dtype: str) -> Row | None:
    """Views that are not contiguous give what contiguous tensors give; None where no input has a layout."""
    row = session.row(op, dtype, "layouts")
    for inv in session.invocations(op, dtype)[:3]:
        if not any(h.ndim and h.size > 1 for h in inv.hosts) or op.view is not None or op.signature.live:
            continue
        try:
            with quiet():
                wanted = expected(session, inv)
        except (CaptureError, Unknown):
            continue  # the check of values says so
        for name, view in LAYOUTS:
            _one(session, row, inv, name, view, wanted)
    return row if row.cases or row.failed else None


def _one(
    session: Session,
    row: Row,
    inv: Invocation,
    name: str,
    view: Callable[[Host, Any], Any],
    wanted: list[Any],
) -> None:
    try:
        with dovetail.use_backend(session.device), quiet():
            tensors = [
                view(h, session.device) if h.ndim and h.size > 1 else dovetail.tensor(h, device=session.device)
                for h in inv.hosts
            ]
            got = inv.call(tensors)
    except Exception as error:  # whatever a backend raises is a failure of the cell and not of the run
        row.fail(f"{inv} of {name} inputs: {type(error).__name__}: {error}")
        return
    for i, (t, right) in enumerate(zip(got, wanted, strict=True)):
        verdict = right.judge(array(t), inv, session.device, i)
        row.take(verdict)
        if not verdict.ok and row.message == verdict.message:
            row.message = f"with {name} inputs: {verdict.message}"
