"""What derives from the convolution of images: that of signals, and the transposed one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail.errors import ArgumentRuntimeError, ShapeError
from dovetail.ops.convolution import AGREE, conv2d, conv2d_input_grad
from dovetail.ops.convolution_arguments import Size, check_numbers, check_operands, check_sizes
from dovetail.ops.definition import op
from dovetail.ops.shape import basic_index, basic_index_put
from dovetail.ops.windows import Pair, pair
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.tensor import Tensor


def _single(name: str, value: Any) -> int:
    """Read the one number of a one-dimensional parameter."""
    if isinstance(value, int):
        return value
    if len(value) != 1:
        raise ArgumentRuntimeError(
            f"expected {name} to be a single integer value or a list of 1 values to match the convolution "
            "dimensions, but "
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
                "Given groups=1, weight of size [16, 3, 3], expected input[1, 4, 8] to have 3 channels, but "
                "got 4 channels",
                Arg((1, 4, 8)), Arg((16, 3, 3)),
            ),
            error(RuntimeError, "Expected 2D (unbatched) or 3D (batched)", Arg((8,)), Arg((4, 3, 3))),
            error(
                RuntimeError, "Calculated padded input size per channel: (2). Kernel size: (4)",
                Arg((1, 3, 2)), Arg((2, 3, 4)),
            ),
        ),
    ),
    agree=AGREE,
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
    check_numbers((step,), (0,), (spread,), groups)
    around: Any = padding
    if not isinstance(padding, str):
        amount = _single("padding", padding)
        check_numbers((step,), (amount,), (spread,), groups)
        check_sizes(input._spec, weight.shape[2:], ((amount, amount),), (spread,))
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
                "Given transposed=1, weight of size [3, 16, 3, 3], expected input[1, 4, 8, 8] to have 3 "
                "channels, but got 4",
                Arg((1, 4, 8, 8)), Arg((3, 16, 3, 3)),
            ),
            error(
                RuntimeError, "output padding must be smaller than either stride or dilation",
                Arg((1, 3, 8, 8)), Arg((3, 2, 3, 3)), stride=2, output_padding=2,
            ),
            error(RuntimeError, "Output size is too small", Arg((1, 3, 8, 8)), Arg((3, 2, 3, 3)), padding=9),
        ),
    ),
    agree=AGREE,
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
    check_numbers(step, around, spread, groups)
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
        raise ArgumentRuntimeError(f"output padding must be smaller than either stride or dilation, but got {words}")
    rows, columns = (
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, k, s, p, e, d in zip(size, kernel, stride, padding, extra, dilation, strict=True)
    )
    if min(rows, columns) < 1:
        raise ShapeError(
            f"Given input size per channel: ({size[0]} x {size[1]}). Calculated output size per channel: "
            f"({rows} x "
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
    """A result whose output padding reaches the stride: more windows than there are inputs fit into it."""
    sizes = _transposed_sizes(input.shape[-2:], weight.shape[2:], stride, (0, 0), (0, 0), dilation)
    whole = conv2d_input_grad(input, weight, (*shape[:2], *sizes), stride, (0, 0), dilation, groups)
    taken = [min(n - p, wanted) for n, p, wanted in zip(sizes, padding, shape[2:], strict=True)]
    pattern = ((shape[0], 1), (shape[1], 1), (taken[0], 1), (taken[1], 1))
    part = basic_index(whole, (0, 0, *padding), pattern=pattern)
    return basic_index_put(whole.new_zeros(shape), part, (0, 0, 0, 0), pattern=pattern)
