"""Local response normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dovetail import ops
from dovetail.errors import ArgumentError

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Return x / (k + alpha * mean of the squares of ``size`` neighbouring channels)**beta.

    Shapes: input (N, C, *). Source: Krizhevsky et al., *ImageNet classification*, NIPS 2012, section 3.3.

    Raises:
        ArgumentError: an input of fewer than three dimensions.
    """
    if input.ndim < 3:
        raise ArgumentError(f"Expected 3D or higher dimensionality input (got {input.ndim} dimensions)")
    if not input.numel():
        return input
    squares = neighbours(input * input, size // 2, (size - 1) // 2) * (alpha / size)
    return input / (squares + k).pow(beta)


def neighbours(x: Tensor, before: int, after: int) -> Tensor:
    """Return for each channel the sum of itself and the channels around it; beyond the first and last there is 0."""
    channels = x.shape[1]
    total = x
    for shift in range(1, min(before, channels - 1) + 1):
        total = total + ops.cat([ops.zeros_like(x[:, :shift]), x[:, :-shift]], 1)
    for shift in range(1, min(after, channels - 1) + 1):
        total = total + ops.cat([x[:, shift:], ops.zeros_like(x[:, :shift])], 1)
    return total
