"""Linear maps: linear, bilinear and embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dovetail import ops
from dovetail.autograd.function import Function
from dovetail.autograd.mode import no_grad
from dovetail.errors import ArgumentError, ShapeError

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


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Return the rows of ``weight`` that the indices name.

    Shapes: input (*) of integers, weight (rows, features); result (*, features).

    Args:
        padding_idx: a row that gets no gradient; negative counts from the end.
        max_norm: rows that are looked up and are longer are shortened first, in place.
        norm_type: the p of that length.
        scale_grad_by_freq: divide the gradient of a row by how often it occurs in ``input``.
        sparse: accepted; the gradient is dense.

    Raises:
        ArgumentError: padding_idx outside the rows.
        IndexOutOfRange: an index outside the rows.
    """
    rows = weight.shape[0]
    if padding_idx is not None:
        padding_idx = row_index(padding_idx, rows)
    if max_norm is not None:
        _shorten_rows(weight, input, max_norm, norm_type)
    result = ops.embedding(input, weight, padding_idx=padding_idx)
    if scale_grad_by_freq:
        result = _ScaledGradient.apply(result, _inverse_frequency(input, rows, weight))
    return result


def row_index(padding_idx: int, rows: int) -> int:
    """Return the padding row counted from the start.

    Raises:
        ArgumentError: there is no such row.
    """
    if not -rows <= padding_idx < rows:
        raise PaddingIndexError(f"Padding_idx must be within num_embeddings, got {padding_idx} and {rows} embeddings")
    return padding_idx % rows


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return for each class index a row of zeros with a one at that place, as int64."""
    return ops.one_hot(tensor, num_classes)


class PaddingIndexError(ArgumentError, AssertionError):
    """A padding row that the embedding does not have."""


@no_grad()
def _shorten_rows(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    # Rows that occur twice are written twice with the same value.
    indices = input.flatten()
    chosen = weight[indices]
    norms = chosen.norm(norm_type, 1, keepdim=True)
    # 1e-7 as in PyTorch, so that a shortened row is never longer than max_norm.
    scale = ops.where(norms > max_norm, max_norm / (norms + 1e-7), ops.ones_like(norms))
    weight[indices] = chosen * scale


@no_grad()
def _inverse_frequency(input: Tensor, rows: int, weight: Tensor) -> Tensor:
    flat = input.flatten().long()
    counts = ops.zeros(rows, dtype=weight.dtype, device=weight.device)
    counts = counts.index_add(0, flat, ops.ones(flat.shape, dtype=weight.dtype, device=weight.device))
    return (1.0 / counts[flat]).reshape(*input.shape, 1)


class _ScaledGradient(Function):
    """The identity, with a gradient that is multiplied by a factor."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(factor)
        return input.view_as(input)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (factor,) = ctx.saved_tensors
        return grad * factor, None
