"""Which backend and device a program gets: the table of semantics, one precedence, blocks per thread and task."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import types
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import dovetail
from dovetail.backend import Array, Backend, BackendSpec, Device, KernelTable
from dovetail.contract import discovery, selection
from dovetail.errors import ArgumentError, ArgumentTypeError, DeviceError, DeviceSubstitutionWarning


class OnTheHost(Backend):
    """A backend on the host's arrays that claims two devices of each of its kinds."""

    @property
    def kernels(self) -> KernelTable:
        return discovery.load("numpy").kernels

    def devices(self) -> Sequence[Device]:
        return [Device.of(self.name, kind, index) for kind in self.spec.kinds for index in range(2)]

    def from_host(self, array: Any, device: Device) -> Array:
        return array.copy()

    def to_host(self, array: Array) -> Any:
        return array


@pytest.fixture(autouse=True)
def _backends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """``gpu`` has CUDA devices alone, ``both`` a CPU and CUDA devices, ``own`` a kind of its own; nothing is chosen."""
    module = types.ModuleType("backends_of_the_selection_tests")
    module.OnTheHost = OnTheHost  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.delenv(selection.ENVIRONMENT, raising=False)
    monkeypatch.chdir(tmp_path)
    discovery.discover()
    kinds = {"gpu": (("cuda",), 55), "both": (("cpu", "cuda"), 45), "own": (("npu",), 5)}
    for name, (has, priority) in kinds.items():
        spec = BackendSpec(name=name, runtime=f"{module.__name__}:OnTheHost", kinds=has, priority=priority)
        discovery.register(spec)
    selection._said.clear()
    yield
    dovetail.set_default_device(None)
    for name in kinds:
        discovery.unregister(name)


def made(**words: Any) -> str:
    return str(dovetail.ones(1, **words).device)


# ------------------------------------------------------------------------------------------ the table

TABLE = [
    (None, "numpy", "numpy:cpu:0"),
    (None, "gpu", "gpu:cuda:0"),
    (None, "both", "both:cpu:0"),
    ("cpu", "numpy", "numpy:cpu:0"),
    ("cpu", "gpu", "numpy:cpu:0"),
    ("cpu", "both", "both:cpu:0"),
    ("cpu:1", "both", "both:cpu:1"),
    ("cuda", "numpy", "gpu:cuda:0"),
    ("cuda:1", "numpy", "gpu:cuda:1"),
    ("cuda", "gpu", "gpu:cuda:0"),
    ("cuda:1", "gpu", "gpu:cuda:1"),
    ("cuda", "both", "both:cuda:0"),
    ("cuda:1", "both", "both:cuda:1"),
    (1, "both", "both:cuda:1"),
    *[("own:npu:1", setting, "own:npu:1") for setting in ("numpy", "gpu", "both")],
    *[("both:cuda:1", setting, "both:cuda:1") for setting in ("numpy", "gpu", "both")],
    *[("both", setting, "both:cpu:0") for setting in ("numpy", "gpu")],
    *[("npu", setting, "own:npu:0") for setting in ("numpy", "both")],
]


@pytest.mark.parametrize(("asked", "setting", "answer"), TABLE)
@pytest.mark.filterwarnings("ignore::dovetail.errors.DeviceSubstitutionWarning")
def test_the_table_of_semantics(asked: Any, setting: str, answer: str) -> None:
    dovetail.set_backend(setting)
    assert made(**({} if asked is None else {"device": asked})) == answer


@pytest.mark.filterwarnings("ignore::dovetail.errors.DeviceSubstitutionWarning")
@pytest.mark.parametrize(("asked", "setting", "answer"), [row for row in TABLE if row[0] is not None])
def test_the_table_holds_for_every_way_to_ask(asked: Any, setting: str, answer: str) -> None:
    dovetail.set_backend(setting)
    assert str(dovetail.device(asked)) == answer
    assert str(dovetail.ones(1, device="numpy:cpu").to(asked).device) == answer
    with dovetail.use_backend(asked):
        assert made() == answer
    dovetail.set_default_device(asked)
    assert made() == answer


def test_a_substitute_is_said_once_and_names_both() -> None:
    with pytest.warns(
        DeviceSubstitutionWarning, match="'cuda' means gpu:cuda: the selected backend 'numpy' has no"
    ) as seen:
        made(device="cuda")
    assert seen[0].filename == __file__, "the warning shows the line that asked"
    made(device="cuda")


def test_the_cpu_of_a_backend_without_one_is_no_news() -> None:
    dovetail.set_backend("gpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert made(device="cpu") == "numpy:cpu:0"


# ------------------------------------------------------------------------------------------ precedence


def test_the_closest_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert (made(), selection.source_of_default()) == ("numpy:cpu:0", "highest priority")

    (tmp_path / "pyproject.toml").write_text('[tool.dovetail]\nbackend = "both"\n')
    selection._forget()
    assert (made(), selection.source_of_default()) == ("both:cpu:0", f"project file {tmp_path / 'pyproject.toml'}")

    monkeypatch.setenv("DOVETAIL_BACKEND", "own")
    selection._forget()
    assert (made(), selection.source_of_default()) == ("own:npu:0", "environment variable DOVETAIL_BACKEND")

    dovetail.set_default_device("both:cuda:1")
    assert (made(), selection.source_of_default()) == ("both:cuda:1", "set_backend() or set_default_device()")

    with dovetail.use_backend("gpu"):
        assert (made(), selection.source_of_default()) == ("gpu:cuda:0", "with block")
        assert made(device="own:npu:1") == "own:npu:1"
        with dovetail.device("cpu"):
            assert made() == "numpy:cpu:0"
        assert made() == "gpu:cuda:0"

    dovetail.set_default_device(None)
    assert made() == "own:npu:0"


def test_what_stands_outside_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert made() == "numpy:cpu:0"
    monkeypatch.setenv("DOVETAIL_BACKEND", "own")
    assert made() == "numpy:cpu:0"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('[tool.dovetail]\ndevice = "both:cuda:1"\nbackend = "own"\n', "both:cuda:1"),
        ('[tool]\ndovetail = { backend = "own" }\n', "numpy:cpu:0"),
        ("[tool.dovetail]\nother = 1\n", "numpy:cpu:0"),
        ("[project]\nname = 'x'\n", "numpy:cpu:0"),
    ],
)
def test_project_files(tmp_path: Path, text: str, answer: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    selection._forget()
    assert made() == answer


def test_the_nearest_project_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.dovetail]\nbackend = "own"\n')
    inner = tmp_path / "inner" / "deeper"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    selection._forget()
    assert made() == "own:npu:0"
    (tmp_path / "inner" / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    selection._forget()
    assert made() == "numpy:cpu:0"


@pytest.mark.parametrize("text", ["[tool.dovetail\n", "[tool.dovetail]\nbackend = 3\n", "tool.dovetail = 1\n"])
def test_a_project_file_that_makes_no_sense_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    selection._forget()
    with pytest.raises(ArgumentError, match=r"\[tool\.dovetail\] in .*pyproject\.toml"):
        made()


def test_a_wrong_name_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOVETAIL_BACKEND", "bboth")
    selection._forget()
    with pytest.raises(DeviceError, match="Did you mean 'both'") as caught:
        made()
    assert caught.value.__notes__ == ["'bboth' was asked for by the environment variable DOVETAIL_BACKEND"]


def test_a_program_is_moved_by_its_environment_alone(tmp_path: Path) -> None:
    pytest.importorskip("jax", reason="JAX is not installed; the extra `jax` has it")
    code = "import dovetail; x = dovetail.ones(2); print(x.device, (x + x).device, dovetail.device('cpu'))"
    (tmp_path / "pyproject.toml").write_text('[tool.dovetail]\nbackend = "numpy"\n')
    found = []
    for setting in ("jax", "jax:cpu:0", "numpy", ""):
        env = {**os.environ, "DOVETAIL_BACKEND": setting}
        found.append(subprocess.check_output([sys.executable, "-c", code], env=env, cwd=tmp_path, text=True).split())
    assert found == [["jax:cpu:0"] * 3, ["jax:cpu:0"] * 3, ["numpy:cpu:0"] * 3, ["numpy:cpu:0"] * 3]


# ------------------------------------------------------------------------------------------ blocks


def test_a_block_belongs_to_its_thread() -> None:
    found: list[str] = []
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        entered.wait(10)
        found.append(made())
        with dovetail.use_backend("own"):
            found.append(made())
        leave.set()

    thread = threading.Thread(target=other)
    thread.start()
    with dovetail.use_backend("both"):
        entered.set()
        leave.wait(10)
        assert made() == "both:cpu:0"
    thread.join()
    assert found == ["numpy:cpu:0", "own:npu:0"]


def test_a_block_belongs_to_its_task() -> None:
    async def task(name: str) -> list[str]:
        seen = []
        with dovetail.use_backend(name):
            for _ in range(3):
                await asyncio.sleep(0)
                seen.append(made())
        return [*seen, made()]

    async def both() -> list[list[str]]:
        return list(await asyncio.gather(task("both"), task("own")))

    assert asyncio.run(both()) == [["both:cpu:0"] * 3 + ["numpy:cpu:0"], ["own:npu:0"] * 3 + ["numpy:cpu:0"]]


def test_setting_is_seen_by_every_thread() -> None:
    found: list[str] = []
    dovetail.set_backend("both")
    thread = threading.Thread(target=lambda: found.append(made()))
    thread.start()
    thread.join()
    assert found == ["both:cpu:0"]


def test_a_block_ends_also_by_an_error() -> None:
    with pytest.raises(ZeroDivisionError), dovetail.use_backend("both"):
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), dovetail.device("own:npu:0"):
        raise ZeroDivisionError
    assert made() == "numpy:cpu:0"


def test_a_block_can_be_entered_twice() -> None:
    block = dovetail.use_backend("both")
    with block as device:
        assert str(device) == "both:cpu:0"
        with block:
            assert made() == "both:cpu:0"
        assert made() == "both:cpu:0"
    assert made() == "numpy:cpu:0"


# ------------------------------------------------------------------------------------------ the functions


def test_what_is_chosen_can_be_asked() -> None:
    assert dovetail.get_backend() == "numpy"
    with dovetail.use_backend("both:cuda:1"):
        assert dovetail.get_backend() == "both"
        assert dovetail.get_default_device() is dovetail.device("both:cuda:1")


def test_devices_are_one_object_each() -> None:
    assert dovetail.device("cpu") is dovetail.device("numpy:cpu:0")
    assert dovetail.device("both:cuda", 1) is dovetail.device("both:cuda:1")
    assert dovetail.device(dovetail.device("cpu")) is dovetail.device("cpu")
    assert dovetail.device("cpu") != dovetail.device("both:cpu")


@pytest.mark.parametrize("asked", [3.5, [], object(), True])
def test_what_is_no_device_is_an_error(asked: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="a device is a string such as 'cpu' or 'cuda:0'"):
        dovetail.ones(1, device=asked)


def test_a_backend_that_goes_is_not_chosen_any_more() -> None:
    discovery.unregister("own")
    dovetail.set_backend("gpu")
    discovery.unregister("gpu")
    try:
        with pytest.raises(RuntimeError, match="unknown backend 'gpu'"):
            made(device="gpu:cuda:0")
    finally:
        dovetail.set_default_device(None)
        for name, kinds in (("own", ("npu",)), ("gpu", ("cuda",))):
            discovery.register(BackendSpec(name=name, runtime="backends_of_the_selection_tests:OnTheHost", kinds=kinds))
