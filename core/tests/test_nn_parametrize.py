"""Parametrizations: those of PyTorch by name, and one's own with and without a right inverse."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn
from dovetail.nn.utils import parametrizations, parametrize


class Symmetric(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.triu() + x.triu(1).T

    def right_inverse(self, a: Any) -> Any:
        return a.triu()


class Doubled(nn.Module):
    def forward(self, x: Any) -> Any:
        return x * 2


class Halves(nn.Module):
    def forward(self, a: Any, b: Any) -> Any:
        return a + b

    def right_inverse(self, x: Any) -> Any:
        return x * 0.25, x * 0.75


@pytest.fixture(name="torch")
def torch_module() -> Any:
    return pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")


CASES = [
    ("Linear(4, 3)", "weight_norm({m})", (2, 4)),
    ("Linear(4, 3)", "weight_norm({m}, dim=None)", (2, 4)),
    ("Linear(4, 3)", "weight_norm({m}, 'bias')", (2, 4)),
    ("Conv1d(2, 3, 2)", "weight_norm({m}, dim=1)", (1, 2, 5)),
    ("Linear(4, 3)", "spectral_norm({m})", (2, 4)),
    ("Linear(4, 3)", "spectral_norm({m}, 'bias', eps=1e-3)", (2, 4)),
    ("Conv2d(2, 3, 2)", "spectral_norm({m}, n_power_iterations=3, dim=1)", (1, 2, 4, 4)),
    ("ConvTranspose1d(2, 3, 2)", "spectral_norm({m})", (1, 2, 4)),
    *[
        (f"Linear({a}, {b})", f"orthogonal({{m}}, orthogonal_map={word!r}, use_trivialization={trivial})", (2, a))
        for a, b in ((4, 4), (5, 3), (3, 5))
        for word in ("matrix_exp", "cayley", "householder")
        for trivial in (True, False)
    ],
]


@pytest.mark.oracle
@pytest.mark.parametrize(("layer", "how", "shape"), CASES)
def test_those_of_pytorch(layer: str, how: str, shape: tuple[int, ...], torch: Any) -> None:
    sides = []
    for framework in (dovetail, torch):
        spaces = {"nn": framework.nn, "p": framework.nn.utils.parametrizations}
        module = eval("nn." + layer, spaces).double()
        spaces["m"] = module
        sides.append(eval("p." + how.replace("{m}", "m"), spaces))
    ours, theirs = sides
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: dovetail.tensor(v.detach().numpy()) for k, v in theirs.state_dict().items()})
    x = np.random.default_rng(0).standard_normal(shape)
    for mode in (True, False):
        for _ in range(2):
            results = [m.train(mode)(f.tensor(x)) for m, f in zip(sides, (dovetail, torch), strict=True)]
            np.testing.assert_allclose(results[0].detach().numpy(), results[1].detach().numpy(), rtol=1e-9, atol=1e-12)
    for result in results:
        (result * result).sum().backward()
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-7, atol=1e-10, err_msg=name)
    for (name, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-12, err_msg=name)


def test_a_right_inverse_keeps_the_value_and_takes_assignments() -> None:
    layer = nn.Linear(3, 3)
    symmetric = layer.weight.detach().triu() + layer.weight.detach().triu(1).T
    layer.weight.data.copy_(symmetric)
    original = layer.weight
    parametrize.register_parametrization(layer, "weight", Symmetric())
    assert type(layer).__name__ == "ParametrizedLinear"
    assert isinstance(layer, nn.Linear)
    assert parametrize.type_before_parametrizations(layer) is nn.Linear
    assert parametrize.is_parametrized(layer, "weight")
    assert not parametrize.is_parametrized(layer, "bias")
    assert dovetail.equal(layer.weight, symmetric)
    assert layer.parametrizations.weight.original is original
    layer.weight = dovetail.eye(3) * 5
    assert layer.weight.tolist() == (dovetail.eye(3) * 5).tolist()
    assert original.tolist() == (dovetail.eye(3) * 5).tolist()
    assert [name for name, _ in layer.named_parameters()] == ["bias", "parametrizations.weight.original"]
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear
    assert layer.weight is original
    assert [name for name, _ in layer.named_parameters()] == ["bias", "weight"]


def test_removal_may_leave_the_original() -> None:
    layer = nn.Linear(2, 2)
    parametrize.register_parametrization(layer, "weight", Doubled())
    original = layer.parametrizations.weight.original.tolist()
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert layer.weight.tolist() == original


def test_one_on_top_of_another() -> None:
    layer = nn.Linear(2, 2)
    before = layer.weight.detach().clone()
    parametrize.register_parametrization(layer, "weight", Doubled())
    parametrize.register_parametrization(layer, "weight", Doubled())
    assert dovetail.equal(layer.weight, before * 4)
    layer.weight.sum().backward()
    assert layer.parametrizations.weight.original.grad.tolist() == [[4.0, 4.0]] * 2
    with pytest.raises(RuntimeError, match="Doubled does not implement right_inverse"):
        layer.weight = before


def test_several_originals_and_a_buffer() -> None:
    layer = nn.BatchNorm1d(3)
    parametrize.register_parametrization(layer, "weight", Halves())
    parametrize.register_parametrization(layer, "running_mean", Doubled())
    names = [name for name, _ in layer.named_parameters()]
    assert names == ["bias", "parametrizations.weight.original0", "parametrizations.weight.original1"]
    assert "parametrizations.running_mean.original" in dict(layer.named_buffers())
    assert layer.weight.tolist() == [1.0] * 3
    with pytest.raises(ValueError, match="in terms of a sequence of tensors"):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    parametrize.remove_parametrizations(layer, "weight")
    assert isinstance(layer.weight, nn.Parameter)
    assert type(layer).__name__ == "ParametrizedBatchNorm1d"
    parametrize.remove_parametrizations(layer, "running_mean")
    assert type(layer) is nn.BatchNorm1d


def test_values_are_cached_within_the_block_alone() -> None:
    layer = parametrizations.weight_norm(nn.Linear(2, 2))
    assert layer.weight is not layer.weight
    with parametrize.cached():
        first = layer.weight
        assert layer.weight is first
    assert layer.weight is not first


def test_a_copy_has_its_own_class_and_originals() -> None:
    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Doubled())
    again = copy.deepcopy(layer)
    assert dovetail.equal(again.weight, layer.weight)
    parametrize.remove_parametrizations(again, "weight")
    assert parametrize.is_parametrized(layer)
    assert layer.weight.shape == (2, 2)
    with pytest.raises(RuntimeError, match="only supported through state_dict"):
        pickle.dumps(layer)


def test_transfer() -> None:
    layer = parametrizations.weight_norm(nn.Linear(2, 2))
    other = nn.Linear(2, 2)
    parametrize.transfer_parametrizations_and_params(layer, other)
    assert other.parametrizations.weight.original0 is layer.parametrizations.weight.original0
    assert dovetail.equal(other.weight, layer.weight)


def test_mistakes() -> None:
    class Wider(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.repeat(2, 1)

    class Tuple(nn.Module):
        def forward(self, x: Any) -> Any:
            return (x,)

    layer = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="may not change the shape of the tensor"):
        parametrize.register_parametrization(layer, "weight", Wider())
    with pytest.raises(ValueError, match=r"A parametrization must return a tensor. Got tuple\."):
        parametrize.register_parametrization(layer, "weight", Tuple())
    assert type(layer) is nn.Linear
    parametrize.register_parametrization(layer, "weight", Wider(), unsafe=True)
    assert layer.weight.shape == (4, 2)
    with pytest.raises(ValueError, match="does not have a parameter, a buffer"):
        parametrize.register_parametrization(layer, "missing", Doubled())
    with pytest.raises(ValueError, match="does not have a parametrization on bias"):
        parametrize.remove_parametrizations(layer, "bias")
    with pytest.raises(ValueError, match="orthogonal_map has to be one of"):
        parametrizations.orthogonal(nn.Linear(2, 2), orthogonal_map="qr")
    with pytest.raises(ValueError, match="has no parameter or buffer with name 'w'"):
        parametrizations.spectral_norm(nn.Linear(2, 2), "w")


def test_an_orthogonal_weight_can_be_assigned() -> None:
    layer = parametrizations.orthogonal(nn.Linear(3, 3))
    wanted = dovetail.eye(3)[[2, 0, 1]]
    layer.weight = wanted
    np.testing.assert_allclose(layer.weight.detach().numpy(), wanted.numpy(), atol=1e-6)
    fixed = parametrizations.orthogonal(nn.Linear(3, 3), use_trivialization=False)
    with pytest.raises(NotImplementedError, match="It is not possible to assign"):
        fixed.weight = wanted
    half = parametrizations.orthogonal(nn.Linear(3, 3), orthogonal_map="householder", use_trivialization=False)
    half.weight = wanted
    np.testing.assert_allclose(half.weight.detach().numpy(), wanted.numpy(), atol=1e-6)


def test_the_older_names_of_weight_norm_load() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        older = nn.utils.weight_norm(nn.Linear(3, 2))
    newer = parametrizations.weight_norm(nn.Linear(3, 2))
    newer.load_state_dict(older.state_dict())
    np.testing.assert_allclose(newer.weight.detach().numpy(), older.weight.detach().numpy(), rtol=1e-6)
