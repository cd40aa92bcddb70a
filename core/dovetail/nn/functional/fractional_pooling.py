"""Fractional max pooling: windows whose distances vary at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dovetail import ops
from dovetail.errors import ArgumentError
from dovetail.nn.functional.sizes import repeated

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


def _drawn(
    dims: int,
    input: Tensor,
    output_size: int | Sequence[int] | None,
    output_ratio: float | Sequence[float] | None,
    samples: Tensor | None,
) -> tuple[Any, Tensor]:
    """Return the size of the result and the numbers that lay the windows out."""
    if output_size is None and output_ratio is None:
        raise ArgumentError(f"fractional_max_pool{dims}d requires specifying either an output_size or an output_ratio")
    if output_size is None:
        ratios = repeated(output_ratio, dims)
        output_size = [int(n * ratio) for n, ratio in zip(input.shape[-dims:], ratios, strict=True)]
    if samples is None:
        batch = 1 if input.dim() == dims + 1 else input.shape[0]
        shape = (batch, input.shape[-dims - 1], dims)
        samples = ops.rand(*shape, dtype=input.dtype, device=input.device)
    return output_size, samples


def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: int | Sequence[int],
    output_size: int | Sequence[int] | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return what :func:`fractional_max_pool2d` does, and the position of each value in its image."""
    size, samples = _drawn(2, input, output_size, output_ratio, _random_samples)
    return ops.fractional_max_pool2d(input, kernel_size, size, samples)


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: int | Sequence[int],
    output_size: int | Sequence[int] | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Return the largest value of windows of (N, C, H, W) or (C, H, W) whose places are drawn at random.

    The result has ``output_size``, or ``output_ratio`` times the input's sizes. ``_random_samples`` (N, C, 2) are
    the uniform numbers to use instead of new ones. Source: Graham 2014, arXiv:1412.6071.
    """
    found = fractional_max_pool2d_with_indices(
        input, kernel_size, output_size, output_ratio, _random_samples=_random_samples
    )
    return found if return_indices else found[0]


def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: int | Sequence[int],
    output_size: int | Sequence[int] | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return what :func:`fractional_max_pool3d` does, and the position of each value in its volume."""
    size, samples = _drawn(3, input, output_size, output_ratio, _random_samples)
    return ops.fractional_max_pool3d(input, kernel_size, size, samples)


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: int | Sequence[int],
    output_size: int | Sequence[int] | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Return the largest value of windows of (N, C, D, H, W) or (C, D, H, W) whose places are drawn at random.

    The result has ``output_size``, or ``output_ratio`` times the input's sizes. ``_random_samples`` (N, C, 3) are
    the uniform numbers to use instead of new ones. Source: Graham 2014, arXiv:1412.6071.
    """
    found = fractional_max_pool3d_with_indices(
        input, kernel_size, output_size, output_ratio, _random_samples=_random_samples
    )
    return found if return_indices else found[0]
