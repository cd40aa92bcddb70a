"""Dropout layers: active in training, the identity in evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dovetail.nn import functional as F
from dovetail.nn.functional.dropout import check_probability
from dovetail.nn.module import Module

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


class RandomZeros(Module):
    """What the dropout layers share: the probability and whether to write into the input.

    Raises:
        ArgumentError: ``p`` is not between 0 and 1.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        check_probability(p)
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Return the options."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(RandomZeros):
    """Each element set to zero with probability ``p``, the rest divided by 1 - p (arXiv:1207.0580)."""

    def forward(self, input: Tensor) -> Tensor:
        """Return dropout(input)."""
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(RandomZeros):
    """Whole channels of (N, C, L) or (C, L) set to zero."""

    def forward(self, input: Tensor) -> Tensor:
        """Return dropout1d(input)."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(RandomZeros):
    """Whole channels of images (N, C, H, W) set to zero."""

    def forward(self, input: Tensor) -> Tensor:
        """Return dropout2d(input)."""
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(RandomZeros):
    """Whole channels of volumes (N, C, D, H, W) or (C, D, H, W) set to zero."""

    def forward(self, input: Tensor) -> Tensor:
        """Return dropout3d(input)."""
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(RandomZeros):
    """Dropout that keeps mean 0 and variance 1 behind a SELU (arXiv:1706.02515)."""

    def forward(self, input: Tensor) -> Tensor:
        """Return alpha_dropout(input)."""
        return F.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(RandomZeros):
    """Alpha dropout of whole channels."""

    def forward(self, input: Tensor) -> Tensor:
        """Return feature_alpha_dropout(input)."""
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace)
