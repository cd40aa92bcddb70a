"""Losses with PyTorch's signatures: reduction, the arguments it replaced, and checks of the two sizes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from dovetail import ops
from dovetail.errors import ArgumentError
from dovetail.nn.functional.reduction import chosen, reduced, weighted

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor

# ------------------------------------------------------------------------------------------------- regression


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Return the squared differences (x - y)², reduced; ``weight`` weighs the elements.

    >>> import dovetail
    >>> dovetail.nn.functional.mse_loss(dovetail.zeros(2), dovetail.tensor([1.0, 3.0]))
    tensor(5.)
    """
    _warn_of_sizes(input, target)
    reduction = chosen(size_average, reduce, reduction)
    if weight is None:
        return ops.mse_loss(input, target, reduction=reduction)
    _check_weight(input, weight)
    return weighted(ops.mse_loss(input, target, reduction="none"), weight, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Return the absolute differences |x - y|, reduced; ``weight`` weighs the elements."""
    _warn_of_sizes(input, target)
    reduction = chosen(size_average, reduce, reduction)
    if weight is None:
        return ops.l1_loss(input, target, reduction=reduction)
    _check_weight(input, weight)
    return weighted(ops.l1_loss(input, target, reduction="none"), weight, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Return (x - y)² / (2 beta) where |x - y| is below beta, |x - y| - beta / 2 elsewhere, reduced.

    Source: Girshick 2015, arXiv:1504.08083. With beta 0 it is :func:`l1_loss`.
    """
    _warn_of_sizes(input, target)
    reduction = chosen(size_average, reduce, reduction)
    return ops.smooth_l1_loss(input, target, reduction=reduction, beta=beta)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Return (x - y)² / 2 where |x - y| is below delta, delta * (|x - y| - delta / 2) elsewhere, reduced."""
    _warn_of_sizes(input, target)
    reduction = chosen(None, None, reduction)
    if weight is None:
        return ops.huber_loss(input, target, reduction=reduction, delta=delta)
    _check_weight(input, weight)
    # PyTorch divides by the number of elements here, not by the sum of the weights as in mse_loss.
    return reduced(ops.huber_loss(input, target, reduction="none", delta=delta) * weight, reduction)


# --------------------------------------------------------------------------------------------- classification


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return minus the log probability of the target class, reduced.

    Shapes: input (C), (N, C) or (N, C, d1, ...) of log probabilities, target the same without C, of class
    indices. The mean divides by the sum of the weights of the classes that occur; ``ignore_index`` counts
    for nothing.

    Raises:
        IndexOutOfRange: ``Target 7 is out of bounds``.
    """
    reduction = chosen(size_average, reduce, reduction)
    return ops.nll_loss(input, target, weight, ignore_index=ignore_index, reduction=reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the cross entropy of unnormalised log probabilities with class indices or class probabilities.

    Shapes: input (C), (N, C) or (N, C, d1, ...); target the same without C (indices, int64) or the same
    (floating point probabilities).

    >>> import dovetail
    >>> logits = dovetail.zeros(1, 4)
    >>> dovetail.nn.functional.cross_entropy(logits, dovetail.tensor([2]))
    tensor(1.3863)
    """
    reduction = chosen(size_average, reduce, reduction)
    return ops.cross_entropy(
        input,
        target,
        weight,
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return -(y log(x) + (1 - y) log(1 - x)) of probabilities, reduced; each logarithm is at least -100.

    Raises:
        ArgumentError: input and target differ in shape.
    """
    reduction = chosen(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ArgumentError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is "
            "deprecated. Please ensure they have the same size."
        )
    return ops.binary_cross_entropy(input, target, weight, reduction=reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return binary_cross_entropy(sigmoid(x), y) without overflow; ``pos_weight`` weighs the positives.

    Raises:
        ArgumentError: input and target differ in shape.
    """
    reduction = chosen(size_average, reduce, reduction)
    if target.shape != input.shape:
        hint = _squeeze_hint(input, target)
        raise ArgumentError(f"Target size ({target.shape}) must be the same as input size ({input.shape}){hint}")
    return ops.binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction=reduction)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Return y (log(y) - x) for log probabilities x, reduced; ``log_target`` says that y is a logarithm too.

    "batchmean" divides the sum by the batch size, which is the definition; "mean" by the number of elements.
    """
    if size_average is None and reduce is None and reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size. "
            "'batchmean' divides only by the batch size, and aligns with the KL div math definition. "
            "'mean' will be changed to behave the same as 'batchmean' in the next major release.",
            stacklevel=2,
        )
    if reduction == "batchmean" and size_average is None and reduce is None:
        total = ops.kl_div(input, target, reduction="sum", log_target=log_target)
        return total / input.shape[0] if input.dim() else total
    reduction = chosen(size_average, reduce, reduction)
    return ops.kl_div(input, target, reduction=reduction, log_target=log_target)


def _warn_of_sizes(input: Tensor, target: Tensor) -> None:
    if target.shape != input.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). "
            "This will likely lead to incorrect results due to broadcasting. Please ensure they have the "
            "same size." + _squeeze_hint(input, target),
            stacklevel=3,
        )


def _squeeze_hint(input: Tensor, target: Tensor) -> str:
    """Propose the fix of the commonest case: a column of predictions and a row of targets."""
    if tuple(input.shape) == (*target.shape, 1):
        return f" Write input.squeeze({target.dim()}), or target.unsqueeze({target.dim()})."
    if tuple(target.shape) == (*input.shape, 1):
        return f" Write target.squeeze({input.dim()})."
    return ""


def _check_weight(input: Tensor, weight: Tensor) -> None:
    if weight.shape != input.shape:
        raise ArgumentError(f"Weights and input must have the same size, got {weight.shape} and {input.shape}")
