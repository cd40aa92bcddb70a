"""Modules and functions whose results are differentiated outside: compiled or not, the gradients are there."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import dovetail
from dovetail import nn
from dovetail.errors import CaptureError
from dovetail.program.compiled import EagerWarning


@pytest.mark.parametrize("device", ["numpy", "jax"])
def test_a_compiled_module_trains_as_it_does_without(device: str) -> None:
    if device == "jax":
        pytest.importorskip("jax", reason="the extra `jax` is not installed")
    dovetail.manual_seed(0)
    plain = nn.Linear(3, 2, device=device)
    compiled = dovetail.compile(nn.Linear(3, 2, device=device), mode="max-autotune")
    compiled.load_state_dict(plain.state_dict())
    x = dovetail.ones(4, 3, device=device)
    with pytest.warns(EagerWarning, match="Compile the whole step"):
        train(compiled, x)
    train(plain, x)
    assert compiled.weight.tolist() == plain.weight.tolist()


def train(net: Any, x: dovetail.Tensor) -> None:
    """Four steps."""
    optimizer = dovetail.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(4):
        optimizer.zero_grad()
        net(x).square().sum().backward()
        optimizer.step()


def test_without_a_graph_it_is_a_program() -> None:
    net = nn.Linear(3, 2).eval()
    compiled = dovetail.compile(net)
    x = dovetail.ones(4, 3)
    with warnings.catch_warnings(), dovetail.no_grad():
        warnings.simplefilter("error")
        results = [compiled(x).tolist() for _ in range(3)]
    assert results[0] == results[1] == results[2] == net(x).tolist()
    assert "1 programs" in repr(compiled)


def test_a_step_that_returns_its_loss_is_a_program() -> None:
    net = nn.Linear(3, 1)

    @dovetail.compile
    def step(x: dovetail.Tensor) -> dovetail.Tensor:
        net.zero_grad()
        loss = net(x).square().sum()
        loss.backward()
        return loss

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            step(dovetail.ones(2, 3))
    assert "1 programs" in repr(step)


def test_a_compiled_module_answers_as_the_module() -> None:
    net = nn.Linear(3, 2)
    compiled = dovetail.compile(net)
    assert list(compiled.parameters()) == list(net.parameters())
    assert not compiled.eval().training
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        _ = compiled.colour


def test_options() -> None:
    net = nn.Linear(1, 1)
    assert dovetail.compile(net, disable=True) is net
    assert dovetail.compile(dynamic=True)(net).function is net
    with pytest.raises(CaptureError, match="no option speed"):
        dovetail.compile(net, speed=9)
