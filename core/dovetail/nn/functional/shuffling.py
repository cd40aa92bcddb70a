"""Channels made pixels, pixels made channels, and channels of groups interleaved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dovetail import ops

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Return (..., C, H r, W r) for (..., C r^2, H, W): each group of r^2 channels becomes a square of pixels.

    Source: Shi et al. 2016, arXiv:1609.05158.
    """
    return ops.pixel_shuffle(input, upscale_factor)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Return (..., C r^2, H, W) for (..., C, H r, W r): what :func:`pixel_shuffle` undoes."""
    return ops.pixel_unshuffle(input, downscale_factor)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Return the input (N, C, ...) with the channels of its groups interleaved.

    Source: Zhang et al. 2017, arXiv:1707.01083.
    """
    return ops.channel_shuffle(input, groups)


def native_channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Return what :func:`channel_shuffle` does."""
    return ops.channel_shuffle(input, groups)
