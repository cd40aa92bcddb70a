"""Rows looked up in a table: embedding and embedding_bag, and one_hot."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from dovetail import dtypes, ops
from dovetail.autograd.function import Function
from dovetail.autograd.mode import no_grad
from dovetail.errors import ArgumentError, UnsupportedError

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


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


# ------------------------------------------------------------------------------------------------------- bags


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Return the sums, means or maxima of the rows of ``weight`` that bags of indices name; 0 for empty bags.

    Shapes: input (bags, size), or (n) with ``offsets`` (bags) that say where each bag begins; weight
    (rows, features); per_sample_weights as input; result (bags, features).

    Args:
        per_sample_weights: a factor for each index, for ``mode`` "sum" alone.
        include_last_offset: whether ``offsets`` ends with where the last bag ends.
        padding_idx: a row that counts for no bag and gets no gradient; negative counts from the end.
        max_norm, norm_type, scale_grad_by_freq, sparse: as of :func:`embedding`.

    Raises:
        ArgumentError: shapes, offsets or a mode that make no sense.
        UnsupportedError: per_sample_weights with another mode than "sum".

    >>> import dovetail
    >>> table = dovetail.tensor([[1.0], [2.0], [4.0]])
    >>> bags = dovetail.nn.functional.embedding_bag(dovetail.tensor([0, 1, 2]), table, dovetail.tensor([0, 2]))
    >>> bags.tolist()
    [[1.5], [4.0]]
    """
    if weight.dtype is dtypes.int64 and input.is_floating_point():
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage `embedding_bag(weight, input, ...)` is "
            "deprecated, and should now be `embedding_bag(input, weight, ...)`.",
            stacklevel=2,
        )
        weight, input = input, weight
    _check_bags(input, weight, offsets, mode, scale_grad_by_freq, sparse, per_sample_weights)
    if padding_idx is not None:
        padding_idx = row_index(padding_idx, weight.shape[0])
    if max_norm is not None:
        _shorten_rows(weight, input, max_norm, norm_type)
    rows = embedding(input, weight, padding_idx, scale_grad_by_freq=scale_grad_by_freq)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    counted = ops.ones_like(input, dtype=dtypes.bool_) if padding_idx is None else input != padding_idx
    if offsets is None:
        return _reduce_rows(rows, counted, mode)
    return _reduce_bags(rows, counted, _bag_numbers(input, offsets), _bag_count(offsets, include_last_offset), mode)


def _check_bags(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None,
    mode: str,
    scale_grad_by_freq: bool,
    sparse: bool,
    factors: Tensor | None,
) -> None:
    if factors is not None and factors.shape != input.shape:
        raise ArgumentError(
            f"embedding_bag: If per_sample_weights ({factors.shape}) is not None, then it must have the same shape as "
            f"the input ({input.shape})"
        )
    if weight.ndim != 2:
        raise ArgumentError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}")
    if input.ndim not in (1, 2):
        raise ArgumentError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if input.ndim == 2 and offsets is not None:
        raise ArgumentError(
            "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
            f"sequences. However, found offsets of type {type(offsets)}"
        )
    if input.ndim == 1 and offsets is None:
        raise ArgumentError("offsets has to be a 1D Tensor but got None")
    if offsets is not None and offsets.ndim != 1:
        raise ArgumentError("offsets has to be a 1D Tensor")
    if mode not in ("sum", "mean", "max"):
        raise ArgumentError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ArgumentError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ArgumentError("max mode does not support sparse weights")
    if factors is not None and mode != "sum":
        raise UnsupportedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' (got "
            f"mode='{mode}')."
        )


def _bag_numbers(input: Tensor, offsets: Tensor) -> Tensor:
    """Which bag each place belongs to: the last one that begins there or before."""
    places = ops.arange(input.shape[0], device=input.device)
    return ops.searchsorted(offsets.long(), places, right=True) - 1


def _bag_count(offsets: Tensor, include_last_offset: bool) -> int:
    if include_last_offset and not offsets.shape[0]:
        raise ArgumentError("include_last_offset: number of offsets should be at least 1")
    count: int = offsets.shape[0]
    return count - int(include_last_offset)


def _reduce_rows(rows: Tensor, counted: Tensor, mode: str) -> Tensor:
    """Reduce bags of one size: rows (bags, size, features), of which some count for nothing."""
    mask = counted.unsqueeze(-1)
    if mode == "max":
        if not rows.shape[1]:
            return rows.sum(1)
        highest: Tensor = ops.where(mask, rows, ops.full_like(rows, -float("inf"))).amax(1)
        found: Tensor = ops.where(counted.any(1, keepdim=True), highest, ops.zeros_like(highest))
        return found
    total: Tensor = ops.where(mask, rows, ops.zeros_like(rows)).sum(1)
    return total if mode == "sum" else total / counted.sum(1, keepdim=True).clamp(min=1).to(rows.dtype)


def _reduce_bags(rows: Tensor, counted: Tensor, numbers: Tensor, bags: int, mode: str) -> Tensor:
    """Reduce bags of several sizes: rows (n, features), and the number of each one's bag."""
    # What counts for nothing, and what comes after the last bag, goes into a bag of its own that is left out.
    numbers = ops.where(counted & (numbers < bags), numbers, ops.full_like(numbers, bags))
    empty = rows.new_zeros((bags + 1, rows.shape[1]))
    if mode == "max":
        return empty.index_reduce(0, numbers, rows, "amax", include_self=False)[:bags]
    total = empty.index_add(0, numbers, rows)[:bags]
    if mode == "sum":
        return total
    ones = rows.new_ones((rows.shape[0],))
    sizes = rows.new_zeros((bags + 1,)).index_add(0, numbers, ones)[:bags]
    return total / sizes.clamp(min=1).unsqueeze(1)
