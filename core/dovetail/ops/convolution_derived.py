"""The convolution of signals, which derives from that of images."""

from __future__ import annotations

from typing import Any

from dovetail.ops.convolution import AGREE, conv2d
from dovetail.ops.convolution_arguments import Size, check_numbers, check_operands, check_sizes
from dovetail.ops.definition import op
from dovetail.ops.windows import sizes_of
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor


def _canonical(input: Spec, weight: Spec, bias: Spec | None, **statics: Any) -> dict[str, Any]:
    """The parameters as those of images of one row, checked against the operands."""
    groups = int(statics["groups"])
    check_operands("conv1d", 1, input, weight, bias, max(groups, 1), f"groups={groups}")
    step, spread = (sizes_of(name, statics[name], 1, "convolution")[0] for name in ("stride", "dilation"))
    check_numbers((step,), (0,), (spread,), groups)
    around = statics["padding"]
    if not isinstance(around, str):
        amount = sizes_of("padding", around, 1, "convolution")[0]
        check_numbers((step,), (amount,), (spread,), groups)
        check_sizes(input, weight.shape[2:], ((amount, amount),), (spread,))
        around = amount
    return {"stride": step, "padding": around, "dilation": spread, "groups": groups}


@op(
    canon=_canonical,
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
    around: Any = padding if isinstance(padding, str) else (0, padding)
    rows = (input.unsqueeze(-2), weight.unsqueeze(-2), bias)
    return conv2d(*rows, (1, stride), around, (1, dilation), groups).squeeze(-2)  # type: ignore[arg-type]  # numbers
