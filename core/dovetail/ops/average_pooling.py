"""The mean of each window of images and signals."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from dovetail.errors import ArgumentRuntimeError
from dovetail.ops.creation import tensor
from dovetail.ops.definition import op
from dovetail.ops.pooling import (
    Shape,
    Size,
    batched,
    canonical_windows,
    known_pair,
    one_row,
    out_sizes,
    pooled,
    row_words,
    spans,
)
from dovetail.ops.windows import Pair, put_tap, put_windows, read_tap, read_windows, window_count
from dovetail.record import rules
from dovetail.record.agree import Agree, Growth
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor


def average_windows(name: str, dims: int, input: Spec, statics: dict[str, Any]) -> dict[str, Any]:
    """Canonical windows of a mean."""
    found = canonical_windows(name, input, statics, dims)
    override = statics["divisor_override"]
    if override == 0:
        raise ArgumentRuntimeError("divisor must be not zero")
    found["count_include_pad"] = bool(statics["count_include_pad"])
    return found


def divisors(
    like: Tensor,
    size: Sequence[int],
    kernel_size: Shape,
    stride: Shape,
    padding: Shape,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Any:
    """What each window is divided by: one number, or a table where windows reach over an edge."""
    if divisor_override is not None:
        return divisor_override
    lengths = [
        [_length(i, n, k, s, p, count_include_pad) for i in range(window_count(n, k, s, p, 1, ceil_mode))]
        for n, k, s, p in zip(size, kernel_size, stride, padding, strict=True)
    ]
    counts = [math.prod(found) for found in itertools.product(*lengths)]
    if len(set(counts)) == 1:
        return counts[0]
    table = tensor(counts, dtype=like.dtype, device=like.device)
    return table.reshape([len(found) for found in lengths])


def _length(window: int, size: int, kernel: int, stride: int, padding: int, padded: bool) -> int:
    """How many elements of one dimension a window counts."""
    first = window * stride - padding
    if padded:
        return min(first + kernel, size + padding) - first
    return min(first + kernel, size) - max(first, 0)


def _average_words(
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> dict[str, Any]:
    return {
        "kernel_size": kernel_size, "stride": stride, "padding": padding, "ceil_mode": ceil_mode,
        "count_include_pad": count_include_pad, "divisor_override": divisor_override,
    }  # fmt: skip


@op(
    shape=lambda grad, *, input_shape, **statics: tuple(input_shape),
    dtype=rules.same,
    internal=True,
    samples=calls(
        call(Arg((2, 3, 3, 2)), (2, 3, 6, 5), (2, 2), (2, 2), (0, 0), False, True, None),
        call(Arg((2, 3, 3)), (2, 5, 5), (3, 3), (2, 2), (1, 1), False, False, None),
    ),
    agree=Agree.terms(k=Growth(linear=1, plus=2)),
)
def avg_pool2d_backward(
    grad: Tensor,
    input_shape: Sequence[int],
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    """The share of each window's gradient added to each of its elements."""
    words = _average_words(kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    shape = tuple(input_shape)
    if grad.ndim == 3:
        return avg_pool2d_backward(batched(grad), (1, *shape), **words).squeeze(0)
    share = grad / divisors(grad, shape[2:], **words)
    out = grad.new_zeros(shape)
    for _, _, rows, columns in spans(shape, known_pair(tuple(grad.shape[2:])), words):
        part = read_tap(out, rows, columns, stride) + read_windows(share, rows, columns)
        out = put_tap(out, part, rows, columns, stride)
    return out


@op(
    shape=pooled,
    dtype=rules.require_floating("avg_pool2d"),
    canon=lambda input, **statics: average_windows("avg_pool2d", 2, input, statics),
    samples=calls(
        call(Arg((2, 3, 6, 5)), 2),
        call(Arg((1, 2, 7, 6)), (3, 2), (2, 1), (1, 0)),
        call(Arg((2, 5, 5)), 3, 2, 1, True, False),
        call(Arg((2, 5, 5)), 3, 2, 1, True),
        call(Arg((1, 2, 4, 4)), 2, divisor_override=3),
        call(Arg((1, 2, 4, 4)), 4),
        call(Arg((0, 2, 4, 4)), 2),
        errors=(
            error(RuntimeError, "divisor must be not zero", Arg((1, 3, 8, 8)), 2, divisor_override=0),
            error(
                RuntimeError,
                "pad should be at most half of effective kernel size",
                Arg((1, 3, 8, 8)),
                3,
                padding=2,
            ),
            error(RuntimeError, "Output size is too small", Arg((1, 3, 2, 2)), 3),
        ),
    ),
    agree=Agree.terms(k=Growth(linear=1, plus=2)),
)
def avg_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of images (N, C, H, W) or (C, H, W).

    ``count_include_pad`` says whether the zeros of the padding count; ``divisor_override`` divides by another
    number.
    """
    words = _average_words(kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    if input.ndim == 3:
        return avg_pool2d(batched(input), **words).squeeze(0)
    sizes = out_sizes(input.shape, **words)
    total = input.new_zeros((*input.shape[:2], *sizes))
    for _, _, rows, columns in spans(input.shape, sizes, words):
        part = read_windows(total, rows, columns) + read_tap(input, rows, columns, known_pair(stride))
        total = put_windows(total, part, rows, columns)
    mean: Tensor = total / divisors(input, input.shape[2:], **words)
    return mean


avg_pool2d.vjp(
    input=lambda g, *, specs, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override: (
        avg_pool2d_backward(
            g,
            tuple(specs[0].shape),
            kernel_size,
            stride,
            padding,
            ceil_mode,
            count_include_pad,
            divisor_override,
        )
    )
)
avg_pool2d_backward.vjp(
    grad=lambda g, *, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override: avg_pool2d(
        g, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )
)


@op(
    samples=calls(
        call(Arg((2, 3, 7)), 2),
        call(Arg((3, 8)), 3, 2, 1, True, False),
        errors=(error(RuntimeError, "avg_pool1d: Expected 2D or 3D (batch mode) tensor", Arg((8,)), 2),),
    ),
    agree=Agree.terms(k=Growth(linear=1, plus=2)),
)
def avg_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of signals (N, C, L) or (C, L)."""
    words = row_words("avg_pool1d", kernel_size=kernel_size, stride=stride, padding=padding)
    rows = one_row("avg_pool1d", input)
    return avg_pool2d(rows, ceil_mode=ceil_mode, count_include_pad=count_include_pad, **words).squeeze(-2)
