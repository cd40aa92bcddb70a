"""How a run goes: tasks by tier, what is left out where shapes are compiled, processes, progress, broken checks."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

import dovetail
from dovetail.backend.inspection import Op, record
from dovetail_conformance import progress, runner, tables
from dovetail_conformance.lean import MOST, left_out
from dovetail_conformance.runner import Settings, run, tasks
from dovetail_conformance.session import dtypes_of, selected
from dovetail_conformance.workers import MOST as MOST_PROCESSES
from dovetail_conformance.workers import processes
from dovetail_conformance.wrapped import Wrapped, registered


def test_the_quick_tier_draws_once_and_the_full_one_often() -> None:
    quick = [c for t in tasks(Settings("numpy:cpu:0")) for c in t.cells]
    full = [c for t in tasks(Settings("numpy:cpu:0", "full")) for c in t.cells]
    assert {c.check for c in full} - {c.check for c in quick} == set(tables.PARTS)
    assert {c.seed for c in quick} == {0}
    seeds = {c.seed for c in full if (c.op, c.check) == ("exp", "specials")}
    assert seeds == set(range(tables.SEEDS["specials"]))
    parts = [c for c in full if (c.check, c.op) == ("every", "exp")]
    assert [c.part for c in parts] == list(range(64))
    assert {"exp", "log", "tanh", "sigmoid", "sqrt"} <= {c.op for c in full if c.check == "every"}
    assert len({c.key for c in full}) == len(full)


def test_without_a_second_device_nothing_is_compared() -> None:
    assert not [c for t in tasks(Settings("numpy:cpu:0")) for c in t.cells if c.check == "against"]
    assert [c for t in tasks(Settings("numpy:cpu:0", against="x")) for c in t.cells if c.check == "against"]


def test_a_chosen_part_is_no_whole_run() -> None:
    assert Settings("numpy:cpu:0").complete
    chosen = Settings("numpy:cpu:0", ops=("exp",), checks=("values", "semantics"))
    assert not chosen.complete
    assert [t.name for t in tasks(chosen)] == ["exp"]
    with pytest.raises(KeyError):
        tasks(Settings("numpy:cpu:0", ops=("nonsense",)))


class Compiling:
    """As much of a session as decides what is left out."""

    lean = True


@pytest.fixture
def compiling() -> Any:
    return Compiling()


def checks_of(session: Any, op: Op, dtype: str) -> set[str]:
    each = {c for c in tables.EACH if not left_out(session, op, c, dtype)}
    return each | {c for c in tables.ONCE if not left_out(session, op, c, "")}


def test_primitives_are_looked_at_in_every_dtype(compiling: Any) -> None:
    assert checks_of(compiling, record("exp"), "float32") == {*tables.EACH, *tables.ONCE}
    assert {"values", "forms", "specials"} <= checks_of(compiling, record("exp"), "bfloat16")
    assert "layouts" not in checks_of(compiling, record("exp"), "bfloat16")


def test_a_derived_op_is_looked_at_captured(compiling: Any) -> None:
    assert checks_of(compiling, record("softmax"), "float32") >= {"programs", "errors"}
    assert not {"values", "layouts", "gradients", "second"} & checks_of(compiling, record("softmax"), "float32")
    assert checks_of(compiling, record("softmax"), "float64") <= {"errors", "derivatives"}


def test_no_op_is_left_out_altogether(compiling: Any) -> None:
    for op in selected(None):
        assert {"values", "programs"} & checks_of(compiling, op, dtypes_of(op)[0]), op.name


def test_nothing_is_left_out_elsewhere(compiling: Any) -> None:
    compiling.lean = False
    for op in selected(None)[::20]:
        assert checks_of(compiling, op, "float64") == {*tables.EACH, *tables.ONCE}


def test_processes_are_as_many_as_the_backend_allows() -> None:
    device = dovetail.device("numpy")
    assert processes(device, 1000, asked=3) == 3
    assert 1 <= processes(device, 1000) <= MOST_PROCESSES
    assert processes(device, 3) == 1


def test_one_process_for_what_others_cannot_share_or_find(monkeypatch: pytest.MonkeyPatch) -> None:
    with registered(Wrapped) as name:
        assert processes(dovetail.device(name), 1000, asked=4) == 1
    device = dovetail.device("numpy")
    monkeypatch.setattr(type(device.runtime), "shareable", lambda self, device: False)
    assert processes(device, 1000, asked=4) == 1


def test_a_check_that_cannot_be_carried_out_fails_and_the_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(session: Any, op: Op, dtype: str) -> Any:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setitem(runner.EACH, "forms", broken)
    found = run(dovetail.device("numpy"), ops=["neg"], checks=["forms", "values"])
    failed = {row.check for row in found.rows if row.failed}
    assert failed == {"forms"}
    assert all("nobody thought of this" in row.message for row in found.failures)
    assert any(row.check == "values" for row in found.rows)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_plain_bar_on_a_terminal() -> None:
    out = Terminal()
    with progress.bar(out, plain=True) as show:
        show("exp", 1, 4)
        show("log", 4, 4)
    assert "1/4" in out.getvalue()
    assert f"[{'#' * progress.WIDTH}] 4/4" in out.getvalue()
    assert out.getvalue().endswith("\r")


def test_a_bar_by_rich() -> None:
    pytest.importorskip("rich", reason="rich is not installed")
    out = Terminal()
    with progress.bar(out) as show:
        show("logaddexp", 1, 4)
        show("logaddexp", 3, 4)
    assert "3/4" in out.getvalue()
    assert "logaddexp" in out.getvalue()


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    with progress.bar(out) as show:
        show("exp", 1, 4)
        assert out.getvalue() == ""
        monkeypatch.setattr(progress, "SILENCE", 0.0)
        show("exp", 2, 4)
    assert out.getvalue() == "conformance: 2 of 4 cells (50 %) after 0:00, at exp\n"


def test_the_committed_quick_run_compiled_less_than_allowed() -> None:
    path = Path(__file__).parents[2] / "docs" / "certificates" / "jax-cpu-0-quick.json"
    cost = json.loads(path.read_text())["cost"]
    assert 0 < cost["compilations"] <= MOST
    assert cost["compilations"] == sum(cost["compilations_by_check"].values())
