"""Distances and similarities, and samples of the Gumbel-softmax distribution."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from dovetail import ops

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along a dimension of the common shape."""
    return ops.cosine_similarity(x1, x2, dim, eps)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """Return the p-norm of x1 - x2 + eps along the last dimension."""
    return ops.pairwise_distance(x1, x2, p, eps, keepdim)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """Return the p-norm distance of every two rows of a matrix, in the order of the upper triangle."""
    return ops.pdist(input, p)


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """Return softmax((logits + g) / tau) with g from the standard Gumbel distribution (arXiv:1611.01144).

    With ``hard`` the values are one-hot, of the largest of these, and the gradients those of the soft ones. ``eps``
    has no effect.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    noise = -ops.empty_like(logits).exponential_().log()
    soft = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return soft
    chosen = soft.argmax(dim, keepdim=True)
    one_hot = ops.zeros_like(logits).scatter(dim, chosen, 1.0)
    return one_hot - soft.detach() + soft
