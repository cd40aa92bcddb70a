"""The benchmarks run and give their rows, and dovetail's side computes what the peers compute; no time is judged."""

from __future__ import annotations

import importlib
import json
import math
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dovetail

FOLDER = Path(__file__).parents[1] / "benchmarks"
NAMES = ("overhead", "two_layer", "cnn", "lstm", "gpt", "optimizers", "dataloader", "chains", "imports")
# The longest sum of products in a step, which bounds what a loss may be off by, relative to its terms.
TERMS = {"two_layer": 1000, "cnn": 1568, "lstm": 1024, "gpt": 1024}
# A compiled step runs eagerly, then is captured, then runs as a program.
STEPS = 5


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the folder importable, which is no part of the package."""
    monkeypatch.syspath_prepend(str(FOLDER))


def script() -> Any:
    spec = importlib.util.spec_from_file_location("dovetail_benchmarks_main", FOLDER / "__main__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def installed(contender: str) -> bool:
    return all(library not in contender or find_spec(library) is not None for library in ("torch", "jax"))


# PyTorch's loader forks whatever else is loaded; its workers touch neither JAX nor its threads.
FORKS = (
    pytest.mark.filterwarnings(r"ignore:os\.fork\(\) was called:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
)


# All but one compile with XLA or start processes.
@FORKS[0]
@FORKS[1]
@pytest.mark.parametrize(
    "name",
    [n if n in ("two_layer", "optimizers", "dataloader") else pytest.param(n, marks=pytest.mark.slow) for n in NAMES],
)
def test_rows_come_out(name: str) -> None:
    if name == "imports" and not hasattr(os, "wait4"):
        pytest.skip("this system does not tell the processor time of one process")
    suite = importlib.import_module(f"suite.{name}")
    found = suite.run(importlib.import_module("suite.outcome").TINY)
    assert found.rows
    assert all(row.value > 0 or row.unit == "KB" for row in found.rows)
    assert all(math.isfinite(row.value) for row in found.rows)
    assert any(row.limit is not None for row in found.rows), "dovetail's own rows have targets"
    told = json.loads(json.dumps(script().figures({name: found})))
    assert len(told["benchmarks"][name]["rows"]) == len(found.rows)


@pytest.mark.parametrize("name", [n if n != "gpt" else pytest.param(n, marks=pytest.mark.slow) for n in TERMS])
def test_training_follows_the_peers_losses(name: str) -> None:
    suite, peers = (importlib.import_module(f"{folder}.{name}") for folder in ("suite", "peers"))
    step = peers.PEERS["NumPy by hand"]()
    expected = [step() for _ in range(STEPS)]
    unit = TERMS[name] * 2.0**-24
    rtol = 2 * STEPS * unit / (1 - unit)
    # Each step's rounding goes through the weights into the next, and the losses move by far more than that.
    assert (abs(np.diff(expected)) / expected[:-1] > rtol).all()
    for contender, build in filter(lambda item: installed(item[0]), suite.MINE.items()):
        step = build()
        np.testing.assert_allclose([step() for _ in range(STEPS)], expected, rtol=rtol, err_msg=contender)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_optimizers_move_as_the_peers(name: str) -> None:
    suite = importlib.import_module("suite.optimizers")
    found = {}
    for contender, build in filter(lambda item: installed(item[0]), suite.contenders(name, 1000).items()):
        step = build()
        found[contender] = [step() for _ in range(STEPS)]
    by_hand = found["NumPy by hand"]
    assert len(set(by_hand)) == STEPS
    for contender, places in found.items():
        # some 20 roundings a step, on a number of the parameter's size
        np.testing.assert_allclose(places, by_hand, rtol=STEPS * 20 * 2.0**-24, err_msg=contender)


def test_overhead_and_chains_have_the_peers_values() -> None:
    suite, peers = (importlib.import_module(f"{folder}.overhead") for folder in ("suite", "peers"))
    for contender, build in filter(lambda item: installed(item[0]), suite.MINE.items()):
        rtol = 4 * peers.OPS * 2.0**-24
        np.testing.assert_allclose(build()(), peers.numpy_forward()(), rtol=rtol, err_msg=contender)
    suite, peers = (importlib.import_module(f"{folder}.chains") for folder in ("suite", "peers"))
    np.testing.assert_allclose(suite.eager(1000)(), peers.numpy_by_hand(1000)(), rtol=1000 * 2.0**-24)
    x, total = suite.graph(1000)()
    total.backward()
    np.testing.assert_allclose(x.grad.numpy(), np.full(4, 0.999**500), rtol=1000 * 2.0**-24)


def test_an_absent_library_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = importlib.import_module("suite.outcome")
    monkeypatch.setattr(outcome.importlib.util, "find_spec", lambda name: None)
    goals = [outcome.Goal("mine", "torch eager", 1.0), outcome.Goal("mine", "NumPy", 1.0)]
    contenders = {name: lambda: lambda: 1.0 for name in ("mine", "NumPy", "torch eager")}
    found = outcome.compare("nothing", contenders, goals, outcome.TINY)
    assert len(found.rows) == 1
    assert "torch eager is left out: torch is not installed" in found.notes


def test_verdicts_and_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = importlib.import_module("suite.outcome")
    values = {"met": (1.0, 1.0), "missed": (1.01, 1.0), "": (5.0, None)}
    rows = [outcome.Row(f"a step {word}", value, "x", limit) for word, (value, limit) in values.items()]
    assert [row.verdict for row in rows] == list(values)
    script().show({"some": outcome.Outcome(rows, ["torch is not installed"])})
    shown = capsys.readouterr().out
    for word in ("a step met", "1.01 x", "<= 1 x", "missed", "NOTE: torch is not installed"):
        assert word in shown


def test_a_failing_benchmark_leaves_the_others_their_rows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = importlib.import_module("suite.outcome")
    found = outcome.Outcome([outcome.Row("a step", 1.0)])

    def breaks(counts: object) -> None:
        raise ValueError(counts)

    monkeypatch.setattr(importlib.import_module("suite.cnn"), "run", lambda counts: found)
    monkeypatch.setattr(importlib.import_module("suite.two_layer"), "run", breaks)
    monkeypatch.setattr(importlib.import_module("timing"), "limit_threads", lambda count: None)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    out = tmp_path / "figures.json"
    assert script().main(["two_layer", "cnn", "--quick", "--out", str(out)]) == 1
    told = json.loads(out.read_text(encoding="utf-8"))["benchmarks"]
    assert told["cnn"]["rows"][0]["value"] == 1
    assert told["two_layer"]["rows"] == []
    assert "two_layer failed: ValueError" in capsys.readouterr().out


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        script().options_of(["overheads"])
    assert "no benchmark 'overheads'" in capsys.readouterr().err
    assert script().options_of(["cnn", "--quick"]).names == ["cnn"]


@FORKS[0]
@FORKS[1]
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", ["tensors", "rows", "arrays"])
def test_loaders_give_the_peers_batches(kind: str, workers: int) -> None:
    suite, peers = (importlib.import_module(f"{folder}.dataloader") for folder in ("suite", "peers"))
    for contender, build in filter(lambda item: installed(item[0]), suite.contenders(kind, 300, workers).items()):
        step = build()
        assert step() == step() == 300, contender
    images, classes = peers.problem(300)
    data = dovetail.utils.data.DataLoader(peers.dataset(dovetail, kind, 300), 7, num_workers=workers)
    found = list(data)
    np.testing.assert_array_equal(np.concatenate([x.numpy() for x, _ in found]), images)
    np.testing.assert_array_equal(np.concatenate([y.numpy() for _, y in found]), classes)
