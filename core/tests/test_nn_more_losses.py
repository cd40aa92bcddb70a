"""Margin, likelihood and label-sequence losses, distances, and the adaptive softmax: PyTorch's values and gradients."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn

torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
pytestmark = pytest.mark.oracle

rng = np.random.default_rng(5)
PAIR = [rng.standard_normal((5, 4)), rng.standard_normal((5, 4))]
TRIPLE = [*PAIR, rng.standard_normal((5, 4))]
SIDES = np.where(rng.random(5) < 0.5, 1.0, -1.0)
TABLE = np.where(rng.random((5, 4)) < 0.5, 1.0, -1.0)
COUNTS = rng.integers(0, 6, (5, 4))
LABELS = np.array([[3, 0, -1, 1], [1, -1, 2, 2], [-1, 0, 1, 2], [0, 1, 2, 3], [2, 2, -1, 0]])
CLASSES = np.array([0, 3, 1, 2, 2])
POSITIVE = rng.random((5, 4)) + 0.1
UNIT = rng.random((5, 4))
REDUCTIONS = ("none", "mean", "sum")

# Constructor without its reduction, and the arguments: floats get gradients.
LOSSES: list[tuple[str, list[Any]]] = [
    ("MarginRankingLoss(margin=0.4, {r})", [PAIR[0][:, 0], PAIR[1][:, 0], SIDES]),
    ("HingeEmbeddingLoss({r})", [PAIR[0], TABLE]),
    ("HingeEmbeddingLoss(margin=0.3, {r})", [PAIR[0], TABLE]),
    ("SoftMarginLoss({r})", [PAIR[0], TABLE]),
    ("CosineEmbeddingLoss({r})", [*PAIR, SIDES]),
    ("CosineEmbeddingLoss(margin=-0.2, {r})", [*PAIR, SIDES]),
    ("CosineEmbeddingLoss({r})", [PAIR[0][0], PAIR[1][0], np.array(-1.0)]),
    ("MultiMarginLoss({r})", [PAIR[0], CLASSES]),
    ("MultiMarginLoss(p=2, margin=0.5, weight=w, {r})", [PAIR[0], CLASSES]),
    ("MultiMarginLoss({r})", [PAIR[0][0], np.array(2)]),
    ("MultiLabelMarginLoss({r})", [PAIR[0], LABELS]),
    ("MultiLabelMarginLoss({r})", [PAIR[0][0], LABELS[0]]),
    ("MultiLabelSoftMarginLoss({r})", [PAIR[0], UNIT]),
    ("MultiLabelSoftMarginLoss(weight=w, {r})", [PAIR[0], UNIT]),
    ("TripletMarginLoss({r})", TRIPLE),
    ("TripletMarginLoss(margin=2.0, p=1, swap=True, {r})", TRIPLE),
    ("TripletMarginLoss({r})", [x[0] for x in TRIPLE]),
    ("TripletMarginWithDistanceLoss({r})", TRIPLE),
    ("TripletMarginWithDistanceLoss(distance_function=lambda a, b: ((a - b) ** 2).sum(-1), swap=True, {r})", TRIPLE),
    ("PoissonNLLLoss({r})", [PAIR[0], COUNTS]),
    ("PoissonNLLLoss(full=True, {r})", [PAIR[0], COUNTS]),
    ("PoissonNLLLoss(log_input=False, full=True, eps=1e-3, {r})", [POSITIVE, COUNTS]),
    ("GaussianNLLLoss({r})", [*PAIR, POSITIVE]),
    ("GaussianNLLLoss(full=True, eps=0.3, {r})", [*PAIR, POSITIVE[:, 0]]),
    ("GaussianNLLLoss({r})", [*PAIR, POSITIVE[:, :1]]),
    ("LinearCrossEntropyLoss(4, 3, {r})", [PAIR[0], CLASSES % 3]),
    ("LinearCrossEntropyLoss(4, 3, bias=True, weight=w3, ignore_index=1, {r})", [PAIR[0], CLASSES % 3]),
    ("LinearCrossEntropyLoss(4, 4, label_smoothing=0.2, {r})", [PAIR[0], UNIT]),
    ("LinearCrossEntropyLoss(4, 3, out_features=(2,), bias=True, {r})", [PAIR[0], LABELS[:, :2] % 3]),
]
CASES = [(text.replace("{r}", f"reduction={word!r}"), args) for text, args in LOSSES for word in REDUCTIONS]
DISTANCES: list[tuple[str, list[Any]]] = [
    ("PairwiseDistance()", PAIR),
    ("PairwiseDistance(p=1, keepdim=True)", PAIR),
    ("PairwiseDistance(p=3.0, eps=0.1)", [PAIR[0][0], PAIR[1][0]]),
    ("CosineSimilarity()", PAIR),
    ("CosineSimilarity(dim=0, eps=0.5)", PAIR),
    ("CosineSimilarity(dim=-1)", [PAIR[0][None], np.zeros((5, 4))]),
]


def evaluated(framework: Any, text: str, arrays: list[Any]) -> list[Any]:
    """The result of a module and the gradients of its inputs and parameters, as arrays."""
    names = {"nn": framework.nn, "w": framework.tensor(POSITIVE[0]), "w3": framework.tensor(POSITIVE[0][:3])}
    module = eval("nn." + text, names).double()
    for i, parameter in enumerate(module.parameters()):
        parameter.data = framework.tensor(np.random.default_rng(i).standard_normal(tuple(parameter.shape)))
    return gradients(framework, module, arrays, list(module.parameters()))


def gradients(framework: Any, function: Callable[..., Any], arrays: list[Any], more: Any = ()) -> list[Any]:
    """The result of a function, and the gradients of its floating arguments for uneven weights of the result."""
    # Sides of 1 and -1 are targets, for which PyTorch has no gradient everywhere.
    wanted = [a.dtype.kind == "f" and not np.all(np.abs(a) == 1) for a in map(np.asarray, arrays)]
    args = [framework.tensor(a, requires_grad=g) for a, g in zip(arrays, wanted)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = function(*args)
    weights = np.linspace(0.5, 1.5, result.numel()).reshape(tuple(result.shape))
    (result * framework.tensor(weights)).sum().backward()
    leaves = [*[a for a in args if a.requires_grad], *more]
    return [result.detach().numpy(), *[None if x.grad is None else x.grad.numpy() for x in leaves]]


def same(ours: list[Any], theirs: list[Any]) -> None:
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        if a is None or b is None:
            # A gradient that is zero throughout may be left out on either side.
            assert not np.any(b if a is None else a)
            continue
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("text", "arrays"), CASES, ids=[text for text, _ in CASES])
def test_losses(text: str, arrays: list[Any]) -> None:
    same(evaluated(dovetail, text, arrays), evaluated(torch, text, arrays))


@pytest.mark.parametrize(("text", "arrays"), DISTANCES, ids=[text for text, _ in DISTANCES])
def test_distances(text: str, arrays: list[Any]) -> None:
    same(evaluated(dovetail, text, arrays), evaluated(torch, text, arrays))


@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.0, float("inf")])
def test_distances_of_all_pairs(p: float) -> None:
    left, right = rng.standard_normal((2, 3, 4)), rng.standard_normal((5, 4))
    same(
        gradients(dovetail, lambda a, b: dovetail.cdist(a, b, p), [left, right]),
        gradients(torch, lambda a, b: torch.cdist(a, b, p), [left, right]),
    )
    same(
        gradients(dovetail, lambda a: nn.functional.pdist(a, p), [right]),
        gradients(torch, lambda a: torch.nn.functional.pdist(a, p), [right]),
    )


LENGTHS = [((6, 6, 6), (3, 2, 1)), ((6, 5, 4), (2, 0, 3)), ((6, 2, 5), (3, 3, 2))]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("steps", "spans"), LENGTHS)
@pytest.mark.parametrize("form", ["table", "vector"])
def test_ctc(reduction: str, steps: tuple[int, ...], spans: tuple[int, ...], form: str) -> None:
    scores = rng.standard_normal((6, 3, 5))
    targets = np.array([[1, 2, 2], [3, 1, 4], [4, 4, 0]]) % 4 + 1
    given = targets if form == "table" else np.concatenate([row[:n] for row, n in zip(targets, spans)])

    def loss(framework: Any) -> Callable[..., Any]:
        ctc = framework.nn.CTCLoss(reduction=reduction, zero_infinity=True)
        return lambda x: ctc(x, framework.tensor(given), steps, spans)

    # The gradient is compared without a log_softmax before it: PyTorch's formula assumes one.
    same(gradients(dovetail, loss(dovetail), [scores]), gradients(torch, loss(torch), [scores]))


def test_ctc_of_one_sample_and_another_blank() -> None:
    scores = rng.standard_normal((5, 4))

    def loss(framework: Any) -> Callable[..., Any]:
        def run(x: Any) -> Any:
            labels, word = framework.tensor([1, 0]), "none"
            scores = x.log_softmax(-1)
            sizes = framework.tensor(5), framework.tensor(2)
            return framework.nn.functional.ctc_loss(scores, labels, *sizes, blank=3, reduction=word)

        return run

    same(gradients(dovetail, loss(dovetail), [scores]), gradients(torch, loss(torch), [scores]))


def test_a_target_that_is_too_long_costs_infinity() -> None:
    scores = dovetail.zeros(2, 1, 3).log_softmax(2)
    loss = nn.functional.ctc_loss(scores, dovetail.tensor([[1, 1]]), (2,), (2,), reduction="none")
    assert loss.tolist() == [float("inf")]
    with pytest.raises(RuntimeError, match="input_lengths to have value at most 2, but got value 3"):
        nn.functional.ctc_loss(scores, dovetail.tensor([[1, 1]]), (3,), (2,))


@pytest.mark.parametrize("options", [{}, {"head_bias": True, "div_value": 2.0}])
def test_adaptive_softmax(options: dict[str, Any]) -> None:
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(16, 10, [3, 6], **options).double()
    ours = nn.AdaptiveLogSoftmaxWithLoss(16, 10, [3, 6], **options).double()
    assert repr(ours) == repr(theirs)
    ours.load_state_dict({k: dovetail.tensor(v.detach().numpy()) for k, v in theirs.state_dict().items()})
    x, y = rng.standard_normal((6, 16)), np.array([0, 9, 5, 2, 7, 3])
    for part in ("output", "loss"):
        same(
            *(
                gradients(
                    f, lambda a, f=f, m=m, part=part: getattr(m(a, f.tensor(y)), part), [x], list(m.parameters())
                )
                for f, m in ((dovetail, ours), (torch, theirs))
            )
        )
    row = ours(dovetail.tensor(x[0]), dovetail.tensor(0)).output
    np.testing.assert_allclose(row.item(), theirs(torch.tensor(x[0]), torch.tensor(0)).output.item())
    np.testing.assert_allclose(
        ours.log_prob(dovetail.tensor(x)).detach().numpy(), theirs.log_prob(torch.tensor(x)).detach().numpy()
    )
    assert ours.predict(dovetail.tensor(x)).tolist() == theirs.predict(torch.tensor(x)).tolist()
    with pytest.raises(RuntimeError, match=r"Target values should be in \[0, 9\]"):
        ours(dovetail.tensor(x[:1]), dovetail.tensor([10]))


def test_gumbel_softmax() -> None:
    logits = dovetail.tensor([[2.0, 0.0, -1.0]]).expand(4000, 3).contiguous().requires_grad_()
    dovetail.manual_seed(0)
    hard = nn.functional.gumbel_softmax(logits, hard=True)
    assert hard.sum(-1).eq(1).all()
    # The winner is distributed as softmax of the logits, whatever the temperature (arXiv:1611.01144).
    frequencies = hard.detach().mean(0)
    np.testing.assert_allclose(frequencies.numpy(), logits[0].softmax(0).detach().numpy(), atol=0.03)
    (hard * dovetail.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert logits.grad is not None
    assert float(logits.grad.abs().sum()) > 0
    with pytest.warns(UserWarning, match="`eps` parameter is deprecated"):
        nn.functional.gumbel_softmax(logits, eps=1e-3)


MISTAKES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: nn.MultiMarginLoss(p=3), ValueError, "only p == 1 and p == 2 supported"),
    (lambda: nn.TripletMarginLoss(margin=0), ValueError, "expected margin to be greater than 0, got 0"),
    (lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 8, [5, 2]), ValueError, "sorted in an increasing order"),
    (lambda: nn.LinearCrossEntropyLoss(4, 3, label_smoothing=2), RuntimeError, "label_smoothing to be in range"),
    (lambda: nn.LinearCrossEntropyOptions(acc_policy="x"), ValueError, "invalid acc_policy: 'x'"),
    (
        lambda: nn.GaussianNLLLoss()(dovetail.ones(2), dovetail.ones(2), -1.0),
        ValueError,
        "var has negative entry/entries",
    ),
    (
        lambda: nn.functional.multi_margin_loss(dovetail.ones(1, 2), dovetail.tensor([2])),
        RuntimeError,
        "target out of range",
    ),
]


@pytest.mark.parametrize(("make", "kind", "words"), MISTAKES)
def test_mistakes(make: Callable[[], Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        make()


def test_the_former_name_and_arguments() -> None:
    with pytest.warns(FutureWarning, match="`NLLLoss2d` has been deprecated"):
        loss = nn.NLLLoss2d(ignore_index=3)
    assert loss.ignore_index == 3
    with pytest.warns(UserWarning, match="please use reduction='sum' instead") as found:
        assert nn.TripletMarginLoss(size_average=False).reduction == "sum"
    assert found[0].filename == __file__
