"""Declared deviations, the certificate, the command and the pytest plugin."""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from pathlib import Path

import pytest

import dovetail
from dovetail.backend import KernelTable, ops
from dovetail.errors import ArgumentError
from dovetail_conformance import certificate, deviations, plugin
from dovetail_conformance.deviations import Deviation
from dovetail_conformance.faults.fault import replaced
from dovetail_conformance.outcome import Row
from dovetail_conformance.runner import EACH, ONCE, run
from dovetail_conformance.wrapped import Wrapped, registered

TODAY = datetime.date(2027, 1, 1)
LATER = datetime.date(2027, 6, 30)


def row(status: str, figure: float = 4.0, special: int = 0) -> Row:
    made = Row("exp", "float32", "specials", status, "off", figure=figure, bound=3.0, unit="ULP")
    made.special_failures = special
    return made


def deviation(figure: float = 5.0, expires: datetime.date = LATER, special: bool = False) -> Deviation:
    return Deviation("exp", "float32", "specials", figure, "the library's kernel", expires, special)


@pytest.mark.parametrize(
    ("found", "declared", "status"),
    [
        (row("fail"), deviation(), "deviation"),
        (row("fail", 6.0), deviation(), "fail"),
        (row("fail", special=1), deviation(), "fail"),
        (row("fail", special=1), deviation(special=True), "deviation"),
        (row("fail"), deviation(expires=datetime.date(2026, 12, 31)), "fail"),
        (row("pass", 1.0), deviation(), "stale"),
        (row("unsupported"), deviation(), "unsupported"),
    ],
)
def test_deviations_are_strict(found: Row, declared: Deviation, status: str) -> None:
    deviations.apply([found], [declared], TODAY)
    assert found.status == status
    assert found.failed == (status in ("fail", "stale"))


def test_no_figure_covers_what_has_no_measure() -> None:
    found = row("pass")
    found.fail("RuntimeError: the library is not there")
    deviations.apply([found], [deviation(64, special=True)], TODAY)
    assert found.status == "fail"


def test_deviation_of_another_cell_changes_nothing() -> None:
    found = Row("exp", "float64", "specials", "fail", figure=4.0)
    deviations.apply([found], [deviation()], TODAY)
    assert found.status == "fail"


def test_file_of_deviations(tmp_path: Path) -> None:
    path = tmp_path / deviations.FILE
    entry = '[[deviation]]\nop = "exp"\ndtype = "float32"\ncheck = "specials"\nreason = "why"\nexpires = 2027-06-30\n'
    path.write_text(entry + "figure = 4.3\n")
    (found,) = deviations.read(path)
    assert (found.figure, found.expires, found.special) == (4.3, LATER, False)
    for wrong in (entry, entry + "figure = 65\n", entry.replace('"why"', '" "') + "figure = 1\n"):
        path.write_text(wrong)
        with pytest.raises(ArgumentError, match="deviation"):
            deviations.read(path)


def test_certificate_has_only_what_was_measured() -> None:
    found = run(dovetail.device("numpy"), ops=["exp", "sum"])
    made = certificate.certificate(found)
    assert made["schema"] == "dovetail.certificate/1"
    assert (made["mode"], made["verdict"], made["complete"]) == ("quick", "quick-only", False)
    assert not {"identity", "training", "determinism", "batches", "rng"} & made.keys()
    assert made["coverage"] == {"exp": "kernel", "sum": "kernel"}
    assert made["arithmetic"]["subnormals"] == {"float32": "gradual", "float64": "gradual"}
    single = next(r for r in made["ops"] if (r["op"], r["dtype"], r["check"]) == ("exp", "float32", "specials"))
    assert 0 < single["max_ulp"] <= single["bound_ulp"] == 3
    assert 0.5 < single["correctly_rounded_fraction"] < 1
    assert not single["exhaustive"]
    half = next(r for r in made["ops"] if (r["op"], r["dtype"], r["check"]) == ("exp", "float16", "exhaustive"))
    assert (half["exhaustive"], half["inputs_tested"]) == (True, 2**16)
    assert {r["op"] for r in made["reductions"]} == {"sum"}


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    plugin.dovetail_commands(parser.add_subparsers())
    args = parser.parse_args(["conformance", *words])
    status: int = args.run(args)
    return status


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("numpy:cpu:0", "--ops", "exp,neg", "--no-fallback", "--out", str(tmp_path)) == 0
    text = capsys.readouterr().out
    assert "quick-only" in text
    assert "specials" in text
    assert json.loads((tmp_path / "numpy-cpu-0-quick.json").read_text())["complete"] is False
    assert dovetail.backend.inspection.host_fallback() == "warn"


def test_command_fails_on_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with replaced(ops.exp, lambda x: x)() as backend:
        assert command(backend, "--ops", "exp", "--checks", "values,specials", "--out", str(tmp_path)) == 1
    text = capsys.readouterr().out
    assert "not-conformant" in text
    assert "FAIL exp float32 (values, kernel)" in text
    programs = sorted(tmp_path.glob("*-failure-*.py"))
    assert programs
    compile(programs[0].read_text(), str(programs[0]), "exec")


class WithoutExp(Wrapped):
    """A backend that lacks a primitive."""

    def change(self, table: KernelTable) -> None:
        table.remove(ops.exp)


def test_fallbacks_are_shown_and_can_be_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with registered(WithoutExp) as backend:
        assert command(backend, "--ops", "exp", "--checks", "values") == 0
        assert "on the host: exp" in capsys.readouterr().out
        assert command(backend, "--ops", "exp", "--checks", "values", "--no-fallback") == 1
    assert "has no kernel and no decomposition" in capsys.readouterr().out


@pytest.mark.parametrize("words", [("--ops", "nonsense"), ("--checks", "nonsense")])
def test_command_refuses_unknown_names(words: tuple[str, str]) -> None:
    with pytest.raises(ArgumentError, match="nonsense"):
        command("numpy", *words)


def test_plugin_imports_nothing_of_the_suite() -> None:
    code = (
        "import sys, dovetail_conformance.plugin, dovetail_conformance.pytest_plugin\n"
        "print([m for m in sys.modules if m.startswith(('mpmath', 'dovetail_conformance.'))])"
    )
    text = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert text.strip() == "['dovetail_conformance.plugin', 'dovetail_conformance.pytest_plugin']"


def test_suite_under_pytest() -> None:
    words = ["--pyargs", "dovetail_conformance.suite", "--dovetail-device", "numpy", "--dovetail-ops", "exp,amax"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{2 * (len(EACH) + len(ONCE))} passed" in done.stdout
