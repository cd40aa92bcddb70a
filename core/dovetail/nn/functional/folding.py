"""Windows of images as columns, and columns added up to images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dovetail import ops

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


def unfold(
    input: Tensor,
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> Tensor:
    """Return the pixels of every window of images as a column.

    Shapes: input (N, C, H, W) or (C, H, W), result (N, C kH kW, windows); windows in row-major order.
    """
    return ops.im2col(input, kernel_size, dilation, padding, stride)


def fold(
    input: Tensor,
    output_size: int | Sequence[int],
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> Tensor:
    """Return images of ``output_size`` from the columns of their windows: what overlaps is added up.

    Shapes: input (N, C kH kW, windows) or (C kH kW, windows), result (N, C, H, W) or (C, H, W).
    """
    return ops.col2im(input, output_size, kernel_size, dilation, padding, stride)
