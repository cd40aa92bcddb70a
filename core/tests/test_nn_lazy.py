"""Lazy modules: shapes come from the first input or a state dict, and then they are the ordinary layers."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn

CASES: list[tuple[str, str, tuple[int, ...]]] = [
    ("LazyLinear(5)", "Linear(4, 5)", (2, 3, 4)),
    ("LazyLinear(5, bias=False)", "Linear(4, 5, bias=False)", (4,)),
    ("LazyConv1d(4, 3, padding=1, groups=2)", "Conv1d(2, 4, 3, padding=1, groups=2)", (2, 2, 6)),
    ("LazyConv2d(4, 3, stride=2)", "Conv2d(2, 4, 3, stride=2)", (2, 5, 5)),
    ("LazyConv3d(4, 2, bias=False)", "Conv3d(2, 4, 2, bias=False)", (1, 2, 3, 3, 3)),
    ("LazyConvTranspose1d(4, 3, 2, groups=2)", "ConvTranspose1d(2, 4, 3, 2, groups=2)", (1, 2, 4)),
    ("LazyConvTranspose2d(3, 2, output_padding=1, stride=2)",
     "ConvTranspose2d(2, 3, 2, output_padding=1, stride=2)", (1, 2, 3, 3)),
    ("LazyConvTranspose3d(3, 2)", "ConvTranspose3d(2, 3, 2)", (1, 2, 2, 2, 2)),
    ("LazyBatchNorm1d()", "BatchNorm1d(3)", (4, 3)),
    ("LazyBatchNorm2d(0.1, 0.2, affine=False)", "BatchNorm2d(3, 0.1, 0.2, affine=False)", (2, 3, 2, 2)),
    ("LazyBatchNorm3d(bias=False)", "BatchNorm3d(3, bias=False)", (2, 3, 2, 2, 2)),
    ("LazyInstanceNorm1d()", "InstanceNorm1d(3, affine=True, track_running_stats=True)", (2, 3, 4)),
    ("LazyInstanceNorm2d(affine=False)", "InstanceNorm2d(3, track_running_stats=True)", (2, 3, 4, 2)),
    ("LazyInstanceNorm3d(track_running_stats=False)", "InstanceNorm3d(3, affine=True)", (2, 3, 2, 2, 2)),
]  # fmt: skip


def made(text: str) -> Any:
    return eval("nn." + text, {"nn": nn})


@pytest.mark.parametrize(("lazy", "plain", "shape"), CASES, ids=[text for text, _, _ in CASES])
def test_the_first_input_makes_the_ordinary_layer(lazy: str, plain: str, shape: tuple[int, ...]) -> None:
    x = dovetail.tensor(np.random.default_rng(0).standard_normal(shape).astype("float32"))
    layer, expected = made(lazy), made(plain)
    before = list(layer.parameters())
    assert all(isinstance(p, nn.UninitializedParameter) for p in before)
    dovetail.manual_seed(7)
    expected.reset_parameters()
    dovetail.manual_seed(7)
    out = layer(x)
    assert type(layer) is type(expected)
    assert repr(layer) == repr(expected)
    assert list(layer.state_dict()) == list(expected.state_dict())
    # The very objects that an optimizer may have been given.
    assert [a is b for a, b in zip(layer.parameters(), before, strict=True)] == [True] * len(before)
    assert [type(p) for p in layer.parameters()] == [nn.Parameter] * len(before)
    assert dovetail.equal(out, expected(x))
    assert not layer._forward_pre_hooks
    assert not layer._load_state_dict_pre_hooks
    assert layer(x).shape == out.shape


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_is_initialised_by_itself(copied: Callable[[Any], Any]) -> None:
    net = nn.Sequential(nn.LazyConv2d(2, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2)).double()
    again = copied(net)
    net(dovetail.zeros(2, 1, 4, 4, dtype=dovetail.float64))
    assert again[3].weight.dtype is dovetail.float64
    assert repr(again[3].weight) == str(again[3].weight) == "<UninitializedParameter>"
    again(dovetail.zeros(2, 3, 5, 5, dtype=dovetail.float64))
    assert net[0].weight.shape == (2, 1, 3, 3)
    assert again[0].weight.shape == (2, 3, 3, 3)
    assert again[3].weight.shape == (2, 18)
    assert again[3].weight.dtype is dovetail.float64


def test_a_state_dict_brings_the_shapes() -> None:
    full, lazy = nn.Linear(4, 3), nn.LazyLinear(3)
    lazy.load_state_dict(full.state_dict())
    assert type(lazy.weight) is nn.Parameter
    x = dovetail.ones(2, 4)
    assert dovetail.equal(lazy(x), full(x))
    assert repr(lazy) == repr(full)
    other = nn.LazyLinear(3)
    other.load_state_dict(full.state_dict())
    with pytest.raises(RuntimeError, match="in_features inferred from input: 5 is not equal to in_features"):
        other(dovetail.ones(2, 5))


def test_lazy_state_goes_into_lazy_modules_only() -> None:
    lazy = nn.LazyBatchNorm1d()
    assert isinstance(lazy.running_mean, nn.UninitializedBuffer)
    assert str(nn.LazyBatchNorm1d().load_state_dict(lazy.state_dict())) == "<All keys matched successfully>"
    with pytest.raises(RuntimeError, match="trying to load an uninitialized parameter into an initialized one"):
        nn.BatchNorm1d(3).load_state_dict(lazy.state_dict())


def test_a_load_that_fails_leaves_the_module_lazy() -> None:
    net = nn.Sequential(nn.LazyLinear(3), nn.Linear(3, 2))
    state = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3)).state_dict()
    with pytest.raises(RuntimeError, match=r"size mismatch for 1\.weight"):
        net.load_state_dict(state)
    assert isinstance(net[0].weight, nn.UninitializedParameter)
    net(dovetail.zeros(1, 5))
    assert net[0].weight.shape == (3, 5)


def test_mistakes() -> None:
    with pytest.raises(RuntimeError, match="Can't access the shape of an uninitialized parameter"):
        _ = nn.LazyLinear(3).weight.shape
    with pytest.raises(RuntimeError, match=r"Expected 3D \(unbatched\) or 4D \(batched\) input to LazyConv2d"):
        nn.LazyConv2d(3, 2)(dovetail.zeros(2, 2))
    with pytest.raises(ValueError, match="in_channels must be divisible by groups"):
        nn.LazyConv1d(4, 1, groups=2)(dovetail.zeros(1, 3, 4))


def test_a_module_of_ones_own() -> None:
    from dovetail.nn.lazy import LazyModuleMixin

    class Scale(LazyModuleMixin):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.UninitializedParameter()

        def initialize_parameters(self, x: Any, power: int = 1) -> None:
            if self.has_uninitialized_params():
                self.factor.materialize(x.shape[-1:])
                nn.init.constant_(self.factor, power)

        def forward(self, x: Any, power: int = 1) -> Any:
            return x * self.factor

    layer = Scale()
    assert layer(dovetail.ones(2, 3), power=5).tolist() == [[5.0] * 3] * 2
    assert layer(dovetail.ones(3), power=7).tolist() == [5.0] * 3

    class Forgetful(Scale):
        def initialize_parameters(self, x: Any, power: int = 1) -> None:
            """Give no shape at all."""

    with pytest.raises(RuntimeError, match="module Forgetful has not been fully initialized"):
        Forgetful()(dovetail.ones(1))
