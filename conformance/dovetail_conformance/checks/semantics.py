"""Semantics: every row of the four tables, and selection and devices as far as one backend can show them."""

from __future__ import annotations

import warnings
from typing import Any, Final

import dovetail
from dovetail_conformance.outcome import Row
from dovetail_conformance.semantics import aliasing, errors, gradients, values
from dovetail_conformance.semantics.case import Case, plain, same
from dovetail_conformance.session import Session, quiet

TABLES: Final[dict[str, tuple[Case, ...]]] = {
    "values and dtypes": values.CASES,
    "gradients at the edges": gradients.CASES,
    "aliasing and writes": aliasing.CASES,
    "words of errors": errors.CASES,
}


class _Module:
    """The module that the programs are written for, with one more device for those that need two."""

    def __init__(self, other: Any) -> None:
        self.other = other

    def __getattr__(self, name: str) -> Any:
        return getattr(dovetail, name)


def semantics(session: Session) -> list[Row]:
    """One row per table and case."""
    return [run(session, case, table) for table, cases in TABLES.items() for case in cases]


def run(session: Session, case: Case, table: str) -> Row:
    """One case on the device."""
    row = Row(case.name, "", "semantics", kind=table, cases=1, tested=1)
    module = _Module(session.second)
    try:
        with dovetail.use_backend(session.device), quiet(), warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            got = plain(case.program(module))
    except Exception as error:  # the point of some of the cases
        _raised(row, case, error)
        return row
    if case.error is not None:
        row.fail(f"{case.name}: no error", expected=case.error, got=got)
    elif not same(got, case.answer):
        row.fail(f"{case.name}: {got} instead of {case.answer}", expected=case.answer, got=got)
    elif case.warns and not any(case.warns in str(w.message) for w in said):
        row.fail(f"{case.name}: no warning that says {case.warns!r}")
    return row


def _raised(row: Row, case: Case, error: Exception) -> None:
    text = f"{type(error).__name__}: {error}"
    if case.error is None:
        row.fail(f"{case.name}: {text}", expected=case.answer, got=text)
        return
    missing = [w for w in case.words if w not in str(error)]
    if not isinstance(error, case.error):
        row.fail(f"{case.name}: {text}", expected=case.error, got=text)
    elif missing:
        row.fail(f"{case.name}: the message does not contain {missing}: {text}", expected=missing, got=text)
    elif not isinstance(error, dovetail.errors.DovetailError):
        row.fail(f"{case.name}: the error is not dovetail's own: {text}", expected="DovetailError", got=text)
