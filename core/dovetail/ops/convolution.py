"""Convolution of images: one op, its two gradients as ops with rules of their own, and what derives from them.

All three are linear in either operand and each is a gradient of the others, so every order of derivative stays among
them. Their decompositions take a kernel tap by tap: one strided slice and one matrix product each.

A kernel may be written for the plain case alone, batches of four dimensions and the same padding on both sides (two
numbers): it refuses others by returning None from its binder, and the decomposition leads them back to the plain case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail.errors import ArgumentRuntimeError, DtypeError, ShapeError
from dovetail.ops.definition import op
from dovetail.ops.precision import wider
from dovetail.ops.shape import basic_index, basic_index_put
from dovetail.ops.windows import (
    Pair,
    pair,
    put_tap,
    put_windows,
    read_tap,
    read_windows,
    tap_spans,
)
from dovetail.record.agree import Agree, Growth
from dovetail.record.rules import Dtypes
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Size = int | Sequence[int]
Padding = tuple[int, ...]
"""Rows and columns added on either side: (rows, columns), or (top, bottom, left, right) where the sides differ."""

_AGREE = Agree.terms(k=Growth(linear=1, plus=1), typical=8)

# ------------------------------------------------------------------------------------------ what the arguments may be


def _same_padding(kernel: Sequence[int], stride: Pair, dilation: Pair) -> Padding:
    """The padding that keeps the size; of an odd amount the far side gets the larger half."""
    if stride != (1, 1):
        raise ArgumentRuntimeError("padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    near = [t // 2 for t in total]
    if all(t % 2 == 0 for t in total):
        return near[0], near[1]
    return near[0], total[0] - near[0], near[1], total[1] - near[1]


def _padding(value: Any, kernel: Sequence[int], stride: Pair, dilation: Pair) -> Padding:
    if isinstance(value, str):
        if value == "valid":
            return 0, 0
        if value != "same":
            raise ArgumentRuntimeError(f"Invalid padding string: '{value}' (it may be 'valid' or 'same')")
        return _same_padding(kernel, stride, dilation)
    if isinstance(value, tuple) and len(value) == 4:
        return value
    return pair("padding", value, "convolution")


def _check_numbers(
    stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], groups: int
) -> None:
    if groups <= 0:
        raise ArgumentRuntimeError(f"non-positive groups is not supported (groups={groups})")
    if min(stride) <= 0:
        raise ArgumentRuntimeError(f"non-positive stride is not supported (stride={list(stride)})")
    if min(padding) < 0:
        raise ArgumentRuntimeError(f"negative padding is not supported (padding={list(padding)})")
    if min(dilation) <= 0:
        raise ArgumentRuntimeError(f"dilation should be greater than zero, but got {list(dilation)}")


def check_operands(
    name: str, spatial: int, input: Spec, weight: Spec, bias: Spec | None, groups: int, kind: str
) -> None:
    """Raise PyTorch's sentences for dimensions and channels that do not fit.

    ``kind`` begins the sentence about channels: "groups=1" of a convolution, "transposed=1" of a transposed one.
    """
    a, w = list(input.shape), list(weight.shape)
    if len(a) not in (spatial + 1, spatial + 2):
        raise ShapeError(
            f"Expected {spatial + 1}D (unbatched) or {spatial + 2}D (batched) input to {name}, but got input of size: {a}"
        )
    if len(w) != spatial + 2:
        raise ShapeError(
            f"weight should have {spatial + 2} dimensions in {name}, but got weight of size {w} (input {a})"
        )
    transposed = kind.startswith("transposed")
    if w[0] < groups:
        raise ShapeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight of size {w} instead"
        )
    if w[0] % groups:
        raise ShapeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of size "
            f"[{w}] instead"
        )
    channels, expected = a[-spatial - 1], w[0] if transposed else w[1] * groups
    if channels != expected:
        raise ShapeError(
            f"Given {kind}, weight of size {w}, expected input{a} to have {expected} channels, but got {channels} channels "
            "instead"
        )
    filters = w[1] * groups if transposed else w[0]
    if bias is not None and tuple(bias.shape) != (filters,):
        raise ShapeError(
            f"Given weight of size {w}, expected bias to be 1-dimensional with {filters} elements, but got bias of size "
            f"{list(bias.shape)} instead"
        )


def _check_sizes(
    input: Spec, kernel: Sequence[int], padding: Sequence[Sequence[int]], dilation: Sequence[int]
) -> None:
    """Raise when the kernel is larger than the padded images."""
    sizes = list(input.shape[-len(kernel) :])
    batched = input.ndim == len(kernel) + 2
    if 0 in sizes or (not batched and 0 in input.shape):
        raise ShapeError(
            f"Only zero batch or zero channel inputs are supported, but got input shape: {list(input.shape)}"
        )
    padded = [n + sum(p) for n, p in zip(sizes, padding, strict=True)]
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if any(p < r for p, r in zip(padded, reach, strict=True)):
        raise ShapeError(
            f"Calculated padded input size per channel: ({' x '.join(map(str, padded))}). Kernel size: "
            f"({' x '.join(map(str, reach))}). Kernel size can't be greater than actual input size"
        )


def _sides(padding: Padding) -> tuple[Pair, Pair]:
    """What is added before and after the rows, and before and after the columns."""
    if len(padding) == 4:
        return (padding[0], padding[1]), (padding[2], padding[3])
    return (padding[0], padding[0]), (padding[1], padding[1])


def _canonical(input: Spec, weight: Spec, bias: Spec | None, **statics: Any) -> dict[str, Any]:
    stride = pair("stride", statics["stride"], "convolution")
    dilation = pair("dilation", statics["dilation"], "convolution")
    groups = int(statics["groups"])
    check_operands("conv2d", 2, input, weight, bias, max(groups, 1), f"groups={groups}")
    _check_numbers(stride, (0,), dilation, groups)
    padding = _padding(statics["padding"], weight.shape[2:], stride, dilation)
    _check_numbers(stride, padding, dilation, groups)
    _check_sizes(input, weight.shape[2:], _sides(padding), dilation)
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def _out_sizes(
    size: Sequence[int], kernel: Sequence[int], stride: Pair, padding: Padding, dilation: Pair
) -> Pair:
    rows, columns = (
        (n + before + after - d * (k - 1) - 1) // s + 1
        for n, k, s, d, (before, after) in zip(size, kernel, stride, dilation, _sides(padding), strict=True)
    )
    return rows, columns


def _shape(
    input: Spec,
    weight: Spec,
    bias: Spec | None,
    *,
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    groups: int,
) -> tuple[int, ...]:
    sizes = _out_sizes(input.shape[-2:], weight.shape[2:], stride, padding, dilation)
    return (*input.shape[:-3], weight.shape[0], *sizes)


def _one_dtype(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    first = inputs[0]
    assert first is not None, "the first operand is never absent"
    for name, other in zip(("weight", "bias"), inputs[1:], strict=False):
        if other is not None and other.dtype is not first.dtype:
            raise DtypeError(
                f"Input type ({first.dtype.legacy_name.lower()}) and {name} type ({other.dtype.legacy_name.lower()}) should "
                f"be the same (convert one of them: {name}.to({first.dtype!r}))"
            )
    return Dtypes([None] * len(inputs), [first.dtype])


# ------------------------------------------------------------------------------------------ leading back to the plain case


def _padded(images: Tensor, padding: Padding) -> Tensor:
    """Images with zeros around them."""
    (top, bottom), (left, right) = _sides(padding)
    batch, channels, height, width = images.shape
    room = images.new_zeros((batch, channels, height + top + bottom, width + left + right))
    pattern = ((batch, 1), (channels, 1), (height, 1), (width, 1))
    return basic_index_put(room, images, (0, 0, top, left), pattern=pattern)


def _cropped(images: Tensor, padding: Padding, size: Sequence[int]) -> Tensor:
    """Images without what padding had added."""
    (top, _), (left, _) = _sides(padding)
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


@op(
    shape=_shape,
    dtype=_one_dtype,
    canon=_canonical,
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
                "Given groups=1, weight of size [16, 3, 3, 3], expected input[1, 4, 8, 8] to have 3 channels, but got 4 "
                "channels instead",
                Arg((1, 4, 8, 8)), Arg((16, 3, 3, 3)),
            ),
            error(RuntimeError, "Expected 3D (unbatched) or 4D (batched) input to conv2d", Arg((8, 8)), Arg((16, 3, 3, 3))),
            error(RuntimeError, "Kernel size can't be greater than actual input size", Arg((1, 3, 2, 2)), Arg((4, 3, 3, 3))),
            error(RuntimeError, "expected bias to be 1-dimensional with 4 elements", Arg((1, 3, 4, 4)), Arg((4, 3, 3, 3)), Arg((3,))),
            error(RuntimeError, "padding='same' is not supported for strided", Arg((1, 3, 4, 4)), Arg((4, 3, 3, 3)), padding="same", stride=2),
            error(RuntimeError, "non-positive stride is not supported", Arg((1, 3, 4, 4)), Arg((4, 3, 3, 3)), stride=0),
            error(RuntimeError, "list of 2 values", Arg((1, 3, 4, 4)), Arg((4, 3, 3, 3)), stride=(1, 2, 3)),
        ),
    ),
    agree=_AGREE,
    backward_name="ConvolutionBackward0",
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
    ``floor((H + 2 padding - dilation (KH - 1) - 1) / stride) + 1`` rows. ``padding`` may be "valid" or "same".

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


def _by_taps(
    input: Tensor, weight: Tensor, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Tensor:
    batch, filters = input.shape[0], weight.shape[0]
    kernel = _two(tuple(weight.shape[2:]))
    sizes = _out_sizes(input.shape[2:], kernel, stride, padding, dilation)
    out = input.new_zeros((batch, filters, *sizes))
    for i, j, rows, columns in tap_spans(input.shape[2:], sizes, kernel, stride, padding, dilation):
        seen = _grouped(read_tap(input, rows, columns, stride), groups)
        part = (_tap(weight, i, j, groups) @ seen).reshape((batch, filters, rows.size, columns.size))
        out = put_windows(out, read_windows(out, rows, columns) + part, rows, columns)
    return out


def _gradient_shape(g: Spec, other: Spec, **statics: Any) -> tuple[int, ...]:
    return tuple(statics["input_shape"] if "input_shape" in statics else statics["weight_shape"])


@op(
    shape=_gradient_shape,
    dtype=_one_dtype,
    internal=True,
    samples=calls(
        call(Arg((2, 4, 3, 5)), Arg((4, 3, 3, 2)), (2, 3, 5, 6), (1, 1), (0, 0), (1, 1), 1),
        call(Arg((2, 6, 3, 5)), Arg((6, 2, 3, 3)), (2, 4, 6, 5), (2, 1), (1, 2), (1, 2), 2),
        call(Arg((2, 5, 5)), Arg((2, 3, 3, 3)), (3, 5, 5), (1, 1), (1, 1), (1, 1), 1),
        call(Arg((1, 2, 4, 4)), Arg((2, 2, 2, 3)), (1, 2, 4, 4), (1, 1), (0, 1, 1, 1), (1, 1), 1),
    ),
    agree=_AGREE,
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
        (top, bottom), (left, right) = _sides(padding)
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
    shape=_gradient_shape,
    dtype=_one_dtype,
    internal=True,
    samples=calls(
        call(Arg((2, 4, 3, 5)), Arg((2, 3, 5, 6)), (4, 3, 3, 2), (1, 1), (0, 0), (1, 1), 1),
        call(Arg((2, 6, 3, 5)), Arg((2, 4, 6, 5)), (6, 2, 3, 3), (2, 1), (1, 2), (1, 2), 2),
        call(Arg((2, 5, 5)), Arg((3, 5, 5)), (2, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
        call(Arg((1, 2, 4, 4)), Arg((1, 2, 4, 4)), (2, 2, 2, 3), (1, 1), (0, 1, 1, 1), (1, 1), 1),
    ),
    agree=_AGREE,
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
    """The gradient of the weight of conv2d: for each tap the products of gradients and the pixels that it saw."""
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

# ------------------------------------------------------------------------------------------ derived from it


def _single(name: str, value: Any) -> int:
    """Read the one number of a one-dimensional parameter."""
    if isinstance(value, int):
        return value
    if len(value) != 1:
        raise ArgumentRuntimeError(
            f"expected {name} to be a single integer value or a list of 1 values to match the convolution dimensions, but "
            f"got {name}={list(value)}"
        )
    return value[0].__index__()  # type: ignore[no-any-return]


@op(
    samples=calls(
        call(Arg((2, 3, 7)), Arg((4, 3, 3)), Arg((4,))),
        call(Arg((4, 7)), Arg((2, 2, 3)), None, 2, 1, 2, 2),
        call(Arg((1, 2, 5)), Arg((2, 2, 2)), padding="same"),
        errors=(
            error(
                RuntimeError,
                "Given groups=1, weight of size [16, 3, 3], expected input[1, 4, 8] to have 3 channels, but got 4 channels",
                Arg((1, 4, 8)), Arg((16, 3, 3)),
            ),
            error(RuntimeError, "Expected 2D (unbatched) or 3D (batched) input to conv1d", Arg((8,)), Arg((16, 3, 3))),
            error(RuntimeError, "Calculated padded input size per channel: (2). Kernel size: (4)", Arg((1, 3, 2)), Arg((2, 3, 4))),
        ),
    ),
    agree=_AGREE,
    backward_name="ConvolutionBackward0",
)  # fmt: skip
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of signals with kernels, as images of one row.

    Shapes: input (N, C, L) or (C, L), weight (O, C / groups, K), bias (O).
    """
    step, spread = _single("stride", stride), _single("dilation", dilation)
    check_operands(
        "conv1d",
        1,
        input._spec,
        weight._spec,
        None if bias is None else bias._spec,
        max(groups, 1),
        f"groups={groups}",
    )
    _check_numbers((step,), (0,), (spread,), groups)
    around: Any = padding
    if not isinstance(padding, str):
        amount = _single("padding", padding)
        _check_numbers((step,), (amount,), (spread,), groups)
        _check_sizes(input._spec, weight.shape[2:], ((amount, amount),), (spread,))
        around = (0, amount)
    image = conv2d(input.unsqueeze(-2), weight.unsqueeze(-2), bias, (1, step), around, (1, spread), groups)
    return image.squeeze(-2)


@op(
    samples=calls(
        call(Arg((2, 3, 4, 3)), Arg((3, 4, 3, 2)), Arg((4,))),
        call(Arg((2, 4, 3, 3)), Arg((4, 2, 3, 3)), None, 2, 1, 1, 2, 1),
        call(Arg((3, 4, 4)), Arg((3, 2, 3, 3)), None, (1, 2), (1, 0), (1, 1), 1, (2, 1)),
        errors=(
            error(
                RuntimeError,
                "Given transposed=1, weight of size [3, 16, 3, 3], expected input[1, 4, 8, 8] to have 3 channels, but got 4",
                Arg((1, 4, 8, 8)), Arg((3, 16, 3, 3)),
            ),
            error(
                RuntimeError, "output padding must be smaller than either stride or dilation",
                Arg((1, 3, 8, 8)), Arg((3, 2, 3, 3)), stride=2, output_padding=2,
            ),
            error(RuntimeError, "Output size is too small", Arg((1, 3, 8, 8)), Arg((3, 2, 3, 3)), padding=9),
        ),
    ),
    agree=_AGREE,
    backward_name="ConvolutionBackward0",
)  # fmt: skip
def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """Transposed convolution: what the gradient of conv2d does to the gradient of its result.

    Shapes: input (N, C, H, W) or (C, H, W), weight (C, O / groups, KH, KW), bias (O); the result has
    ``(H - 1) stride - 2 padding + dilation (KH - 1) + output_padding + 1`` rows.
    """
    step, spread = pair("stride", stride, "convolution"), pair("dilation", dilation, "convolution")
    around, extra = (
        pair("padding", padding, "convolution"),
        pair("output_padding", output_padding, "convolution"),
    )
    specs = (input._spec, weight._spec, None if bias is None else bias._spec)
    check_operands("conv_transpose2d", 2, *specs, max(groups, 1), "transposed=1")
    _check_numbers(step, around, spread, groups)
    sizes = _transposed_sizes(input.shape[-2:], weight.shape[2:], step, around, extra, spread)
    if input.ndim == 3:
        return conv_transpose2d(
            input.unsqueeze(0), weight, bias, stride, padding, output_padding, groups, dilation
        ).squeeze(0)
    shape = (input.shape[0], weight.shape[1] * groups, *sizes)
    if all(e < s for e, s in zip(extra, step, strict=True)):
        out = conv2d_input_grad(input, weight, shape, step, around, spread, groups)
    else:
        out = _with_wide_margin(input, weight, shape, step, around, spread, groups)
    return out if bias is None else out + bias.reshape((-1, 1, 1))


def _transposed_sizes(
    size: Sequence[int], kernel: Sequence[int], stride: Pair, padding: Pair, extra: Pair, dilation: Pair
) -> Pair:
    if any(e < 0 or (e >= s and e >= d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        words = " ".join(
            f"{name}_height: {rows} {name}_width: {columns}"
            for name, (rows, columns) in (
                ("output_padding", extra),
                ("stride", stride),
                ("dilation", dilation),
            )
        )
        raise ArgumentRuntimeError(
            f"output padding must be smaller than either stride or dilation, but got {words}"
        )
    rows, columns = (
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, k, s, p, e, d in zip(size, kernel, stride, padding, extra, dilation, strict=True)
    )
    if min(rows, columns) < 1:
        raise ShapeError(
            f"Given input size per channel: ({size[0]} x {size[1]}). Calculated output size per channel: ({rows} x "
            f"{columns}). Output size is too small"
        )
    return rows, columns


def _with_wide_margin(
    input: Tensor,
    weight: Tensor,
    shape: Sequence[int],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Tensor:
    """A result whose output padding reaches the stride: more windows would fit into it than there are inputs."""
    sizes = _transposed_sizes(input.shape[-2:], weight.shape[2:], stride, (0, 0), (0, 0), dilation)
    whole = conv2d_input_grad(input, weight, (*shape[:2], *sizes), stride, (0, 0), dilation, groups)
    taken = [min(n - p, wanted) for n, p, wanted in zip(sizes, padding, shape[2:], strict=True)]
    pattern = ((shape[0], 1), (shape[1], 1), (taken[0], 1), (taken[1], 1))
    part = basic_index(whole, (0, 0, *padding), pattern=pattern)
    return basic_index_put(whole.new_zeros(shape), part, (0, 0, 0, 0), pattern=pattern)
