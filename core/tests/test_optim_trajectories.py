"""Optimizers: 20 steps of every option give PyTorch's trajectory, and a captured step is the eager one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dovetail

Options = dict[str, Any]

OPTIONS: list[tuple[str, Options]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.01, "weight_decay": 0.1, "maximize": True, "foreach": True}),
    ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "foreach": False}),
    ("Adam", {"lr": 0.05, "maximize": True, "betas": (0.3, 0.9)}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "fused": True}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True, "maximize": True}),
    ("NAdam", {"lr": 0.05}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "momentum_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-3}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {"lr": 0.05}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-3}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("Adamax", {"lr": 0.05}),
    ("Adamax", {"lr": 0.05, "weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-2, "maximize": True}),
    ("Adagrad", {"lr": 0.05}),
    ("Adagrad", {"lr": 0.05, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3}),
    ("Adagrad", {"lr": 0.05, "maximize": True}),
    ("Adadelta", {"lr": 1.0}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {"lr": 0.05}),
    ("RMSprop", {"lr": 0.05, "alpha": 0.9, "eps": 1e-3, "momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.05, "centered": True}),
    ("RMSprop", {"lr": 0.05, "centered": True, "momentum": 0.5, "maximize": True}),
    ("Rprop", {"lr": 0.05}),
    ("Rprop", {"lr": 0.05, "etas": (0.3, 1.5), "step_sizes": (1e-2, 0.2), "maximize": True}),
    ("ASGD", {"lr": 0.05}),
    ("ASGD", {"lr": 0.05, "lambd": 0.1, "alpha": 0.5, "t0": 5.0, "weight_decay": 0.1}),
    ("ASGD", {"lr": 0.01, "t0": 0.0, "maximize": True}),
    ("Adafactor", {"lr": 0.05}),
    ("Adafactor", {"lr": 0.05, "beta2_decay": -0.5, "eps": (0.7, 0.5), "d": 1.5, "weight_decay": 0.1}),
    ("Adafactor", {"lr": 0.05, "maximize": True}),
    ("Muon", {"lr": 0.05}),
    ("Muon", {"lr": 0.05, "nesterov": False, "weight_decay": 0.0, "momentum": 0.8, "adjust_lr_fn": "match_rms_adamw"}),
    ("Muon", {"lr": 0.05, "ns_coefficients": (2.0, -1.5, 0.5), "ns_steps": 3, "eps": 20.0}),
]
ONE_OF_EACH = list({name: (name, options) for name, options in OPTIONS}.values())
START = np.random.default_rng(0).normal(size=(4, 3))
PULLS = np.random.default_rng(1).normal(size=(20, 4, 3))

named = pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)


def tensors(xp: Any, name: str, dtype: str) -> list[Any]:
    """A matrix, and where the optimizer takes them a vector, a number and a cube."""
    kind = getattr(xp, dtype)
    parts = [START] if name == "Muon" else [START, START[0], START[0, 0], START.reshape(2, 2, 3)]
    return [xp.tensor(part, dtype=kind).requires_grad_() for part in parts]


def trajectory(xp: Any, name: str, options: Options, dtype: str, steps: int = 20) -> list[np.ndarray[Any, Any]]:
    """All parameters after each step of gradients that differ, with the rate lowered half way."""
    params = tensors(xp, name, dtype)
    unused = xp.zeros(2, 2, requires_grad=True)
    optimizer = getattr(xp.optim, name)([*params, unused], **options)
    points = []
    for i, pull in enumerate(PULLS[:steps]):
        if i == 10:
            optimizer.param_groups[0]["lr"] *= 0.5
        optimizer.zero_grad()
        target = xp.tensor(pull, dtype=getattr(xp, dtype))
        loss = sum(((p - target[0, 0]) ** 2).sum() + (p * (i % 3 - 1)).sum() for p in params[1:])
        loss = loss + ((params[0] - target) ** 2).sum() + params[0].sum()
        loss.backward()
        optimizer.step()
        points.append(np.concatenate([p.detach().numpy().reshape(-1) for p in params]))
    values = (v for p in params for _, v in sorted(optimizer.state[p].items()))
    return [*points, *(np.array(v.detach().numpy()) for v in values if v is not None)]


def allowed(name: str, dtype: str) -> Options:
    """A handful of roundings a step; Muon's direction is rounded to bfloat16 at every product."""
    if name == "Muon":
        return {"rtol": 0, "atol": 5e-3}
    return {"rtol": 1e-10, "atol": 1e-12} if dtype == "float64" else {"rtol": 1e-5, "atol": 4e-6}


@pytest.mark.oracle
@named
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_trajectory_is_pytorchs(dtype: str, name: str, options: Options) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    theirs = trajectory(torch, name, options, dtype)
    with dovetail.use_backend("numpy"):
        ours = trajectory(dovetail, name, options, dtype)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, **allowed(name, dtype))


NEUTRAL = ("lr", "foreach", "fused")


@named
def test_the_comparison_sees_every_option(name: str, options: Options) -> None:
    """With any one of the options left out the trajectory is another one."""
    with dovetail.use_backend("numpy"):
        whole = trajectory(dovetail, name, options, "float64", steps=12)
        for left_out in (key for key in options if key not in NEUTRAL):
            rest = {key: value for key, value in options.items() if key != left_out}
            if rest.get("nesterov") and "momentum" not in rest and name == "SGD":
                continue  # refused
            other = trajectory(dovetail, name, rest, "float64", steps=12)
            close = [np.allclose(a, b, **allowed(name, "float64")) for a, b in zip(whole, other, strict=False)]
            assert not all(close), left_out


@named
def test_the_decomposition_is_the_kernel(bare: str, name: str, options: Options) -> None:
    """Where a backend has no kernel of a step it runs the formula in ops."""
    found = []
    for backend in ("numpy", bare):
        with dovetail.use_backend(backend):
            found.append(trajectory(dovetail, name, options, "float64", steps=12))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, **allowed(name, "float64"))


@pytest.mark.parametrize(("name", "options"), ONE_OF_EACH, ids=str)
def test_jax_gives_the_same_trajectory(name: str, options: Options) -> None:
    pytest.importorskip("jax", reason="the extra `jax` is not installed")
    found = []
    for backend in ("numpy", "jax"):
        with dovetail.use_backend(backend):
            w = dovetail.tensor(START, dtype=dovetail.float64).requires_grad_()
            optimizer = getattr(dovetail.optim, name)([w], **options)
            points = []
            for i, pull in enumerate(PULLS[:8]):
                optimizer.param_groups[0]["lr"] *= 0.5 if i == 4 else 1
                w.grad = w.detach() * 2 + dovetail.tensor(pull)
                optimizer.step()
                points.append(np.array(w.detach().numpy()))
        found.append(points)
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, **allowed(name, "float64"))


def captured(name: str, options: Options, compiled: bool) -> list[np.ndarray[Any, Any]]:
    """Parameters along 6 steps with a schedule of rate and momentum; as a program from the second step on."""
    params = tensors(dovetail, name, "float32")
    optimizer = getattr(dovetail.optim, name)(params, **options)
    if "momentum" in optimizer.defaults or "betas" in optimizer.defaults:
        schedule: Any = dovetail.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=8)
    else:
        schedule = dovetail.optim.lr_scheduler.ExponentialLR(optimizer, 0.7)

    def step(pull: dovetail.Tensor) -> dovetail.Tensor:
        optimizer.zero_grad()
        loss: Any = sum(((p - pull) * (p - pull)).sum() for p in params)
        loss.backward()
        optimizer.step()
        return loss

    run: Callable[..., Any] = step
    points = []
    for i, pull in enumerate(PULLS[:6, 0, 0].astype(np.float32)):
        if i == 1 and compiled:
            run = dovetail.program.capture(step, dovetail.tensor(pull))
        run(dovetail.tensor(pull))
        schedule.step()
        points.append(np.concatenate([p.detach().numpy().reshape(-1).copy() for p in params]))
    for state in optimizer.state.values():
        points += [np.array(value.numpy()) for value in state.values()]
    return points


@named
def test_a_captured_step_is_the_eager_one_bit_for_bit(name: str, options: Options) -> None:
    """A schedule changes the rate, and the momentum where there is one, between the runs of one program."""
    if options.get("nesterov") and name == "SGD":
        options = {**options, "momentum": 0.8}
    with dovetail.use_backend("numpy"):
        eager, program = captured(name, options, False), captured(name, options, True)
    for a, b in zip(eager, program, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("name", "options"), ONE_OF_EACH, ids=str)
def test_a_first_step_can_be_captured(name: str, options: Options) -> None:
    """State that is made lazily is made for real, though the step is only recorded."""
    with dovetail.use_backend("numpy"):
        found = []
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
            found.append(np.array(w.detach().numpy()))
    np.testing.assert_array_equal(*found)
