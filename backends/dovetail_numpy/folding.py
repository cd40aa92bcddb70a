"""Windows of images as columns and back, tap by tap: one strided copy or addition for each tap of the window."""

from __future__ import annotations

import math

import numpy as np

from dovetail_numpy.geometry import Pair, tap_span, window_count
from dovetail_numpy.precision import Array, narrow, widen

Spans = list[tuple[slice, slice]]


def _spans(size: Pair, kernel: Pair, dilation: Pair, padding: Pair, stride: Pair) -> tuple[Pair, Spans, Spans]:
    """Return the number of windows, and for each tap the windows that have it inside and where."""
    counts: list[int] = []
    spans: list[Spans] = []
    for n, k, d, p, s in zip(size, kernel, dilation, padding, stride, strict=True):
        count = window_count(n, k, s, p, d)
        counts.append(count)
        spans.append([tap_span(tap, n, count, s, p, d) for tap in range(k)])
    return (counts[0], counts[1]), spans[0], spans[1]


def im2col(input: Array, *, kernel_size: Pair, dilation: Pair, padding: Pair, stride: Pair) -> Array:
    """Return the pixels of every window of NCHW images: (N, C KH KW, windows)."""
    batch, channels, *size = input.shape
    blocks, vertical, horizontal = _spans((size[0], size[1]), kernel_size, dilation, padding, stride)
    make = np.zeros if any(padding) else np.empty
    out = make((batch, channels, *kernel_size, *blocks), input.dtype)
    for i, (windows, rows) in enumerate(vertical):
        for j, (across, columns) in enumerate(horizontal):
            out[:, :, i, j, windows, across] = input[:, :, rows, columns]
    return out.reshape(batch, channels * math.prod(kernel_size), math.prod(blocks))


def col2im(input: Array, *, output_size: Pair, kernel_size: Pair, dilation: Pair, padding: Pair, stride: Pair) -> Array:
    """Return NCHW images of columns; 16-bit floats are added up in float32."""
    blocks, vertical, horizontal = _spans(output_size, kernel_size, dilation, padding, stride)
    batch, depth, _ = input.shape
    wide = widen(input)
    parts = wide.reshape(batch, depth // math.prod(kernel_size), *kernel_size, *blocks)
    out = np.zeros((batch, parts.shape[1], *output_size), wide.dtype)
    for i, (windows, rows) in enumerate(vertical):
        for j, (across, columns) in enumerate(horizontal):
            out[:, :, rows, columns] += parts[:, :, i, j, windows, across]
    return narrow(out, input.dtype)
