"""Losses with every option: values, gradients and second gradients are PyTorch's, with kernels and without."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.errors import AutogradError, DovetailError

# PyTorch's word on a mean that it documents.
pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss:UserWarning")

F = dovetail.ops
REDUCTIONS = ("none", "mean", "sum")


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")


def derivatives(frame: Any, function: Any, host: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """Value, gradient and gradient of a weighted gradient by the first argument, in float64."""
    x = frame.tensor(host, requires_grad=True)
    y = function(x)
    rng = np.random.default_rng(5)
    weights = [frame.tensor(rng.uniform(0.5, 1.5, shape)) for shape in (tuple(y.shape), host.shape)]
    (first,) = frame.autograd.grad((y * weights[0]).sum(), [x], create_graph=True)
    second = np.zeros(host.shape)
    if first.requires_grad:
        (found,) = frame.autograd.grad((first * weights[1]).sum(), [x], allow_unused=True)
        second = second if found is None else found.detach().numpy(force=True)
    return [y.detach().numpy(), first.detach().numpy(), second]


def same(torch: Any, name: str, host: np.ndarray[Any, Any], *arguments: Any, **words: Any) -> None:
    """Compare a loss in both frameworks; arrays among the arguments become tensors."""

    def call(frame: Any, function: Any) -> Any:
        made = [frame.tensor(a) if isinstance(a, np.ndarray) else a for a in arguments]
        given = {k: frame.tensor(v) if isinstance(v, np.ndarray) else v for k, v in words.items()}
        return lambda x: function(x, *made, **given)

    ours = derivatives(dovetail, call(dovetail, getattr(F, name)), host)
    theirs = derivatives(torch, call(torch, getattr(torch.nn.functional, name)), host)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


# ------------------------------------------------------------------------------------------ class indices

SHAPES = [((5,), ()), ((4, 5), (4,)), ((2, 5, 3), (2, 3)), ((2, 5, 2, 3), (2, 2, 3))]
CHOICES = list(itertools.product(SHAPES, REDUCTIONS, (False, True), (-100, 2)))


@pytest.mark.oracle
@pytest.mark.parametrize(("shapes", "reduction", "weighted", "ignore_index"), CHOICES)
def test_class_indices(shapes: Any, reduction: str, weighted: bool, ignore_index: int, ways: str, torch: Any) -> None:
    rng = np.random.default_rng(1)
    scores, target = rng.normal(size=shapes[0]), rng.integers(0, 5, shapes[1])
    if target.size > 1:
        target.flat[0] = 2
    weight = rng.uniform(0.5, 2, 5) if weighted else None
    words = {"ignore_index": ignore_index, "reduction": reduction}
    same(torch, "nll_loss", scores, target, weight, **words)
    for smoothing in (0.0, 0.2):
        same(torch, "cross_entropy", scores, target, weight, **words, label_smoothing=smoothing)


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 5, 3)])
def test_class_probabilities(
    shape: Any, smoothing: float, weighted: bool, reduction: str, ways: str, torch: Any
) -> None:
    rng = np.random.default_rng(2)
    weight = rng.uniform(0.5, 2, 5) if weighted else None
    target = rng.uniform(0, 1, shape)
    words = {"reduction": reduction, "label_smoothing": smoothing}
    same(torch, "cross_entropy", rng.normal(size=shape), target, weight, **words)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_single_sample_may_have_a_target_of_one_element(reduction: str, ways: str) -> None:
    scores = dovetail.tensor([0.5, 1.5, -1.0])
    for loss in (F.nll_loss, F.cross_entropy):
        found = loss(scores, dovetail.tensor([1]), reduction=reduction)
        assert (tuple(found.shape), found.item()) == ((), loss(scores, dovetail.tensor(1)).item())


@pytest.mark.oracle
def test_bytes_are_class_indices(ways: str, torch: Any) -> None:
    same(torch, "nll_loss", np.random.default_rng(3).normal(size=(3, 4)), np.array([3, 0, 1], np.uint8))


def test_the_mean_of_nothing_is_nan(ways: str) -> None:
    ignored = dovetail.full((3,), -100)
    assert np.isnan(F.cross_entropy(dovetail.zeros(3, 5), ignored).item())
    assert np.isnan(F.nll_loss(dovetail.zeros(3, 5), ignored).item())
    assert F.nll_loss(dovetail.zeros(3, 5), ignored, reduction="sum").item() == 0
    assert np.isnan(F.cross_entropy(dovetail.zeros(0, 5), dovetail.zeros(0, dtype=dovetail.int64)).item())


def test_what_is_ignored_may_be_infinite(ways: str) -> None:
    scores = dovetail.tensor([[-np.inf, 0.0], [0.0, 0.0]], requires_grad=True)
    loss = F.nll_loss(scores, dovetail.tensor([-100, 1]))
    loss.backward()
    assert (loss.item(), scores.grad.tolist()) == (0.0, [[0.0, 0.0], [0.0, -1.0]])


def test_a_large_score_does_not_overflow(ways: str) -> None:
    scores = dovetail.tensor([[1e4, 0.0]], requires_grad=True)
    loss = F.cross_entropy(scores, dovetail.tensor([1]))
    loss.backward()
    assert (loss.item(), scores.grad.tolist()) == (1e4, [[1.0, -1.0]])


def test_the_weight_of_classes_is_no_parameter(ways: str) -> None:
    weight = dovetail.ones(3, requires_grad=True)
    for name in ("nll_loss", "cross_entropy"):
        loss = getattr(F, name)(dovetail.zeros(2, 3, requires_grad=True), dovetail.tensor([0, 1]), weight)
        with pytest.raises(AutogradError, match="not differentiable with respect to argument 'weight'"):
            loss.backward()


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["nll_loss", "cross_entropy"])
@pytest.mark.parametrize(
    ("shape", "target", "words"),
    [
        ((3, 5), np.zeros((3, 1), np.int64), "0D or 1D target tensor expected, multi-target not supported"),
        ((3, 5), np.zeros((3, 4)), "0D or 1D target tensor expected, multi-target not supported"),
        ((3, 5), np.zeros(2, np.int64), "Expected input batch_size (3) to match target batch_size (2)."),
        ((3, 5), np.array([0, 7, 1]), "Target 7 is out of bounds."),
        ((3, 5), np.array([0, -1, 1]), "Target -1 is out of bounds."),
        ((5,), np.array(9), "Target 9 is out of bounds."),
        ((2, 5, 3, 3), np.full((2, 3, 3), 9), "Target 9 is out of bounds."),
        ((3, 5), np.zeros(3), "expected target dtype to be Long or Byte, but got Double"),
        ((3, 5), np.zeros(3, np.int32), "expected target dtype to be Long or Byte, but got Int"),
        ((2, 5, 3), np.zeros((2, 4), np.int64), "Expected target size [2, 3], got [2, 4]"),
        ((2, 5, 3, 3), np.zeros((2, 3), np.int64), "only batches of spatial targets supported (3D tensors)"),
    ],
)
def test_wrong_targets_are_told_in_pytorchs_words(
    name: str, shape: Any, target: Any, words: str, ways: str, torch: Any
) -> None:
    with pytest.raises(Exception, match=re.escape(words)) as theirs:
        getattr(torch.nn.functional, name)(torch.zeros(shape), torch.tensor(target))
    with pytest.raises(DovetailError, match=re.escape(words)) as ours:
        getattr(F, name)(dovetail.zeros(shape), dovetail.tensor(target))
    assert isinstance(ours.value, type(theirs.value))


def test_the_column_of_targets_gets_the_fix() -> None:
    with pytest.raises(RuntimeError, match=re.escape("target.squeeze(1)")):
        F.cross_entropy(dovetail.zeros(3, 5), dovetail.zeros(3, 1, dtype=dovetail.int64))


# ------------------------------------------------------------------------------------------ pairs of values


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mse_loss", {}),
        ("l1_loss", {}),
        ("smooth_l1_loss", {}),
        ("smooth_l1_loss", {"beta": 0.5}),
        ("huber_loss", {}),
        ("huber_loss", {"delta": 0.5}),
        ("kl_div", {"log_target": True}),
    ],
)
def test_pairs(name: str, options: dict[str, Any], reduction: str, ways: str, torch: Any) -> None:
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    x[0, 0] = y[0, 0]
    same(torch, name, x, y, reduction=reduction, **options)


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_kl_div_of_targets_that_are_zero(reduction: str, ways: str, torch: Any) -> None:
    target = np.array([[0.0, 1.0, 0.3]])
    same(torch, "kl_div", np.array([[-1.0, -2.0, -0.5]]), target, reduction=reduction)


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_binary_cross_entropy(reduction: str, weighted: bool, ways: str, torch: Any) -> None:
    rng = np.random.default_rng(8)
    weight = rng.uniform(0.5, 2, (3, 4)) if weighted else None
    target = rng.uniform(0, 1, (3, 4))
    same(torch, "binary_cross_entropy", rng.uniform(0.01, 0.99, (3, 4)), target, weight, reduction=reduction)
    positive = rng.uniform(0.5, 2, 4)
    words = {"weight": weight, "pos_weight": positive, "reduction": reduction}
    same(torch, "binary_cross_entropy_with_logits", rng.normal(size=(3, 4)) * 4, target, **words)


@pytest.mark.oracle
def test_binary_cross_entropy_of_certainties(ways: str, torch: Any) -> None:
    x, y = np.array([0.0, 0.0, 1.0, 1.0, 0.3]), np.array([0.0, 1.0, 0.0, 1.0, 0.3])
    found = []
    for frame, function in ((dovetail, F.binary_cross_entropy), (torch, torch.nn.functional.binary_cross_entropy)):
        source = frame.tensor(x, requires_grad=True)
        loss = function(source, frame.tensor(y), reduction="none")
        loss.sum().backward()
        found.append((loss.detach().numpy(), source.grad.numpy()))
    for a, b in zip(*found, strict=True):  # PyTorch's 1e-12 is a float32
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-12)


def test_the_gradients_of_all_arguments_of_binary_cross_entropy(ways: str) -> None:
    rng = np.random.default_rng(9)
    host = [rng.uniform(0.1, 0.9, (2, 3)), rng.uniform(0.1, 0.9, (2, 3)), rng.uniform(0.5, 2, (3,))]
    sources = [dovetail.tensor(a, requires_grad=True) for a in host]
    assert dovetail.autograd.gradcheck(F.binary_cross_entropy, sources)
    assert dovetail.autograd.gradgradcheck(F.binary_cross_entropy, sources)


@pytest.mark.parametrize("bad", ["input", "target"])
@pytest.mark.parametrize("value", [1.5, -0.1, float("nan")])
def test_what_is_no_probability_is_refused(bad: str, value: float, ways: str) -> None:
    half, wrong = dovetail.tensor([0.5, 0.5]), dovetail.tensor([0.5, value])
    pair = (wrong, half) if bad == "input" else (half, wrong)
    with pytest.raises(RuntimeError, match=f"all elements of {bad} should be between 0 and 1"):
        F.binary_cross_entropy(*pair)


@pytest.mark.parametrize(
    "name",
    ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div", "binary_cross_entropy_with_logits"],
)
def test_shapes_that_do_not_broadcast(name: str) -> None:
    with pytest.raises(RuntimeError, match=re.escape("The size of tensor a (3) must match")):
        getattr(F, name)(dovetail.zeros(3), dovetail.zeros(2))


def test_mse_of_two_types_is_the_wider_one(ways: str) -> None:
    x = dovetail.ones(2, requires_grad=True)
    loss = F.mse_loss(x, dovetail.zeros(2, dtype=dovetail.float64))
    loss.backward()
    assert (loss.dtype, x.grad.dtype) == (dovetail.float64, dovetail.float32)


def test_sixteen_bits_are_summed_in_thirty_two(ways: str) -> None:
    ones = dovetail.ones(1000, dtype=dovetail.bfloat16)
    assert F.mse_loss(ones, dovetail.zeros(1000, dtype=dovetail.bfloat16), reduction="sum").item() == 1000
