"""Convolution of volumes and its two gradients, each as one convolution of images.

The layers that a window spans lie side by side as channels of one image, in the order (group, tap, channel of
the group), so that copying one layer moves runs of channels. Every result element stays one dot product of
K = channels per group x kernel volume terms, with the bound that :mod:`dovetail_numpy.convolution` states.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail_numpy.convolution import conv2d, conv2d_input_grad, conv2d_weight_grad
from dovetail_numpy.geometry import tap_span, window_count
from dovetail_numpy.precision import Array, narrow, widen

Triple = tuple[int, int, int]


def _flat(stride: Triple, padding: Triple, dilation: Triple, groups: int) -> dict[str, Any]:
    """Return the parameters of the convolution of images."""
    return {"stride": stride[1:], "padding": padding[1:], "dilation": dilation[1:], "groups": groups}


def _layers(volumes: Array, taps: int, stride: Triple, padding: Triple, dilation: Triple, groups: int) -> Array:
    """Return the layers of every window as the channels of one image, in channels-last memory."""
    batch, channels, depth, height, width = volumes.shape
    count = window_count(depth, taps, stride[0], padding[0], dilation[0])
    lines = np.empty((batch, count, height, width, groups, taps, channels // groups), volumes.dtype)
    source = volumes.reshape(batch, groups, channels // groups, depth, height, width).transpose(0, 3, 4, 5, 1, 2)
    for tap in range(taps):
        windows, elements = tap_span(tap, depth, count, stride[0], padding[0], dilation[0])
        lines[:, : windows.start, :, :, :, tap] = 0
        lines[:, windows.stop :, :, :, :, tap] = 0
        lines[:, windows, :, :, :, tap] = source[:, elements]
    return lines.reshape(batch * count, height, width, channels * taps).transpose(0, 3, 1, 2)


def _images(volumes: Array) -> Array:
    """Return volumes as a batch of their layers, without a copy where they lie so in memory."""
    batch, channels, depth, height, width = volumes.shape
    return volumes.transpose(0, 2, 1, 3, 4).reshape(batch * depth, channels, height, width)


def _flat_weight(weight: Array) -> Array:
    """Return the kernel with its depth among the channels."""
    filters, depth, taps, height, width = weight.shape
    return weight.transpose(0, 2, 1, 3, 4).reshape(filters, taps * depth, height, width)


def conv3d(
    input: Array,
    weight: Array,
    bias: Array | None,
    *,
    stride: Triple,
    padding: Triple,
    dilation: Triple,
    groups: int,
) -> Array:
    """Convolve (N, C, D, H, W) volumes with (O, C / groups, KD, KH, KW) kernels."""
    layers = _layers(input, weight.shape[2], stride, padding, dilation, groups)
    found = conv2d(layers, _flat_weight(weight), bias, **_flat(stride, padding, dilation, groups))
    depth = window_count(input.shape[2], weight.shape[2], stride[0], padding[0], dilation[0])
    return found.reshape(input.shape[0], depth, *found.shape[1:]).transpose(0, 2, 1, 3, 4)


def conv3d_input_grad(
    g: Array,
    weight: Array,
    *,
    input_shape: tuple[int, ...],
    stride: Triple,
    padding: Triple,
    dilation: Triple,
    groups: int,
) -> Array:
    """Return the gradient of the input: that of the layers, added up where windows share a layer."""
    batch, channels, depth, height, width = input_shape
    count, taps = g.shape[2], weight.shape[2]
    flat = conv2d_input_grad(
        _images(widen(g)),
        _flat_weight(widen(weight)),
        input_shape=(batch * count, channels * taps, height, width),
        **_flat(stride, padding, dilation, groups),
    )
    layers = flat.reshape(batch, count, groups, taps, channels // groups, height, width)
    total = np.zeros_like(layers[:, :, :, 0], shape=(batch, depth, groups, channels // groups, height, width))
    for tap in range(taps):
        windows, elements = tap_span(tap, depth, count, stride[0], padding[0], dilation[0])
        total[:, elements] += layers[:, windows, :, tap]
    return narrow(total.reshape(batch, depth, channels, height, width).transpose(0, 2, 1, 3, 4), g.dtype)


def conv3d_weight_grad(
    g: Array,
    input: Array,
    *,
    weight_shape: tuple[int, ...],
    stride: Triple,
    padding: Triple,
    dilation: Triple,
    groups: int,
) -> Array:
    """Return the gradient of the weight, C-contiguous."""
    filters, depth, taps, height, width = weight_shape
    layers = _layers(input, taps, stride, padding, dilation, groups)
    found = conv2d_weight_grad(
        _images(g),
        layers,
        weight_shape=(filters, taps * depth, height, width),
        **_flat(stride, padding, dilation, groups),
    )
    return np.ascontiguousarray(found.reshape(filters, taps, depth, height, width).transpose(0, 2, 1, 3, 4))
