"""Losses that ask for a margin, with PyTorch's signatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dovetail import ops
from dovetail.nn.functional.reduction import chosen, reduced
from dovetail.ops.margin_losses import check_triplet

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return max(0, -y (x1 - x2) + margin), reduced; y is 1 where x1 should be the larger, else -1.

    Raises:
        ShapeError: inputs of different numbers of dimensions.
    """
    return ops.margin_ranking_loss(input1, input2, target, margin, chosen(size_average, reduce, reduction))


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return x where y is 1 and max(0, margin - x) where y is -1, reduced."""
    return ops.hinge_embedding_loss(input, target, margin, chosen(size_average, reduce, reduction))


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return log(1 + exp(-y x)) without overflow, reduced."""
    return ops.soft_margin_loss(input, target, chosen(size_average, reduce, reduction))


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return 1 - cos(x1, x2) where y is 1 and max(0, cos(x1, x2) - margin) where y is -1, reduced.

    Shapes: inputs (N, D) with target (N), or (D) with a 0-d target.
    """
    return ops.cosine_embedding_loss(input1, input2, target, margin, chosen(size_average, reduce, reduction))


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the hinge loss of the other classes against the target's, to the power p, reduced.

    Shapes: input (N, C) or (C), target (N) or () of class indices, weight (C).

    Raises:
        ArgumentError: p is neither 1 nor 2.
        ArgumentRuntimeError: a class that does not exist.
    """
    return ops.multi_margin_loss(input, target, p, margin, weight, chosen(size_average, reduce, reduction))


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the hinge loss of every class that is no label against every one that is, reduced.

    Shapes: input and target (N, C) or (C); the labels of a row are its class indices up to the first -1.
    """
    return ops.multilabel_margin_loss(input, target, chosen(size_average, reduce, reduction))


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean over the classes of the binary cross entropy of sigmoid(x), reduced over the rest."""
    return ops.multilabel_soft_margin_loss(input, target, weight, chosen(size_average, reduce, reduction))


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return max(0, margin + d(anchor, positive) - d(anchor, negative)), reduced (Balntas et al., BMVC 2016).

    Raises:
        ArgumentError: a margin that is not positive.
    """
    word = chosen(size_average, reduce, reduction)
    return ops.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, word)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Return triplet_margin_loss with any function of two tensors as the distance.

    Raises:
        ArgumentError: a margin that is not positive.
    """
    word = chosen(None, None, reduction)
    check_triplet(anchor, positive, negative, margin)
    distance: Callable[[Tensor, Tensor], Tensor] = distance_function or ops.pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = ops.minimum(far, distance(positive, negative))
    return reduced((margin + near - far).clamp(min=0), word)
