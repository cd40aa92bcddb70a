from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn
from dovetail.nn.utils import (
    clip_grad_norm,
    clip_grad_norm_,
    clip_grad_value_,
    get_total_norm,
    parameters_to_vector,
    vector_to_parameters,
)


def with_gradients(framework: Any = dovetail) -> list[Any]:
    rng = np.random.default_rng(0)
    parameters = []
    for shape in ((2, 3), (4,), ()):
        parameter = framework.nn.Parameter(framework.tensor(rng.standard_normal(shape)))
        parameter.grad = framework.tensor(rng.standard_normal(shape))
        parameters.append(parameter)
    parameters.append(framework.nn.Parameter(framework.ones(2)))
    return parameters


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, math.inf, "inf"])
@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_clip_grad_norm(norm_type: Any, max_norm: float) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    ours, theirs = with_gradients(), with_gradients(torch)
    a = clip_grad_norm_(ours, max_norm, norm_type)
    b = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)
    for p, q in zip(ours[:3], theirs):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-12)
    assert ours[3].grad is None


def test_clipping_writes_in_place_and_takes_one_tensor() -> None:
    parameter = with_gradients()[0]
    gradient = parameter.grad
    norm = clip_grad_norm_(parameter, 1.0)
    assert parameter.grad is gradient
    assert float(norm) > 1
    assert float(gradient.norm()) == pytest.approx(1.0, abs=1e-5)
    clip_grad_value_(parameter, 0.1)
    assert float(gradient.abs().max()) == pytest.approx(0.1)


def test_infinite_norms() -> None:
    parameter = nn.Parameter(dovetail.ones(2))
    parameter.grad = dovetail.tensor([1.0, math.inf])
    with pytest.raises(
        RuntimeError, match=r"The total norm of order 2.0 for gradients from `parameters` is non-finite"
    ):
        clip_grad_norm_([parameter], 1.0, error_if_nonfinite=True)
    assert parameter.grad.tolist() == [1.0, math.inf]
    assert math.isinf(float(clip_grad_norm_([parameter], 1.0)))


def test_nothing_to_clip() -> None:
    assert float(clip_grad_norm_([], 1.0)) == 0.0
    assert float(get_total_norm([])) == 0.0
    layer = nn.Linear(1, 1)
    assert float(clip_grad_norm_(layer.parameters(), 1.0)) == 0.0
    with pytest.warns(UserWarning, match="`parameters` is an empty generator") as caught:
        clip_grad_norm_(nn.ReLU().parameters(), 1.0)
    assert caught[0].filename == __file__


def test_the_former_name_warns() -> None:
    with pytest.warns(FutureWarning, match="clip_grad_norm` is now deprecated"):
        clip_grad_norm([], 1.0)


def test_vector_and_back() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    vector = parameters_to_vector(model.parameters())
    assert tuple(vector.shape) == (11,)
    assert vector.requires_grad
    before = [p.tolist() for p in model.parameters()]
    objects = list(model.parameters())
    vector_to_parameters(vector.detach() * 2, model.parameters())
    assert [p.tolist() for p in model.parameters()] == [(dovetail.tensor(b) * 2).tolist() for b in before]
    assert all(a is b and a.is_leaf and a.requires_grad for a, b in zip(objects, model.parameters()))
    vector.sum().backward()
    assert all(p.grad is not None for p in objects)


def test_vectors_that_do_not_fit() -> None:
    layer = nn.Linear(2, 2)
    before = [p.tolist() for p in layer.parameters()]
    with pytest.raises(RuntimeError, match="the parameters have 6 values, the vector 5"):
        vector_to_parameters(dovetail.ones(5), layer.parameters())
    assert [p.tolist() for p in layer.parameters()] == before
    with pytest.raises(TypeError, match="expected Tensor, but got: list"):
        vector_to_parameters([1.0], layer.parameters())  # type: ignore[arg-type]
