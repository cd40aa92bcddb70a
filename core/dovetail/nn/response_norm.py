"""Local response normalisation: each channel held down by the squares of its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dovetail.errors import ArgumentError
from dovetail.nn import functional as F
from dovetail.nn.functional.response_norm import neighbours
from dovetail.nn.module import Module

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


class LocalResponseNorm(Module):
    """x / (k + alpha * mean of the squares of ``size`` neighbouring channels)**beta.

    Shapes: input (N, C, *). Source: Krizhevsky et al., *ImageNet classification*, NIPS 2012, section 3.3.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        """Return local_response_norm(input)."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(Module):
    """LocalResponseNorm with a window that reaches equally far to both sides, also for an even ``size``.

    Shapes: input (N, C, H, W). This is the definition: PyTorch's running sum never takes the first channel out again,
    so with more channels than the window has its numbers are others.

    Raises:
        ArgumentError: an input that has not four dimensions.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        if input.dim() != 4:
            raise ArgumentError(f"CrossMapLRN2d: Expected input to be 4D, got {input.dim()}D instead.")
        reach = (self.size - 1) // 2
        squares = neighbours(input * input, reach, reach) * (self.alpha / self.size)
        return input * (squares + self.k).pow(-self.beta)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
