"""State dicts of optimizers: PyTorch's keys, training that continues in the other framework, and failed loads."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dovetail

OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.05}),
    ("NAdam", {"lr": 0.05}),
    ("RAdam", {"lr": 0.05}),
    ("Adamax", {"lr": 0.05}),
    ("Adagrad", {"lr": 0.05, "lr_decay": 0.1}),
    ("Adadelta", {"lr": 1.0}),
    ("RMSprop", {"lr": 0.05, "momentum": 0.5, "centered": True}),
    ("Rprop", {"lr": 0.05}),
    ("ASGD", {"lr": 0.05, "t0": 2.0, "lambd": 0.1}),
    ("Adafactor", {"lr": 0.05}),
    ("Muon", {"lr": 0.05}),
    ("LBFGS", {"lr": 0.1, "max_iter": 3}),
    ("LBFGS", {"line_search_fn": "strong_wolfe", "max_iter": 3}),
]
START = np.random.default_rng(0).normal(size=(4, 3))
PULLS = np.random.default_rng(1).normal(size=(10, 4, 3))

named = pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)


def make(xp: Any, name: str, options: dict[str, Any], start: Any = START) -> tuple[Any, Any]:
    """A parameter and its optimizer."""
    w = xp.tensor(start, dtype=xp.float64).requires_grad_()
    return w, getattr(xp.optim, name)([{"params": [w]}], **options)


def train(xp: Any, w: Any, optimizer: Any, pulls: Any) -> Any:
    """A few steps; returns where the parameter is."""
    for pull in pulls:
        target = xp.tensor(pull, dtype=xp.float64)

        def closure(target: Any = target) -> Any:
            optimizer.zero_grad()
            loss = ((w - target) ** 4).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
    return np.array(w.detach().numpy())


def converted(value: Any, to: Any) -> Any:
    """A state dict with the other framework's tensors."""
    if isinstance(value, dict):
        return {k: converted(v, to) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(converted(v, to) for v in value)
    return to.tensor(value.detach().numpy()) if hasattr(value, "detach") else value


def kinds(state: Any) -> Any:
    """The keys in their order, and what kind of value each has."""
    if isinstance(state, dict):
        return [(k, kinds(v)) for k, v in state.items()]
    if isinstance(state, list | tuple):
        return [kinds(v) for v in state]
    return str(state.dtype).rpartition(".")[2] if hasattr(state, "dtype") else type(state).__name__


@pytest.mark.oracle
@named
def test_the_state_dict_has_pytorchs_form(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    found = []
    for xp in (torch, dovetail):
        w, optimizer = make(xp, name, options)
        train(xp, w, optimizer, PULLS[:3])
        state = optimizer.state_dict()
        assert list(state["param_groups"][0].items()) == list(optimizer.state_dict()["param_groups"][0].items())
        found.append(state)
    theirs, ours = found
    assert ours["param_groups"] == theirs["param_groups"]
    assert set(ours["param_groups"][0]) == set(theirs["param_groups"][0])
    if name == "LBFGS":  # the scalars of the line search are numbers here
        assert ours["state"][0].keys() == theirs["state"][0].keys()
    else:
        assert kinds(ours["state"]) == kinds(theirs["state"])


@pytest.mark.oracle
@named
@pytest.mark.parametrize("direction", ["from PyTorch", "to PyTorch"])
def test_training_continues_in_the_other_framework(direction: str, name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    first, second = (torch, dovetail) if direction == "from PyTorch" else (dovetail, torch)
    w, optimizer = make(first, name, options)
    middle = train(first, w, optimizer, PULLS[:5])
    v, other = make(second, name, {**options, "lr": 7.0}, middle)
    other.load_state_dict(converted(optimizer.state_dict(), second))
    assert other.param_groups[0]["lr"] == options.get("lr", 1)
    found, expected = train(second, v, other, PULLS[5:]), train(first, w, optimizer, PULLS[5:])
    np.testing.assert_allclose(found, expected, **({"atol": 5e-3} if name == "Muon" else {"rtol": 1e-9}))


@pytest.mark.oracle
def test_a_file_of_pytorch_is_loaded(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    w, optimizer = make(torch, "AdamW", {"lr": 0.05})
    middle = train(torch, w, optimizer, PULLS[:5])
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.pt")
    v, mine = make(dovetail, "AdamW", {"lr": 7.0}, middle)
    mine.load_state_dict(dovetail.load(tmp_path / "optimizer.pt"))
    np.testing.assert_allclose(train(dovetail, v, mine, PULLS[5:]), train(torch, w, optimizer, PULLS[5:]), rtol=1e-12)


@named
def test_resuming_continues_bit_for_bit(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    """Through a file, a pickle and a deep copy."""
    with dovetail.use_backend("numpy"):
        w, optimizer = make(dovetail, name, options)
        middle = train(dovetail, w, optimizer, PULLS[:5])
        dovetail.save(optimizer.state_dict(), tmp_path / "state")
        v, second = make(dovetail, name, {**options, "lr": 7.0}, middle)
        second.load_state_dict(dovetail.load(tmp_path / "state"))
        copied = copy.deepcopy(optimizer)
        expected = train(dovetail, w, optimizer, PULLS[5:])
        np.testing.assert_array_equal(train(dovetail, v, second, PULLS[5:]), expected)
        (u,) = copied.param_groups[0]["params"]
        np.testing.assert_array_equal(train(dovetail, u, copied, PULLS[5:]), expected)


def test_a_pickled_optimizer_has_its_state_and_takes_hooks() -> None:
    w, optimizer = make(dovetail, "Adam", {"lr": 0.1})
    optimizer.register_step_post_hook(print)
    train(dovetail, w, optimizer, PULLS[:1])
    again = pickle.loads(pickle.dumps(optimizer.__getstate__()))
    assert set(again) == {"defaults", "state", "param_groups"}
    fresh = dovetail.optim.Adam.__new__(dovetail.optim.Adam)
    fresh.__setstate__(optimizer.__getstate__())
    calls: list[Any] = []
    fresh.register_step_post_hook(lambda *given: calls.append(given))
    fresh.step()
    assert len(calls) == 1


def test_older_checkpoints_are_completed() -> None:
    """Step counts as numbers, options that did not exist."""
    w, optimizer = make(dovetail, "Adam", {"lr": 0.1, "maximize": True, "amsgrad": True})
    train(dovetail, w, optimizer, PULLS[:2])
    old = optimizer.state_dict()
    old["state"][0]["step"] = 2
    for option in ("maximize", "fused", "foreach", "capturable", "differentiable", "amsgrad"):
        del old["param_groups"][0][option]
    _, second = make(dovetail, "Adam", {"lr": 7.0, "maximize": True})
    second.load_state_dict(old)
    group = second.param_groups[0]
    assert (group["maximize"], group["amsgrad"], group["fused"], group["lr"]) == (False, False, None, 0.1)
    step = second.state[group["params"][0]]["step"]
    assert step.dtype is dovetail.float32
    assert step.item() == 2
    _, decoupled = make(dovetail, "AdamW", {})
    decoupled.load_state_dict(old)
    assert decoupled.param_groups[0]["decoupled_weight_decay"] is True


def test_a_failed_load_changes_nothing() -> None:
    w, optimizer = make(dovetail, "Adam", {"lr": 0.1})
    train(dovetail, w, optimizer, PULLS[:1])
    before = np.array(optimizer.state[w]["exp_avg"].numpy())
    wrong = optimizer.state_dict()
    wrong["state"] = {0: {**wrong["state"][0], "exp_avg": dovetail.zeros(5)}}
    wrong["param_groups"][0]["lr"] = 9.0
    with pytest.raises(ValueError, match="exp_avg"):
        optimizer.load_state_dict(wrong)
    with pytest.raises(ValueError, match="different number of parameter groups"):
        optimizer.load_state_dict({"state": {}, "param_groups": []})
    with pytest.raises(ValueError, match="doesn't match the size"):
        optimizer.load_state_dict({"state": {}, "param_groups": [{"params": [0, 1], "lr": 9.0}]})
    assert optimizer.param_groups[0]["lr"] == 0.1
    np.testing.assert_array_equal(optimizer.state[w]["exp_avg"].numpy(), before)


def test_state_follows_the_parameter() -> None:
    """Loaded state has the parameter's dtype; the step count keeps its own; nothing is shared with what was loaded."""
    w, optimizer = make(dovetail, "Adam", {"lr": 0.1})
    train(dovetail, w, optimizer, PULLS[:1])
    v = dovetail.tensor(START, dtype=dovetail.float32).requires_grad_()
    second = dovetail.optim.Adam([v])
    saved = optimizer.state_dict()
    second.load_state_dict(saved)
    assert second.state[v]["exp_avg"].dtype is dovetail.float32
    assert second.state[v]["step"].dtype is dovetail.float32
    v.grad = dovetail.ones(4, 3)
    second.step()
    assert saved["state"][0]["step"].item() == 1
    assert second.state[v]["step"].item() == 2


def test_a_step_on_other_parameters_and_state() -> None:
    w, optimizer = make(dovetail, "Adam", {"lr": 0.1})
    train(dovetail, w, optimizer, PULLS[:2])
    before, moment = w.tolist(), optimizer.state[w]["exp_avg"].tolist()
    saved = copy.deepcopy(optimizer.state_dict())
    saved["param_groups"][0]["lr"] = 0.5
    other = dovetail.tensor(START).requires_grad_()
    other.grad = dovetail.tensor(PULLS[0])
    swap = dovetail.optim.swap_in_optimizer_params_and_state
    with swap(optimizer, {"w": other}, saved):
        assert optimizer.param_groups[0]["lr"] == 0.5
        optimizer.step()
    assert (w.tolist(), optimizer.state[w]["exp_avg"].tolist()) == (before, moment)
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert saved["state"][0]["step"].item() == 3
    assert other.tolist() != START.tolist()
    for wrong in (
        {"state": [], "param_groups": saved["param_groups"]},
        {"state": {}, "param_groups": []},
        {"state": {}, "param_groups": [{"params": [0]}]},
        {"state": {5: {}}, "param_groups": saved["param_groups"]},
    ):
        with pytest.raises(RuntimeError, match=r"pass optimizer\.state_dict"), swap(optimizer, {"w": other}, wrong):
            raise AssertionError("it must not get here")
    with pytest.raises(RuntimeError, match="as many parameters"), swap(optimizer, {}, saved):
        raise AssertionError("it must not get here")


@pytest.mark.oracle
def test_everything_that_pytorch_exports_exists() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    swa = __import__("torch.optim.swa_utils", fromlist=["x"])
    for ours, names in (
        (dovetail.optim, torch.optim.__all__),
        (dovetail.optim.lr_scheduler, torch.optim.lr_scheduler.__all__),
        (dovetail.optim.swa_utils, swa.__all__),
    ):
        assert [name for name in names if not hasattr(ours, name)] == []
