"""Activations and softmax at their edges: values and gradients are PyTorch's, with kernels and without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dovetail

INF, NAN = float("inf"), float("nan")
F = dovetail.ops


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")


EDGES: dict[str, tuple[dict[str, Any], list[float]]] = {
    "relu": ({}, [-0.0, 0.0, -1.0, 2.0, INF, -INF, NAN]),
    "relu6": ({}, [0.0, 6.0, 7.0, -1.0, INF, -INF, NAN]),
    "leaky_relu": ({"negative_slope": 0.25}, [0.0, -0.0, -2.0, 3.0, INF, NAN]),
    "elu": ({"alpha": 0.5}, [0.0, -1e30, 1e30, INF, -INF, NAN]),
    "celu": ({"alpha": 2.0}, [0.0, -1e30, 1e30, INF, -INF, NAN]),
    "selu": ({}, [0.0, -1e30, 1e30, INF, -INF, NAN]),
    "hardtanh": ({}, [-1.0, 1.0, 0.0, INF, -INF, NAN]),
    "hardsigmoid": ({}, [-3.0, 3.0, 0.0, INF, -INF]),
    "hardswish": ({}, [-3.0, 3.0, 0.0, 1.0, -1.0]),
    "hardshrink": ({}, [0.5, -0.5, 0.75, -0.75, 0.0, INF, NAN]),
    "softshrink": ({}, [0.5, -0.5, 0.75, -0.75, 0.0, INF, NAN]),
    "softplus": ({}, [0.0, 20.0, 20.5, -1e3, 1e3, INF, -INF]),
    "logsigmoid": ({}, [0.0, -1e3, 1e3, 90.0, -90.0]),
    "silu": ({}, [0.0, -90.0, -1e3, 1e3]),
    "mish": ({}, [0.0, -30.0, 1e3]),
    "gelu": ({}, [0.0, -10.0, -5.0, 1e3, -1e3]),
    "softsign": ({}, [0.0, 1e3, -1e3]),
    "tanhshrink": ({}, [0.0, 1e3, -1e3]),
}


@pytest.mark.oracle
@pytest.mark.parametrize("name", EDGES)
def test_values_and_gradients_at_the_edges(name: str, ways: str, torch: Any) -> None:
    words, points = EDGES[name]
    ours = dovetail.tensor(points, dtype=dovetail.float64, requires_grad=True)
    theirs = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    y, z = getattr(F, name)(ours, **words), getattr(torch.nn.functional, name)(theirs, **words)
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-12, atol=1e-15)
    y.sum().backward()
    z.sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-6, atol=1e-12)


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["gelu", "silu", "softplus", "logsigmoid", "mish"])
def test_float32_keeps_its_digits_in_the_tails(name: str, ways: str, torch: Any) -> None:
    points = np.concatenate([np.linspace(-12, 12, 4001), -np.geomspace(1e-6, 12, 500)]).astype(np.float32)
    exact = getattr(torch.nn.functional, name)(torch.tensor(points).double()).numpy()
    if name == "gelu":  # PyTorch's own form cancels in the left tail
        wide = torch.tensor(points).double()
        exact = (wide * 0.5 * torch.special.erfc(-wide / 2**0.5)).numpy()
    got = getattr(F, name)(dovetail.tensor(points)).numpy()
    ulp = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    assert np.max(np.abs(got - exact) / ulp) < 0.52


@pytest.mark.oracle
@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_the_gradient_of_gelu_in_float32(approximate: str, ways: str, torch: Any) -> None:
    points = np.linspace(-9, 9, 2001).astype(np.float32)
    wide = torch.tensor(points).double().requires_grad_()
    torch.nn.functional.gelu(wide, approximate=approximate).sum().backward()
    ours = dovetail.tensor(points, requires_grad=True)
    F.gelu(ours, approximate=approximate).sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), wide.grad.numpy(), rtol=1e-6, atol=1e-9)


def test_an_infinite_gradient_does_not_pass_relu_where_it_is_closed(ways: str) -> None:
    size = 5000
    x = dovetail.tensor(np.tile([-1.0, 1.0], size // 2), dtype=dovetail.float32, requires_grad=True)
    F.relu(x).backward(dovetail.full((size,), INF))
    assert x.grad.numpy()[:4].tolist() == [0.0, INF, 0.0, INF]
    assert not np.isnan(x.grad.numpy()).any()


def test_relu_of_integers_keeps_their_type() -> None:
    found = F.relu(dovetail.tensor([-1, 2]))
    assert (found.dtype, found.tolist()) == (dovetail.int64, [0, 2])


def test_relu_in_place_writes_into_the_tensor() -> None:
    x = dovetail.tensor([-1.0, 2.0])
    view = x[:1]
    assert x.relu_() is x
    assert (x.tolist(), view.tolist()) == ([0.0, 2.0], [0.0])


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(
    "row",
    [
        [-INF, -INF], [INF, 1.0], [NAN, 1.0], [-INF, 0.0], [1000.0, 0.0], [-1000.0, 0.0, -1000.0], [0.0, -200.0],
    ],
)  # fmt: skip
def test_softmax_of_extreme_rows(name: str, row: list[float], ways: str, torch: Any) -> None:
    ours, theirs = dovetail.tensor([row, row[::-1]]), torch.tensor([row, row[::-1]])
    got, expected = getattr(F, name)(ours, 1).numpy(), getattr(torch, name)(theirs, 1).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-37)


def test_softmax_of_an_empty_dimension_is_empty(ways: str) -> None:
    x = dovetail.zeros(2, 0, requires_grad=True)
    found = F.softmax(x, 1)
    found.sum().backward()
    assert (tuple(found.shape), tuple(x.grad.shape)) == ((2, 0), (2, 0))


@pytest.mark.oracle
def test_prelu_of_every_number_of_dimensions(torch: Any) -> None:
    for shape, count in [((), 1), ((3,), 1), ((2, 3), 3), ((2, 3, 4), 3), ((2, 3, 2, 2), 1)]:
        host = np.random.default_rng(0).normal(size=shape)
        slope = np.linspace(0.1, 0.4, count)
        ours = [dovetail.tensor(v, requires_grad=True) for v in (host, slope)]
        theirs = [torch.tensor(v, requires_grad=True) for v in (host, slope)]
        y, z = F.prelu(*ours), torch.nn.functional.prelu(*theirs)
        np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy())
        y.sum().backward()
        z.sum().backward()
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy())
