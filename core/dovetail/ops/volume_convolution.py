"""Convolution of volumes: one op and its two gradients, each led back to the convolution of images.

Each layer of the result sees as many layers of the volume as the kernel is deep. Laid side by side as
channels of one image they make one convolution of images of it, whose sums have the same terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail.ops.convolution import AGREE, conv2d, conv2d_input_grad, conv2d_weight_grad
from dovetail.ops.convolution_arguments import (
    Padding,
    Size,
    canonical_as,
    gradient_shape,
    one_dtype,
    out_sizes,
    result_shape,
    sides,
)
from dovetail.ops.definition import op
from dovetail.ops.joining import stack
from dovetail.ops.padding import constant_pad
from dovetail.ops.precision import wider
from dovetail.ops.shape import basic_index, basic_index_put
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.tensor import Tensor

Triple = tuple[int, int, int]
_VOLUME = Arg((1, 3, 4, 4, 4))
_KERNEL = Arg((4, 3, 2, 3, 3))


def _flat(padding: Padding) -> Padding:
    """The padding of the images, without that of the depth."""
    return padding[2:] if len(padding) == 6 else padding[1:]


def _layer_pattern(shape: Sequence[int], count: int, step: int) -> tuple[tuple[int, int], ...]:
    batch, channels, _, height, width = shape
    return ((batch, 1), (channels, 1), (count, step), (height, 1), (width, 1))


def _layers(
    input: Tensor, weight_shape: Sequence[int], stride: Triple, padding: Padding, dilation: Triple
) -> tuple[Tensor, int]:
    """Every window's layers as the channels of one image; and how many windows a volume has along its depth."""
    before, after = sides(padding)[0]
    count = (input.shape[2] + before + after - dilation[0] * (weight_shape[2] - 1) - 1) // stride[0] + 1
    if before or after:
        input = constant_pad(input, ((0, 0), (0, 0), (before, after), (0, 0), (0, 0)), 0)
    pattern = _layer_pattern(input.shape, count, stride[0])
    firsts = [tap * dilation[0] for tap in range(weight_shape[2])]
    seen = stack([basic_index(input, (0, 0, first, 0, 0), pattern=pattern) for first in firsts], 2)
    batch, channels, taps, _, height, width = seen.shape
    return seen.permute(0, 3, 1, 2, 4, 5).reshape((batch * count, channels * taps, height, width)), count


def _images(volumes: Tensor) -> Tensor:
    """Volumes as batches of their layers."""
    batch, channels, depth, height, width = volumes.shape
    return volumes.permute(0, 2, 1, 3, 4).reshape((batch * depth, channels, height, width))


def _volumes(images: Tensor, depth: int) -> Tensor:
    """What :func:`_images` undoes."""
    count, channels, height, width = images.shape
    return images.reshape((count // depth, depth, channels, height, width)).permute(0, 2, 1, 3, 4)


def _flat_weight(shape: Sequence[int]) -> tuple[int, ...]:
    return (shape[0], shape[1] * shape[2], *shape[3:])


@op(
    shape=result_shape,
    dtype=one_dtype,
    canon=canonical_as("conv3d", 3),
    samples=calls(
        call(Arg((2, 2, 4, 3, 4)), Arg((3, 2, 2, 3, 2)), Arg((3,))),
        call(Arg((1, 4, 5, 4, 3)), Arg((4, 2, 2, 2, 2)), None, (2, 1, 2), (1, 0, 2), (2, 1, 1), 2),
        call(Arg((2, 3, 3, 3)), Arg((2, 2, 3, 3, 3)), padding="same"),
        call(Arg((1, 1, 3, 3, 3)), Arg((2, 1, 2, 1, 2)), Arg((2,)), padding="same"),
        call(Arg((0, 2, 3, 3, 3)), Arg((2, 2, 2, 2, 2)), Arg((2,))),
        errors=(
            error(
                RuntimeError,
                "Given groups=1, weight of size [16, 3, 3, 3, 3], expected input[1, 4, 8, 8, 8] to have 3 "
                "channels, but got 4 channels",
                Arg((1, 4, 8, 8, 8)), Arg((16, 3, 3, 3, 3)),
            ),
            error(RuntimeError, "Expected 4D (unbatched) or 5D (batched) input", Arg((8, 8, 8)), _KERNEL),
            error(RuntimeError, "Kernel size can't be greater than actual input", Arg((1, 3, 1, 4, 4)), _KERNEL),
            error(RuntimeError, "expected bias to be 1-dimensional with 4", _VOLUME, _KERNEL, Arg((3,))),
            error(RuntimeError, "not supported for strided", _VOLUME, _KERNEL, padding="same", stride=2),
            error(RuntimeError, "list of 3 values", _VOLUME, _KERNEL, stride=(1, 2)),
        ),
    ),
    agree=AGREE,
    backward_name="ConvolutionBackward0",
    autocast="lower",
)  # fmt: skip
def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of volumes with kernels.

    Shapes: input (N, C, D, H, W) or (C, D, H, W), weight (O, C / groups, KD, KH, KW), bias (O); sizes as those
    of :func:`conv2d`. ``padding`` may be "valid" or "same".

    >>> import dovetail
    >>> dovetail.conv3d(dovetail.ones(1, 1, 3, 3, 3), dovetail.ones(1, 1, 2, 2, 2)).shape
    dovetail.Size([1, 1, 2, 2, 2])
    """
    if input.ndim == 4:
        return conv3d(input.unsqueeze(0), weight, bias, stride, padding, dilation, groups).squeeze(0)
    step, around, spread = _three(stride), _known(padding), _three(dilation)
    if not input.shape[0]:
        sizes = out_sizes(input.shape[2:], weight.shape[2:], step, around, spread)
        return input.new_zeros((0, weight.shape[0], *sizes))
    layers, depth = _layers(input, weight.shape, step, around, spread)
    kernel = weight.reshape(_flat_weight(weight.shape))
    return _volumes(conv2d(layers, kernel, bias, step[1:], _flat(around), spread[1:], groups), depth)


def _three(value: Any) -> Triple:
    """A parameter that is canonical already, as type checkers cannot know."""
    return value  # type: ignore[no-any-return]


def _known(value: Any) -> Padding:
    """A parameter that is canonical already, as type checkers cannot know."""
    return value  # type: ignore[no-any-return]


@op(
    shape=gradient_shape,
    dtype=one_dtype,
    internal=True,
    samples=calls(
        call(Arg((2, 3, 3, 1, 3)), Arg((3, 2, 2, 3, 2)), (2, 2, 4, 3, 4), (1, 1, 1), (0, 0, 0), (1, 1, 1), 1),
        call(Arg((1, 4, 3, 3, 3)), Arg((4, 2, 2, 2, 2)), (1, 4, 5, 4, 3), (2, 1, 2), (1, 0, 2), (2, 1, 1), 2),
        call(Arg((2, 3, 3, 3)), Arg((2, 1, 2, 1, 2)), (1, 3, 3, 3), (1, 1, 1), (0, 1, 0, 0, 0, 1), (1, 1, 1), 1),
    ),
    agree=AGREE,
)
def conv3d_input_grad(
    grad: Tensor,
    weight: Tensor,
    input_shape: Sequence[int],
    stride: Triple,
    padding: Padding,
    dilation: Triple,
    groups: int,
) -> Tensor:
    """The gradient of the input of conv3d: that of each window's layers, added where they came from."""
    shape = tuple(input_shape)
    if grad.ndim == 4:
        lone = (stride, padding, dilation, groups)
        return conv3d_input_grad(grad.unsqueeze(0), weight, (1, *shape), *lone).squeeze(0)
    wide = wider(grad.dtype)
    if wide is not grad.dtype:
        parts = (grad.to(wide), weight.to(wide))
        return conv3d_input_grad(*parts, shape, stride, padding, dilation, groups).to(grad.dtype)
    if not shape[0]:
        return grad.new_zeros(shape)
    before, after = sides(padding)[0]
    count, taps = grad.shape[2], weight.shape[2]
    flat = (shape[0] * count, shape[1] * taps, *shape[3:])
    kernel = weight.reshape(_flat_weight(weight.shape))
    found = conv2d_input_grad(_images(grad), kernel, flat, stride[1:], _flat(padding), dilation[1:], groups)
    layers = found.reshape((shape[0], count, shape[1], taps, *shape[3:])).permute(3, 0, 2, 1, 4, 5)
    out = grad.new_zeros((*shape[:2], shape[2] + before + after, *shape[3:]))
    pattern = _layer_pattern(out.shape, count, stride[0])
    for tap in range(taps):
        place = (0, 0, tap * dilation[0], 0, 0)
        part = basic_index(out, place, pattern=pattern) + layers[tap]
        out = basic_index_put(out, part, place, pattern=pattern)
    return basic_index(out, (0, 0, before, 0, 0), pattern=_layer_pattern(out.shape, shape[2], 1))


@op(
    shape=gradient_shape,
    dtype=one_dtype,
    internal=True,
    samples=calls(
        call(Arg((2, 3, 3, 1, 3)), Arg((2, 2, 4, 3, 4)), (3, 2, 2, 3, 2), (1, 1, 1), (0, 0, 0), (1, 1, 1), 1),
        call(Arg((1, 4, 3, 3, 3)), Arg((1, 4, 5, 4, 3)), (4, 2, 2, 2, 2), (2, 1, 2), (1, 0, 2), (2, 1, 1), 2),
        call(Arg((2, 3, 3, 3)), Arg((1, 3, 3, 3)), (2, 1, 2, 1, 2), (1, 1, 1), (0, 1, 0, 0, 0, 1), (1, 1, 1), 1),
    ),
    agree=AGREE,
)
def conv3d_weight_grad(
    grad: Tensor,
    input: Tensor,
    weight_shape: Sequence[int],
    stride: Triple,
    padding: Padding,
    dilation: Triple,
    groups: int,
) -> Tensor:
    """The gradient of the weight of conv3d, of all layers of the kernel at once."""
    shape = tuple(weight_shape)
    if grad.ndim == 4:
        lone = (grad.unsqueeze(0), input.unsqueeze(0))
        return conv3d_weight_grad(*lone, shape, stride, padding, dilation, groups)
    if not grad.shape[0]:
        return grad.new_zeros(shape)
    layers, _ = _layers(input, shape, stride, padding, dilation)
    flat = _flat_weight(shape)
    found = conv2d_weight_grad(_images(grad), layers, flat, stride[1:], _flat(padding), dilation[1:], groups)
    return found.reshape(shape)


conv3d.vjp(
    input=lambda g, weight, *, specs, stride, padding, dilation, groups: conv3d_input_grad(
        g, weight, tuple(specs[0].shape), stride, padding, dilation, groups
    ),
    weight=lambda g, input, *, specs, stride, padding, dilation, groups: conv3d_weight_grad(
        g, input, tuple(specs[1].shape), stride, padding, dilation, groups
    ),
    bias=lambda g: g.sum((0, 2, 3, 4) if g.ndim == 5 else (1, 2, 3)),
)
conv3d_input_grad.vjp(
    grad=lambda g, weight, *, stride, padding, dilation, groups: conv3d(
        g, weight, None, stride, padding, dilation, groups
    ),
    weight=lambda g, grad, *, specs, stride, padding, dilation, groups: conv3d_weight_grad(
        grad, g, tuple(specs[1].shape), stride, padding, dilation, groups
    ),
)
conv3d_weight_grad.vjp(
    grad=lambda g, input, *, stride, padding, dilation, groups: conv3d(
        input, g, None, stride, padding, dilation, groups
    ),
    input=lambda g, grad, *, specs, stride, padding, dilation, groups: conv3d_input_grad(
        grad, g, tuple(specs[1].shape), stride, padding, dilation, groups
    ),
)
