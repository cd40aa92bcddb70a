"""Two-dimensional max and average pooling, forward and backward.

A window is worked on tap by tap: tap (i, j) of all windows is one strided view of the images, so no loop runs
over pixels and no window is copied. Padding and windows that hang over the edge are cut off the views instead
of being written into a larger buffer. Memory order is kept: channels-last images give channels-last results,
where the inner loops run over channels.

Definitions: ``torch.nn.MaxPool2d`` and ``torch.nn.AvgPool2d``. Of equal maxima the first in row-major order
counts; of several nan the last, as in PyTorch.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dovetail_numpy.geometry import Pair, tap_span, window_count
from dovetail_numpy.layout import empty_channels_last, is_channels_last, lines_of
from dovetail_numpy.precision import Array, narrow, widen
from dovetail_numpy.reductions import sum_over

Span = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class _Pooling:
    """The windows over images of one size; pairs are (height, width)."""

    size: Pair
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    out: Pair
    # Slices cannot be hashed before Python 3.12, and follow from the rest.
    vertical: tuple[Span, ...] = field(compare=False)
    horizontal: tuple[Span, ...] = field(compare=False)

    @property
    def is_whole(self) -> bool:
        """Whether every element of every window lies inside the images."""
        return all(
            windows == slice(0, out)
            for out, spans in zip(self.out, (self.vertical, self.horizontal))
            for windows, _ in spans
        )

    @property
    def is_disjoint(self) -> bool:
        """Whether no element belongs to two windows."""
        return all(
            (kernel - 1) * dilation < stride
            for kernel, dilation, stride in zip(self.kernel, self.dilation, self.stride)
        )

    def taps(self) -> Iterator[tuple[int, tuple[slice, slice], tuple[slice, slice]]]:
        """Yield the number of each tap, the windows that have it, and where they have it in the images."""
        number = 0
        for out_rows, rows in self.vertical:
            for out_columns, columns in self.horizontal:
                yield number, (out_rows, out_columns), (rows, columns)
                number += 1


@functools.lru_cache(maxsize=512)
def _pooling(size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool) -> _Pooling:
    """Work out the windows; cached, as a training loop repeats its shapes."""
    sizes = tuple(zip(size, kernel, stride, padding, dilation))
    out = tuple(window_count(n, k, s, p, d, ceil_mode) for n, k, s, p, d in sizes)
    vertical, horizontal = (
        tuple(tap_span(tap, n, count, s, p, d) for tap in range(k)) for count, (n, k, s, p, d) in zip(out, sizes)
    )
    return _Pooling(size, kernel, stride, padding, dilation, (out[0], out[1]), vertical, horizontal)


@functools.lru_cache(maxsize=64)
def _corners(pool: _Pooling) -> tuple[Array, Array]:
    """Return for each window the number of its first tap inside the plane, and its corner's flat position."""
    firsts: list[Array] = []
    corners: list[Array] = []
    for axis in (0, 1):
        corner = np.arange(pool.out[axis]) * pool.stride[axis] - pool.padding[axis]
        firsts.append(np.maximum(-(corner // pool.dilation[axis]), 0))
        corners.append(corner)
    first = firsts[0][:, None] * pool.kernel[1] + firsts[1]
    return first.astype(_tap_dtype(pool)), corners[0][:, None] * pool.size[1] + corners[1]


def _flat_positions(taps: Array, pool: _Pooling) -> Array:
    """Turn the number of a tap in each window into an int64 position in the flattened plane.

    Arithmetic on bytes: looking numbers up in a table first widens them all to int64.
    """
    down, across = pool.dilation[0] * pool.size[1], pool.dilation[1]
    rows = taps // taps.dtype.type(pool.kernel[1])
    positions: Array = np.multiply(rows, down - pool.kernel[1] * across, dtype=np.int64)
    positions += taps if across == 1 else np.multiply(taps, across, dtype=np.int64)
    positions += _corners(pool)[1]
    if not pool.is_whole:
        np.maximum(positions, 0, out=positions)
    return positions


def _tap_dtype(pool: _Pooling) -> np.dtype[np.unsignedinteger]:
    """Return the smallest dtype for the number of a tap: bytes compare 8 times as fast as int64."""
    return np.min_scalar_type(pool.kernel[0] * pool.kernel[1])


def _lowest(dtype: np.dtype[Any]) -> float | int:
    """Return what padding counts as in a maximum."""
    return -np.inf if dtype.kind == "f" else int(np.iinfo(dtype).min)


def _new(images: Array, pool: _Pooling) -> Array:
    """Return an uninitialised result in the memory order of ``images``."""
    shape = (*images.shape[:2], *pool.out)
    return np.empty_like(images, shape=shape)


def max_pool2d_values(
    input: Array, *, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> Array:
    """Return the maximum of each window of NCHW images; nan where a window has one.

    Rows first, then columns: ``KH + KW`` calls of `numpy.maximum`. Without indices it takes half of
    `max_pool2d`.
    """
    pool = _pooling(input.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    wide = widen(input)
    rows = _max_along(wide, 2, pool.out[0], pool.vertical)
    return narrow(_max_along(rows, 3, pool.out[1], pool.horizontal), input.dtype)


def _max_along(images: Array, axis: int, count: int, spans: tuple[Span, ...]) -> Array:
    """Take the maximum over the taps of one spatial axis."""
    shape = list(images.shape)
    shape[axis] = count
    out = np.empty_like(images, shape=shape)
    whole = slice(None)
    lead = (whole,) * axis
    if len(spans) > 1 and all(windows == slice(0, count) for windows, _ in spans[:2]):
        np.maximum(images[(*lead, spans[0][1])], images[(*lead, spans[1][1])], out=out)
        spans = spans[2:]
    else:
        out[...] = _lowest(images.dtype)
    for windows, elements in spans:
        target = out[(*lead, windows)]
        np.maximum(target, images[(*lead, elements)], out=target)
    return out


def max_pool2d(
    input: Array, *, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[Array, Array]:
    """Return the maximum of each window of NCHW images, and its int64 position in its flattened plane.

    A window without any element inside its plane (PyTorch leaves its index undefined) gives -inf and position
    0.
    """
    pool = _pooling(input.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    wide = widen(input)
    values, taps = _argmax(wide, pool, has_nan=False)
    if wide.dtype.kind == "f" and np.isnan(values).any():
        values, taps = _argmax(wide, pool, has_nan=True)
    return narrow(values, input.dtype), _flat_positions(taps, pool)


def _argmax(images: Array, pool: _Pooling, has_nan: bool) -> tuple[Array, Array]:
    """Return the maximum of each window and the number of its tap.

    The numbers grow, so the largest number of a tap that beat all before it is the answer: neither `where`
    nor a masked copy is needed, which cost 5 times as much.
    """
    values = _new(images, pool)
    taps = np.empty_like(values, dtype=_tap_dtype(pool))
    remaining = pool.taps()
    if pool.is_whole and not has_nan:
        _, _, inside = next(remaining)
        values[...] = images[:, :, inside[0], inside[1]]
        taps.fill(0)
    else:
        values.fill(_lowest(images.dtype))
        taps[...] = _corners(pool)[0]
    for number, windows, inside in remaining:
        tap = images[:, :, inside[0], inside[1]]
        target = values[:, :, windows[0], windows[1]]
        beats = tap > target
        if has_nan:
            beats |= np.isnan(tap)
        np.maximum(target, tap, out=target)
        chosen = taps[:, :, windows[0], windows[1]]
        numbers = np.multiply(beats.view(np.uint8), chosen.dtype.type(number), dtype=chosen.dtype)
        np.maximum(chosen, numbers, out=chosen)
    return values, taps


def max_pool2d_backward(
    g: Array,
    indices: Array,
    *,
    input_shape: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool,
) -> Array:
    """Send the gradient of each maximum to the position that `max_pool2d` returned for it.

    Windows that overlap add up, in float64, which `numpy.bincount` does ten times as fast as `numpy.add.at`.
    """
    pool = _pooling(input_shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    batch, channels, height, width = input_shape
    plane = height * width
    if is_channels_last(indices):
        out = empty_channels_last(input_shape, g.dtype)
        image = np.arange(0, batch * plane * channels, max(plane * channels, 1)).reshape(-1, 1, 1, 1)
        positions = lines_of(indices) * channels
        positions += np.arange(channels)
        positions += image
        flat, values = lines_of(out).reshape(-1), lines_of(g).reshape(-1)
    else:
        out = np.empty(input_shape, g.dtype)
        corner = np.arange(0, batch * channels * plane, max(plane, 1)).reshape(batch, channels, 1, 1)
        positions = indices + corner
        flat, values = out.reshape(-1), g.reshape(-1)
    if pool.is_disjoint:
        flat.fill(0)
        flat[positions.reshape(-1)] = values
    else:
        flat[...] = np.bincount(positions.reshape(-1), widen(values), minlength=flat.size)
    return out


@functools.lru_cache(maxsize=64)
def _divisors(pool: _Pooling, count_include_pad: bool, divisor_override: int | None) -> Array:
    """Return by what the sum of each window is divided, shape (out height, out width) or ().

    With ``count_include_pad`` a window counts its padding, but not what hangs over the padding's far edge.
    """
    if divisor_override is not None:
        return np.array(divisor_override, np.float64)
    counts: list[Array] = []
    for size, kernel, stride, padding, out in zip(pool.size, pool.kernel, pool.stride, pool.padding, pool.out):
        start = np.arange(out) * stride - padding
        stop = np.minimum(start + kernel, size + padding)
        if not count_include_pad:
            start, stop = np.maximum(start, 0), np.minimum(stop, size)
        counts.append(np.maximum(stop - start, 1))
    table = np.multiply.outer(counts[0], counts[1]).astype(np.float64)
    return table.reshape(-1)[0].reshape(()) if table.size and (table == table[0, 0]).all() else table


def _add_along(images: Array, axis: int, count: int, spans: tuple[Span, ...]) -> Array:
    """Sum over the taps of one spatial axis."""
    shape = list(images.shape)
    shape[axis] = count
    out = np.empty_like(images, shape=shape)
    out[...] = 0
    lead = (slice(None),) * axis
    for windows, elements in spans:
        target = out[(*lead, windows)]
        target += images[(*lead, elements)]
    return out


def avg_pool2d(
    input: Array,
    *,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    """Average each window of NCHW images.

    Rows are summed first, then columns, so a term passes through KH + KW additions and one division; a single
    window over whole images is `sum_over`, with its bound. 16-bit floats are computed in float32 and rounded
    once.
    """
    pool = _pooling(input.shape[2:], kernel_size, stride, padding, (1, 1), ceil_mode)
    wide = widen(input)
    if pool.kernel == pool.size and pool.out == (1, 1) and pool.padding == (0, 0):
        total = sum_over(wide, (2, 3), keepdims=True)
    else:
        total = _add_along(_add_along(wide, 2, pool.out[0], pool.vertical), 3, pool.out[1], pool.horizontal)
    with np.errstate(all="ignore"):
        total /= _divisors(pool, count_include_pad, divisor_override).astype(total.dtype)
    return narrow(total, input.dtype)


def _spread_along(grads: Array, axis: int, size: int, spans: tuple[Span, ...]) -> Array:
    """Add the gradient of each window to its elements along one spatial axis."""
    shape = list(grads.shape)
    shape[axis] = size
    out = np.empty_like(grads, shape=shape)
    out[...] = 0
    lead = (slice(None),) * axis
    for windows, elements in spans:
        target = out[(*lead, elements)]
        target += grads[(*lead, windows)]
    return out


def avg_pool2d_backward(
    g: Array,
    *,
    input_shape: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    """Return the gradient of the input: each window's share, spread over columns and then over rows."""
    pool = _pooling(input_shape[2:], kernel_size, stride, padding, (1, 1), ceil_mode)
    wide = widen(g)
    with np.errstate(all="ignore"):
        share = wide / _divisors(pool, count_include_pad, divisor_override).astype(wide.dtype)
    spread = _spread_along(share, 3, pool.size[1], pool.horizontal)
    return narrow(_spread_along(spread, 2, pool.size[0], pool.vertical), g.dtype)
