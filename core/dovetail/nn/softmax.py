"""Softmax layers: along one dimension that should be named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dovetail.errors import ArgumentError
from dovetail.nn import functional as F
from dovetail.nn.module import Module

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor

# From the function's warning up through forward and the call of the module to the line of the user's.
_TO_CALLER = 5


class Softmax(Module):
    """exp(x) / sum(exp(x)) along ``dim``.

    >>> import dovetail
    >>> dovetail.nn.Softmax(dim=1)(dovetail.zeros(1, 4))
    tensor([[0.2500, 0.2500, 0.2500, 0.2500]])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Return softmax(input)."""
        return F.softmax(input, self.dim, _stacklevel=_TO_CALLER)

    def extra_repr(self) -> str:
        """Return the dimension."""
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """log(softmax(x)) along ``dim``."""

    def forward(self, input: Tensor) -> Tensor:
        """Return log_softmax(input)."""
        return F.log_softmax(input, self.dim, _stacklevel=_TO_CALLER)


class Softmin(Softmax):
    """softmax(-x) along ``dim``."""

    def forward(self, input: Tensor) -> Tensor:
        """Return softmin(input)."""
        return F.softmin(input, self.dim, _stacklevel=_TO_CALLER)


class Softmax2d(Module):
    """softmax over the channels of images (N, C, H, W) or (C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the softmax over the channels."""
        if input.dim() not in (3, 4):
            raise ArgumentError(f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead")
        return F.softmax(input, -3)
