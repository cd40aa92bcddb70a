"""The suite can fail: every planted fault is found by the check that is meant to, and a backend without one passes.

No check can be left out either: each has a fault that it alone finds, and which survives the whole suite without it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from dovetail_conformance.faults import FAULTS, Fault, hunt
from dovetail_conformance.replay import Models
from dovetail_conformance.runner import falling_back
from dovetail_conformance.session import quiet
from dovetail_conformance.tables import WHOLE

ALONE = [f for f in FAULTS if f.alone]
CELLS = list({(f.check, "" if f.check in WHOLE else f.op): f for f in FAULTS}.values())
"""One fault for each cell that faults are looked for in."""


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    with falling_back("silent"), quiet(), Models() as made:
        yield made


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.number)
def test_fault_is_killed_by_its_check(models: Models, fault: Fault) -> None:
    rows = hunt.killed(models, fault)
    assert rows, f"{fault.number} survives: {fault.words}"
    assert all(row.message and row.check == fault.check for row in rows)


@pytest.mark.parametrize("fault", CELLS, ids=lambda f: f.number)
def test_no_false_alarm(models: Models, fault: Fault) -> None:
    """The same cells on the host under another name, where there is no fault."""
    assert [row.message for row in hunt.alarms(models, fault, seed=7)] == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 21))
def test_no_false_alarm_in_twenty_runs(models: Models, seed: int) -> None:
    found = [row for fault in CELLS for row in hunt.alarms(models, fault, seed)]
    assert [row.message for row in found] == []


def test_every_check_has_a_fault_of_its_own() -> None:
    assert {f.check for f in ALONE} == set(hunt.judging())
    assert {f.check for f in FAULTS} <= set(hunt.judging())


@pytest.mark.long
@pytest.mark.parametrize("fault", ALONE, ids=lambda f: f"{f.number}-without-{f.check}")
def test_fault_survives_without_its_check(models: Models, fault: Fault) -> None:
    assert hunt.finders(models, fault, without=fault.check) == {}


def test_another_check_would_be_noticed(models: Models) -> None:
    """What says that a fault survives can say otherwise: this one is found by two checks."""
    (fault,) = [f for f in FAULTS if f.number == "M24"]
    assert set(hunt.finders(models, fault, without="differences")) == {"derivatives"}


def test_faults_are_numbered_and_as_many_as_there_must_be() -> None:
    assert len({f.number for f in FAULTS}) == len(FAULTS)
    assert sum(f.number.startswith("M") for f in FAULTS) >= 30


@pytest.mark.parametrize("number", ["M03", "M05", "M08", "M12", "M19"])
def test_failure_names_the_worst_input(models: Models, number: str) -> None:
    (fault,) = [f for f in FAULTS if f.number == number]
    worst = hunt.killed(models, fault)[0]
    assert worst.op == fault.op
    assert worst.dtype in worst.message
    assert worst.expected
    assert worst.got
    assert "import dovetail as torch" in worst.snippet
    if number != "M19":
        assert all(bits.startswith("0x") for bits in worst.at.values())


def test_command() -> None:
    words = [sys.executable, "-m", "dovetail_conformance.faults", "--faults", "M13", "--clean", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "M13 maximum drops NaN: killed by specials" in done.stdout
    assert "1 checks, 0 false alarms" in done.stdout
