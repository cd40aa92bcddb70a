"""Gaps that a backend declares: they hold while they last, and fail the run when they are closed or past their end."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dovetail.backend import BackendSpec, register, unregister
from dovetail.cli.main import main
from dovetail.errors import ArgumentError
from dovetail_conformance import deviations, gaps
from dovetail_conformance.gaps import Gap
from dovetail_conformance.outcome import Row

pytest.importorskip("array_api_strict", reason="array-api-strict is in the extra `test`")

DAY = datetime.date(2027, 1, 1)
BEFORE, AFTER = DAY - datetime.timedelta(1), DAY + datetime.timedelta(1)


def row(check: str = "values", status: Any = "fail", dtype: str = "float64", op: str = "cumsum") -> Row:
    return Row(op, dtype, check, status, message="it said so")


def marked(rows: list[Row], until: Any = DAY, today: datetime.date = BEFORE, **words: Any) -> list[str]:
    deviations.apply(rows, [Gap("cumsum", "no scan", until, **words)], today)
    return [r.status for r in rows]


def test_what_fails_is_unsupported_for_as_long_as_the_entry_lasts() -> None:
    rows = [row(), row("gradients"), row(op="exp")]
    assert marked(rows, today=DAY) == ["unsupported", "unsupported", "fail"]
    assert rows[0].reason == "no scan (until 2027-01-01)"


def test_past_its_date_it_fails_and_says_so() -> None:
    rows = [row()]
    assert marked(rows, today=AFTER) == ["fail"]
    assert rows[0].message == "declared as a gap until 2027-01-01, which is past: it said so"


@pytest.mark.parametrize(
    ("plugin", "status"),
    [("0.3.9", "unsupported"), ("0.4", "fail"), ("0.4.1", "fail"), ("0.10", "fail"), ("", "unsupported")],
)
def test_the_version_that_was_to_close_it(plugin: str, status: str) -> None:
    assert marked([row()], until="0.4", plugin=plugin) == [status]


def test_a_gap_that_passes_fails_the_run() -> None:
    rows = [row(status="pass"), row("gradients", "pass"), row("forms", "pass")]
    assert marked(rows) == ["stale", "pass", "pass"], "one row tells"
    assert rows[0].failed


def test_other_checks_may_pass_while_the_values_fail() -> None:
    assert marked([row(), row("errors", "pass")]) == ["unsupported", "pass"]


def test_one_dtype_and_one_check() -> None:
    rows = [row(dtype="float32", status="pass"), row("gradients"), row("values", "pass")]
    assert marked(rows, dtype="float64", check="gradients") == ["pass", "unsupported", "pass"]
    assert marked([row("gradients", "pass")], check="gradients") == ["stale"]


GOOD = {"op": "cumsum", "reason": "no scan", "until": DAY}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"op": None}, "op is wrong"),
        ({"reason": " "}, "without a reason"),
        ({"until": None}, "until is wrong"),
        ({"until": "soon"}, "a date or a version"),
        ({"op": "cumsun"}, "no op is named 'cumsun'"),
        ({"dtypes": "float32"}, "has no dtypes"),
    ],
)
def test_an_entry_that_is_not_one(change: dict[str, Any], why: str) -> None:
    assert gaps.entry(dict(GOOD), Path("x")).until == DAY
    with pytest.raises(ArgumentError, match=why):
        gaps.entry({**GOOD, **change}, Path("x"))


# ------------------------------------------------------------------------------------------ through the command

BACKEND = """
from dovetail.backend import ArrayAPIBackend, ops

class Gapped(ArrayAPIBackend):
    def load_namespace(self):
        import array_api_strict
        return array_api_strict

    def extend(self, table):
        table.remove(ops.log2)
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "gapped_backend.py").write_text(BACKEND)
    monkeypatch.syspath_prepend(str(tmp_path))
    register(BackendSpec(name="gapped", runtime="gapped_backend:Gapped", requires=("pytest",), priority=-9))
    yield tmp_path / deviations.FILE
    unregister("gapped")
    sys.modules.pop("gapped_backend", None)


def status(ops: str) -> int:
    return main(["conformance", "gapped", "--no-fallback", "--ops", ops, "--checks", "values"])


def test_the_command_counts_a_gap_and_fails_on_a_closed_one(plugin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status("log2") == 1
    plugin.write_text('[[gap]]\nop = "log2"\nreason = "no table of logarithms yet"\nuntil = 2999-01-01\n')
    assert status("log2") == 0
    assert "unsupported" in capsys.readouterr().out
    plugin.write_text('[[gap]]\nop = "log2"\nreason = "no table of logarithms yet"\nuntil = "1.0"\n')
    assert status("log2") == 1, "pytest, whose version stands for the plugin's, is beyond 1.0"
    plugin.write_text('[[gap]]\nop = "exp"\nreason = "no table of exponentials yet"\nuntil = 2999-01-01\n')
    assert status("exp") == 1
    assert "declared as a gap and passes" in capsys.readouterr().out
