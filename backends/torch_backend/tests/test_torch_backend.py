"""PyTorch as a backend: what is special about it; the suite of conformance looks at everything else."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.backend import counters
from dovetail.backend.inspection import announced, array_of
from dovetail.cli.main import main
from dovetail.errors import DeviceError, OutOfMemory

# CI installs it as the oracle of other tests; where it is absent, these are skipped with the reason.
torch = pytest.importorskip("torch", reason="PyTorch is what this backend runs on: pip install torch")

HERE = Path(__file__).parents[1]
ROOT = HERE.parents[1]


def on_torch(values: Any, dtype: Any = None) -> Any:
    return dovetail.tensor(values, dtype=dtype, device="torch")


# ------------------------------------------------------------------------------------------ found, and where


REGISTERED = """
from dovetail.backend import inspection, register_plugin
import dovetail_torch.plugin
if "torch" not in inspection.announced():
    register_plugin(dovetail_torch.plugin, "torch")
"""

LISTING = """
import sys, dovetail
assert inspection.reason("torch") is None
assert "torch" not in sys.modules
print(dovetail.ones(1, device="torch").device)
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own, where the backend is registered."""
    places = os.pathsep.join([str(HERE), *(str(ROOT / r) for r in ("core", "backends", "conformance"))])
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", REGISTERED + program], capture_output=True, text=True, check=False,
        timeout=120, env={**os.environ, "PYTHONPATH": places},
    )  # fmt: skip


def test_listing_the_backends_does_not_import_torch() -> None:
    done = run(LISTING)
    assert done.stdout == "torch:cpu:0\n", done.stderr


def test_it_is_in_no_wheel_but_its_own() -> None:
    root = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    own = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))
    packages = root["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert packages
    assert not [p for p in packages if "torch" in p]
    assert own["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["dovetail_torch"]
    assert own["tool"]["dovetail-backend"]["host-fallback"] == []


def test_it_sees_nothing_of_dovetail_but_its_backend() -> None:
    sources = sorted((HERE / "dovetail_torch").glob("*.py"))
    assert len(sources) > 5
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "dovetail":
                assert str(node.module).startswith("dovetail.backend"), f"{path.name} imports {node.module}"
            elif isinstance(node, ast.Import):
                assert not [a.name for a in node.names if a.name.partition(".")[0] == "dovetail"], path.name


def test_its_devices() -> None:
    x = dovetail.ones(2, device="torch")
    assert str(x.device) == "torch:cpu:0"
    assert isinstance(array_of(x), torch.Tensor)
    assert announced()["torch"].kinds == ("cpu", "cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="here CUDA can be used")
def test_a_card_that_is_not_there() -> None:
    with pytest.raises(DeviceError, match=r"CUDA was asked for.*torch: "):
        dovetail.ones(2, device="torch:cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no CUDA device here")
def test_cards_have_their_numbers() -> None:
    x = dovetail.ones(2, device="torch:cuda:0")
    assert array_of(x).device == torch.device("cuda", 0)
    assert x.to("torch:cpu").tolist() == [1.0, 1.0]


# ------------------------------------------------------------------------------------------ transfer


@pytest.mark.parametrize("name", ["bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"])
def test_integers_go_there_and_back(name: str) -> None:
    kind = getattr(dovetail, name)
    values = np.array([0, 1] if name == "bool" else [np.iinfo(name).min, 3, np.iinfo(name).max]).astype(kind.host)
    x = dovetail.tensor(values, device="torch")
    assert x.dtype is kind
    assert np.array_equal(x.numpy(), values)
    assert np.array_equal(x.to("numpy").to("torch").numpy(), values)


@pytest.mark.parametrize(
    ("name", "bits"), [("float16", "u2"), ("bfloat16", "u2"), ("float32", "u4"), ("float64", "u8")]
)
def test_floats_keep_every_bit(name: str, bits: str) -> None:
    kind = getattr(dovetail, name)
    size = np.dtype(bits).itemsize * 8
    patterns = np.array([0, 1, 1 << (size - 1), (1 << size) - 5, (1 << (size - 1)) - 3, 0x3C01], bits)
    x = dovetail.tensor(patterns.view(kind.host), device="torch")
    assert array_of(x).dtype is getattr(torch, name), "stored as PyTorch's own"
    for moved in (x.to("numpy"), x.clone(), dovetail.cat([x[:2], x[2:]]), x.flip(0).flip(0)):
        assert np.array_equal(np.asarray(moved.numpy()).view(bits), patterns)


def test_a_transfer_is_a_copy() -> None:
    values = np.ones(3, np.float32)
    x = dovetail.tensor(values, device="torch")
    values[:] = 5
    assert x.tolist() == [1.0, 1.0, 1.0]


# ------------------------------------------------------------------------------------------ discipline


def test_arrays_are_never_written() -> None:
    x = on_torch([[1.0, 2.0], [3.0, 4.0]])
    before = array_of(x)
    x.add_(1)
    x[0, 1] = 9
    x.view(-1)[2:].mul_(2)
    assert x.tolist() == [[2.0, 9.0], [8.0, 10.0]]
    assert before.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_pytorch_records_nothing_and_keeps_its_grad_mode() -> None:
    assert torch.is_grad_enabled()
    x = on_torch([1.0, 2.0]).requires_grad_()
    loss = (x.exp() * x).sum()
    loss.backward()
    held = [array_of(t) for t in (x, loss, x.grad)]
    assert not any(a.requires_grad or a.grad_fn is not None for a in held)
    assert torch.is_grad_enabled()
    with torch.inference_mode():
        y = on_torch([1.0, 2.0])
    y[0] = 3.0
    assert (y * x.detach()).tolist() == [3.0, 4.0], "made in inference mode, used outside"


def test_no_room_is_an_error_of_its_own() -> None:
    with pytest.raises(OutOfMemory):
        dovetail.ones(2**46, device="torch") + 1


FORKED = """
import os, sys, dovetail
x = dovetail.ones(1_000_000, device="torch")
assert x.sum().item() == 1e6  # in the threads of a pool
child = os.fork()
if child == 0:
    os._exit(0 if (x * 2).sum().item() == 2e6 else 3)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_calculates() -> None:
    assert run(FORKED).returncode == 0


# ------------------------------------------------------------------------------------------ numbers


@pytest.mark.parametrize("name", ["uint16", "uint32", "uint64"])
@pytest.mark.parametrize(
    "op",
    [
        "add",
        "sub",
        "mul",
        "floor_divide",
        "remainder",
        "fmod",
        "maximum",
        "minimum",
        "lt",
        "ge",
        "eq",
        "bitwise_and",
        "bitwise_xor",
    ],
)
def test_unsigned_numbers_calculate_as_on_numpy(name: str, op: str) -> None:
    top = int(np.iinfo(name).max)
    a = np.array([0, 1, top, top // 2 + 1, 12345, top - 3], name)
    b = np.array([1, top, top, 3, top // 2 + 2, 7], name)
    mine, yours = (
        getattr(dovetail, op)(*(dovetail.tensor(v, device=d) for v in (a, b))).numpy() for d in ("torch", "numpy")
    )
    assert mine.dtype == yours.dtype
    assert mine.tolist() == yours.tolist()


@pytest.mark.parametrize("name", ["uint16", "uint32", "uint64"])
def test_unsigned_numbers_are_ordered_moved_and_converted(name: str) -> None:
    top = int(np.iinfo(name).max)
    values = np.array([5, top, 0, top // 2 + 1], name)

    def ran(device: str) -> list[Any]:
        x = dovetail.tensor(values, device=device)
        found = [
            x.amax(),
            x.amin(),
            x.argmax(),
            x.argsort(),
            x.flip(0),
            x[1:3],
            dovetail.cat([x, x]),
            x.reshape(2, 2).T,
        ]
        found += [x.to(dovetail.float64), x.to(dovetail.int8), x != 0, x.clone(), -x]
        back = dovetail.tensor([0.0, 1e30, -4.0, 7.9, float("nan")], device=device).to(getattr(dovetail, name))
        return [t.tolist() for t in (*found, back)]

    assert ran("torch") == ran("numpy")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_ieee_754_fixes_is_fixed(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    x = np.exp(rng.uniform(-80, 80, 5000)).astype(dtype)
    y = np.exp(rng.uniform(-80, 80, 5000)).astype(dtype) * rng.choice([-1, 1], 5000).astype(dtype)
    a, b = (dovetail.tensor(v, device="torch") for v in (x, y))
    assert np.array_equal(a.sqrt().numpy(), np.sqrt(x))
    assert np.array_equal(a[::2].sqrt().numpy(), np.sqrt(x[::2])), "whatever the layout"
    assert np.array_equal(dovetail.fmod(b, a).numpy(), np.fmod(y, x))
    assert np.array_equal(dovetail.remainder(a, b).numpy(), np.remainder(x, y))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_the_random_stream_is_that_of_every_backend(dtype: str) -> None:
    def drawn(device: str) -> list[Any]:
        dovetail.manual_seed(2**63 + 11)
        kind = getattr(dovetail, dtype)
        words = {"device": device}
        found = [dovetail.rand(7, dtype=kind, **words), dovetail.randn(3, 5, dtype=kind, **words)]
        found += [dovetail.randint(-5, 2**40, (9,), **words), dovetail.randperm(33, **words)]
        found += [dovetail.bernoulli(dovetail.full((8,), 0.3, **words))]
        return [t.to("numpy").to(dovetail.float64).tolist() for t in found]

    assert drawn("torch") == drawn("numpy")


# ------------------------------------------------------------------------------------------ whole programs


def train(device: str) -> list[float]:
    dovetail.manual_seed(1)
    nn: Any = dovetail.nn
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(36, 3))
    net = net.to(device)
    optimizer = dovetail.optim.Adam(net.parameters(), lr=0.01)
    x, y = dovetail.randn(8, 1, 8, 8, device=device), dovetail.randint(0, 3, (8,), device=device)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_it_trains_as_numpy_does_and_nothing_falls_back() -> None:
    with counters() as found:
        mine = train("torch")
    assert not found.fallbacks
    assert found.ops["conv2d", "torch:cpu:0"] > 0
    yours = train("numpy")
    assert mine == pytest.approx(yours, rel=1e-4)
    assert mine[-1] < mine[0]


@pytest.mark.filterwarnings("ignore")
def test_a_slice_of_the_suite_passes() -> None:
    ops = "sqrt,remainder,log1p,cast,softmax,conv2d,argsort,index_add,sigmoid,normal_from_words,basic_index_put"
    assert main(["conformance", "torch", "--no-fallback", "--ops", ops]) == 0


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_the_whole_suite_passes(tmp_path: Path) -> None:
    assert main(["conformance", "torch", "--no-fallback", "--out", str(tmp_path)]) == 0


def test_its_certificate_is_of_a_whole_run_without_a_failure() -> None:
    (path,) = (HERE / "certificates").glob("*.json")
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["complete"] is True
    assert found["verdict"] != "not-conformant"
    assert found["deviations"] == []
    assert [row for row in found["ops"] if row["status"] not in ("pass", "unsupported")] == []
    assert len({row["op"] for row in found["ops"]}) > 200
