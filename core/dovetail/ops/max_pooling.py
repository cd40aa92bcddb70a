"""The largest element of each window of images and signals, and where it was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dovetail import dtypes
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import iota
from dovetail.ops.definition import front, op
from dovetail.ops.gathering import gather, scatter_add
from dovetail.ops.pooling import (
    Shape,
    Size,
    batched,
    canonical_windows,
    known_pair,
    numeric,
    one_row,
    out_sizes,
    pooled,
    row_words,
    spans,
)
from dovetail.ops.results import ValuesIndices
from dovetail.ops.windows import Pair, put_windows, read_tap, read_windows
from dovetail.record import rules
from dovetail.record.agree import Agree, Growth
from dovetail.record.samples import Arg, Sample, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

_MAX_CASES: tuple[Sample, ...] = (
    call(Arg((2, 3, 6, 5), distinct=True), 2),
    call(Arg((1, 2, 7, 6), distinct=True), (3, 2), (2, 1), (1, 0), (1, 2)),
    call(Arg((2, 5, 5), distinct=True), 3, 2, 1, ceil_mode=True),
    call(Arg((0, 2, 4, 4)), 2),
    call(Arg((1, 1, 2, 4), values=[1.0, 1.0, math.nan, 2.0, 1.0, 1.0, 3.0, math.nan]), 2, grad=False),
)
_MAX_ERRORS = (
    error(RuntimeError, "non-empty 3D or 4D (batch mode) tensor expected for input", Arg((8, 8)), 2),
    error(RuntimeError, "pad should be at most half of effective kernel size", Arg((1, 3, 8, 8)), 3, padding=2),
    error(RuntimeError, "Calculated output size: (3x0x0). Output size is too small", Arg((1, 3, 2, 2)), 3),
    error(
        RuntimeError,
        "kernel_size must either be a single int, or a tuple of two ints",
        Arg((1, 3, 8, 8)),
        (2, 2, 2),
    ),
    error(RuntimeError, "stride should not be zero", Arg((1, 3, 8, 8)), 2, 0),
    error(RuntimeError, "dilation should be greater than zero", Arg((1, 3, 8, 8)), 2, dilation=0),
)


@op(
    shape=lambda grad, indices, *, input_shape, **statics: tuple(input_shape),
    dtype=rules.same,
    internal=True,
    samples=calls(
        call(
            Arg((1, 1, 2, 2)), Arg((1, 1, 2, 2), dtype="int64", values=[5, 6, 9, 10]), (1, 1, 4, 4),
            (3, 3), (1, 1), (0, 0), (1, 1), False,
        ),
        call(
            Arg((1, 2, 2)), Arg((1, 2, 2), dtype="int64", values=[5, 5, 5, 5]), (1, 4, 4),
            (3, 3), (1, 1), (0, 0), (1, 1), False,
        ),
    ),
    agree=Agree.terms(k=Growth(linear=1)),
)  # fmt: skip
def max_pool2d_backward(
    grad: Tensor,
    indices: Tensor,
    input_shape: Sequence[int],
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool,
) -> Tensor:
    """The gradient of each window added at the position of its maximum."""
    flat = grad.new_zeros((*input_shape[:-2], math.prod(input_shape[-2:])))
    found = scatter_add(flat, -1, _flat(indices), _flat(grad))
    return found.reshape(tuple(input_shape))


def _flat(images: Tensor) -> Tensor:
    """Each plane as one row."""
    return images.reshape((*images.shape[:-2], math.prod(images.shape[-2:])))


def _picked(g: Tensor, indices: Tensor) -> Tensor:
    return gather(_flat(g), -1, _flat(indices)).reshape(indices.shape)


max_pool2d_backward.vjp(grad=_picked)


def _max_shapes(input: Spec, **statics: Any) -> list[Shape]:
    shape = pooled(input, **statics)
    return [shape, shape]


@op(
    shape=_max_shapes,
    dtype=numeric("max_pool2d", dtypes.int64),
    outputs=("values", "indices"),
    canon=lambda input, **statics: canonical_windows("max_pool2d", input, statics),
    samples=calls(*_MAX_CASES, errors=_MAX_ERRORS),
    agree=Agree.exact(signed_zero=False),
    backward_name="MaxPool2DWithIndicesBackward0",
)
def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """The largest element of each window, and its position in the image.

    Shapes: input (N, C, H, W) or (C, H, W). Of equal maxima the first in row-major order counts, of NaNs the
    last. Padding never wins; with ``ceil_mode`` a last window may hang over the edge.
    """
    words: dict[str, Any] = {
        "kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation,
        "ceil_mode": ceil_mode,
    }  # fmt: skip
    if input.ndim == 3:
        values, indices = max_pool2d_with_indices(batched(input), **words)
        return values.squeeze(0), indices.squeeze(0)
    sizes = out_sizes(input.shape, **words)
    lowest = -math.inf if input.is_floating_point() else _least(input.dtype)
    best = input.new_full((*input.shape[:2], *sizes), lowest)
    where = input.new_zeros(best.shape, dtype=dtypes.int64)
    numbers = iota(where.new_zeros(()), input.shape[2] * input.shape[3]).reshape((1, 1, *input.shape[2:]))
    for _, _, rows, columns in spans(input.shape, sizes, words):
        seen = read_tap(input, rows, columns, known_pair(stride))
        place = read_tap(numbers, rows, columns, known_pair(stride))
        before, position = read_windows(best, rows, columns), read_windows(where, rows, columns)
        wins = (seen > before) | (seen != seen)
        best = put_windows(best, select_by(wins, seen, before), rows, columns)
        where = put_windows(where, select_by(wins, place, position), rows, columns)
    return best, where


def _least(dtype: dtypes.dtype) -> int:
    """The least number of an integer type."""
    return -(1 << (8 * dtype.itemsize - 1)) if dtype.is_signed else 0


@max_pool2d_with_indices.vjp
def _max_gradient(
    g: Tensor,
    indices: Tensor,
    *,
    specs: Any,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool,
) -> Any:
    shape = tuple(specs[0].shape)
    return (max_pool2d_backward(g, indices, shape, kernel_size, stride, padding, dilation, ceil_mode),)


@op(
    shape=pooled,
    dtype=numeric("max_pool2d"),
    canon=lambda input, **statics: canonical_windows("max_pool2d", input, statics),
    samples=calls(*_MAX_CASES, errors=_MAX_ERRORS),
    agree=Agree.exact(signed_zero=False),
    backward_name="MaxPool2DWithIndicesBackward0",
)
def max_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest element of each window of images (N, C, H, W) or (C, H, W); NaN where a window has one.

    >>> import dovetail
    >>> dovetail.max_pool2d(dovetail.ones(1, 4, 4), 2).shape
    dovetail.Size([1, 2, 2])
    """
    return max_pool2d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)[0]


@op(
    samples=calls(
        call(Arg((2, 3, 7), distinct=True), 2),
        call(Arg((3, 8), distinct=True), 3, 2, 1, 2, True),
        errors=(
            error(RuntimeError, "max_pool1d: Expected 2D or 3D (batch mode) tensor", Arg((8,)), 2),
            error(RuntimeError, "Output size is too small", Arg((1, 3, 2)), 3),
            error(RuntimeError, "tuple of ints of size 1 but got size 2", Arg((1, 3, 8)), (3, 3)),
        ),
    ),
    agree=Agree.exact(signed_zero=False),
)
def max_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest element of each window of signals (N, C, L) or (C, L)."""
    words = row_words("max_pool1d", kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation)
    return max_pool2d(one_row("max_pool1d", input), ceil_mode=ceil_mode, **words).squeeze(-2)


@front(method=False)
def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> ValuesIndices:
    """The largest element of each window of signals, and its position."""
    words = row_words("max_pool1d", kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation)
    values, indices = max_pool2d_with_indices(one_row("max_pool1d", input), ceil_mode=ceil_mode, **words)
    return ValuesIndices(values.squeeze(-2), indices.squeeze(-2))
