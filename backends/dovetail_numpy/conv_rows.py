"""Convolution over channels-last images: each window row is one contiguous run of memory.

Images are ``lines``, arrays of shape (batch, height, width, channels). A window of ``kernel`` pixels in one
line is ``kernel width * channels`` neighbours, so the columns of the matrix product are copied in long runs.
Only the windows along the width are spelled out ("bands"): the product for one kernel row reads the same
columns one line further down, so they take a third of the memory of a full im2col for a 3 x 3 kernel, and
stay in the cache. Measured on 64 x 16 x 14 x 14 -> 32 (3 x 3) and on six larger shapes, bands equal or beat
one im2col matrix and one product, and are far steadier on a busy machine: the products of single images are
too small for BLAS to wait for a second thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from dovetail_numpy.geometry import Geometry, blocks, tap_spans
from dovetail_numpy.layout import empty_channels_last, lines_of
from dovetail_numpy.precision import Array

# Columns of one block stay below this. Blocks of 2 to 5 MB were the fastest on every shape that was tried.
BLOCK_BYTES = 1 << 22
# Below this many output pixels the products of single images are too thin: all images go into one product.
_MIN_BAND_PIXELS = 16


def _is_banded(geo: Geometry) -> bool:
    """Tell whether kernel rows become products of their own; a stride needs rows that are not adjacent."""
    return geo.stride[0] == 1 and geo.kernel[0] > 1 and geo.out_pixels >= _MIN_BAND_PIXELS


def _is_plain(geo: Geometry) -> bool:
    """Tell whether the pixels are the columns already: a 1 x 1 kernel without stride and padding."""
    return geo.kernel == (1, 1) and geo.stride == (1, 1) and geo.padding == (0, 0)


def _pad(lines: Array, buffer: Array, geo: Geometry) -> Array:
    """Copy images into the middle of a buffer whose border is zero; the copy makes them channels-last."""
    top, left = geo.padding
    inside = buffer[: lines.shape[0]]
    inside[:, top : top + geo.height, left : left + geo.width] = lines
    return inside


def _windows(padded: Array, rows: slice, geo: Geometry) -> Array:
    """View the windows of output rows, (images, lines, width[, kernel height], kernel width, channels)."""
    image, line, pixel, channel = padded.strides
    height, width = geo.kernel
    count = rows.stop - rows.start
    shape: tuple[int, ...] = (geo.out_width, width, geo.channels)
    strides: tuple[int, ...] = (pixel * geo.stride[1], pixel * geo.dilation[1], channel)
    if _is_banded(geo):
        shape = (count + (height - 1) * geo.dilation[0], *shape)
        strides = (line, *strides)
    else:
        shape = (count, geo.out_width, height, *shape[1:])
        strides = (line * geo.stride[0], strides[0], line * geo.dilation[0], *strides[1:])
    start = padded[:, rows.start * geo.stride[0] :]
    return as_strided(start, (padded.shape[0], *shape), (image, *strides))


def _block_sizes(geo: Geometry, itemsize: int, images: int) -> tuple[int, int]:
    """Return how many images, or how many rows of a single image, one block of columns holds."""
    taps = geo.kernel[1] if _is_banded(geo) else geo.kernel[0] * geo.kernel[1]
    row_bytes = geo.out_width * taps * geo.channels * itemsize
    image_rows = geo.out_height + ((geo.kernel[0] - 1) * geo.dilation[0] if _is_banded(geo) else 0)
    if row_bytes * image_rows <= BLOCK_BYTES:
        return min(images, BLOCK_BYTES // (row_bytes * image_rows)), geo.out_height
    return 1, max(1, min(geo.out_height, BLOCK_BYTES // row_bytes))


def _columns(lines: Array, geo: Geometry, most_images: int) -> Iterator[tuple[slice, slice, Array]]:
    """Yield blocks of images and output rows with their columns, shape (images, lines, width, depth)."""
    size, height = _block_sizes(geo, lines.itemsize, most_images)
    if _is_plain(geo) and lines.flags.c_contiguous:
        for images in blocks(geo.batch, size):
            for rows in blocks(geo.out_height, height):
                yield images, rows, lines[images, rows]
        return
    direct = geo.padding == (0, 0) and lines.flags.c_contiguous
    buffer = None if direct else np.zeros((size, *geo.padded, geo.channels), lines.dtype)
    columns: Array | None = None
    for images in blocks(geo.batch, size):
        padded = lines[images] if buffer is None else _pad(lines[images], buffer, geo)
        for rows in blocks(geo.out_height, height):
            windows = _windows(padded, rows, geo)
            if columns is None:
                columns = np.empty(windows.shape, lines.dtype)
            part = columns[: windows.shape[0], : windows.shape[1]]
            part[...] = windows
            yield images, rows, part.reshape(*part.shape[:2], geo.out_width, -1)


def _bands(columns: Array, rows: slice, geo: Geometry) -> list[Array]:
    """Split columns into one stack of matrices per kernel row, or into a single matrix over all images."""
    images, _, width, depth = columns.shape
    if not _is_banded(geo):
        return [columns.reshape(-1, depth)]
    count = rows.stop - rows.start
    starts = range(0, geo.kernel[0] * geo.dilation[0], geo.dilation[0])
    return [columns[:, start : start + count].reshape(images, count * width, depth) for start in starts]


def _band_weights(weight: Array, geo: Geometry) -> Array:
    """Lay the weight out as one matrix (depth, filters) for each band."""
    bands = geo.kernel[0] if _is_banded(geo) else 1
    by_row = np.ascontiguousarray(weight.transpose(2, 3, 1, 0))
    return by_row.reshape(bands, -1, geo.filters)


def _pixels(block: Array, geo: Geometry) -> Array:
    """Shape a block of output lines like the matrices of its bands."""
    images, _, _, channels = block.shape
    return block.reshape((images, -1, channels) if _is_banded(geo) else (-1, channels))


def forward(lines: Array, weight: Array, bias: Array | None, geo: Geometry) -> Array:
    """Convolve channels-last images; the result has the shape NCHW and channels-last memory of its own."""
    result = empty_channels_last((geo.batch, geo.filters, geo.out_height, geo.out_width), lines.dtype)
    out = lines_of(result)
    weights = _band_weights(weight, geo)
    # Repeated along a line of pixels the bias is added 2 to 3 times as fast, in longer inner loops.
    line = None if bias is None else np.tile(bias, (geo.out_width, 1))
    scratch: Array | None = None
    for images, rows, columns in _columns(lines, geo, geo.batch):
        first, *others = _bands(columns, rows, geo)
        target = _pixels(out[images, rows], geo)
        np.matmul(first, weights[0], out=target)
        for band, band_weight in zip(others, weights[1:]):
            if scratch is None:
                scratch = np.empty_like(target)
            partial = scratch[: target.shape[0], : target.shape[1]]
            np.matmul(band, band_weight, out=partial)
            target += partial
        if line is not None:
            block = out[images, rows]
            block += line
    return result


def weight_grad(grad_lines: Array, lines: Array, geo: Geometry) -> Array:
    """Return the gradient of the weight, shape (filters, channels, kernel height, kernel width)."""
    depth = geo.kernel[1] * geo.channels * (1 if _is_banded(geo) else geo.kernel[0])
    # One product per image: the block of these products is bounded like the block of columns.
    most_images, bands = geo.batch, 1
    if _is_banded(geo):
        most_images = max(1, BLOCK_BYTES // (depth * geo.filters * lines.itemsize))
        bands = geo.kernel[0]
    total = np.zeros((bands, depth, geo.filters), lines.dtype)
    for images, rows, columns in _columns(lines, geo, min(most_images, geo.batch)):
        grad = _pixels(np.ascontiguousarray(grad_lines[images, rows]), geo)
        for index, band in enumerate(_bands(columns, rows, geo)):
            if band.ndim == 2:
                total[index] += np.matmul(band.T, grad)
            else:
                total[index] += np.matmul(band.transpose(0, 2, 1), grad).sum(axis=0)
    spread = total.reshape(*geo.kernel, geo.channels, geo.filters)
    return np.ascontiguousarray(spread.transpose(3, 2, 0, 1))


def input_grad(grad_lines: Array, weight: Array, geo: Geometry) -> Array:
    """Return the gradient of the input, NCHW with channels-last memory of its own.

    With stride 1 it is a convolution of ``grad_lines`` with the flipped weight, in bands 7 to 15 % faster
    than scattering the products of single taps; with a larger stride that convolution would multiply zeros.
    """
    flipped = geo.transposed()
    if flipped is not None:
        return forward(grad_lines, weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3), None, flipped)
    return _scatter_grad(grad_lines, weight, geo)


def _scatter_grad(grad_lines: Array, weight: Array, geo: Geometry) -> Array:
    """Add the product of each tap to the input pixels that it read: one strided add per tap."""
    result = empty_channels_last((geo.batch, geo.channels, geo.height, geo.width), grad_lines.dtype)
    result.fill(0)
    total = lines_of(result)
    taps: Any = np.ascontiguousarray(weight.transpose(2, 3, 0, 1))
    image_bytes = geo.out_pixels * (geo.channels + geo.filters) * grad_lines.itemsize
    size = max(1, min(geo.batch, BLOCK_BYTES // image_bytes))
    scratch = np.empty((size * geo.out_pixels, geo.channels), grad_lines.dtype)
    vertical, horizontal = tap_spans(geo)
    for images in blocks(geo.batch, size):
        grad = np.ascontiguousarray(grad_lines[images]).reshape(-1, geo.filters)
        partial = scratch[: grad.shape[0]]
        spread = partial.reshape(-1, geo.out_height, geo.out_width, geo.channels)
        target = total[images]
        for row, (from_rows, to_rows) in enumerate(vertical):
            for column, (from_columns, to_columns) in enumerate(horizontal):
                np.matmul(grad, taps[row, column], out=partial)
                target[:, to_rows, to_columns] += spread[:, from_rows, from_columns]
    return result
