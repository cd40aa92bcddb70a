"""Optimizers: 20 steps of every option give PyTorch's trajectory, on NumPy and JAX, eagerly and captured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dovetail

OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True}),
    ("Adam", {"lr": 0.05, "maximize": True}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True}),
]
START = np.random.default_rng(0).normal(size=(4, 3))
PULLS = np.random.default_rng(1).normal(size=(20, 4, 3))


def trajectory(xp: Any, name: str, options: dict[str, Any], dtype: str) -> list[np.ndarray[Any, Any]]:
    """The parameter after each of 20 steps of gradients that differ, with the rate lowered half way."""
    kind = getattr(xp, dtype)
    w = xp.tensor(START, dtype=kind).requires_grad_()
    unused = xp.zeros(2, requires_grad=True)
    optimizer = getattr(xp.optim, name)([w, unused], **options)
    points = []
    for i, pull in enumerate(PULLS):
        if i == 10:
            optimizer.param_groups[0]["lr"] *= 0.5
        optimizer.zero_grad()
        loss = ((w - xp.tensor(pull, dtype=kind)) ** 2).sum() + w.sum()
        loss.backward()
        optimizer.step()
        points.append(np.array(w.detach().numpy()))
    return points


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=lambda v: str(v))
@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_trajectory_is_pytorchs(backend: str, name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    if backend != "numpy":
        pytest.importorskip(backend, reason=f"the extra `{backend}` is not installed")
    theirs = trajectory(torch, name, options, "float64")
    with dovetail.use_backend(backend):
        ours = trajectory(dovetail, name, options, "float64")
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def captured_trajectory(name: str, options: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Parameters of 6 steps, run eagerly and as a program captured after the first."""
    found = []
    for captured in (False, True):
        w = dovetail.tensor(START.astype(np.float32)).requires_grad_()
        optimizer = getattr(dovetail.optim, name)([w], **options)

        def step(pull: dovetail.Tensor, w: Any = w, optimizer: Any = optimizer) -> dovetail.Tensor:
            optimizer.zero_grad()
            loss = ((w - pull) * (w - pull)).sum()
            loss.backward()
            optimizer.step()
            return loss

        run: Callable[..., Any] = step
        points = []
        for i, pull in enumerate(PULLS[:6].astype(np.float32)):
            if i == 1 and captured:
                run = dovetail.program.capture(step, dovetail.tensor(pull))
            if i == 3:
                optimizer.param_groups[0]["lr"] *= 0.1
            run(dovetail.tensor(pull))
            points.append(w.detach().numpy())
        found.append(points)
    return found[0], found[1]


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=lambda v: str(v))
def test_a_captured_step_is_the_eager_one_bit_for_bit(name: str, options: dict[str, Any]) -> None:
    with dovetail.use_backend("numpy"):
        eager, program = captured_trajectory(name, options)
    for a, b in zip(eager, program, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_first_step_can_be_captured() -> None:
    """State that is zero at first is made for real, though the step is only recorded."""
    with dovetail.use_backend("numpy"):
        for name, options in (("SGD", {"lr": 0.1, "momentum": 0.9}), ("Adam", {"lr": 0.1})):
            points = []
            for captured in (False, True):
                w = dovetail.tensor(START).requires_grad_()
                optimizer = getattr(dovetail.optim, name)([w], **options)

                def step(pull: dovetail.Tensor, w: Any = w, optimizer: Any = optimizer) -> dovetail.Tensor:
                    optimizer.zero_grad()
                    loss = ((w - pull) * (w - pull)).sum()
                    loss.backward()
                    optimizer.step()
                    return loss

                first = dovetail.tensor(PULLS[0])
                run: Callable[..., Any] = dovetail.program.capture(step, first) if captured else step
                for pull in PULLS[:3]:
                    run(dovetail.tensor(pull))
                points.append(w.detach().numpy())
            np.testing.assert_array_equal(points[0], points[1])


def test_state_dict_goes_round_through_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    w = dovetail.tensor(START).requires_grad_()
    optimizer = dovetail.optim.Adam([w], lr=0.1)
    w.sum().backward()
    optimizer.step()
    ours = optimizer.state_dict()
    v = torch.tensor(START, requires_grad=True)
    theirs = torch.optim.Adam([v], lr=0.1)
    v.sum().backward()
    theirs.step()
    assert ours["state"].keys() == theirs.state_dict()["state"].keys()
    assert ours["state"][0].keys() == theirs.state_dict()["state"][0].keys()
    assert ours["param_groups"][0]["params"] == [0]
    for name, value in theirs.state_dict()["state"][0].items():
        np.testing.assert_allclose(ours["state"][0][name].numpy(), value.numpy(), rtol=1e-12)


def test_resuming_from_a_state_dict_continues_bit_for_bit() -> None:
    def run(pulls: Any, w: Any, optimizer: Any) -> None:
        for pull in pulls:
            optimizer.zero_grad()
            ((w - dovetail.tensor(pull)) ** 2).sum().backward()
            optimizer.step()

    w = dovetail.tensor(START).requires_grad_()
    optimizer = dovetail.optim.AdamW([w], lr=0.1, amsgrad=True)
    run(PULLS[:3], w, optimizer)
    v = w.detach().clone().requires_grad_()
    second = dovetail.optim.AdamW([v], lr=7.0, amsgrad=True)
    second.load_state_dict(optimizer.state_dict())
    run(PULLS[3:5], w, optimizer)
    run(PULLS[3:5], v, second)
    np.testing.assert_array_equal(v.detach().numpy(), w.detach().numpy())
    assert second.param_groups[0]["lr"] == 0.1


def test_bad_options_are_refused() -> None:
    w = dovetail.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="Invalid learning rate: -1"):
        dovetail.optim.SGD([w], lr=-1)
    with pytest.raises(ValueError, match="Nesterov momentum requires a momentum and zero dampening"):
        dovetail.optim.SGD([w], lr=0.1, nesterov=True)
    with pytest.raises(ValueError, match="can't optimize a non-leaf Tensor"):
        dovetail.optim.SGD([w * 2], lr=0.1)
    with pytest.raises(ValueError, match="empty parameter list"):
        dovetail.optim.SGD([], lr=0.1)
    with pytest.raises(TypeError, match="iterable of Tensors"):
        dovetail.optim.SGD(w, lr=0.1)
    with pytest.raises(ValueError, match="more than one parameter group"):
        dovetail.optim.SGD([{"params": [w]}, {"params": [w]}], lr=0.1)


def test_a_failed_load_changes_nothing() -> None:
    w = dovetail.ones(2, requires_grad=True)
    optimizer = dovetail.optim.Adam([w], lr=0.1)
    w.sum().backward()
    optimizer.step()
    before = optimizer.state_dict()
    wrong = optimizer.state_dict()
    wrong["state"] = {0: {**wrong["state"][0], "exp_avg": dovetail.zeros(5)}}
    wrong["param_groups"][0]["lr"] = 9.0
    with pytest.raises(ValueError, match="exp_avg"):
        optimizer.load_state_dict(wrong)
    assert optimizer.param_groups[0]["lr"] == 0.1
    np.testing.assert_array_equal(
        optimizer.state_dict()["state"][0]["exp_avg"].numpy(), before["state"][0]["exp_avg"].numpy()
    )


def test_a_step_writes_into_its_own_arrays() -> None:
    """No temporaries the size of the parameter: the array behind it stays the same object."""
    with dovetail.use_backend("numpy"):
        w = dovetail.ones(1000, requires_grad=True)
        optimizer = dovetail.optim.Adam([w], lr=0.1)
        w.grad = dovetail.ones(1000)
        optimizer.step()
        first = id(w._data)
        optimizer.step()
        assert id(w._data) == first
        kept = w.detach().numpy()
        optimizer.step()
        assert kept[0] != w.detach().numpy()[0], "what somebody else holds never changes"
