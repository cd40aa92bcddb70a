"""Who finds a fault: the check that is meant to, any other, or nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import dovetail
from dovetail.backend.inspection import record, records
from dovetail_conformance.checks.semantics import TABLES
from dovetail_conformance.checks.semantics import run as run_case
from dovetail_conformance.faults.fault import Fault
from dovetail_conformance.outcome import Row
from dovetail_conformance.replay import Models
from dovetail_conformance.runner import cell, cells
from dovetail_conformance.session import Session
from dovetail_conformance.tables import EACH, ONCE, WHOLE
from dovetail_conformance.wrapped import Wrapped, registered

USUAL: Final = ("", "float32", "float16", "int64")
"""Dtypes to look at, which is where nearly all faults show."""

NOT_JUDGING: Final = frozenset(("against", "batches"))
"""Checks that need a second device, or report and judge nothing but form: there is no fault of their own."""


def judging() -> list[str]:
    """The checks that pass judgement on one device."""
    return [name for name in (*EACH, *ONCE, *WHOLE) if name not in NOT_JUDGING]


def rows_of(models: Models, backend: str, fault: Fault, seed: int = 0) -> list[Row]:
    """What the check that is meant for a fault says on a backend."""
    session = Session(dovetail.device(backend), models, seed)
    if fault.check == "semantics":
        return [run_case(session, c, t) for t, cases in TABLES.items() for c in cases if c.name == fault.op]
    if fault.check in WHOLE:
        return WHOLE[fault.check](session)
    return list(op_rows(session, fault.op, [fault.check], (*USUAL, fault.dtype)))


def op_rows(session: Session, name: str, checks: Sequence[str], dtypes: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of some checks on one op, in some dtypes or in all."""
    op = record(name)
    for check, dtype in cells(op, list(checks)):
        if not dtypes or dtype in dtypes:
            row = cell(session, op, check, dtype)
            if row is not None:
                yield row


def killed(models: Models, fault: Fault) -> list[Row]:
    """The rows of its check that find a fault where it is."""
    with fault.plant() as backend:
        return [row for row in rows_of(models, backend, fault) if row.failed and row.op == fault.op]


def alarms(models: Models, fault: Fault, seed: int) -> list[Row]:
    """The rows of the same cells that fail on the host under another name, where there is no fault."""
    with registered(Wrapped) as backend:
        return [row for row in rows_of(models, backend, fault, seed) if row.failed]


def finders(models: Models, fault: Fault, *, without: str = "") -> dict[str, str]:
    """Every check that finds a fault, with its message: on the ops that it could show in, and on the whole backend."""
    found: dict[str, str] = {}
    known = {op.name for op in records()}
    names = [n for n in dict.fromkeys((fault.op, *fault.cells)) if n in known]
    left = [c for c in judging() if c != without]
    with fault.plant() as backend:
        session = Session(dovetail.device(backend), models)
        rows = [row for name in names for row in op_rows(session, name, [c for c in left if c not in WHOLE])]
        rows += [row for check in left if check in WHOLE for row in WHOLE[check](session)]
    for row in rows:
        if row.failed:
            found.setdefault(row.check, f"{row.op} {row.dtype}: {row.message}")
    return found
