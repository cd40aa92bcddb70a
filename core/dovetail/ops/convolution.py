"""Convolution of images: one op, and its two gradients as ops with rules of their own.

All three are linear in either operand and each is a gradient of the others, so every order of derivative
stays among them. Their decompositions take a kernel tap by tap: one strided slice and one matrix product
each.

A kernel may be written for the plain case alone, batches of four dimensions and the same padding on both
sides (two numbers): it refuses others by returning None from its binder, and the decomposition leads them
back to the plain case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

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
from dovetail.ops.precision import wider
from dovetail.ops.shape import basic_index, basic_index_put
from dovetail.ops.windows import Pair, put_tap, put_windows, read_tap, read_windows, tap_spans
from dovetail.record.agree import Agree, Growth
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.tensor import Tensor

AGREE: Final = Agree.terms(k=Growth(linear=1, plus=1), typical=8)

# ------------------------------------------------------------------------- leading back to the plain case


def _padded(images: Tensor, padding: Padding) -> Tensor:
    """Images with zeros around them."""
    (top, bottom), (left, right) = sides(padding)
    batch, channels, height, width = images.shape
    room = images.new_zeros((batch, channels, height + top + bottom, width + left + right))
    pattern = ((batch, 1), (channels, 1), (height, 1), (width, 1))
    return basic_index_put(room, images, (0, 0, top, left), pattern=pattern)


def _cropped(images: Tensor, padding: Padding, size: Sequence[int]) -> Tensor:
    """Images without what padding had added."""
    (top, _), (left, _) = sides(padding)
    pattern = ((images.shape[0], 1), (images.shape[1], 1), (size[0], 1), (size[1], 1))
    return basic_index(images, (0, 0, top, left), pattern=pattern)


def _grouped(images: Tensor, groups: int) -> Tensor:
    """NCHW images as (batch, groups, channels of a group, pixels)."""
    batch, channels, height, width = images.shape
    return images.reshape((batch, groups, channels // groups, height * width))


def _tap(weight: Tensor, row: int, column: int, groups: int) -> Tensor:
    """One tap of the kernel as (groups, filters of a group, channels of a group)."""
    filters, depth = weight.shape[:2]
    tap = basic_index(weight, (0, 0, row, column), pattern=((filters, 1), (depth, 1), "int", "int"))
    return tap.reshape((groups, filters // groups, depth))


# ------------------------------------------------------------------------------------------ the convolution

_IMAGE = Arg((1, 3, 4, 4))
_FOUR = Arg((4, 3, 3, 3))


@op(
    shape=result_shape,
    dtype=one_dtype,
    canon=canonical_as("conv2d", 2),
    samples=calls(
        call(Arg((2, 3, 5, 6)), Arg((4, 3, 3, 2)), Arg((4,))),
        call(Arg((2, 4, 6, 5)), Arg((6, 2, 3, 3)), None, (2, 1), (1, 2), (1, 2), 2),
        call(Arg((3, 5, 5)), Arg((2, 3, 3, 3)), padding="same"),
        call(Arg((1, 2, 4, 4)), Arg((2, 2, 2, 3)), padding="same"),
        call(Arg((1, 4, 4, 4)), Arg((4, 1, 1, 1)), Arg((4,)), stride=3, groups=4),
        call(Arg((0, 3, 5, 5)), Arg((2, 3, 3, 3)), Arg((2,))),
        errors=(
            error(
                RuntimeError,
                "Given groups=1, weight of size [16, 3, 3, 3], expected input[1, 4, 8, 8] to have 3 "
                "channels, but got 4 "
                "channels instead",
                Arg((1, 4, 8, 8)), Arg((16, 3, 3, 3)),
            ),
            error(RuntimeError, "Expected 3D (unbatched) or 4D (batched) input", Arg((8, 8)), _FOUR),
            error(RuntimeError, "Kernel size can't be greater than actual input", Arg((1, 3, 2, 2)), _FOUR),
            error(RuntimeError, "expected bias to be 1-dimensional with 4", _IMAGE, _FOUR, Arg((3,))),
            error(RuntimeError, "not supported for strided", _IMAGE, _FOUR, padding="same", stride=2),
            error(RuntimeError, "non-positive stride is not supported", _IMAGE, _FOUR, stride=0),
            error(RuntimeError, "list of 2 values", _IMAGE, _FOUR, stride=(1, 2, 3)),
        ),
    ),
    agree=AGREE,
    backward_name="ConvolutionBackward0",
    autocast="lower",
)  # fmt: skip
def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of images with kernels.

    Shapes: input (N, C, H, W) or (C, H, W), weight (O, C / groups, KH, KW), bias (O); the result has
    ``floor((H + 2 padding - dilation (KH - 1) - 1) / stride) + 1`` rows. ``padding`` may be "valid" or
    "same".

    >>> import dovetail
    >>> dovetail.conv2d(dovetail.ones(1, 1, 3, 3), dovetail.ones(1, 1, 2, 2)).shape
    dovetail.Size([1, 1, 2, 2])
    """
    statics: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    if input.ndim == 3:
        return conv2d(input.unsqueeze(0), weight, bias, **statics).squeeze(0)
    if len(_four(padding)) == 4:
        return conv2d(_padded(input, _four(padding)), weight, bias, **{**statics, "padding": (0, 0)})
    wide = wider(input.dtype)
    if wide is not input.dtype:
        parts = (input.to(wide), weight.to(wide), None if bias is None else bias.to(wide))
        return conv2d(*parts, **statics).to(input.dtype)
    out = _by_taps(input, weight, _two(stride), _two(padding), _two(dilation), groups)
    return out if bias is None else out + bias.reshape((-1, 1, 1))


def _four(value: Any) -> Padding:
    """A parameter that is canonical already, as type checkers cannot know."""
    return value  # type: ignore[no-any-return]


def _two(value: Any) -> Pair:
    """A parameter that is canonical already, as type checkers cannot know."""
    return value  # type: ignore[no-any-return]


def _by_taps(input: Tensor, weight: Tensor, stride: Pair, padding: Pair, dilation: Pair, groups: int) -> Tensor:
    batch, filters = input.shape[0], weight.shape[0]
    kernel = _two(tuple(weight.shape[2:]))
    sizes = out_sizes(input.shape[2:], kernel, stride, padding, dilation)
    out = input.new_zeros((batch, filters, *sizes))
    for i, j, rows, columns in tap_spans(input.shape[2:], sizes, kernel, stride, padding, dilation):
        seen = _grouped(read_tap(input, rows, columns, stride), groups)
        part = (_tap(weight, i, j, groups) @ seen).reshape((batch, filters, rows.size, columns.size))
        out = put_windows(out, read_windows(out, rows, columns) + part, rows, columns)
    return out


@op(
    shape=gradient_shape,
    dtype=one_dtype,
    internal=True,
    samples=calls(
        call(Arg((2, 4, 3, 5)), Arg((4, 3, 3, 2)), (2, 3, 5, 6), (1, 1), (0, 0), (1, 1), 1),
        call(Arg((2, 6, 3, 5)), Arg((6, 2, 3, 3)), (2, 4, 6, 5), (2, 1), (1, 2), (1, 2), 2),
        call(Arg((2, 5, 5)), Arg((2, 3, 3, 3)), (3, 5, 5), (1, 1), (1, 1), (1, 1), 1),
        call(Arg((1, 2, 4, 4)), Arg((2, 2, 2, 3)), (1, 2, 4, 4), (1, 1), (0, 1, 1, 1), (1, 1), 1),
    ),
    agree=AGREE,
)
def conv2d_input_grad(
    grad: Tensor,
    weight: Tensor,
    input_shape: Sequence[int],
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    groups: int,
) -> Tensor:
    """The gradient of the input of conv2d: each gradient times the kernel, added where its window lay."""
    shape = tuple(input_shape)
    statics: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    if grad.ndim == 3:
        return conv2d_input_grad(grad.unsqueeze(0), weight, (1, *shape), **statics).squeeze(0)
    if len(padding) == 4:
        (top, bottom), (left, right) = sides(padding)
        larger = (*shape[:2], shape[2] + top + bottom, shape[3] + left + right)
        found = conv2d_input_grad(grad, weight, larger, **{**statics, "padding": (0, 0)})
        return _cropped(found, padding, shape[2:])
    wide = wider(grad.dtype)
    if wide is not grad.dtype:
        return conv2d_input_grad(grad.to(wide), weight.to(wide), shape, **statics).to(grad.dtype)
    return _spread_by_taps(grad, weight, shape, stride, _two(padding), dilation, groups)


def _spread_by_taps(
    grad: Tensor,
    weight: Tensor,
    shape: Sequence[int],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Tensor:
    out = grad.new_zeros(shape)
    kernel = _two(tuple(weight.shape[2:]))
    for i, j, rows, columns in tap_spans(shape[2:], grad.shape[2:], kernel, stride, padding, dilation):
        seen = _grouped(read_windows(grad, rows, columns), groups)
        part = _tap(weight, i, j, groups).transpose(1, 2) @ seen
        part = part.reshape((*shape[:2], rows.size, columns.size))
        out = put_tap(out, read_tap(out, rows, columns, stride) + part, rows, columns, stride)
    return out


@op(
    shape=gradient_shape,
    dtype=one_dtype,
    internal=True,
    samples=calls(
        call(Arg((2, 4, 3, 5)), Arg((2, 3, 5, 6)), (4, 3, 3, 2), (1, 1), (0, 0), (1, 1), 1),
        call(Arg((2, 6, 3, 5)), Arg((2, 4, 6, 5)), (6, 2, 3, 3), (2, 1), (1, 2), (1, 2), 2),
        call(Arg((2, 5, 5)), Arg((3, 5, 5)), (2, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
        call(Arg((1, 2, 4, 4)), Arg((1, 2, 4, 4)), (2, 2, 2, 3), (1, 1), (0, 1, 1, 1), (1, 1), 1),
    ),
    agree=AGREE,
)
def conv2d_weight_grad(
    grad: Tensor,
    input: Tensor,
    weight_shape: Sequence[int],
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    groups: int,
) -> Tensor:
    """The gradient of the weight of conv2d: for each tap the products of gradients and pixels that it saw."""
    shape = tuple(weight_shape)
    statics: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    if grad.ndim == 3:
        return conv2d_weight_grad(grad.unsqueeze(0), input.unsqueeze(0), shape, **statics)
    if len(padding) == 4:
        return conv2d_weight_grad(grad, _padded(input, padding), shape, **{**statics, "padding": (0, 0)})
    wide = wider(grad.dtype)
    if wide is not grad.dtype:
        return conv2d_weight_grad(grad.to(wide), input.to(wide), shape, **statics).to(grad.dtype)
    return _correlated_by_taps(grad, input, shape, stride, _two(padding), dilation, groups)


def _correlated_by_taps(
    grad: Tensor,
    input: Tensor,
    shape: Sequence[int],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Tensor:
    out = grad.new_zeros(shape)
    kernel = (shape[2], shape[3])
    for i, j, rows, columns in tap_spans(input.shape[2:], grad.shape[2:], kernel, stride, padding, dilation):
        left = _as_rows(read_windows(grad, rows, columns), groups)
        right = _as_rows(read_tap(input, rows, columns, stride), groups).transpose(1, 2)
        part = (left @ right).reshape((shape[0], shape[1], 1, 1))
        pattern = ((shape[0], 1), (shape[1], 1), (1, 1), (1, 1))
        out = basic_index_put(out, part, (0, 0, i, j), pattern=pattern)
    return out


def _as_rows(images: Tensor, groups: int) -> Tensor:
    """NCHW images as (groups, channels of a group, pixels of all images)."""
    grouped = _grouped(images, groups)
    batch, _, depth, pixels = grouped.shape
    return grouped.permute(1, 2, 0, 3).reshape((groups, depth, batch * pixels))


conv2d.vjp(
    input=lambda g, weight, *, specs, stride, padding, dilation, groups: conv2d_input_grad(
        g, weight, tuple(specs[0].shape), stride, padding, dilation, groups
    ),
    weight=lambda g, input, *, specs, stride, padding, dilation, groups: conv2d_weight_grad(
        g, input, tuple(specs[1].shape), stride, padding, dilation, groups
    ),
    bias=lambda g: g.sum((0, 2, 3) if g.ndim == 4 else (1, 2)),
)
conv2d_input_grad.vjp(
    grad=lambda g, weight, *, stride, padding, dilation, groups: conv2d(
        g, weight, None, stride, padding, dilation, groups
    ),
    weight=lambda g, grad, *, specs, stride, padding, dilation, groups: conv2d_weight_grad(
        grad, g, tuple(specs[1].shape), stride, padding, dilation, groups
    ),
)
conv2d_weight_grad.vjp(
    grad=lambda g, input, *, stride, padding, dilation, groups: conv2d(
        input, g, None, stride, padding, dilation, groups
    ),
    input=lambda g, grad, *, specs, stride, padding, dilation, groups: conv2d_input_grad(
        grad, g, tuple(specs[1].shape), stride, padding, dilation, groups
    ),
)
