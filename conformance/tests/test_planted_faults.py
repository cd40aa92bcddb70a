"""The suite can fail: every planted fault is found by the check that is meant to, and a backend without one passes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import dovetail
from dovetail.backend.inspection import record
from dovetail_conformance.checks.semantics import TABLES
from dovetail_conformance.checks.semantics import run as run_case
from dovetail_conformance.faults import FAULTS, Fault
from dovetail_conformance.outcome import Row
from dovetail_conformance.replay import Models
from dovetail_conformance.runner import EACH, WHOLE, cell, cells, falling_back
from dovetail_conformance.session import Session
from dovetail_conformance.wrapped import Wrapped, registered


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    with falling_back("silent"), Models() as made:
        yield made


def rows(models: Models, backend: str, fault: Fault, seed: int = 0) -> list[Row]:
    """What the check that is meant for a fault says on a backend."""
    session = Session(dovetail.device(backend), models, seed)
    if fault.check == "semantics":
        (found,) = [(t, c) for t, cases in TABLES.items() for c in cases if c.name == fault.op]
        return [run_case(session, found[1], found[0])]
    if fault.check in WHOLE:
        return WHOLE[fault.check](session)
    op = record(fault.op)
    pairs = [
        (c, d)
        for c, d in cells(op, [fault.check])
        if d in ("", "float32", "int64") or fault.check not in EACH
    ]
    made = [cell(session, op, check, dtype) for check, dtype in pairs]
    return [row for row in made if row is not None]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.number)
def test_fault_is_killed_by_its_check(models: Models, fault: Fault) -> None:
    with fault.plant() as backend:
        found = rows(models, backend, fault)
    failed = [row for row in found if row.failed]
    assert failed, f"{fault.number} survives: {fault.words}"
    assert all(row.message for row in failed)
    assert {row.op for row in failed} == {fault.op}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.number)
def test_no_false_alarm(models: Models, fault: Fault, seed: int) -> None:
    """The same cells on the host under another name, before and after the fault was there."""
    with registered(Wrapped) as backend:
        found = rows(models, backend, fault, seed)
    assert found
    assert [row.message for row in found if row.failed] == []


@pytest.mark.parametrize("number", ["M03", "M05", "M08", "M12", "M19"])
def test_failure_names_the_worst_input(models: Models, number: str) -> None:
    (fault,) = [f for f in FAULTS if f.number == number]
    with fault.plant() as backend:
        failed = [row for row in rows(models, backend, fault) if row.failed]
    worst = failed[0]
    assert worst.op == fault.op
    assert worst.dtype in worst.message
    assert worst.expected
    assert worst.got
    assert "import dovetail as torch" in worst.snippet
    if number != "M19":
        assert all(bits.startswith("0x") for bits in worst.at.values())


def test_every_fault_has_a_check_of_its_own_name() -> None:
    assert len({f.number for f in FAULTS}) == len(FAULTS) == 13
