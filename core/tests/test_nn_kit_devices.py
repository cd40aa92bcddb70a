"""Losses, norms, bags, parametrizations and lazy layers have the same values and gradients on every device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn
from dovetail.nn.utils import parametrizations

pytest.importorskip("jax", reason="compares two backends, and JAX is not installed")
rng = np.random.default_rng(1)
ROWS = rng.standard_normal((3, 4)).astype("float32")
OTHER = rng.standard_normal((3, 4)).astype("float32")
IMAGES = rng.standard_normal((2, 3, 4)).astype("float32")
CLASSES = np.array([0, 3, 1])


def normed() -> Any:
    dovetail.manual_seed(0)
    return parametrizations.weight_norm(nn.Linear(4, 2))


def lazy() -> Any:
    dovetail.manual_seed(0)
    return nn.LazyLinear(2)


def orthogonal() -> Any:
    dovetail.manual_seed(0)
    return parametrizations.orthogonal(nn.Linear(4, 2), orthogonal_map="cayley", use_trivialization=False)


def bag(mode: str) -> Callable[[], Any]:
    def make() -> Any:
        dovetail.manual_seed(0)
        return nn.EmbeddingBag(5, 2, mode=mode, padding_idx=1)

    return make


CASES: list[tuple[Callable[[], Any], list[Any]]] = [
    (nn.TripletMarginLoss, [ROWS, OTHER, ROWS[::-1].copy()]),
    (nn.MultiMarginLoss, [ROWS, CLASSES]),
    (nn.CosineEmbeddingLoss, [ROWS, OTHER, np.array([1.0, -1.0, 1.0], dtype="float32")]),
    (nn.GaussianNLLLoss, [ROWS, OTHER, np.abs(OTHER)]),
    (nn.CTCLoss, [IMAGES, np.array([[1], [2], [3]]), np.array([2, 2, 2]), np.array([1, 1, 0])]),
    (lambda: nn.InstanceNorm1d(3, affine=True, track_running_stats=True), [IMAGES]),
    (lambda: nn.LocalResponseNorm(2), [IMAGES]),
    (normed, [ROWS]),
    (orthogonal, [ROWS]),
    (lazy, [ROWS]),
    (bag("max"), [CLASSES, np.array([0, 2])]),
]


def results(make: Callable[[], Any], arrays: list[Any], device: str) -> list[Any]:
    """The output, the gradients and the state of a module on a device."""
    module = make().to(device)
    inputs = [dovetail.tensor(a, device=device, requires_grad=a.dtype.kind == "f") for a in arrays]
    output = module(*inputs)
    assert output.device == inputs[0].device
    (output * output).sum().backward()
    leaves = [*[x for x in inputs if x.requires_grad], *module.parameters()]
    found = [output, *[x.grad for x in leaves], *module.state_dict().values()]
    return [None if x is None else x.detach().cpu().numpy() for x in found]


@pytest.mark.parametrize(("make", "arrays"), CASES)
def test_the_same_on_both(make: Callable[[], Any], arrays: list[Any]) -> None:
    for a, b in zip(*(results(make, arrays, device) for device in ("numpy:cpu", "jax:cpu")), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_whole_step_is_one_program() -> None:
    steps = []
    for device in ("numpy:cpu", "jax:cpu"):
        net = nn.Sequential(normed(), nn.LazyBatchNorm1d()).to(device)
        x, y = (dovetail.tensor(a, device=device) for a in (ROWS, OTHER[:, :2].copy()))
        net(x)
        optimizer = dovetail.optim.SGD(net.parameters(), lr=0.1)

        @dovetail.compile
        def step(x: Any, y: Any, net: Any = net, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = nn.functional.gaussian_nll_loss(net(x), y, dovetail.ones_like(y))
            loss.backward()
            optimizer.step()
            return loss

        steps.append([float(step(x, y)) for _ in range(3)])
    np.testing.assert_allclose(steps[0], steps[1], rtol=1e-4)
    assert steps[0][2] < steps[0][0]
