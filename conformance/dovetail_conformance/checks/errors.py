"""Errors: a call that must fail does so with the class and the words of the record, the same as on the host."""

from __future__ import annotations

import re
from typing import Any

from dovetail.backend.inspection import ErrorSample, Op
from dovetail_conformance.calls import Invocation, invocation
from dovetail_conformance.outcome import Row
from dovetail_conformance.session import Session, dtypes_of, quiet


def errors(session: Session, op: Op) -> Row | None:
    """The error samples of an op; None without any."""
    if op.samples is None or not op.samples.errors:
        return None
    dtype = dtypes_of(op)[0]
    row = session.row(op, dtype, "errors")
    for sample in op.samples.errors:
        row.cases += 1
        row.tested += 1
        inv = invocation(op, sample, dtype, session.seed)
        got, right = raised(session, inv, session.device), raised(session, inv, session.host)
        wrong = difference(sample, got, right)
        if wrong:
            row.fail(f"{inv}: {wrong}", expected=_words(right) if right else sample.match, got=_words(got))
    return row


def difference(sample: ErrorSample, got: Exception | None, right: Exception | None) -> str:
    """What is wrong with an error; nothing, if nothing is."""
    if got is None:
        return f"no error, where {sample.error.__name__} is due"
    if not isinstance(got, sample.error):
        return f"{type(got).__name__} ({got}) instead of {sample.error.__name__}"
    if sample.match not in str(got):
        return f"the message does not contain {sample.match!r}: {got}"
    if right is not None and _words(got) != _words(right):
        return "not the error of the host"
    return ""


def raised(session: Session, inv: Invocation, device: Any) -> Exception | None:
    """What a call raises on a device, by the time that its result has been read; None if nothing."""
    try:
        with quiet():
            for t in inv.on(device):
                t.detach().numpy()
    except Exception as error:  # the point of the call
        return error
    return None


def _words(error: Exception | None) -> str:
    """Class and message, without the name of the device."""
    if error is None:
        return ""
    text = re.sub(r"\b\w+:(cpu|cuda|tpu)(:\d+)?\b", "<device>", str(error))
    return f"{type(error).__name__}: {text}"
