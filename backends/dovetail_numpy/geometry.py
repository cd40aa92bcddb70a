"""The arithmetic of sliding windows over the two spatial dimensions of an image."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace

Pair = tuple[int, int]


def window_count(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool = False) -> int:
    """Return how many windows fit into ``size`` elements with ``padding`` on either side.

    With ``ceil_mode`` a last window may hang over the far edge, but it must begin inside the input or its
    near padding: PyTorch's rule, from its pooling documentation.
    """
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return max(room // stride + 1, 0)
    count = -(-room // stride) + 1
    return max(count - 1 if (count - 1) * stride >= size + padding else count, 0)


def tap_span(tap: int, size: int, count: int, stride: int, padding: int, dilation: int) -> tuple[slice, slice]:
    """Return the windows whose element ``tap`` lies inside the input, and the input elements that these are.

    Both are slices of equal length, so adding through them needs neither a padded buffer nor a final crop.
    """
    shift = tap * dilation - padding
    first = max(0, -(shift // stride))
    last = min(count - 1, (size - 1 - shift) // stride)
    if last < first:
        return slice(0, 0), slice(0, 0)
    start = first * stride + shift
    return slice(first, last + 1), slice(start, last * stride + shift + 1, stride)


@dataclass(frozen=True, slots=True)
class Geometry:
    """Every size of one convolution; pairs are (height, width)."""

    batch: int
    channels: int
    height: int
    width: int
    filters: int
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int
    out_height: int
    out_width: int

    @property
    def out_pixels(self) -> int:
        """Pixels of one output image."""
        return self.out_height * self.out_width

    @property
    def padded(self) -> Pair:
        """Height and width of an input image with its padding."""
        return self.height + 2 * self.padding[0], self.width + 2 * self.padding[1]

    @property
    def is_empty(self) -> bool:
        """Whether the result, or every sum in it, has no element."""
        return not (self.batch and self.filters and self.channels and self.out_pixels)

    def transposed(self) -> Geometry | None:
        """Return the convolution of the output's gradient with the flipped weight that gives the input's.

        There is none where the stride spreads the gradient out, or the padding exceeds the reach of the
        kernel.
        """
        reach = [(kernel - 1) * dilation for kernel, dilation in zip(self.kernel, self.dilation)]
        padding = (reach[0] - self.padding[0], reach[1] - self.padding[1])
        if self.stride != (1, 1) or min(padding) < 0:
            return None
        grad_shape = (self.batch, self.filters, self.out_height, self.out_width)
        weight_shape = (self.channels, self.filters // self.groups, *self.kernel)
        return geometry(grad_shape, weight_shape, (1, 1), padding, self.dilation, self.groups)

    def one_group(self) -> Geometry:
        """Return the convolution of a single group."""
        return replace(self, channels=self.channels // self.groups, filters=self.filters // self.groups, groups=1)


@functools.lru_cache(maxsize=512)
def geometry(
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Geometry:
    """Work out the sizes from NCHW and OIHW shapes; cached, as a training loop repeats its shapes."""
    batch, channels, height, width = input_shape
    filters, _, *kernel = weight_shape
    return Geometry(
        batch=batch,
        channels=channels,
        height=height,
        width=width,
        filters=filters,
        kernel=(kernel[0], kernel[1]),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        out_height=window_count(height, kernel[0], stride[0], padding[0], dilation[0]),
        out_width=window_count(width, kernel[1], stride[1], padding[1], dilation[1]),
    )


def tap_spans(geo: Geometry) -> tuple[list[tuple[slice, slice]], list[tuple[slice, slice]]]:
    """Return `tap_span` of every tap of a convolution along its height and along its width."""
    vertical = [
        tap_span(tap, geo.height, geo.out_height, geo.stride[0], geo.padding[0], geo.dilation[0])
        for tap in range(geo.kernel[0])
    ]
    horizontal = [
        tap_span(tap, geo.width, geo.out_width, geo.stride[1], geo.padding[1], geo.dilation[1])
        for tap in range(geo.kernel[1])
    ]
    return vertical, horizontal


def blocks(total: int, size: int) -> Iterator[slice]:
    """Yield slices of at most ``size`` that together cover ``range(total)``."""
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))
