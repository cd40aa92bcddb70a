"""Convolution and padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dovetail import ops

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Return the cross-correlation of sequences with kernels.

    Shapes: input (N, C, L) or (C, L), weight (out, C / groups, kL), bias (out).
    """
    return ops.conv1d(input, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Return the cross-correlation of images with kernels.

    Shapes: input (N, C, H, W) or (C, H, W), weight (out, C / groups, kH, kW), bias (out); the result has
    floor((H + 2 padding - dilation (kH - 1) - 1) / stride) + 1 rows. Padding "same" and "valid" as in
    PyTorch.
    """
    return ops.conv2d(input, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Return the cross-correlation of volumes with kernels.

    Shapes: input (N, C, D, H, W) or (C, D, H, W), weight (out, C / groups, kD, kH, kW), bias (out); options as
    those of :func:`conv2d`.
    """
    return ops.conv3d(input, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """Return the convolution of sequences whose first dimension is time: (T, N, C) with (K, C, out), bias (out)."""
    return ops.conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad).permute(2, 0, 1)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Tensor:
    """Return sequences spread by kernels, as :func:`conv_transpose2d` spreads images.

    Shapes: input (N, C, L) or (C, L), weight (C, out / groups, kL), bias (out).
    """
    return ops.conv_transpose1d(
        input,
        weight,
        bias,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        groups=groups,
        dilation=dilation,
    )


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Tensor:
    """Return what the gradient of a convolution does to its output: images spread by kernels.

    Shapes: input (N, C, H, W) or (C, H, W), weight (C, out / groups, kH, kW), bias (out); the result has
    (H - 1) stride - 2 padding + dilation (kH - 1) + output_padding + 1 rows.
    """
    return ops.conv_transpose2d(
        input,
        weight,
        bias,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        groups=groups,
        dilation=dilation,
    )


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Tensor:
    """Return volumes spread by kernels, as :func:`conv_transpose2d` spreads images.

    Shapes: input (N, C, D, H, W) or (C, D, H, W), weight (C, out / groups, kD, kH, kW), bias (out).
    """
    return ops.conv_transpose3d(
        input,
        weight,
        bias,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        groups=groups,
        dilation=dilation,
    )


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Return the tensor with its last dimensions made longer: ``(left, right)`` of the last, and so on.

    ``mode`` is "constant" (with ``value``, 0 by default), "reflect", "replicate" or "circular"; negative
    amounts cut away.
    """
    return ops.pad(input, pad, mode=mode, value=value)
