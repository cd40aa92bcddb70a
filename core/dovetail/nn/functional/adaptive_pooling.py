"""Pooling over windows that are laid out so that the result has a wanted size.

Window i of n goes from floor(i * H / n) to ceil((i + 1) * H / n).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dovetail import ops
from dovetail.errors import ArgumentError

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor

Size = int | Sequence[int | None] | None
"""One size for all dimensions or one for each; None keeps the input's."""


def _check(input: Tensor, output_size: Size) -> None:
    if isinstance(output_size, Sequence) and input.dim() <= len(output_size):
        raise ArgumentError(
            f"Input dimension should be at least {len(output_size) + 1}, got shape {tuple(input.shape)}"
        )


def adaptive_avg_pool1d(input: Tensor, output_size: int | Sequence[int]) -> Tensor:
    """Return means over windows of (N, C, L) or (C, L), laid out so that the result has ``output_size``."""
    return ops.adaptive_avg_pool1d(input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Size) -> Tensor:
    """Return means over windows that are laid out so that the result has ``output_size``; None keeps a size.

    Shapes: input (N, C, H, W) or (C, H, W).
    """
    _check(input, output_size)
    return ops.adaptive_avg_pool2d(input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Size) -> Tensor:
    """Return means over windows of (N, C, D, H, W) or (C, D, H, W), as :func:`adaptive_avg_pool2d` does."""
    _check(input, output_size)
    return ops.adaptive_avg_pool3d(input, output_size)


def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: int | Sequence[int], return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """Return what :func:`adaptive_max_pool1d` does, and the position of each value in the sequence."""
    return ops.adaptive_max_pool1d(input, output_size)


def adaptive_max_pool1d(input: Tensor, output_size: int | Sequence[int], return_indices: bool = False) -> Any:
    """Return the largest values of windows of (N, C, L) or (C, L), laid out for ``output_size``.

    With ``return_indices`` the positions of these values in the sequence come second.
    """
    values, indices = adaptive_max_pool1d_with_indices(input, output_size)
    return (values, indices) if return_indices else values


def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: Size, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """Return what :func:`adaptive_max_pool2d` does, and the position of each value in the image."""
    _check(input, output_size)
    return ops.adaptive_max_pool2d(input, output_size)


def adaptive_max_pool2d(input: Tensor, output_size: Size, return_indices: bool = False) -> Any:
    """Return the largest values of windows of (N, C, H, W) or (C, H, W), laid out for ``output_size``.

    With ``return_indices`` the positions of these values in the image come second.
    """
    values, indices = adaptive_max_pool2d_with_indices(input, output_size)
    return (values, indices) if return_indices else values


def adaptive_max_pool3d_with_indices(
    input: Tensor, output_size: Size, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """Return what :func:`adaptive_max_pool3d` does, and the position of each value in the volume."""
    _check(input, output_size)
    return ops.adaptive_max_pool3d(input, output_size)


def adaptive_max_pool3d(input: Tensor, output_size: Size, return_indices: bool = False) -> Any:
    """Return the largest values of windows of (N, C, D, H, W) or (C, D, H, W), laid out for ``output_size``.

    With ``return_indices`` the positions of these values in the volume come second.
    """
    values, indices = adaptive_max_pool3d_with_indices(input, output_size)
    return (values, indices) if return_indices else values
