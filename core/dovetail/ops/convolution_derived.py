"""The convolution of signals, which derives from that of images."""

from __future__ import annotations

from typing import Any

from dovetail.ops.convolution import AGREE, conv2d
from dovetail.ops.convolution_arguments import Size, check_numbers, check_operands, check_sizes
from dovetail.ops.definition import op
from dovetail.ops.windows import sizes_of
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.tensor import Tensor


def _single(name: str, value: Any) -> int:
    """Read the one number of a one-dimensional parameter."""
    return sizes_of(name, value, 1, "convolution")[0]


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
    autocast="lower",
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
