"""Losses that ask for a margin: between two scores, two classes, two distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dovetail import dtypes
from dovetail.dispatch.reading import host_values
from dovetail.errors import ArgumentError, ArgumentRuntimeError, DovetailError, DtypeError, ShapeError
from dovetail.ops.activation import logsigmoid
from dovetail.ops.arithmetic import minimum
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import iota
from dovetail.ops.definition import Number, ValueCheck, op
from dovetail.ops.distances import pairwise_distance
from dovetail.ops.losses import check_reduction, reduced
from dovetail.record.agree import Agree
from dovetail.record.rules import Dtypes
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

_SIDES: Final = Arg((4,), values=[1, -1, -1, 1], grad=False)
_TABLE: Final = Arg((2, 4), values=[[1, -1, -1, 1], [-1, 1, 1, -1]], grad=False)
_WORD: Final = error(ValueError, "foo is not a valid value for reduction", Arg((4,)), _SIDES, reduction="foo")


def _final(loss: Tensor, reduction: str) -> Tensor:
    check_reduction(reduction)
    return reduced(loss, reduction)


# ------------------------------------------------------------------------------------------ two sides


@op(
    samples=calls(
        call(Arg((4,)), Arg((4,)), _SIDES),
        call(Arg((2, 4)), Arg((2, 4)), _TABLE, margin=0.5, reduction="sum"),
        call(Arg((2, 4)), Arg((2, 4)), _TABLE, margin=1.5, reduction="none"),
        errors=(error(RuntimeError, "All input tensors should have same dimension", Arg((2, 4)), Arg((4,)), _SIDES),),
    ),
    agree=Agree.running(),
    autocast="float32",
)
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: Number = 0.0, reduction: str = "mean"
) -> Tensor:
    """``max(0, -y (x1 - x2) + margin)``: y = 1 asks for x1 above x2, y = -1 for the reverse; reduced."""
    if not input1.ndim == input2.ndim == target.ndim:
        raise ShapeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: "
            f"{input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return _final((-target * (input1 - input2) + margin).clamp(min=0), reduction)


@op(
    samples=calls(
        call(Arg((4,)), _SIDES),
        call(Arg((2, 4)), _TABLE, margin=0.5, reduction="sum"),
        call(Arg((2, 4)), _TABLE, reduction="none"),
        errors=(_WORD,),
    ),
    agree=Agree.running(),
    autocast="float32",
)
def hinge_embedding_loss(input: Tensor, target: Tensor, margin: Number = 1.0, reduction: str = "mean") -> Tensor:
    """x where y is 1, ``max(0, margin - x)`` where y is -1; reduced."""
    # What is neither 1 nor -1 counts with both terms, as in PyTorch.
    apart = select_by(target != 1, (margin - input).clamp(min=0), 0)
    return _final(apart + select_by(target != -1, input, 0), reduction)


@op(
    samples=calls(
        call(Arg((4,)), _SIDES),
        call(Arg((2, 4), low=-6, high=6), _TABLE, reduction="none"),
        errors=(_WORD,),
    ),
    agree=Agree.running(),
    autocast="float32",
)
def soft_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """``log(1 + exp(-y x))`` without overflow; reduced."""
    return _final(-logsigmoid(target * input), reduction)


@op(
    samples=calls(
        call(Arg((4, 3)), Arg((4, 3)), _SIDES),
        call(Arg((4, 3)), Arg((4, 3)), _SIDES, margin=-0.3, reduction="sum"),
        call(Arg((3,)), Arg((3,)), Arg((), values=1, grad=False), reduction="none"),
        errors=(
            error(RuntimeError, "multi-target not supported", Arg((2, 4)), Arg((2, 4)), _TABLE),
            error(RuntimeError, "1D target tensor expects 2D input tensors", Arg((4,)), Arg((4,)), _SIDES),
        ),
    ),
    agree=Agree.running(),
    autocast="float32",
)
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: Number = 0.0, reduction: str = "mean"
) -> Tensor:
    """``1 - cos(x1, x2)`` where y is 1, ``max(0, cos(x1, x2) - margin)`` where y is -1; reduced.

    Shapes: inputs (N, D) with target (N), or (D) with a 0-d target.
    """
    if target.ndim > 1:
        raise ShapeError("0D or 1D target tensor expected, multi-target not supported")
    if input1.ndim != target.ndim + 1 or input2.ndim != target.ndim + 1:
        raise ShapeError(
            f"{target.ndim}D target tensor expects {target.ndim + 1}D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}."
        )
    # 1e-12 as in PyTorch, which keeps the angle of a zero vector finite.
    lengths = ((input1 * input1).sum(-1) + 1e-12) * ((input2 * input2).sum(-1) + 1e-12)
    cosine = (input1 * input2).sum(-1) / lengths.sqrt()
    away = select_by(target == -1, (cosine - margin).clamp(min=0), 0)
    return _final(select_by(target == 1, 1 - cosine, 0) + away, reduction)


# ------------------------------------------------------------------------------------------ classes


def _no_class(input: Tensor, target: Tensor, *_: Any, **__: Any) -> Tensor:
    classes: int = input.shape[-1]
    return ((target < 0) | (target >= classes)).any()


def _no_class_error(input: Tensor, target: Tensor, *_: Any, **__: Any) -> DovetailError | None:
    values, classes = host_values(target).reshape(-1), input.shape[-1]
    bad = values[(values < 0) | (values >= classes)]
    if not bad.size:
        return None
    return ArgumentRuntimeError(f"target out of range (got {int(bad[0])}, there are {classes} classes)")


def _scores(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    """The scores' type, which must be floating; class indices are int64."""
    scores, target = inputs[:2]
    assert scores is not None, "a loss has scores"
    assert target is not None, "a loss has a target"
    if not scores.dtype.is_floating_point:
        raise DtypeError(f"the loss is not implemented for '{scores.dtype.legacy_name}' (convert first: x.float())")
    if target.dtype is not dtypes.int64:
        raise DtypeError(f"expected scalar type Long but found {target.dtype.legacy_name} (write target.long())")
    return Dtypes([None] * len(inputs), [scores.dtype])


def _one_class_shape(
    input: Spec, target: Spec, weight: Spec | None, *, p: int, margin: Number, reduction: str
) -> tuple[int, ...]:
    check_reduction(reduction)
    if p not in (1, 2):
        raise ArgumentError("only p == 1 and p == 2 supported")
    if weight is not None and weight.ndim != 1:
        raise ArgumentError("weight must be one-dimensional")
    if not 1 <= input.ndim <= 2 or tuple(target.shape) != tuple(input.shape[:-1]):
        raise ShapeError(
            f"inconsistent target size, expected {list(input.shape[:-1])} but got {list(target.shape)} "
            f"(multi_margin_loss: input {list(input.shape)} is (N, C) or (C))"
        )
    if weight is not None and weight.shape[0] != input.shape[-1]:
        raise ShapeError(f"inconsistent weight size, expected {input.shape[-1]} but got {list(weight.shape)}")
    return tuple(target.shape) if reduction == "none" else ()


_CLASSES: Final = Arg((3,), dtype="int64", values=[0, 3, 1])


@op(
    shape=_one_class_shape,
    dtype=_scores,
    checks=(ValueCheck(_no_class, _no_class_error),),
    samples=calls(
        call(Arg((3, 4)), _CLASSES),
        call(Arg((3, 4)), _CLASSES, 2, 0.5, Arg((4,), low=0.5, grad=False), reduction="sum"),
        call(Arg((3, 4)), _CLASSES, reduction="none"),
        call(Arg((4,)), Arg((), dtype="int64", values=2)),
        errors=(
            error(ValueError, "only p == 1 and p == 2 supported", Arg((3, 4)), _CLASSES, p=3),
            error(RuntimeError, "inconsistent target size", Arg((2, 4)), _CLASSES),
            error(RuntimeError, "target out of range", Arg((1, 2)), Arg((1,), dtype="int64", values=[2])),
        ),
    ),
    agree=Agree.running(),
    autocast="float32",
)
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: Number = 1.0,
    weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The sum of ``w[y] max(0, margin - x[y] + x[i])**p`` over i != y, by the number of classes; reduced.

    Shapes: input (N, C) or (C), target (N) or () of class indices, weight (C).
    """
    classes = target.unsqueeze(-1)
    short = (margin - input.gather(-1, classes) + input).clamp(min=0)
    if p == 2:
        short = short * short
    if weight is not None:
        short = short * weight.index_select(0, target.reshape(-1)).reshape(classes.shape)
    others = classes != iota(target.new_zeros(()), input.shape[-1])
    return reduced(select_by(others, short, 0).sum(-1) / input.shape[-1], reduction)


def _no_label(input: Tensor, target: Tensor, *_: Any, **__: Any) -> Tensor:
    classes: int = input.shape[-1]
    return ((target < -1) | (target >= classes)).any()


def _no_label_error(input: Tensor, target: Tensor, *_: Any, **__: Any) -> DovetailError | None:
    values, classes = host_values(target).reshape(-1), input.shape[-1]
    bad = values[(values < -1) | (values >= classes)]
    if not bad.size:
        return None
    return ArgumentRuntimeError(f"target out of range (got {int(bad[0])}, labels are 0 to {classes - 1}, or -1)")


def _labels_shape(input: Spec, target: Spec, *, reduction: str) -> tuple[int, ...]:
    check_reduction(reduction)
    if not 1 <= input.ndim <= 2 or input.shape != target.shape:
        raise ShapeError(
            f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)} "
            "(multilabel_margin_loss: both are (N, C) or (C))"
        )
    return tuple(target.shape[:-1]) if reduction == "none" else ()


_LABELS: Final = Arg((2, 4), dtype="int64", values=[[3, 0, -1, 1], [1, -1, -1, -1]])


@op(
    shape=_labels_shape,
    dtype=_scores,
    checks=(ValueCheck(_no_label, _no_label_error),),
    samples=calls(
        call(Arg((2, 4)), _LABELS),
        call(Arg((2, 4)), _LABELS, reduction="none"),
        call(Arg((3,)), Arg((3,), dtype="int64", values=[2, 0, -1]), reduction="sum"),
        errors=(
            error(RuntimeError, "inconsistent target size", Arg((2, 3)), _LABELS),
            error(RuntimeError, "target out of range", Arg((1, 2)), Arg((1, 2), dtype="int64", values=[[0, 2]])),
        ),
    ),
    agree=Agree.running(),
    autocast="float32",
)
def multilabel_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The sum of ``max(0, 1 - x[y] + x[i])`` over labels y and classes i that are none, by their number; reduced.

    Shapes: input and target (N, C) or (C); the labels of a row are its class indices up to the first -1.
    """
    count = input.shape[-1]
    counted = (target >= 0).to(dtypes.int64).cumprod(-1).bool()
    labels = select_by(counted, target, 0)
    numbers = iota(target.new_zeros(()), count)
    is_label = ((labels.unsqueeze(-1) == numbers) & counted.unsqueeze(-1)).any(-2)
    own = input.gather(-1, labels).unsqueeze(-1)
    short = (1 - own + input.unsqueeze(-2)).clamp(min=0)
    pairs = counted.unsqueeze(-1) & ~is_label.unsqueeze(-2)
    return reduced(select_by(pairs, short, 0).sum((-2, -1)) / count, reduction)


@op(
    samples=calls(
        call(Arg((3, 4)), Arg((3, 4), low=0, high=1)),
        call(Arg((3, 4)), Arg((3, 4), low=0, high=1), Arg((4,), low=0.5, grad=False), reduction="sum"),
        call(Arg((2, 3, 4)), Arg((2, 3, 4), low=0, high=1), reduction="none"),
    ),
    agree=Agree.running(),
)
def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """The mean over the classes of ``-(y log(sigmoid(x)) + (1 - y) log(sigmoid(-x)))``; reduced.

    Shapes: input and target (..., C), weight (C).
    """
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    return _final(loss.sum(-1) / input.shape[-1], reduction)


# ------------------------------------------------------------------------------------------ triplets


@op(
    samples=calls(
        call(Arg((3, 4)), Arg((3, 4)), Arg((3, 4))),
        call(Arg((3, 4)), Arg((3, 4)), Arg((3, 4)), margin=2.0, p=1.0, swap=True, reduction="none"),
        call(Arg((4,)), Arg((4,)), Arg((4,)), reduction="sum"),
        errors=(
            error(RuntimeError, "expected to have the same number of dimensions", Arg((2, 3)), Arg((3,)), Arg((3,))),
            error(ValueError, "margin must be greater than 0", Arg((3,)), Arg((3,)), Arg((3,)), margin=0.0),
        ),
    ),
    agree=Agree.running(),
    autocast="float32",
)
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: Number = 1.0,
    p: Number = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """``max(0, margin + d(anchor, positive) - d(anchor, negative))`` with :func:`pairwise_distance`; reduced.

    With ``swap`` the distance of positive and negative counts where it is smaller (Balntas et al., BMVC 2016).
    """
    check_triplet(anchor, positive, negative, margin)
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    return _final((margin + near - far).clamp(min=0), reduction)


def check_triplet(anchor: Tensor, positive: Tensor, negative: Tensor, margin: Number) -> None:
    """Raise PyTorch's sentences for a margin or numbers of dimensions that make no sense."""
    if margin <= 0:
        raise ArgumentError(f"margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ShapeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but "
            f"got: anchor {anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs"
        )
