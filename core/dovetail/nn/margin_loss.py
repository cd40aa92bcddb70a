"""Losses that ask for a margin, as modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dovetail.errors import ArgumentError
from dovetail.nn import functional as F
from dovetail.nn.distance import PairwiseDistance
from dovetail.nn.loss import Loss, WeightedLoss

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


class MarginLoss(Loss):
    """What the losses with a margin share: its place as the first argument of the constructor."""

    def __init__(
        self,
        margin: float = 0.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin


class MarginRankingLoss(MarginLoss):
    """max(0, -y (x1 - x2) + margin), reduced: y is 1 where x1 should be the larger, else -1."""

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """Return margin_ranking_loss(input1, input2, target)."""
        return F.margin_ranking_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(MarginLoss):
    """1 - cos(x1, x2) where y is 1, max(0, cos(x1, x2) - margin) where y is -1, reduced."""

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """Return cosine_embedding_loss(input1, input2, target)."""
        return F.cosine_embedding_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class HingeEmbeddingLoss(MarginLoss):
    """x where y is 1, max(0, margin - x) where y is -1, reduced."""

    def __init__(
        self,
        margin: float = 1.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(margin, size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return hinge_embedding_loss(input, target)."""
        return F.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class SoftMarginLoss(Loss):
    """log(1 + exp(-y x)), reduced."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return soft_margin_loss(input, target)."""
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelMarginLoss(Loss):
    """The hinge loss of every class that is no label against every one that is, reduced.

    Shapes: input and target (N, C) or (C); the labels of a row are its class indices up to the first -1.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return multilabel_margin_loss(input, target)."""
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(WeightedLoss):
    """The mean over the classes of the binary cross entropy of sigmoid(x), reduced over the rest."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return multilabel_soft_margin_loss(input, target)."""
        return F.multilabel_soft_margin_loss(input, target, weight=self.weight, reduction=self.reduction)


class MultiMarginLoss(WeightedLoss):
    """The hinge loss of the other classes against the target's, to the power p, reduced.

    Raises:
        ArgumentError: p is neither 1 nor 2, or the weight is no vector.
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ArgumentError("only p == 1 and p == 2 supported")
        if weight is not None and weight.dim() != 1:
            found = f"got {weight.dim()}D instead"
            raise ArgumentError(f"MultiMarginLoss: expected weight to be None or 1D tensor, {found}")
        self.p = p
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return multi_margin_loss(input, target)."""
        return F.multi_margin_loss(
            input, target, p=self.p, margin=self.margin, weight=self.weight, reduction=self.reduction
        )


class TripletMarginLoss(MarginLoss):
    """max(0, margin + d(anchor, positive) - d(anchor, negative)) of p-norm distances, reduced.

    Raises:
        ArgumentError: a margin that is not positive.
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(margin, size_average, reduce, reduction)
        _check_positive(self, margin)
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return triplet_margin_loss(anchor, positive, negative)."""
        return F.triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )


class TripletMarginWithDistanceLoss(MarginLoss):
    """TripletMarginLoss with any function of two tensors as the distance; PairwiseDistance if none is given.

    Raises:
        ArgumentError: a margin that is not positive.
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(margin, reduction=reduction)
        _check_positive(self, margin)
        self.distance_function = PairwiseDistance() if distance_function is None else distance_function
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return triplet_margin_with_distance_loss(anchor, positive, negative)."""
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


def _check_positive(loss: Loss, margin: float) -> None:
    if margin <= 0:
        raise ArgumentError(f"{type(loss).__name__}: expected margin to be greater than 0, got {margin} instead")
