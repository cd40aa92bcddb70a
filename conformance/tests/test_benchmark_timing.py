"""The stopwatch of the benchmarks: turns, ratios, and the warning on a busy machine."""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def timing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    return importlib.import_module("timing")


def test_contenders_take_turns_in_rotating_order(timing: ModuleType) -> None:
    called: list[str] = []
    steps = {name: (lambda name=name: called.append(name)) for name in "abc"}
    result = timing.measure(steps, rounds=3, warm_up=0, sample_seconds=0)
    assert called[3:] == ["a", "b", "c", "b", "c", "a", "c", "a", "b"]
    assert {name: len(samples) for name, samples in result.samples.items()} == {"a": 3, "b": 3, "c": 3}


def test_ratios_are_taken_within_rounds(timing: ModuleType) -> None:
    # A machine that slows down by ten after the first round: medians of 3 and 20 would give 6.7.
    result = timing.Result({"a": [1.0, 10.0, 10.0], "b": [3.0, 30.0, 20.0]})
    assert result.ratio("b", "a") == 3
    assert result.median("b") == 20
    assert "3.00" in result.table("a")


def test_units_divide_the_times(timing: ModuleType) -> None:
    result = timing.Result({"short": [1.0] * 3, "long": [20.0] * 3}, units={"short": 1.0, "long": 10.0})
    assert result.median("long") == 2
    assert result.ratio("long", "short") == 2


def test_a_known_delay_is_measured(timing: ModuleType) -> None:
    steps = {"short": lambda: time.sleep(0.002), "long": lambda: time.sleep(0.02)}
    result = timing.measure(steps, rounds=3, warm_up=1, sample_seconds=0)
    assert result.median("short") >= 0.002
    assert result.median("long") >= 0.02
    assert result.ratio("long", "short") > 1


def test_a_busy_machine_is_reported(timing: ModuleType) -> None:
    calm = timing.Result({"a": [1.0]}, spins=[1.0] * 8, load_before=0.1)
    assert not calm.warnings()
    assert "WARNING" not in calm.table()
    busy = timing.Result({"a": [1.0]}, spins=[1.0] * 5 + [1.5] * 3, load_before=3.0)
    assert len(busy.warnings()) == 2
    assert "3 of 8 rounds" in busy.table()
    assert "3.0 runnable" in busy.table()


def test_json_holds_the_samples_and_the_machine(timing: ModuleType) -> None:
    told = json.loads(timing.Result({"a": [1.0, 2.0]}, load_before=0.1).as_json())
    assert told["seconds_per_call"] == {"a": [1.0, 2.0]}
    assert told["cores"] >= 1


def test_threads_are_limited_before_the_libraries_load(timing: ModuleType) -> None:
    assert "numpy" in sys.modules
    with pytest.raises(RuntimeError, match="before the import of numpy"):
        timing.limit_threads(1)


def test_fresh_processes_and_failing_ones(timing: ModuleType) -> None:
    result = timing.measure_processes({"nothing": "pass"}, rounds=1)
    assert result.median("nothing") > 0
    with pytest.raises(timing.subprocess.CalledProcessError):
        timing.measure_processes({"fails": "raise SystemExit(3)"}, rounds=1)


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.0, "2 s"), (0.0123, "12.3 ms"), (4.56e-6, "4.56 us"), (7.8e-8, "78 ns")]
)
def test_times_are_written_with_three_digits(timing: ModuleType, seconds: float, text: str) -> None:
    assert timing.human(seconds) == text
