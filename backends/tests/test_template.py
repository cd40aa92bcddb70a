"""The out-of-tree backend: built as a wheel, installed somewhere else, found, and run through all samples."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("array_api_strict", reason="array-api-strict is in the extra `test`")
pytest.importorskip("build", reason="`build` is in the extra `test`")
pytest.importorskip("hatchling", reason="`hatchling` is in the extra `test`")

HERE = Path(__file__).parent
TEMPLATE = HERE.parent / "template"
ROOTS = [str(HERE.parents[1] / root) for root in ("core", "backends", "conformance")]
ALLOWED = frozenset(
    tomllib.loads((TEMPLATE / "pyproject.toml").read_text())["tool"]["dovetail-backend"]["host-fallback"]
)


def command(*words: str, site: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program that finds the installed wheel, and dovetail as this process finds it."""
    places = os.pathsep.join([str(site), *ROOTS])
    inherited = {k: v for k, v in os.environ.items() if k != "DOVETAIL_BACKEND"}
    environment = {**inherited, "PYTHONPATH": places, "PYTHONWARNINGS": "error", **more}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=900, check=False, env=environment
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(TEMPLATE)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the wheel installed in it."""
    folder = tmp_path_factory.mktemp("site")
    words = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(folder),
        str(wheel),
    ]
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def ask(site: Path, program: str, **environment: str) -> Any:
    """The last line that a program printed, as JSON."""
    done = command("-c", program, site=site, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_package_is_two_short_files() -> None:
    sources = sorted((TEMPLATE / "dovetail_strict").glob("*.py"))
    assert [s.name for s in sources] == ["backend.py", "plugin.py"]
    assert sum(len(s.read_text().splitlines()) for s in sources) <= 70
    assert len(ALLOWED) <= 8


def test_the_wheel_holds_the_package_and_its_entry_point(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry,) = (n for n in names if n.endswith("entry_points.txt"))
        assert "strict = dovetail_strict.plugin" in archive.read(entry).decode()
    assert {n.partition("/")[0] for n in names} == {"dovetail_strict", "dovetail_strict-0.1.0.dist-info"}


DISCOVERY = """
import json, sys
import dovetail
from dovetail.contract import discovery
names = [s.name for s in discovery.usable()]
spec = discovery.registrations["strict"].spec
quiet = "array_api_strict" not in sys.modules
x = dovetail.ones(2, device="strict:cpu:1")
found = [names, spec.url, discovery.registrations["strict"].source, quiet, str(x.device), x.tolist()]
print(json.dumps(found))
"""


def test_it_is_discovered_without_importing_its_library(site: Path) -> None:
    names, url, source, quiet, device, values = ask(site, DISCOVERY)
    assert {"strict", "numpy"} <= set(names)
    assert (url, source) == ("https://data-apis.org/array-api-strict/", "strict")
    assert quiet, "listing the backends must not import array_api_strict"
    assert (device, values) == ("strict:cpu:1", [1.0, 1.0])


def test_the_environment_selects_it(site: Path) -> None:
    program = "import json, dovetail; print(json.dumps(str(dovetail.ones(1).device)))"
    assert ask(site, program, DOVETAIL_BACKEND="strict") == "strict:cpu:0"
    assert ask(site, program) == "numpy:cpu:0"


TRAINING = """
import json
import dovetail as torch
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Embedding(9, 4), torch.nn.Flatten(), torch.nn.Linear(12, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
x, y = torch.randint(0, 9, (16, 3)), torch.randint(0, 3, (16,))
losses = []
for _ in range(20):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(json.dumps([losses, torch.get_backend()]))
"""


def test_it_trains_like_numpy(site: Path) -> None:
    mine, backend = ask(site, TRAINING, DOVETAIL_BACKEND="strict")
    yours, reference = ask(site, TRAINING, DOVETAIL_BACKEND="numpy")
    assert (backend, reference) == ("strict", "numpy")
    assert mine == pytest.approx(yours, rel=1e-4)
    assert mine[-1] < 0.5 * mine[0]


SUITE = """
import importlib.util, json, sys, types
spec = importlib.util.spec_from_file_location("comparison", sys.argv[1])
comparison = importlib.util.module_from_spec(spec)
sys.modules["comparison"] = comparison
spec.loader.exec_module(comparison)
import dovetail
from dovetail.backend import BackendSpec
from dovetail.contract import discovery
from dovetail.dispatch import fallback
from dovetail.record import registry
for name in json.loads(sys.argv[2]):
    del dovetail.device("strict").runtime.kernels._kernels[name]
bare = types.ModuleType("bare"); bare.Bare = comparison.Bare; sys.modules["bare"] = bare
discovery.register(BackendSpec(name="bare", runtime="bare:Bare", priority=-1))
agreement = comparison.Agreement("bare")
dovetail.set_host_fallback("silent")
wrong, ran = [], 0
for op in registry.ops():
    kinds = op.samples.dtypes if op.samples else ()
    for dtype in (d for k, d in (("float", "float32"), ("int", "int64"), ("bool", "bool")) if k in kinds):
        try:
            agreement.check_all(op, dtype, "strict")
            ran += 1
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}")
print(json.dumps([ran, wrong, sorted({op for op, backend in fallback.counts if backend == "strict"})]))
"""


def suite(site: Path, removed: list[str]) -> tuple[int, list[str], set[str]]:
    """Every op's samples on the installed backend: how many ran, what was wrong, what fell back."""
    done = command("-c", SUITE, str(HERE / "conftest.py"), json.dumps(removed), site=site)
    assert done.returncode == 0, done.stdout + done.stderr
    ran, wrong, fell_back = json.loads(done.stdout.splitlines()[-1])
    return ran, wrong, set(fell_back)


def test_every_op_agrees_with_numpy_and_none_falls_back_undeclared(site: Path) -> None:
    ran, wrong, fell_back = suite(site, [])
    assert wrong == []
    assert ran > 200
    assert fell_back <= ALLOWED


def test_a_missing_kernel_shows_as_an_undeclared_fallback(site: Path) -> None:
    _, wrong, fell_back = suite(site, ["cumsum", "sin"])
    assert wrong == [], "the host computes it"
    assert fell_back - ALLOWED == {"cumsum", "sin"}


# ------------------------------------------------------------------------------------------ as its author would see it

OPS = "exp,sum,softmax,cat,argsort,index_add,matmul,embedding,randint_from_words,basic_index_put"


def dovetail_command(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return command("-m", "dovetail.cli.main", *words, site=site, COLUMNS="400")


def test_the_command_line_shows_what_runs_where(site: Path) -> None:
    done = dovetail_command(site, "backends", "--ops")
    assert done.returncode == 0, done.stderr
    (line,) = (x for x in done.stdout.splitlines() if x.startswith("strict "))
    assert "usable" in line
    assert "dovetail-strict 0.1.0" in line
    assert "https://data-apis.org/array-api-strict/" in line
    table = done.stdout[done.stdout.index("\nop ") :].splitlines()[1:]
    column = table[0].split().index("strict")
    ways = {row.split()[0]: row.split()[column] for row in table[1:] if row}
    assert len(ways) > 200
    assert {op for op, way in ways.items() if way == "fallback"} <= ALLOWED
    assert ways["embedding"] == "kernel", "its own"
    assert ways["layer_norm"] == "decomposition"


def test_the_suite_passes(site: Path) -> None:
    done = dovetail_command(site, "conformance", "strict", "--no-fallback", "--ops", OPS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 fail" in done.stdout.splitlines()[-1]


@pytest.mark.long
def test_the_whole_suite_passes(site: Path) -> None:
    done = dovetail_command(site, "conformance", "strict", "--no-fallback")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_suite_finds_a_wrong_kernel(wheel: Path, tmp_path: Path) -> None:
    """The same package with a mistake in its one kernel: the rows of the embedding in reverse."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    source = tmp_path / "dovetail_strict" / "backend.py"
    right = source.read_text()
    wrong = right.replace("xp.take(weight,", "xp.take(xp.flip(weight, axis=0),")
    assert wrong != right
    source.write_text(wrong)
    done = dovetail_command(tmp_path, "conformance", "strict", "--no-fallback", "--ops", "embedding")
    assert done.returncode == 1
    assert "FAIL embedding" in done.stdout
