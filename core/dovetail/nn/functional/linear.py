"""Linear maps: linear and bilinear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dovetail import ops
from dovetail.errors import ShapeError

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x @ weight.T + bias.

    Shapes: input (*, in), weight (out, in) or (in), bias (out); result (*, out).
    """
    return ops.linear(input, weight, bias)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return y[k] = x1 @ weight[k] @ x2 + bias[k].

    Shapes: input1 (*, in1), input2 (*, in2), weight (out, in1, in2), bias (out); result (*, out).

    Raises:
        ShapeError: sizes that do not fit each other.
    """
    out, *sizes = weight.shape
    for name, given, size in zip(("input1", "input2"), (input1, input2), sizes):
        if given.shape[-1] != size:
            raise ShapeError(
                f"bilinear(): {name} size does not match weight size: got {given.shape[-1]} but expected {size}"
            )
    if input1.shape[:-1] != input2.shape[:-1]:
        raise ShapeError(
            f"bilinear(): input batch dimensions do not match: got {tuple(input1.shape)} and {tuple(input2.shape)}"
        )
    # One product with x1, a row for each pair of output and x2's feature, then the sum over x2's features.
    rows = ops.linear(input1, weight.permute(0, 2, 1).reshape(out * sizes[1], sizes[0]))
    result = (rows.reshape(*input1.shape[:-1], out, sizes[1]) * input2.unsqueeze(-2)).sum(-1)
    return result if bias is None else result + bias
