"""The two memory orders of a batch of images: (N, C, H, W) and, under the same shape, (N, H, W, C)."""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail_numpy.precision import Array

# Its strides, not its numbers: `numpy.empty_like` copies their order for any shape.
_PROTOTYPE = np.empty((2, 2, 2, 2), np.uint8).transpose(0, 3, 1, 2)


def lines_of(images: Array) -> Array:
    """View NCHW images as (batch, height, width, channels)."""
    return images.transpose(0, 2, 3, 1)


def is_channels_last(images: Array) -> bool:
    """Tell whether NCHW images lie as (N, H, W, C) in memory, and not as (N, C, H, W) also."""
    return images.transpose(0, 2, 3, 1).flags.c_contiguous and not images.flags.c_contiguous


def empty_channels_last(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return uninitialised NCHW images that own memory in the order (N, H, W, C).

    A transposed view would not own it, and what does not own its memory is copied before a write in place.
    """
    return np.empty_like(_PROTOTYPE, dtype=dtype, shape=shape)
