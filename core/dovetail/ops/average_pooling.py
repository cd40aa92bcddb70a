"""The mean of each window of images and signals, also of windows that are laid out for a wanted size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, DtypeError, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import tensor
from dovetail.ops.definition import op
from dovetail.ops.gathering import index_select
from dovetail.ops.pooling import (
    Size,
    as_row,
    batched,
    canonical_windows,
    known_pair,
    one_row,
    out_sizes,
    pooled,
    spans,
)
from dovetail.ops.windows import Pair, put_tap, put_windows, read_tap, read_windows, window_count
from dovetail.record import rules
from dovetail.record.agree import Agree, Growth
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor


def _average_windows(input: Spec, **statics: Any) -> dict[str, Any]:
    found = canonical_windows("avg_pool2d", input, statics)
    override = statics["divisor_override"]
    if override == 0:
        raise ArgumentRuntimeError("divisor must be not zero")
    found["count_include_pad"] = bool(statics["count_include_pad"])
    return found


def _divisors(
    like: Tensor,
    size: Sequence[int],
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
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
    table = [[a * b for b in lengths[1]] for a in lengths[0]]
    if all(v == table[0][0] for row in table for v in row):
        return table[0][0]
    return tensor(table, dtype=like.dtype, device=like.device)


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
    share = grad / _divisors(grad, shape[2:], **words)
    out = grad.new_zeros(shape)
    for _, _, rows, columns in spans(shape, known_pair(tuple(grad.shape[2:])), words):
        part = read_tap(out, rows, columns, stride) + read_windows(share, rows, columns)
        out = put_tap(out, part, rows, columns, stride)
    return out


@op(
    shape=pooled,
    dtype=rules.require_floating("avg_pool2d"),
    canon=_average_windows,
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
    mean: Tensor = total / _divisors(input, input.shape[2:], **words)
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
        call(Arg((2, 3, 6, 4)), (3, 2)),
        call(Arg((2, 5, 7)), (3, None)),
        call(Arg((1, 2, 2, 3)), 5),
        call(Arg((1, 2, 3, 3)), 1),
        errors=(
            error(
                RuntimeError,
                "adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got [8, 8]",
                Arg((8, 8)),
                2,
            ),
            error(
                RuntimeError,
                "elements of output_size must be greater than or equal to 0",
                Arg((1, 3, 8, 8)),
                -1,
            ),
            error(RuntimeError, "adaptive_avg_pool2d: output_size must be 2", Arg((1, 3, 8, 8)), (2, 3, 4)),
            error(RuntimeError, "not implemented for 'Long'", Arg((1, 3, 8, 8), dtype="int64"), 2),
        ),
    ),
    agree=Agree.terms(k=Growth(linear=1, plus=2)),
)
def adaptive_avg_pool2d(input: Tensor, output_size: int | Sequence[int | None] | None) -> Tensor:
    """Means over windows laid out so that the result has ``output_size`` (None keeps a size).

    Window i of n goes from ``floor(i * H / n)`` to ``ceil((i + 1) * H / n)``.
    """
    sizes = _wanted(input, output_size)
    height, width = input.shape[-2:]
    if all(n and full % n == 0 for full, n in zip((height, width), sizes, strict=True)):
        return avg_pool2d(input, (height // sizes[0], width // sizes[1]))
    total = _sum_along(_sum_along(input, -2, sizes[0]), -1, sizes[1])
    rows, columns = (
        [stop - start for start, stop in _adaptive_windows(full, n)]
        for full, n in zip((height, width), sizes, strict=True)
    )
    counts = [[a * b for b in columns] for a in rows]
    return total / tensor(counts, dtype=input.dtype, device=input.device).reshape(sizes)


def _wanted(input: Tensor, output_size: int | Sequence[int | None] | None) -> Pair:
    given = (output_size, output_size) if isinstance(output_size, int) or output_size is None else tuple(output_size)
    if len(given) != 2:
        raise ArgumentRuntimeError(f"adaptive_avg_pool2d: output_size must be 2 (got {list(given)})")
    if input.ndim not in (3, 4):
        raise ShapeError(f"adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got {list(input.shape)}")
    if not input.is_floating_point():
        raise DtypeError(f"\"adaptive_avg_pool2d\" not implemented for '{input.dtype.legacy_name}'")
    for dim in range(input.ndim - 3, input.ndim):
        if not input.shape[dim]:
            raise ShapeError(
                "adaptive_avg_pool2d(): Expected input to have non-zero size for non-batch dimensions, but "
                "input has "
                f"sizes {list(input.shape)} with dimension {dim} being empty"
            )
    rows, columns = (full if n is None else n for n, full in zip(given, input.shape[-2:], strict=True))
    if min(rows, columns) < 0:
        raise ArgumentRuntimeError(
            "adaptive_avg_pool2d: elements of output_size must be greater than or equal to 0 but received "
            f"{{{rows}, {columns}}}"
        )
    return rows, columns


def _adaptive_windows(size: int, count: int) -> list[Pair]:
    return [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def _sum_along(input: Tensor, dim: int, count: int) -> Tensor:
    """The sum of each adaptive window along a dimension: its first element, its second if it has one, ..."""
    at = dim % input.ndim
    windows = _adaptive_windows(input.shape[at], count)
    longest = max((stop - start for start, stop in windows), default=1)
    spread = [1] * input.ndim
    spread[at] = count
    total: Tensor | None = None
    for step in range(longest):
        places = tensor([min(a + step, b - 1) for a, b in windows], dtype=dtypes.int64, device=input.device)
        part = index_select(input, at, places)
        inside = [a + step < b for a, b in windows]
        if not all(inside):
            part = select_by(tensor(inside, device=input.device).reshape(spread), part, 0)
        total = part if total is None else total + part
    assert total is not None, "every window has an element"
    return total


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
    rows = one_row("avg_pool1d", input)
    step = None if stride is None else as_row(stride, 1)
    return avg_pool2d(rows, as_row(kernel_size, 1), step, as_row(padding, 0), ceil_mode, count_include_pad).squeeze(-2)
