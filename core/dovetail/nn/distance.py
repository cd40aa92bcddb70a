"""Distances and similarities as modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dovetail.nn import functional as F
from dovetail.nn.module import Module

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


class PairwiseDistance(Module):
    """The p-norm of x1 - x2 + eps along the last dimension.

    Shapes: inputs (N, D) or (D), output (N) or (); with ``keepdim`` (N, 1) or (1).
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return pairwise_distance(x1, x2)."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(Module):
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along dimension ``dim``."""

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return cosine_similarity(x1, x2)."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)
