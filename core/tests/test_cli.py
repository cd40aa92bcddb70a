"""The command line: backends, doctor, commands of plugins, errors in one line."""

from __future__ import annotations

import builtins
import re
import subprocess
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import dovetail
from dovetail.backend import Array, Backend, BackendSpec, Device, KernelTable, hookimpl
from dovetail.cli import main, show, support
from dovetail.contract import discovery, selection
from dovetail.errors import ArgumentError
from dovetail.ops.definition import NoDecomposition, op
from dovetail.record import registry, rules

Capture = pytest.CaptureFixture[str]


class Few(Backend):
    """A backend that has kernels for two primitives and one derived op, and for all else nothing of its own."""

    @property
    def kernels(self) -> KernelTable:
        table = KernelTable()
        table(dovetail.ops.add)(lambda a, b: a + b)
        table(dovetail.ops.filled)(lambda value, size: value + __import__("numpy").zeros(size, value.dtype))
        table(dovetail.ops.softmax)(lambda x, dim: x)
        return table

    def devices(self) -> Sequence[Device]:
        return [Device.of(self.name, "cpu")]

    def describe(self, device: Device) -> str:
        return "two ops in a box"

    def from_host(self, array: Any, device: Device) -> Array:
        return array.copy()

    def to_host(self, array: Array) -> Any:
        return array

    def is_array(self, value: object) -> bool:
        return hasattr(value, "dtype")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    module = types.ModuleType("backend_of_the_cli_tests")
    module.Few = Few  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    discovery.discover()
    spec = BackendSpec(
        name="few", runtime=f"{module.__name__}:Few", kinds=("cpu", "npu"), priority=-3, vendor="Acme",
        url="https://acme.example", requires=("pytest", "no-such-distribution"), environment=("FEW_SETTING",),
        probe=lambda kind: None if kind == "cpu" else "its npu is asleep", install="pip install few",
    )  # fmt: skip
    discovery.register(spec)
    yield "few"
    discovery.unregister("few")


def run(*words: str) -> int:
    return main.main(words)


# ------------------------------------------------------------------------------------------ the command itself


def test_version(capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="0"):
        run("--version")
    assert capsys.readouterr().out == f"dovetail {dovetail.__version__}\n"


def test_help_lists_every_command(capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="0"):
        run("--help")
    out = capsys.readouterr().out
    for name in ("backends", "doctor", "demo"):
        assert re.search(rf"^    {name} ", out, re.MULTILINE)


def test_a_command_that_does_not_exist(capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("backend")
    assert "invalid choice: 'backend'" in capsys.readouterr().err


def test_an_error_is_one_line_and_status_2(capsys: Capture) -> None:
    assert run("doctor", "nump") == 2
    err = capsys.readouterr().err
    assert err.startswith("dovetail: unknown device 'nump'. Did you mean 'numpy'?")
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [("--debug", "doctor", "nump"), ("doctor", "nump", "--debug")])
def test_debug_shows_where_an_error_was_raised(words: tuple[str, ...]) -> None:
    with pytest.raises(RuntimeError, match="Did you mean 'numpy'"):
        run(*words)


def test_notes_of_an_error_are_on_its_line(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOVETAIL_BACKEND", "nump")
    selection._forget()
    try:
        assert run("demo", "--epochs", "1") == 2
    finally:
        monkeypatch.undo()
        selection._forget()
    assert "('nump' was asked for by the environment variable DOVETAIL_BACKEND)" in capsys.readouterr().err


def test_the_installed_program_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dovetail.cli.main", "backends"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("backend ")
    assert done.stderr == ""


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    code = f"{sys.executable} -m dovetail.cli.main backends --ops | head -1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {code}"], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("backend ")
    assert done.stderr == ""


# ------------------------------------------------------------------------------------------ backends


def test_backends_lists_state_devices_and_versions(few: str, capsys: Capture) -> None:
    assert run("backends") == 0
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if line.startswith("few "))
    assert re.split(r"\s{2,}", row) == [
        "few", "usable", "few:cpu", f"pytest {pytest.__version__}", "Acme https://acme.example", "register()"
    ]  # fmt: skip
    assert "few:npu cannot be used: its npu is asleep" in lines


def test_the_highest_priority_comes_first(capsys: Capture) -> None:
    run("backends")
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1 : 1 + len(discovery.registrations)]]
    priorities = [discovery.registrations[name].spec.priority for name in names]
    assert priorities == sorted(priorities, reverse=True)


def test_a_backend_that_is_not_usable_shows_what_installs_it(capsys: Capture) -> None:
    spec = BackendSpec(name="absent", runtime="x:Y", probe=lambda kind: "no driver", install="pip install absent")
    discovery.discover()
    discovery.register(spec)
    try:
        run("backends")
    finally:
        discovery.unregister("absent")
    out = capsys.readouterr().out
    assert re.search(r"^absent +not usable +- +not installed", out, re.MULTILINE)
    assert "absent:cpu cannot be used: no driver (install with: pip install absent)" in out


def test_ops_are_listed_with_how_each_runs(few: str, capsys: Capture) -> None:
    assert run("backends", "--ops") == 0
    out = capsys.readouterr().out
    header = next(line.split() for line in out.splitlines() if line.startswith("op "))
    assert header[:2] == ["op", "is"]
    table = {
        line.split()[0]: line.split()[1:]
        for line in out.splitlines()
        if line.split()[1:2] in (["primitive"], ["derived"])
    }
    assert set(table) == {op.name for op in registry.ops()}
    at = header.index("few") - 1
    assert (table["add"][0], table["add"][at]) == ("primitive", "kernel")
    assert (table["softmax"][0], table["softmax"][at]) == ("derived", "kernel")
    assert (table["log_softmax"][0], table["log_softmax"][at]) == ("derived", "decomposition")
    assert (table["exp"][0], table["exp"][at]) == ("primitive", "fallback")
    assert table["exp"][header.index("numpy") - 1] == "kernel"
    assert re.search(r"^few: .*by fallback.*3 by kernel", out, re.MULTILINE)


def test_what_the_matrix_says_is_what_runs(few: str) -> None:
    """The table is a promise: a call is made for each of its words."""
    ways = {row.op: row.by_backend["few"] for row in support.matrix(["few"])}
    x = dovetail.ones(2, 3, device="few")
    assert ways["add"] == "kernel"
    assert x.add(1).tolist() == [[2.0] * 3] * 2
    assert ways["exp"] == "fallback"
    with pytest.warns(UserWarning, match="exp: backend 'few' has neither a kernel nor a decomposition"):
        x.exp()


def test_an_op_that_nobody_can_run_is_missing() -> None:
    @op(shape=rules.like_first, dtype=rules.same, internal=True)
    def nobody_has_it(input: dovetail.Tensor) -> dovetail.Tensor:
        """Nothing."""
        raise NoDecomposition

    try:
        (row,) = [row for row in support.matrix(["numpy"]) if row.op == "nobody_has_it"]
    finally:
        registry.remove("nobody_has_it")
    assert row.by_backend == {"numpy": "missing"}


# ------------------------------------------------------------------------------------------ doctor


def test_doctor_says_what_would_run_and_why(capsys: Capture, few: str) -> None:
    with dovetail.use_backend("few"):
        assert run("doctor") == 0
    out = capsys.readouterr().out
    assert re.search(r"default device +few:cpu:0, because of: with block", out)
    assert re.search(r"hardware +two ops in a box", out)
    assert re.search(r"few +usable on cpu; priority -3; pytest [\d.]+; announced by register\(\)", out)
    assert "few:npu cannot be used: its npu is asleep" in out
    for name in ("DOVETAIL_BACKEND", "FEW_SETTING", "project file", "driver", "devices", "Python", "dovetail"):
        assert re.search(rf"^  {name} +\S", out, re.MULTILINE), name


def test_doctor_shows_the_environment(capsys: Capture, few: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEW_SETTING", "loud")
    run("doctor")
    assert re.search(r"^  FEW_SETTING +loud$", capsys.readouterr().out, re.MULTILINE)


def test_doctor_reads_the_project_file(capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.dovetail]\nbackend = "numpy"\n')
    run("doctor")
    assert "asks for numpy" in " ".join(capsys.readouterr().out.split())
    (tmp_path / "pyproject.toml").write_text("[tool.dovetail]\nbackend = 3\n")
    selection._forget()
    try:
        assert run("doctor") == 1
    finally:
        monkeypatch.undo()
        selection._forget()
    assert "a device or backend is a text, got 3" in " ".join(capsys.readouterr().out.split())


def test_doctor_of_one_backend_tries_it(capsys: Capture, few: str) -> None:
    assert run("doctor", "few") == 0
    out = capsys.readouterr().out
    assert re.search(r"few:cpu:0 +two ops in a box", out)
    assert re.search(r"1 \+ 1 +2 on few:cpu:0, 3 kernels", out)
    assert "version 2; this dovetail has version 2" in out


def test_doctor_of_a_device_that_cannot_be_used(capsys: Capture, few: str) -> None:
    assert run("doctor", "few:npu") == 1
    assert "few: its npu is asleep" in " ".join(capsys.readouterr().out.split())


def test_doctor_of_a_short_form(capsys: Capture) -> None:
    assert run("doctor", "cpu") == 0
    assert re.search(r"cpu +means numpy:cpu:0", capsys.readouterr().out)


def test_doctor_of_a_runtime_that_is_missing(capsys: Capture) -> None:
    discovery.discover()
    discovery.register(BackendSpec(name="hollow", runtime="no_such_module_of_hollow:Backend"))
    try:
        assert run("doctor", "hollow") == 1
    finally:
        discovery.unregister("hollow")
    out = capsys.readouterr().out
    assert re.search(r"caused by +ModuleNotFoundError: No module named 'no_such_module_of_hollow'", out)


# ------------------------------------------------------------------------------------------ plugins' commands


def test_a_command_of_a_plugin(capsys: Capture) -> None:
    module = types.ModuleType("greeter")

    @hookimpl
    def dovetail_commands(subparsers: Any) -> None:
        parser = subparsers.add_parser("greet")
        parser.set_defaults(run=lambda args: sys.stdout.write("hello\n") and 7)

    module.dovetail_commands = dovetail_commands  # type: ignore[attr-defined]
    discovery.discover()
    discovery.register_plugin(module, "greeter")
    try:
        assert run("greet") == 7
    finally:
        discovery.unregister_plugin("greeter")
    assert capsys.readouterr().out == "hello\n"


def test_a_command_that_cannot_be_added_costs_nobody_else_theirs(capsys: Capture) -> None:
    module = types.ModuleType("clumsy")

    @hookimpl
    def dovetail_commands(subparsers: Any) -> None:
        raise ArgumentError("no idea how")

    module.dovetail_commands = dovetail_commands  # type: ignore[attr-defined]
    discovery.discover()
    discovery.register_plugin(module, "clumsy")
    try:
        assert run("backends") == 0
    finally:
        discovery.unregister_plugin("clumsy")
        discovery.failures.pop("clumsy", None)
    assert "the commands of the plugin 'clumsy' are left out: no idea how" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------ how it is shown

COLUMNS = ("op", "way")
ROWS = (("add", "kernel"), ("a_long_name", "fallback"), ("mul", "missing"))


def test_plain_text_is_aligned(capsys: Capture) -> None:
    show.table(COLUMNS, ROWS, plain=True)
    assert (
        capsys.readouterr().out
        == "op           way\nadd          kernel\na_long_name  fallback\nmul          missing\n"
    )


def test_rich_shows_the_same_words(capsys: Capture) -> None:
    pytest.importorskip("rich", reason="rich is not installed; the extra `demo` has it")
    show.table(COLUMNS, ROWS, plain=False)
    shown = capsys.readouterr().out
    assert "\x1b[" in shown, "colours"
    words = re.sub(r"\x1b\[[0-9;]*m", "", shown).split()
    assert words == show.text(COLUMNS, ROWS).split()


def test_without_rich_a_terminal_gets_plain_text(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **words: Any) -> Any:
        if name.partition(".")[0] == "rich":
            raise ImportError(name)
        return real(name, *rest, **words)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    show.heading("ways")
    show.table(COLUMNS, ROWS)
    assert capsys.readouterr().out == "ways\n" + show.text(COLUMNS, ROWS)


def test_long_lines_are_folded_under_themselves(capsys: Capture) -> None:
    show.item("name", "word " * 40)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1
    assert all(len(line) <= 110 for line in lines)
    assert all(line.startswith(" " * 24) for line in lines[1:])
