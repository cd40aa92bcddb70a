"""How a loss becomes one number: the ``reduction`` argument and the two booleans that it replaced."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from dovetail.errors import ArgumentError

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor

REDUCTIONS = ("none", "mean", "sum")


def chosen(size_average: bool | None, reduce: bool | None, reduction: str, stacklevel: int = 3) -> str:
    """Return the reduction that the arguments of a loss ask for.

    Raises:
        ArgumentError: a word that is none of "none", "mean", "sum".
    """
    if size_average is not None or reduce is not None:
        return legacy(size_average, reduce, stacklevel + 1)
    if reduction not in REDUCTIONS:
        raise ArgumentError(f"{reduction} is not a valid value for reduction; it may be 'none', 'mean' or 'sum'")
    return reduction


def legacy(size_average: bool | None, reduce: bool | None, stacklevel: int = 3) -> str:
    """Return the word for what ``size_average`` and ``reduce`` meant before PyTorch 0.4.1, with a warning."""
    if reduce is False:
        word = "none"
    else:
        word = "sum" if size_average is False else "mean"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{word}' instead.",
        stacklevel=stacklevel,
    )
    return word


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """Return the losses of the elements, their mean or their sum."""
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss


def weighted(loss: Tensor, weight: Tensor, reduction: str) -> Tensor:
    """Return the weighted losses, reduced; the mean divides by the sum of the weights.

    Raises:
        ArgumentError: weight and loss differ in shape.
    """
    if weight.shape != loss.shape:
        raise ArgumentError(f"Weights and input must have the same size, got {weight.shape} and {loss.shape}")
    scaled = loss * weight
    return scaled.sum() / weight.sum() if reduction == "mean" else reduced(scaled, reduction)
