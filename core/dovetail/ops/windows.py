"""Sliding windows over images: their sizes, and the pixels that each tap of a kernel sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from dovetail.errors import ArgumentRuntimeError
from dovetail.ops.shape import basic_index, basic_index_put
from dovetail.tensor.tensor import Tensor

Pair = tuple[int, int]


def sizes_of(name: str, value: Any, count: int, what: str = "window") -> tuple[int, ...]:
    """Read one number for all of ``count`` dimensions, or one for each."""
    if isinstance(value, int):
        return (value,) * count
    try:
        sizes = tuple(v.__index__() for v in value)
    except (TypeError, AttributeError) as error:
        raise ArgumentRuntimeError(f"{name} must be an int or {count} ints, got {value!r}") from error
    if len(sizes) == 1:
        return sizes * count
    if len(sizes) != count:
        raise ArgumentRuntimeError(
            f"expected {name} to be a single integer value or a list of {count} values to match the {what} "
            "dimensions, but got "
            f"{name}={list(sizes)}"
        )
    return sizes


def window_count(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool = False) -> int:
    """How many windows fit into ``size`` elements with ``padding`` on either side.

    With ``ceil_mode`` a last window may hang over the far edge if it begins inside the input or its near
    padding.
    """
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


class Span(NamedTuple):
    """The windows that have one tap of the kernel inside the input, and where: all of equal length."""

    windows: int
    """The first of these windows."""
    start: int
    """The input element that it sees."""
    size: int
    """How many windows there are."""


def tap_span(tap: int, size: int, count: int, stride: int, padding: int, dilation: int) -> Span:
    """The windows whose element ``tap`` lies inside the input."""
    shift = tap * dilation - padding
    first = max(0, -(shift // stride))
    last = min(count - 1, (size - 1 - shift) // stride)
    if last < first:
        return Span(0, 0, 0)
    return Span(first, first * stride + shift, last - first + 1)


def tap_spans(
    size: Sequence[int], count: Sequence[int], kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Iterator[tuple[int, int, Span, Span]]:
    """Row and column of every tap in row-major order, with its span along both; empty ones are left out."""
    for i in range(kernel[0]):
        rows = tap_span(i, size[0], count[0], stride[0], padding[0], dilation[0])
        for j in range(kernel[1]):
            columns = tap_span(j, size[1], count[1], stride[1], padding[1], dilation[1])
            if rows.size and columns.size:
                yield i, j, rows, columns


def read_tap(images: Tensor, rows: Span, columns: Span, stride: Pair) -> Tensor:
    """The pixels of NCHW images that a tap sees, one for each of its windows."""
    pattern = (*_whole(images), (rows.size, stride[0]), (columns.size, stride[1]))
    return basic_index(images, (0, 0, rows.start, columns.start), pattern=pattern)


def read_windows(results: Tensor, rows: Span, columns: Span) -> Tensor:
    """The results of the windows that have a tap."""
    pattern = (*_whole(results), (rows.size, 1), (columns.size, 1))
    return basic_index(results, (0, 0, rows.windows, columns.windows), pattern=pattern)


def put_tap(images: Tensor, value: Tensor, rows: Span, columns: Span, stride: Pair) -> Tensor:
    """A copy of the images with other pixels where a tap sees them."""
    pattern = (*_whole(images), (rows.size, stride[0]), (columns.size, stride[1]))
    return basic_index_put(images, value, (0, 0, rows.start, columns.start), pattern=pattern)


def put_windows(results: Tensor, value: Tensor, rows: Span, columns: Span) -> Tensor:
    """A copy of the results with other values for the windows that have a tap."""
    pattern = (*_whole(results), (rows.size, 1), (columns.size, 1))
    return basic_index_put(results, value, (0, 0, rows.windows, columns.windows), pattern=pattern)


def _whole(images: Tensor) -> tuple[tuple[int, int], ...]:
    return ((images.shape[0], 1), (images.shape[1], 1))
