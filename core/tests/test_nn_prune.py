"""Pruning: masks are PyTorch's where nothing is drawn, and of the right size where something is."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn
from dovetail.nn.utils import prune

SHAPES = {"Linear(4, 3)": (2, 4), "Conv2d(2, 3, 2)": (1, 2, 4, 4)}
CALLS = [
    "p.identity(m, 'weight')",
    "p.l1_unstructured(m, 'weight', 5)",
    "p.l1_unstructured(m, 'weight', 0.4)",
    "p.l1_unstructured(m, 'weight', 3, importance_scores=-m.weight.detach().abs())",
    "p.ln_structured(m, 'weight', 1, n=2, dim=0)",
    "p.ln_structured(m, 'weight', 0.5, n=1, dim=1)",
    "p.ln_structured(m, 'weight', 1, n=float('inf'), dim=-1)",
    "p.l1_unstructured(p.ln_structured(m, 'weight', 1, n=2, dim=0), 'weight', 2)",
    "p.ln_structured(p.l1_unstructured(m, 'weight', 3), 'weight', 1, n=2, dim=1)",
    "p.custom_from_mask(m, 'bias', mask=f.tensor([1, 0, 1]))",
    "p.remove(p.l1_unstructured(m, 'weight', 5), 'weight')",
]


@pytest.mark.oracle
@pytest.mark.parametrize("layer", list(SHAPES))
@pytest.mark.parametrize("how", CALLS)
def test_masks_are_pytorchs(layer: str, how: str) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    import torch.nn.utils.prune as their_prune

    theirs = eval("nn." + layer, {"nn": torch.nn})
    ours = eval("nn." + layer, {"nn": nn})
    ours.load_state_dict({k: dovetail.tensor(v.detach().numpy()) for k, v in theirs.state_dict().items()})
    eval(how, {"p": prune, "m": ours, "f": dovetail})
    eval(how, {"p": their_prune, "m": theirs, "f": torch})
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert prune.is_pruned(ours) == their_prune.is_pruned(theirs)
    for (name, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=name)
    x = np.random.default_rng(0).standard_normal(SHAPES[layer]).astype("float32")
    outputs = [m(f.tensor(x)) for m, f in ((ours, dovetail), (theirs, torch))]
    np.testing.assert_allclose(outputs[0].detach().numpy(), outputs[1].detach().numpy(), rtol=1e-4, atol=1e-6)
    for output in outputs:
        output.sum().backward()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_what_is_drawn_has_the_right_size() -> None:
    layer = nn.Linear(6, 5)
    prune.random_unstructured(layer, "weight", 7)
    assert int((layer.weight_mask == 0).sum()) == 7
    prune.random_unstructured(layer, "weight", 3)
    assert int((layer.weight_mask == 0).sum()) == 10
    rows = nn.Conv1d(3, 5, 2)
    prune.random_structured(rows, "weight", 0.4, dim=0)
    assert sorted(rows.weight_mask.sum((1, 2)).tolist()) == [0.0, 0.0, 6.0, 6.0, 6.0]
    assert isinstance(prune.find_hook(layer, "weight")[1], prune.PruningContainer)


def test_several_parameters_together() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    net[1].weight.data.fill_(9.0)
    prune.global_unstructured([(net[0], "weight"), (net[1], "weight")], prune.L1Unstructured, amount=6)
    assert int((net[0].weight == 0).sum()) == 6
    assert int((net[1].weight == 0).sum()) == 0
    with pytest.raises(TypeError, match='Only "unstructured" PRUNING_TYPE'):
        prune.global_unstructured([(net[0], "weight")], prune.LnStructured, amount=1, n=2)


def test_training_goes_on_with_the_original() -> None:
    layer = prune.l1_unstructured(nn.Linear(3, 2), "weight", 2)
    optimizer = dovetail.optim.SGD(layer.parameters(), lr=0.1)
    layer(dovetail.ones(1, 3)).sum().backward()
    optimizer.step()
    with dovetail.no_grad():
        layer(dovetail.ones(1, 3))  # a weight that is part of a graph cannot be copied, as in PyTorch
    assert int((layer.weight == 0).sum()) == 2
    again = copy.deepcopy(layer)
    prune.remove(again, "weight")
    assert not prune.is_pruned(again)
    assert prune.is_pruned(layer)
    assert int((again.weight == 0).sum()) == 2


def test_a_tensor_without_a_module() -> None:
    method = prune.L1Unstructured(amount=1)
    assert method.prune(dovetail.tensor([3.0, -1.0, 2.0])).tolist() == [3.0, 0.0, 2.0]


MISTAKES: list[tuple[Callable[[Any], Any], type[Exception], str]] = [
    (lambda m: prune.l1_unstructured(m, "weight", 100), ValueError, "should be smaller than the number of parameters"),
    (lambda m: prune.l1_unstructured(m, "weight", 1.5), ValueError, r"a float in the range \[0, 1\]"),
    (lambda m: prune.l1_unstructured(m, "weight", -1), ValueError, "non-negative integer"),
    (lambda m: prune.l1_unstructured(m, "weight", "a"), TypeError, "Invalid type for amount"),
    (lambda m: prune.ln_structured(m, "bias", 1, 2, 0), ValueError, "only be applied to multidimensional"),
    (lambda m: prune.ln_structured(m, "weight", 1, 2, 5), IndexError, "Invalid index 5"),
    (lambda m: prune.remove(m, "weight"), ValueError, "has to be pruned before"),
    (
        lambda m: prune.custom_from_mask(m, "weight", dovetail.ones(1)),
        AssertionError,
        "must match self.mask shape",
    ),
]


@pytest.mark.parametrize(("act", "kind", "words"), MISTAKES)
def test_mistakes_leave_the_module_as_it_was(act: Callable[[Any], Any], kind: type[Exception], words: str) -> None:
    layer = nn.Linear(3, 2)
    before = list(layer.state_dict())
    with pytest.raises(kind, match=words):
        act(layer)
    assert list(layer.state_dict()) == before
    assert not prune.is_pruned(layer)
    layer(dovetail.ones(1, 3))
