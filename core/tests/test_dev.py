"""What ./dev decides: which extras, what pip is asked for, when the environment is made anew."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def dev() -> Iterator[ModuleType]:
    """The script ./dev as a module; its name has no `.py`, so a loader is named."""
    loader = importlib.machinery.SourceFileLoader("dovetail_dev_script", str(ROOT / "dev"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module  # dataclasses look their own module up
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
        yield module
    finally:
        sys.dont_write_bytecode = bytecode
        del sys.modules[loader.name]


SMALL = """
[build-system]
requires = ["hatchling"]
[project]
name = "dovetail"
version = "1"
dependencies = ["numpy"]
[project.optional-dependencies]
jax = ["jax"]
demo = ["rich"]
all = ["dovetail[jax,demo]"]
[tool.ruff]
line-length = 110
"""


def test_fingerprint_follows_requirements_and_nothing_else(dev: ModuleType) -> None:
    before = dev.fingerprint(SMALL)
    assert dev.fingerprint(SMALL.replace("line-length = 110", "line-length = 100")) == before
    assert dev.fingerprint("# a remark\n" + SMALL) == before
    assert dev.fingerprint(SMALL.replace('["numpy"]', '["numpy>=2"]')) != before
    assert dev.fingerprint(SMALL.replace('["rich"]', '["rich>=13"]')) != before
    assert dev.fingerprint(SMALL.replace('["hatchling"]', '["hatchling>=1.26"]')) != before


def test_an_extra_brings_along_the_extras_it_names(dev: ModuleType) -> None:
    assert dev.declared_extras(SMALL) == {"jax": {"jax"}, "demo": {"demo"}, "all": {"all", "jax", "demo"}}
    assert {"demo", "conformance"} < dev.declared_extras(PYPROJECT)["test"]


def test_every_command_asks_for_extras_that_exist(dev: ModuleType) -> None:
    declared = dev.declared_extras(PYPROJECT)
    for command, extras in dev.EXTRAS.items():
        assert set(extras) <= declared.keys(), command


@pytest.mark.parametrize(
    ("command", "arguments", "environ", "extras"),
    [
        ("demo", [], {}, {"demo"}),
        ("demo", ["--compare", "numpy,jax"], {}, {"demo", "jax"}),
        ("demo", ["--backend=jax"], {}, {"demo", "jax"}),
        ("demo", [], {"DOVETAIL_BACKEND": "jax:cpu:0"}, {"demo", "jax"}),
        ("demo", [], {"DEV_EXTRAS": ""}, set()),
        ("demo", ["--backend", "jax"], {"DEV_EXTRAS": "demo"}, {"demo"}),
        ("run", ["python", "jax.py"], {}, {"demo"}),
        ("test", ["-k", "cuda12"], {}, {"test", "jax", "demo", "conformance", "tensorboard"}),
        ("test", [], {"DEV_EXTRAS": "test, cuda13"}, {"test", "cuda13", "demo", "conformance", "tensorboard"}),
        ("conformance", ["jax:cpu:0", "--ops", "mul"], {}, {"conformance", "jax"}),
    ],
)
def test_extras_of_a_call(
    dev: ModuleType, command: str, arguments: list[str], environ: dict[str, str], extras: set[str]
) -> None:
    chosen = dev.choose_extras(command, arguments, environ, dev.declared_extras(PYPROJECT))
    assert chosen == tuple(sorted(extras))


def test_an_unknown_extra_is_refused_with_the_known_ones(dev: ModuleType) -> None:
    with pytest.raises(dev.DevError, match=r"no extra cuda11.*cuda12"):
        dev.choose_extras("test", [], {"DEV_EXTRAS": "test,cuda11"}, dev.declared_extras(PYPROJECT))


@pytest.mark.parametrize(
    ("command", "arguments", "added", "rest"),
    [
        ("test", ["--with", "torch==2.13.0", "-x"], ("torch==2.13.0",), ["-x"]),
        ("test", ["-x", "--with=torch", "--with", "rich"], ("torch", "rich"), ["-x"]),
        ("test", ["--", "--with", "torch"], (), ["--", "--with", "torch"]),
        ("run", ["--with", "torch", "python", "--with", "rich"], ("torch",), ["python", "--with", "rich"]),
        ("demo", ["--epochs", "3"], (), ["--epochs", "3"]),
    ],
)
def test_with_is_taken_out_of_the_arguments(
    dev: ModuleType, command: str, arguments: list[str], added: tuple[str, ...], rest: list[str]
) -> None:
    assert dev.split_with(command, arguments) == (added, rest)


def test_with_needs_a_requirement(dev: ModuleType) -> None:
    with pytest.raises(dev.DevError, match="expects a requirement"):
        dev.split_with("test", ["--with"])
    with pytest.raises(dev.DevError, match="not '--pre'"):
        dev.project_name("--pre")


def test_a_newer_requirement_replaces_the_older_about_the_same_project(dev: ModuleType) -> None:
    assert dev.project_name("Foo_Bar[x] >= 1 ; python_version > '3'") == "foo-bar"
    assert dev.project_name("./wheels/torch.whl") == "./wheels/torch.whl"
    assert dev.merge_added(["torch==2.12", "rich"], ["Torch==2.13.0"]) == ("Torch==2.13.0", "rich")


DECLARED = {name: frozenset({name}) for name in ("demo", "jax", "test")}


def test_plan_builds_where_nothing_is(dev: ModuleType) -> None:
    want = dev.State("r", "h", ("demo",))
    assert dev.plan(None, want, DECLARED).action == "build"


def test_plan_reuses_what_is_enough(dev: ModuleType) -> None:
    have = dev.State("r", "h", ("demo", "jax", "test"), ("torch==2.13.0",))
    step = dev.plan(have, dev.State("r", "h", ("jax",)), DECLARED)
    assert (step.action, step.state) == ("reuse", have)


@pytest.mark.parametrize(
    ("extras", "added"), [(("test",), ()), (("demo",), ("torch==2.13.0",)), (("demo",), ("rich==14",))]
)
def test_plan_extends_and_keeps_what_was_there(
    dev: ModuleType, extras: tuple[str, ...], added: tuple[str, ...]
) -> None:
    have = dev.State("r", "h", ("demo",), ("rich==13",))
    step = dev.plan(have, dev.State("r", "h", extras, added), DECLARED)
    assert step.action == "extend"
    assert set(step.state.extras) == {"demo", *extras}
    assert step.state.added == dev.merge_added(have.added, added)


def test_plan_builds_anew_after_a_change_and_keeps_the_extras_that_still_exist(dev: ModuleType) -> None:
    have = dev.State("old", "h", ("demo", "gone"), ("torch==2.13.0",))
    step = dev.plan(have, dev.State("new", "h", ("jax",)), DECLARED)
    assert step.action == "build"
    assert step.state == dev.State("new", "h", ("demo", "jax"), ("torch==2.13.0",))


def test_plan_builds_anew_after_a_cut_short_installation(dev: ModuleType) -> None:
    have = dev.State("r", "h", ("demo",), complete=False)
    step = dev.plan(have, dev.State("r", "h", ("demo",)), DECLARED)
    assert step.action == "build"
    assert step.state.complete


def test_plan_carries_nothing_to_another_python(dev: ModuleType) -> None:
    have = dev.State("r", "cpython-311 /here", ("demo",), ("torch==2.13.0",))
    want = dev.State("r", "cpython-312 /here", ("jax",))
    assert dev.plan(have, want, DECLARED) == dev.Plan("build", want, dev.plan(have, want, DECLARED).why)


def test_pip_gets_all_requirements_in_one_call(dev: ModuleType) -> None:
    state = dev.State("r", "h", ("jax", "test"), ("torch==2.13.0",))
    assert dev.pip_arguments(state, Path("/src"))[-3:] == ["--editable", "/src[jax,test]", "torch==2.13.0"]
    assert dev.pip_arguments(replace(state, extras=(), added=()), Path("/src"))[-1] == "/src"


def fake_environment(dev: ModuleType, folder: Path) -> None:
    """What read_state looks at: an interpreter that can be started."""
    python = dev.bin_folder(folder) / ("python.exe" if os.name == "nt" else "python")
    python.parent.mkdir(parents=True)
    shutil.copy(sys.executable, python)


def test_state_survives_the_disk(dev: ModuleType, tmp_path: Path) -> None:
    fake_environment(dev, tmp_path)
    state = dev.State("r", "h", ("demo",), ("torch==2.13.0",), complete=False)
    dev.write_state(tmp_path, state)
    assert dev.read_state(tmp_path) == state


def test_state_is_none_where_the_environment_can_not_be_used(dev: ModuleType, tmp_path: Path) -> None:
    assert dev.read_state(tmp_path / "absent") is None
    assert dev.read_state(tmp_path) is None  # an empty folder
    dev.write_state(tmp_path, dev.State("r", "h"))
    assert dev.read_state(tmp_path) is None  # its Python is gone
    fake_environment(dev, tmp_path)
    assert dev.read_state(tmp_path) is not None
    for broken in ("{", "[]", "{}", '{"extras": [], "added": [], "other": 1}'):
        (tmp_path / dev.STATE_FILE).write_text(broken)
        assert dev.read_state(tmp_path) is None, broken


def test_a_foreign_environment_is_left_alone(dev: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("home = /somewhere\n")
    with pytest.raises(dev.DevError, match=r"not made by \./dev"):
        dev.read_state(tmp_path)
    assert (tmp_path / "pyvenv.cfg").exists()


class Pip:
    """Stands for pip and venv in `install`: records what it was asked, and what the mark said meanwhile."""

    def __init__(self, dev: ModuleType, venv: Path, status: dict[str, int]) -> None:
        self.dev, self.venv, self.status = dev, venv, status
        self.marks: list[object] = []

    def run(self, venv: Path, arguments: list[str]) -> int:
        self.marks.append(self.dev.read_state(venv))
        return self.status.get(arguments[0], 0)

    def make(self, venv: Path, unfinished: object) -> None:
        self.dev.remove(venv)
        fake_environment(self.dev, venv)
        self.dev.write_state(venv, unfinished)


@pytest.mark.parametrize(
    ("status", "after"),
    [
        ({}, "wanted"),
        ({"install": 1}, "before"),  # pip refused and changed nothing: what was there still serves
        ({"install": 1, "check": 1}, "unfinished"),
    ],
)
def test_extending(
    dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: dict[str, int], after: str
) -> None:
    venv = tmp_path / "venv"
    pip = Pip(dev, venv, status)
    monkeypatch.setattr(dev, "run_pip", pip.run)
    fake_environment(dev, venv)
    have = dev.State("r", "h", ("demo",))
    want = dev.State("r", "h", ("demo", "jax"))
    dev.write_state(venv, have)
    if status:
        with pytest.raises(dev.DevError, match="pip could not install"):
            dev.install(venv, have, dev.Plan("extend", want))
    else:
        dev.install(venv, have, dev.Plan("extend", want))
    unfinished = replace(have, complete=False)
    assert pip.marks[0] == unfinished
    assert dev.read_state(venv) == {"wanted": want, "before": have, "unfinished": unfinished}[after]


def test_a_failed_build_is_built_anew_by_the_next_call(
    dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv = tmp_path / "venv"
    pip = Pip(dev, venv, {"install": 1})
    monkeypatch.setattr(dev, "run_pip", pip.run)
    monkeypatch.setattr(dev, "make_venv", pip.make)
    want = dev.State("r", "h", ("demo",), ("no-such-thing==0",))
    with pytest.raises(dev.DevError, match="pip could not install"):
        dev.install(venv, None, dev.Plan("build", want))
    left = dev.read_state(venv)
    again = dev.plan(left, dev.State("r", "h", ("demo",)), DECLARED)
    assert again.action == "build"
    assert again.state.added == ()  # the requirement that can not be had does not come back


def test_an_unknown_command_is_refused_with_the_known_ones() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "dev"), "tset"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("dev: no command 'tset'; there are demo, test,")
