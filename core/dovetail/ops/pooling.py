"""Pooling over windows of images: the largest element or the mean of each, and their gradients.

The gradients of both are linear and each is an op with a rule of its own, so second derivatives stay fused. A kernel
may be written for batches of four dimensions alone: its binder returns None for a single image, and the decomposition
makes it a batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, DtypeError, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import iota, tensor
from dovetail.ops.definition import front, op
from dovetail.ops.gathering import gather, index_select, scatter_add
from dovetail.ops.results import ValuesIndices
from dovetail.ops.windows import (
    Pair,
    put_tap,
    put_windows,
    read_tap,
    read_windows,
    tap_spans,
    window_count,
)
from dovetail.record import rules
from dovetail.record.agree import Agree, Growth
from dovetail.record.rules import Dtypes
from dovetail.record.samples import Arg, Sample, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Size = int | Sequence[int]
Shape = tuple[int, ...]

# ------------------------------------------------------------------------------------------ what the arguments may be


def _pair(op_name: str, name: str, value: Any) -> Pair:
    if isinstance(value, int):
        return value, value
    sizes = [int(v) for v in value]
    if len(sizes) == 1:
        return sizes[0], sizes[0]
    if len(sizes) != 2:
        raise ArgumentRuntimeError(
            f"{op_name}: {name} must either be a single int, or a tuple of two ints (got {value!r})"
        )
    return sizes[0], sizes[1]


def _windows(name: str, input: Spec, statics: dict[str, Any]) -> dict[str, Any]:
    """Canonical windows, or PyTorch's sentence for what is wrong with them."""
    kernel = _pair(name, "kernel_size", statics["kernel_size"])
    given = statics["stride"]
    stride = kernel if given is None or given in ((), []) else _pair(name, "stride", given)
    padding = _pair(name, "padding", statics["padding"])
    dilation = _pair(name, "dilation", statics.get("dilation", 1))
    if min(kernel) <= 0 or min(stride) <= 0:
        raise ArgumentRuntimeError(
            f"stride should not be zero (in {name}: kernel_size {list(kernel)} and stride {list(stride)} must be positive)"
        )
    if min(dilation) <= 0:
        raise ArgumentRuntimeError(
            f"dilation should be greater than zero, but got dilationH: {dilation[0]} dilationW: {dilation[1]}"
        )
    for p, k, d in zip(padding, kernel, dilation, strict=True):
        if p < 0:
            raise ArgumentRuntimeError(f"pad must be non-negative, but got pad: {p}")
        if p > (d * (k - 1) + 1) // 2:
            raise ArgumentRuntimeError(
                f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and dilation={d}"
            )
    found = {**statics, "kernel_size": kernel, "stride": stride, "padding": padding}
    found["ceil_mode"] = bool(statics["ceil_mode"])
    if "dilation" in statics:
        found["dilation"] = dilation
    _check_images(name, input.shape)
    _out_sizes(input.shape, **found)
    return found


def _check_images(name: str, shape: Shape) -> None:
    if len(shape) not in (3, 4):
        raise ShapeError(
            f"non-empty 3D or 4D (batch mode) tensor expected for input (of {name}, got {list(shape)})"
        )
    if 0 in shape[-3:]:
        raise ShapeError(
            f"Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:{list(shape)}"
        )


def _out_sizes(
    shape: Shape,
    *,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    dilation: Pair = (1, 1),
    **_: Any,
) -> Pair:
    rows, columns = (
        window_count(n, k, s, p, d, ceil_mode)
        for n, k, s, p, d in zip(shape[-2:], kernel_size, stride, padding, dilation, strict=True)
    )
    if min(rows, columns) < 1:
        depth, height, width = shape[-3:]
        raise ShapeError(
            f"Given input size: ({depth}x{height}x{width}). Calculated output size: ({depth}x{max(rows, 0)}x"
            f"{max(columns, 0)}). Output size is too small"
        )
    return rows, columns


def _pooled(input: Spec, **statics: Any) -> Shape:
    return (*input.shape[:-2], *_out_sizes(input.shape, **statics))


def _numeric(name: str, *more: dtypes.dtype) -> rules.DtypeRule:
    """The input's type, which must not be bool, and the types of further results."""

    def rule(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
        first = inputs[0]
        assert first is not None, "the first input is never absent"
        if first.dtype is dtypes.bool_:
            raise DtypeError(f"\"{name}\" not implemented for 'Bool' (convert first: x.float())")
        return Dtypes([None] * len(inputs), [first.dtype, *more])

    return rule


def _batched(images: Tensor) -> Tensor:
    return images.unsqueeze(0)


def _spans(shape: Shape, sizes: Pair, statics: dict[str, Any]) -> Any:
    dilation = statics.get("dilation", (1, 1))
    return tap_spans(
        shape[2:], sizes, statics["kernel_size"], statics["stride"], statics["padding"], dilation
    )


# ------------------------------------------------------------------------------------------ the largest


_MAX_CASES: tuple[Sample, ...] = (
    call(Arg((2, 3, 6, 5), distinct=True), 2),
    call(Arg((1, 2, 7, 6), distinct=True), (3, 2), (2, 1), (1, 0), (1, 2)),
    call(Arg((2, 5, 5), distinct=True), 3, 2, 1, ceil_mode=True),
    call(Arg((0, 2, 4, 4)), 2),
)
_MAX_ERRORS = (
    error(RuntimeError, "non-empty 3D or 4D (batch mode) tensor expected for input", Arg((8, 8)), 2),
    error(
        RuntimeError, "pad should be at most half of effective kernel size", Arg((1, 3, 8, 8)), 3, padding=2
    ),
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
    shape = _pooled(input, **statics)
    return [shape, shape]


@op(
    shape=_max_shapes,
    dtype=_numeric("max_pool2d", dtypes.int64),
    outputs=("values", "indices"),
    canon=lambda input, **statics: _windows("max_pool2d", input, statics),
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

    Shapes: input (N, C, H, W) or (C, H, W). Of equal maxima the first in row-major order counts, of NaNs the last.
    Padding never wins; with ``ceil_mode`` a last window may hang over the edge.
    """
    words: dict[str, Any] = {
        "kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": ceil_mode,
    }  # fmt: skip
    if input.ndim == 3:
        values, indices = max_pool2d_with_indices(_batched(input), **words)
        return values.squeeze(0), indices.squeeze(0)
    sizes = _out_sizes(input.shape, **words)
    lowest = -math.inf if input.is_floating_point() else _least(input.dtype)
    best = input.new_full((*input.shape[:2], *sizes), lowest)
    where = input.new_zeros(best.shape, dtype=dtypes.int64)
    numbers = iota(where.new_zeros(()), input.shape[2] * input.shape[3]).reshape((1, 1, *input.shape[2:]))
    for _, _, rows, columns in _spans(input.shape, sizes, words):
        seen = read_tap(input, rows, columns, _two(stride))
        place = read_tap(numbers, rows, columns, _two(stride))
        before, position = read_windows(best, rows, columns), read_windows(where, rows, columns)
        wins = (seen > before) | (seen != seen)
        best = put_windows(best, select_by(wins, seen, before), rows, columns)
        where = put_windows(where, select_by(wins, place, position), rows, columns)
    return best, where


def _two(value: Any) -> Pair:
    """A parameter that is canonical already, as type checkers cannot know."""
    return value  # type: ignore[no-any-return]


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
    shape=_pooled,
    dtype=_numeric("max_pool2d"),
    canon=lambda input, **statics: _windows("max_pool2d", input, statics),
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


# ------------------------------------------------------------------------------------------ the mean


def _average_windows(input: Spec, **statics: Any) -> dict[str, Any]:
    found = _windows("avg_pool2d", input, statics)
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
        return avg_pool2d_backward(_batched(grad), (1, *shape), **words).squeeze(0)
    share = grad / _divisors(grad, shape[2:], **words)
    out = grad.new_zeros(shape)
    for _, _, rows, columns in _spans(shape, _two(tuple(grad.shape[2:])), words):
        part = read_tap(out, rows, columns, stride) + read_windows(share, rows, columns)
        out = put_tap(out, part, rows, columns, stride)
    return out


@op(
    shape=_pooled,
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

    ``count_include_pad`` says whether the zeros of the padding count; ``divisor_override`` divides by another number.
    """
    words = _average_words(kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    if input.ndim == 3:
        return avg_pool2d(_batched(input), **words).squeeze(0)
    sizes = _out_sizes(input.shape, **words)
    total = input.new_zeros((*input.shape[:2], *sizes))
    for _, _, rows, columns in _spans(input.shape, sizes, words):
        part = read_windows(total, rows, columns) + read_tap(input, rows, columns, _two(stride))
        total = put_windows(total, part, rows, columns)
    return total / _divisors(input, input.shape[2:], **words)


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
    grad=lambda g, *, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override: (
        avg_pool2d(g, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    )
)

# ------------------------------------------------------------------------------------------ derived


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
    agree=Agree.running(),
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
    given = (
        (output_size, output_size)
        if isinstance(output_size, int) or output_size is None
        else tuple(output_size)
    )
    if len(given) != 2:
        raise ArgumentRuntimeError(f"adaptive_avg_pool2d: output_size must be 2 (got {list(given)})")
    if input.ndim not in (3, 4):
        raise ShapeError(f"adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got {list(input.shape)}")
    if not input.is_floating_point():
        raise DtypeError(f"\"adaptive_avg_pool2d\" not implemented for '{input.dtype.legacy_name}'")
    for dim in range(input.ndim - 3, input.ndim):
        if not input.shape[dim]:
            raise ShapeError(
                "adaptive_avg_pool2d(): Expected input to have non-zero size for non-batch dimensions, but input has "
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
    """The sum of each adaptive window along one dimension: its first elements, its second ones where it has them, ..."""
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


def _one_row(name: str, input: Tensor) -> Tensor:
    """Signals as images of one row."""
    if input.ndim not in (2, 3):
        raise ShapeError(
            f"{name}: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:"
            f"{list(input.shape)}"
        )
    return input.unsqueeze(-2)


def _row(value: Any, across: int) -> Pair:
    """A parameter of one dimension as one of a row."""
    return across, value if isinstance(value, int) else int(value[0])


@op(
    samples=calls(
        call(Arg((2, 3, 7), distinct=True), 2),
        call(Arg((3, 8), distinct=True), 3, 2, 1, 2, True),
        errors=(
            error(RuntimeError, "max_pool1d: Expected 2D or 3D (batch mode) tensor", Arg((8,)), 2),
            error(RuntimeError, "Output size is too small", Arg((1, 3, 2)), 3),
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
    rows = _one_row("max_pool1d", input)
    step = None if stride is None else _row(stride, 1)
    return max_pool2d(
        rows, _row(kernel_size, 1), step, _row(padding, 0), _row(dilation, 1), ceil_mode
    ).squeeze(-2)


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
    rows = _one_row("max_pool1d", input)
    step = None if stride is None else _row(stride, 1)
    values, indices = max_pool2d_with_indices(
        rows, _row(kernel_size, 1), step, _row(padding, 0), _row(dilation, 1), ceil_mode
    )
    return ValuesIndices(values.squeeze(-2), indices.squeeze(-2))


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
    rows = _one_row("avg_pool1d", input)
    step = None if stride is None else _row(stride, 1)
    return avg_pool2d(
        rows, _row(kernel_size, 1), step, _row(padding, 0), ceil_mode, count_include_pad
    ).squeeze(-2)
