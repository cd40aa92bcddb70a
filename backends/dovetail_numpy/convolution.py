"""Two-dimensional convolution and its two gradients: the choice between the memory layouts.

Formulas: cross-correlation as ``torch.nn.Conv2d`` documents it. Every result element is one dot product in
BLAS order with K = channels per group x kernel height x kernel width terms, so |error| <= gamma_K sum|terms|
(N. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., section 3.1). 16-bit floats are
computed in float32 and rounded once.
"""

from __future__ import annotations

import numpy as np

from dovetail_numpy import conv_planes, conv_rows
from dovetail_numpy.geometry import Geometry, Pair, geometry
from dovetail_numpy.layout import lines_of
from dovetail_numpy.precision import Array, narrow, widen, widen_optional

# Channels-last copies runs of (kernel width x channels) numbers, channels-first runs of (output width).
# Measured on batches of 64 with 8, 14 and 28 pixels a side: from 4 channels on, channels-last wins over a
# whole training step.
_ROWS_FROM_CHANNELS = 4
# A group costs a few calls of its own there, which this many channels pay back.
_ROWS_FROM_GROUP_CHANNELS = 8


def _prefers_rows(geo: Geometry) -> bool:
    """Choose channels-last: enough channels to make long runs."""
    if geo.groups == 1:
        return geo.channels >= _ROWS_FROM_CHANNELS
    return geo.channels // geo.groups >= _ROWS_FROM_GROUP_CHANNELS


def _groups(geo: Geometry) -> list[tuple[slice, slice]]:
    """Return the channels and the filters of every group."""
    depth, filters = geo.channels // geo.groups, geo.filters // geo.groups
    return [(slice(i * depth, (i + 1) * depth), slice(i * filters, (i + 1) * filters)) for i in range(geo.groups)]


def _rows_forward(lines: Array, weight: Array, bias: Array | None, geo: Geometry) -> Array:
    """Convolve channels-last memory, one group after the other."""
    if geo.groups == 1:
        return conv_rows.forward(lines, weight, bias, geo)
    one = geo.one_group()
    parts = [
        conv_rows.forward(lines[..., channels], weight[filters], None if bias is None else bias[filters], one)
        for channels, filters in _groups(geo)
    ]
    return np.concatenate(parts, axis=1)


def _rows_input_grad(grad_lines: Array, weight: Array, geo: Geometry) -> Array:
    """Return the gradient of the input in channels-last memory, one group after the other."""
    if geo.groups == 1:
        return conv_rows.input_grad(grad_lines, weight, geo)
    one = geo.one_group()
    parts = [conv_rows.input_grad(grad_lines[..., filters], weight[filters], one) for _, filters in _groups(geo)]
    return np.concatenate(parts, axis=1)


def _rows_weight_grad(grad_lines: Array, lines: Array, geo: Geometry) -> Array:
    """Return the gradient of the weight, one group after the other."""
    if geo.groups == 1:
        return conv_rows.weight_grad(grad_lines, lines, geo)
    one = geo.one_group()
    parts = [
        conv_rows.weight_grad(grad_lines[..., filters], lines[..., channels], one) for channels, filters in _groups(geo)
    ]
    return np.concatenate(parts)


def conv2d(
    input: Array,
    weight: Array,
    bias: Array | None,
    *,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Array:
    """Convolve images with filters.

    ``input`` is (N, C, H, W), ``weight`` (O, C / groups, KH, KW), ``bias`` (O,) or None; the result is
    (N, O, OH, OW) in the input's dtype. Its memory may be channels-last: the shape is NCHW, but the strides
    are then not C-contiguous.
    """
    geo = geometry(input.shape, weight.shape, stride, padding, dilation, groups)
    dtype = input.dtype
    if geo.is_empty:
        return _constant_output(bias, geo, dtype)
    input, weight, bias = widen(input), widen(weight), widen_optional(bias)
    if _prefers_rows(geo):
        return narrow(_rows_forward(lines_of(input), weight, bias, geo), dtype)
    return narrow(conv_planes.forward(input, weight, bias, geo), dtype)


def _constant_output(bias: Array | None, geo: Geometry, dtype: np.dtype[np.generic]) -> Array:
    """Return the result without any product: empty, or the bias alone where there are no channels."""
    out = np.zeros((geo.batch, geo.filters, geo.out_height, geo.out_width), dtype)
    if bias is not None:
        out += bias[:, None, None]
    return out


def conv2d_input_grad(
    g: Array,
    weight: Array,
    *,
    input_shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Array:
    """Return the gradient of the input, shape ``input_shape``, for the gradient ``g`` of the output."""
    geo = geometry(input_shape, weight.shape, stride, padding, dilation, groups)
    dtype = g.dtype
    if geo.is_empty:
        return np.zeros(input_shape, dtype)
    g, weight = widen(g), widen(weight)
    if _prefers_rows(geo):
        return narrow(_rows_input_grad(lines_of(g), weight, geo), dtype)
    return narrow(conv_planes.input_grad(g, weight, geo), dtype)


def conv2d_weight_grad(
    g: Array,
    input: Array,
    *,
    weight_shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Array:
    """Return the gradient of the weight, C-contiguous, for the gradient ``g`` of the output."""
    geo = geometry(input.shape, weight_shape, stride, padding, dilation, groups)
    dtype = g.dtype
    if geo.is_empty:
        return np.zeros(weight_shape, dtype)
    g, input = widen(g), widen(input)
    if _prefers_rows(geo):
        return narrow(_rows_weight_grad(lines_of(g), lines_of(input), geo), dtype)
    return narrow(conv_planes.weight_grad(g, input, geo), dtype)
