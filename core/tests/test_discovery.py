"""Plugins and backends: found, guarded, registered and taken out again; lazily, and with errors that help."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import dovetail
from dovetail.backend import Array, Backend, BackendSpec, Device, KernelTable
from dovetail.contract import cuda, discovery
from dovetail.contract.backend import CONTRACT_VERSION
from dovetail.errors import (
    ArgumentError,
    BackendError,
    ContractVersionError,
    DeviceError,
    DeviceSubstitutionWarning,
    PluginWarning,
)

Announce = Callable[..., BackendSpec]
CORE = Path(dovetail.__file__).resolve().parents[1]


class Counting(Backend):
    """A backend on the host's arrays whose devices are what its spec says; counts how often its table is made."""

    tables = 0

    @property
    def kernels(self) -> KernelTable:
        type(self).tables += 1
        return discovery.load("numpy").kernels

    def devices(self) -> Sequence[Device]:
        return [Device.of(self.name, kind, index) for kind in self.spec.kinds for index in range(2)]

    def from_host(self, array: Any, device: Device) -> Array:
        return array.copy()

    def to_host(self, array: Array) -> Any:
        return array


@pytest.fixture
def announce() -> Iterator[Announce]:
    """Register a backend for the length of a test."""
    module = types.ModuleType("backends_of_the_discovery_tests")
    module.Counting = Counting  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    made: list[str] = []

    def register(name: str, **words: Any) -> BackendSpec:
        spec = BackendSpec(**{"name": name, "runtime": f"{module.__name__}:Counting", "priority": -5, **words})
        discovery.discover()
        discovery.register(spec)
        made.append(name)
        return spec

    yield register
    for name in made:
        if name in discovery.registrations:
            discovery.unregister(name)
    del sys.modules[module.__name__]


def plugin(**hooks: Any) -> types.ModuleType:
    module = types.ModuleType("a_plugin_of_the_tests")
    for name, function in hooks.items():
        setattr(module, name, dovetail.backend.hookimpl(function))
    return module


# ------------------------------------------------------------------------------------------ register, unregister


def test_a_backend_comes_and_goes(announce: Announce) -> None:
    announce("visitor")
    x = dovetail.ones(3, device="visitor:cpu:1")
    assert str(x.device) == "visitor:cpu:1"
    assert (x + x).tolist() == [2.0, 2.0, 2.0]
    discovery.unregister("visitor")
    with pytest.raises(BackendError, match="unknown backend 'visitor'"):
        dovetail.ones(3, device="visitor:cpu:0")


def test_a_name_that_is_taken_stays_with_the_first(announce: Announce) -> None:
    first = announce("visitor")
    with pytest.raises(ArgumentError, match="collides with the one that register\\(\\) has registered"):
        announce("visitor")
    assert discovery.registrations["visitor"].spec is first
    second = BackendSpec(name="visitor", runtime=first.runtime, priority=-9)
    discovery.register(second, replace=True)
    assert discovery.registrations["visitor"].spec is second


@pytest.mark.parametrize("name", ["", "two words", "a-b", "9lives"])
def test_a_name_must_be_an_identifier(name: str) -> None:
    with pytest.raises(ArgumentError, match="must be an identifier"):
        discovery.register(BackendSpec(name=name, runtime="x:Y"))


def test_what_announces_no_backend_is_refused() -> None:
    with pytest.raises(ArgumentError, match="announced by a BackendSpec, got dict"):
        discovery.register({"name": "x"})  # type: ignore[arg-type]


def test_a_backend_that_replaces_one_gets_the_plans_made_anew(announce: Announce) -> None:
    announce("visitor")
    x = dovetail.ones(2, device="visitor:cpu:0")
    x + x
    before = discovery.load("visitor")
    discovery.register(discovery.registrations["visitor"].spec, replace=True)
    assert (x + x).tolist() == [2.0, 2.0]
    assert discovery.load("visitor") is not before


def test_the_table_is_resolved_once_by_many_threads(announce: Announce) -> None:
    announce("visitor")
    Counting.tables = 0
    found: list[Backend] = []
    barrier = threading.Barrier(8)

    def use() -> None:
        barrier.wait()
        found.append(discovery.load("visitor"))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(runtime) for runtime in found}) == 1


# ------------------------------------------------------------------------------------------ plugins


def test_nothing_of_a_plugin_stays_when_one_hook_fails() -> None:
    def backends() -> list[BackendSpec]:
        return [BackendSpec(name="first", runtime="x:Y"), BackendSpec(name="numpy", runtime="x:Y")]

    discovery.discover()
    before = dict(discovery.registrations)
    with pytest.raises(ArgumentError, match="'numpy' of careless collides"):
        discovery.register_plugin(plugin(dovetail_backends=backends), "careless")
    assert discovery.registrations == before
    assert not discovery.manager().has_plugin("careless")


def test_a_plugin_is_registered_once() -> None:
    discovery.register_plugin(plugin(), "once")
    try:
        with pytest.raises(ArgumentError, match="'once' is registered already"):
            discovery.register_plugin(plugin(), "once")
    finally:
        discovery.unregister_plugin("once")


def test_a_plugin_whose_kernels_fail_costs_the_backend_nothing(announce: Announce) -> None:
    def broken(backend: str, table: KernelTable) -> None:
        raise RuntimeError("no such kernel")

    announce("visitor")
    discovery.register_plugin(plugin(dovetail_kernels=broken), "broken_kernels")
    try:
        with pytest.warns(PluginWarning, match="'broken_kernels': RuntimeError: no such kernel"):
            x = dovetail.ones(2, device="visitor:cpu")
        assert (x + 1).tolist() == [2.0, 2.0]
    finally:
        discovery.unregister_plugin("broken_kernels")
        discovery.failures.pop("broken_kernels")


def test_kernels_of_a_plugin_are_used(announce: Announce) -> None:
    class Own(Counting):
        table = KernelTable()

        @property
        def kernels(self) -> KernelTable:
            if not len(self.table):
                self.table.update(super().kernels)
            return self.table

    sys.modules["backends_of_the_discovery_tests"].Own = Own  # type: ignore[attr-defined]
    seen: list[str] = []

    def kernels(backend: str, table: KernelTable) -> None:
        if backend == "visitor":
            table(dovetail.ops.exp)(lambda x: seen.append("exp") or x)  # type: ignore[func-returns-value]

    announce("visitor", runtime="backends_of_the_discovery_tests:Own")
    discovery.register_plugin(plugin(dovetail_kernels=kernels), "own_kernels")
    try:
        assert dovetail.ones(2, device="visitor:cpu").exp().tolist() == [1.0, 1.0]
        assert seen == ["exp"]
    finally:
        discovery.unregister_plugin("own_kernels")


def distribution(folder: Path, name: str, module: str, code: str | None, entry: str | None = None) -> None:
    """An installed distribution with an entry point: what pip leaves behind."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[dovetail]\n{name} = {entry or module}\n")
    if code is not None:
        (folder / f"{module}.py").write_text(code)


def python(code: str, *paths: Path, flags: Sequence[str] = (), **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, with further folders on its path."""
    path = os.pathsep.join([*map(str, paths), *filter(None, sys.path)])
    env = {k: v for k, v in os.environ.items() if k not in ("DOVETAIL_BACKEND", "PYTHONWARNINGS")}
    return subprocess.run(
        [sys.executable, *flags, "-c", code], env={**env, "PYTHONPATH": path, **environment},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


GOOD_PLUGIN = """
from dovetail.backend import BackendSpec, hookimpl

@hookimpl
def dovetail_backends():
    return [BackendSpec(name="zebra", runtime="nowhere:Nothing", priority=-50, probe=lambda kind: "no zebra here")]
"""

BROKEN = {
    "aaa_raises": "raise ValueError('its own fault')",
    "aab_exits": "import sys; sys.exit('leaving')",
    "aac_imports": "import a_library_that_is_not_there",
    "aad_hook": "from dovetail.backend import hookimpl\n@hookimpl\ndef dovetail_backends(): raise KeyError('hook')",
    "aae_spec": "from dovetail.backend import hookimpl\n@hookimpl\ndef dovetail_backends(): return ['text']",
    "aaf_name": "from dovetail.backend import hookimpl\n@hookimpl\ndef dovetail_backend(): return []",
}


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    """A folder with installed plugins: six that are broken in six ways, one missing its module, and a good one."""
    for name, code in BROKEN.items():
        distribution(tmp_path, name, f"{name}_module", code)
    distribution(tmp_path, "aag_missing", "no_such_module_at_all", None)
    distribution(tmp_path, "aah_attribute", "aah_module", "", entry="aah_module:nothing")
    distribution(tmp_path, "zzz_good", "zzz_module", GOOD_PLUGIN)
    return tmp_path


def test_broken_plugins_stop_nobody(strangers: Path) -> None:
    code = (
        "import dovetail; print(dovetail.ones(2).tolist()); print('zebra' in dovetail.contract.discovery.registrations)"
    )
    done = python(code, strangers)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[1.0, 1.0]", "True"]
    assert done.stderr.count("PluginWarning") == 1, "one warning for all"
    for name in [*BROKEN, "aag_missing", "aah_attribute"]:
        assert f"'{name}'" in done.stderr
    assert "its own fault" in done.stderr


def test_broken_plugins_stop_nobody_where_warnings_are_errors(strangers: Path) -> None:
    code = (
        "import dovetail\n"
        "from dovetail.contract import discovery\n"
        "try:\n    dovetail.ones(2)\n"
        "except Warning as warning:\n    print(type(warning).__name__)\n"
        "print(dovetail.ones(2).tolist(), 'zebra' in discovery.registrations, len(discovery.failures))\n"
    )
    done = python(code, strangers, flags=["-W", "error"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["PluginWarning", f"[1.0, 1.0] True {len(BROKEN) + 2}"]


def test_importing_dovetail_loads_no_plugin(strangers: Path) -> None:
    done = python("import dovetail, sys; print([m for m in sys.modules if m.startswith(('aaa_', 'zzz_'))])", strangers)
    assert done.stdout == "[]\n"
    assert done.stderr == ""


def test_the_doctor_shows_the_cause(strangers: Path) -> None:
    done = python("from dovetail.cli.main import main; main(['doctor'])", strangers)
    assert "could not be loaded: ValueError: its own fault" in done.stdout
    assert "aaa_raises_module.py:1" in done.stdout
    assert "no zebra here" in done.stdout


def test_a_plugin_that_uses_dovetail_while_it_is_loaded(tmp_path: Path) -> None:
    code = "import dovetail\nfrom dovetail.contract import discovery\nfound = [s.name for s in discovery.usable()]\n"
    distribution(tmp_path, "aaa_eager", "aaa_eager_module", code)
    done = python("import dovetail; print(dovetail.ones(1).item())", tmp_path)
    assert (done.stdout, done.stderr) == ("1.0\n", "")


def test_a_distribution_that_is_on_the_path_twice_is_one_plugin(tmp_path: Path) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        distribution(folder, "twice", "twice_module", GOOD_PLUGIN)
    done = python("import dovetail; print(dovetail.ones(1).item())", tmp_path / "a", tmp_path / "b")
    assert (done.stdout, done.stderr) == ("1.0\n", "")


# ------------------------------------------------------------------------------------------ versions of the contract


@pytest.mark.parametrize(("offset", "side"), [(-2, "the plugin"), (1, "dovetail")])
def test_another_version_of_the_contract(announce: Announce, offset: int, side: str) -> None:
    theirs = CONTRACT_VERSION + offset
    announce("elder", contract=theirs)
    words = f"contract version {theirs} and this dovetail has version {CONTRACT_VERSION}: upgrade {side}"
    assert words in str(discovery.reason("elder", "cpu"))
    with pytest.raises(ContractVersionError, match=words):
        dovetail.ones(2, device="elder")
    with pytest.raises(DeviceError, match=words):
        dovetail.ones(2, device="elder:cpu:0")
    assert "elder" not in [spec.name for spec in discovery.usable()]


# ------------------------------------------------------------------------------------------ errors


def test_an_unknown_backend_is_told_what_there_is(announce: Announce) -> None:
    announce("visitor", probe=lambda kind: "its driver is missing", install="pip install visitor-driver")
    with pytest.raises(BackendError) as caught:
        discovery.load("vistor")
    words = str(caught.value)
    assert "unknown backend 'vistor'. Did you mean 'visitor'?" in words
    assert "numpy (usable)" in words
    assert "visitor (not usable: its driver is missing; install with: pip install visitor-driver)" in words


def test_an_unknown_device_is_told_what_there_is() -> None:
    with pytest.raises(DeviceError, match=r"unknown device 'cpuu'\. Did you mean 'cpu'\?") as caught:
        dovetail.ones(2, device="cpuu")
    assert "Kinds: cpu" in str(caught.value)
    assert "pip install" in str(caught.value)


def test_a_backend_that_cannot_be_used_says_why_and_what_installs_it(announce: Announce) -> None:
    announce("visitor", probe=lambda kind: "its driver is missing", install="pip install visitor-driver")
    for ask in (dovetail.set_backend, dovetail.use_backend, dovetail.device):
        with pytest.raises(RuntimeError, match=r"its driver is missing.* pip install visitor-driver"):
            ask("visitor")


def test_a_runtime_that_cannot_be_imported_says_what_is_missing(announce: Announce) -> None:
    announce("visitor", runtime="no_such_module_either:Backend", install="pip install visitor")
    with pytest.raises(BackendError, match=r"No module named 'no_such_module_either'.*pip install visitor"):
        dovetail.ones(2, device="visitor")
    announce("guest", runtime="backends_of_the_discovery_tests:Missing")
    with pytest.raises(BackendError, match="has no attribute 'Missing'"):
        dovetail.ones(2, device="guest")
    announce("caller", runtime="collections:OrderedDict")
    with pytest.raises(BackendError, match=r"cannot be loaded|is not a dovetail\.backend\.Backend"):
        dovetail.ones(2, device="caller")


def test_a_probe_that_fails_is_an_answer(announce: Announce) -> None:
    def probe(kind: str) -> str | None:
        raise OSError("libacme.so is broken")

    announce("visitor", probe=probe)
    assert discovery.reason("visitor", "cpu") == "its probe failed: OSError: libacme.so is broken"


def test_a_probe_is_asked_once_per_kind(announce: Announce) -> None:
    asked: list[str] = []
    announce("visitor", kinds=("cpu", "npu"), probe=lambda kind: asked.append(kind))  # type: ignore[func-returns-value]
    for _ in range(3):
        discovery.reason("visitor")
        discovery.usable("npu")
    assert sorted(asked) == ["cpu", "npu"]


def test_a_device_that_does_not_exist(announce: Announce) -> None:
    announce("visitor")
    with pytest.raises(DeviceError, match="invalid device ordinal: visitor:cpu:7 does not exist, there are 2"):
        dovetail.ones(1, device="visitor:cpu:7")
    with pytest.raises(DeviceError, match="no devices of kind 'tpu'"):
        dovetail.ones(1, device="visitor:tpu:0")
    with pytest.raises(DeviceError, match="written backend:kind:index"):
        dovetail.ones(1, device="visitor:cpu:x")


def test_cuda_that_is_absent_says_what_is_missing() -> None:
    if discovery.usable("cuda"):
        pytest.skip("there is a CUDA device here")
    with pytest.raises(DeviceError) as caught:
        dovetail.ones(1, device="cuda")
    words = str(caught.value)
    assert "CUDA was asked for and cannot be used here" in words
    assert "'cpu' would work: device='cpu'" in words
    assert "driver" in words or "not installed" in words


# ------------------------------------------------------------------------------------------ laziness


def test_nothing_heavy_is_imported_before_it_is_asked_for() -> None:
    code = (
        "import sys, dovetail\n"
        "from dovetail.contract import discovery\n"
        "heavy = ('jax', 'cupy', 'scipy', 'rich', 'importlib.metadata', 'torch')\n"
        "print([h for h in heavy if h in sys.modules])\n"
        "dovetail.ones(2) + 1\n"
        "discovery.usable(), discovery.usable('cuda')\n"
        "print([h for h in ('jax', 'cupy', 'scipy', 'torch') if h in sys.modules])\n"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[]", "[]"]


def test_listing_backends_imports_no_array_library(tmp_path: Path) -> None:
    """Also where all of them are installed: here as modules that say so when they are imported."""
    for name in ("cupy", "jax", "jaxlib", "jax_cuda13_plugin", "libtpu"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} was imported')\n")
    code = (
        "import sys\nfrom dovetail.cli.main import main\n"
        "status = main(['backends'])\n"
        "print(status, sorted(m for m in sys.modules if m.partition('.')[0] in ('jax', 'cupy', 'jaxlib', 'scipy')))\n"
    )
    done = python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "0 []"


def test_backends_below_the_default_are_not_probed(announce: Announce) -> None:
    asked: list[str] = []
    announce("visitor", probe=lambda kind: asked.append(kind))  # type: ignore[func-returns-value]
    assert discovery.best() is discovery.registrations["numpy"].spec
    assert asked == []


# ------------------------------------------------------------------------------------------ the driver

FAKE_DRIVER = """
#include <string.h>
int nvmlInit_v2(void) { return START; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetCudaDriverVersion_v2(int *v) { *v = 12040; return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = COUNT; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **h) { *h = (void *)(long)(i + 1); return 0; }
int nvmlDeviceGetName(void *h, char *name, unsigned length) {
    strncpy(name, h == (void *)1 ? "Fake A" : "Fake B", length); return 0;
}
"""


@pytest.fixture(scope="module")
def fake_driver(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Compile a driver's library that has what it is told."""
    import shutil

    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler is here to make a driver's library with")
    folder = tmp_path_factory.mktemp("driver")
    (folder / "fake.c").write_text(FAKE_DRIVER)

    def make(count: int, start: int = 0) -> str:
        library = folder / f"libfake_{count}_{start}.so"
        words = [compiler, "-shared", "-fPIC", f"-DCOUNT={count}", f"-DSTART={start}", "-o", str(library)]
        subprocess.run([*words, str(folder / "fake.c")], check=True)
        return str(library)

    return make


def test_no_driver() -> None:
    assert cuda.ask("libno_such_driver.so", None) == cuda.Driver(None, (), "no NVIDIA driver was found")


def test_a_driver_and_its_devices(fake_driver: Callable[..., str]) -> None:
    found = cuda.ask(fake_driver(2), None)
    assert found == cuda.Driver((12, 4), ("Fake A", "Fake B"), None)
    assert found.too_old_for(13)
    assert not found.too_old_for(12)


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("0", ("Fake A",)),
        ("1,0", ("Fake B", "Fake A")),
        ("", ()),
        ("-1", ()),
        ("0,7,1", ("Fake A",)),
        ("GPU-ab", ("GPU-ab",)),
    ],
)
def test_the_environment_hides_devices(fake_driver: Callable[..., str], visible: str, names: tuple[str, ...]) -> None:
    found = cuda.ask(fake_driver(2), visible)
    assert found.devices == names
    assert (found.problem is None) == bool(names)


def test_a_driver_without_devices_and_one_that_does_not_start(fake_driver: Callable[..., str]) -> None:
    assert cuda.ask(fake_driver(0), None).problem == "the NVIDIA driver sees no device"
    assert cuda.ask(fake_driver(1, start=9), None).problem == "the NVIDIA driver cannot be used (NVML error 9)"


def test_the_substitute_for_cuda_is_said_once(announce: Announce) -> None:
    if discovery.usable("cuda"):
        pytest.skip("there is a CUDA device here")
    announce("gpu_like", kinds=("cuda",))
    with pytest.warns(DeviceSubstitutionWarning, match="device 'cuda' means gpu_like:cuda"):
        assert str(dovetail.ones(1, device="cuda").device) == "gpu_like:cuda:0"
    assert str(dovetail.ones(1, device="cuda:1").device) == "gpu_like:cuda:1"


def test_entry_points_are_those_that_the_library_finds() -> None:
    from importlib.metadata import entry_points

    from dovetail.contract.entry_points import entries

    for group in ("dovetail", "console_scripts", "pytest11"):
        assert set(entries(group)) == {(e.name, e.value.split("[")[0].strip()) for e in entry_points(group=group)}
