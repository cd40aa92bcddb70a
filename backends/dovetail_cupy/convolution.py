"""Convolution of images as one matrix product: what each window sees, laid out as a column (im2col).

The kernels are for batches of four dimensions with the same padding on both sides; the decompositions of the ops lead
every other call back to these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import cupy

from dovetail.backend import Array, Call, KernelTable, ops

Kernel = Callable[..., Array]
Pair = tuple[int, int]

table: Final = KernelTable()


class Geometry(NamedTuple):
    """Shapes and parameters of one convolution."""

    batch: int
    channels: int
    size: Pair
    filters: int
    kernel: Pair
    out: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int

    @property
    def depth(self) -> int:
        """Elements that a window sees in one group."""
        return self.channels // self.groups * self.kernel[0] * self.kernel[1]

    @property
    def padded(self) -> Pair:
        """Rows and columns of the images with their zeros."""
        return self.size[0] + 2 * self.padding[0], self.size[1] + 2 * self.padding[1]


def _geometry(call: Call, image: Any, weight: Any, result: Any) -> Geometry | None:
    """The geometry of a call, or None where it is not the plain case or nothing is to be computed."""
    s = call.statics
    if len(image) != 4 or len(s["padding"]) != 2 or 0 in image or 0 in weight or 0 in result:
        return None
    return Geometry(
        image[0], image[1], (image[2], image[3]), weight[0], (weight[2], weight[3]), (result[2], result[3]),
        tuple(s["stride"]), tuple(s["padding"]), tuple(s["dilation"]), s["groups"],
    )  # fmt: skip


def _windows(images: Array, g: Geometry) -> Array:
    """What every window sees, as a view: (batch, channels, kernel rows, kernel columns, rows, columns)."""
    if any(g.padding):
        padded = cupy.zeros((g.batch, g.channels, *g.padded), images.dtype)
        (top, left), (height, width) = g.padding, g.size
        padded[:, :, top : top + height, left : left + width] = images
        images = padded
    n, c, h, w = images.strides
    strides = (n, c, h * g.dilation[0], w * g.dilation[1], h * g.stride[0], w * g.stride[1])
    return cupy.lib.stride_tricks.as_strided(images, (g.batch, g.channels, *g.kernel, *g.out), strides)


@table.binder(ops.conv2d)
def _conv2d(call: Call) -> Kernel | None:
    g = _geometry(call, call.inputs[0].shape, call.inputs[1].shape, call.output.shape)
    if g is None:
        return None
    pixels = g.out[0] * g.out[1]

    def run(images: Array, weight: Array, bias: Array | None) -> Array:
        columns = _windows(images, g).reshape(g.batch, g.groups, g.depth, pixels)
        product = cupy.matmul(weight.reshape(g.groups, -1, g.depth), columns)
        result = product.reshape(g.batch, g.filters, *g.out)
        return result if bias is None else result + bias.reshape(-1, 1, 1)

    return run


@table.binder(ops.conv2d_input_grad)
def _conv2d_input_grad(call: Call) -> Kernel | None:
    g = _geometry(call, call.statics["input_shape"], call.inputs[1].shape, call.inputs[0].shape)
    if g is None:
        return None
    pixels = g.out[0] * g.out[1]

    def run(grad: Array, weight: Array) -> Array:
        taps = cupy.swapaxes(weight.reshape(g.groups, -1, g.depth), 1, 2)
        columns = cupy.matmul(taps, grad.reshape(g.batch, g.groups, -1, pixels))
        columns = columns.reshape(g.batch, g.channels, *g.kernel, *g.out)
        images = cupy.zeros((g.batch, g.channels, *g.padded), grad.dtype)
        for i in range(g.kernel[0]):
            for j in range(g.kernel[1]):
                images[:, :, _reach(g, 0, i), _reach(g, 1, j)] += columns[:, :, i, j]
        (top, left), (height, width) = g.padding, g.size
        return images[:, :, top : top + height, left : left + width].copy(order="C")

    return run


def _reach(g: Geometry, axis: int, tap: int) -> slice:
    """The rows (or columns) of the padded images that a tap sees."""
    start = tap * g.dilation[axis]
    return slice(start, start + g.stride[axis] * (g.out[axis] - 1) + 1, g.stride[axis])


@table.binder(ops.conv2d_weight_grad)
def _conv2d_weight_grad(call: Call) -> Kernel | None:
    g = _geometry(call, call.inputs[1].shape, call.statics["weight_shape"], call.inputs[0].shape)
    if g is None:
        return None

    def run(grad: Array, images: Array) -> Array:
        seen = _windows(images, g).transpose(0, 4, 5, 1, 2, 3).reshape(-1, g.groups, g.depth)
        slopes = grad.transpose(1, 0, 2, 3).reshape(g.groups, g.filters // g.groups, -1)
        return cupy.matmul(slopes, cupy.swapaxes(seen, 0, 1)).reshape(call.output.shape)

    return run
