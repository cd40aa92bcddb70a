"""Pooling over windows that are laid out for a wanted size.

Window i of n goes from floor(i H / n) to ceil((i + 1) H / n).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, ArgumentTypeError, DtypeError, ShapeError
from dovetail.ops.average_pooling import avg_pool1d, avg_pool2d
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import tensor
from dovetail.ops.definition import op
from dovetail.ops.gathering import gather, index_select
from dovetail.ops.max_pooling import max_pool1d_with_indices, max_pool2d_with_indices
from dovetail.ops.pooling import Shape
from dovetail.ops.precision import wider
from dovetail.ops.resampling import resample
from dovetail.ops.resampling_taps import Sampling
from dovetail.ops.volume_pooling import avg_pool3d, max_pool3d_with_indices
from dovetail.ops.windows import Pair
from dovetail.record.agree import Agree, Growth
from dovetail.record.samples import Arg, Sample, call, calls, error
from dovetail.tensor.tensor import Tensor

Wanted = int | Sequence[int | None] | None
_MEANS: Final[dict[int, Callable[..., Tensor]]] = {1: avg_pool1d, 2: avg_pool2d, 3: avg_pool3d}
_LARGEST: Final[dict[int, Callable[..., Any]]] = {
    1: max_pool1d_with_indices,
    2: max_pool2d_with_indices,
    3: max_pool3d_with_indices,
}
_AGREE: Final = Agree.terms(k=Growth(linear=1, plus=2))
_EXACT: Final = Agree.exact(signed_zero=False)


# ------------------------------------------------------------------------------------------ what is wanted


def _wanted(name: str, dims: int, input: Tensor, output_size: Wanted) -> Shape:
    """The sizes of the result, with the input's where None is given."""
    name = f"{name}{dims}d"
    given = (output_size,) * dims if isinstance(output_size, int) or output_size is None else tuple(output_size)
    _check(name, dims, input)
    if len(given) != dims:
        wrong = f"{name}: output_size must be {dims} (got {list(given)})"
        if dims == 1:
            wrong = f"{name}() argument 'output_size' should contain one int (got {len(given)})"
        raise ArgumentRuntimeError(wrong)
    if dims == 1 and given[0] is None:
        raise ArgumentTypeError(f"{name}(): argument 'output_size' must be tuple of ints, not NoneType")
    sizes = tuple(full if n is None else n for n, full in zip(given, input.shape[-dims:], strict=True))
    if min(sizes) < 0:
        raise ArgumentRuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received "
            f"{{{', '.join(map(str, sizes))}}}"
        )
    return sizes


def _check(name: str, dims: int, input: Tensor) -> None:
    if input.ndim not in (dims + 1, dims + 2):
        got = ":" if "max" in name else ""
        raise ShapeError(
            f"{name}(): Expected {dims + 1}D or {dims + 2}D tensor, but got{got} {list(input.shape)}"
            if dims > 1
            else f"Expected 2 to 3 dimensions, but got {input.ndim}-dimensional tensor for argument #1 'self' (while "
            f"checking arguments for {name})"
        )
    if not input.is_floating_point():
        raise DtypeError(f"\"{name}\" not implemented for '{input.dtype.legacy_name}'")
    first = input.ndim - dims - ("max" in name or dims == 3)
    for dim in range(first, input.ndim):
        if not input.shape[dim]:
            raise ShapeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes "
                f"{list(input.shape)} with dimension {dim} being empty"
            )


def _windows(size: int, count: int) -> list[Pair]:
    return [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def _even(sizes: Shape, full: Sequence[int]) -> Shape | None:
    """The windows where all have the same size and none overlap."""
    if all(n and m % n == 0 for n, m in zip(sizes, full, strict=True)):
        return tuple(m // n for n, m in zip(sizes, full, strict=True))
    return None


def _places(windows: Sequence[Pair], step: int, like: Tensor) -> Tensor:
    """One element of each window: its first, its second, ..., and its last again where it has no more."""
    return tensor([min(a + step, b - 1) for a, b in windows], dtype=dtypes.int64, device=like.device)


def _steps(windows: Sequence[Pair]) -> range:
    return range(max((stop - start for start, stop in windows), default=1))


# ------------------------------------------------------------------------------------------ means


def _mean(dims: int, input: Tensor, output_size: Wanted) -> Tensor:
    sizes = _wanted("adaptive_avg_pool", dims, input, output_size)
    full = input.shape[-dims:]
    even = _even(sizes, full)
    if even is not None and 0 not in input.shape[-dims - 1 :]:
        return _MEANS[dims](input, even)
    total = input.to(wider(input.dtype))
    for d, count in enumerate(sizes):
        total = resample(total, input.ndim - dims + d, tuple(Sampling("windows", full[d], count)))
    lengths = [[stop - start for start, stop in _windows(*pair)] for pair in zip(full, sizes, strict=True)]
    counts = [math.prod(found) for found in itertools.product(*lengths)]
    mean: Tensor = (total / tensor(counts, dtype=total.dtype, device=total.device).reshape(sizes)).to(input.dtype)
    return mean


@op(
    samples=calls(
        call(Arg((2, 3, 6)), 3),
        call(Arg((3, 7)), 4),
        call(Arg((1, 2, 3)), (5,)),
        errors=(
            error(RuntimeError, "Expected 2 to 3 dimensions, but got 1-dimensional tensor", Arg((8,)), 2),
            error(RuntimeError, "should contain one int (got 2", Arg((1, 3, 8)), (2, 2)),
            error(TypeError, "must be tuple of ints, not NoneType", Arg((1, 3, 8)), None),
        ),
    ),
    agree=_AGREE,
)
def adaptive_avg_pool1d(input: Tensor, output_size: Wanted) -> Tensor:
    """Means over windows of signals (N, C, L) or (C, L), laid out so that the result has ``output_size``."""
    return _mean(1, input, output_size)


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
    agree=_AGREE,
)
def adaptive_avg_pool2d(input: Tensor, output_size: Wanted) -> Tensor:
    """Means over windows of images, laid out so that the result has ``output_size`` (None keeps a size).

    Window i of n goes from ``floor(i * H / n)`` to ``ceil((i + 1) * H / n)``.
    """
    return _mean(2, input, output_size)


@op(
    samples=calls(
        call(Arg((1, 2, 4, 2, 6)), (2, 1, 3)),
        call(Arg((2, 3, 4, 5)), (2, None, 3)),
        call(Arg((1, 1, 2, 3, 2)), 3),
        errors=(
            error(RuntimeError, "adaptive_avg_pool3d(): Expected 4D or 5D tensor", Arg((8, 8, 8)), 2),
            error(RuntimeError, "adaptive_avg_pool3d: output_size must be 3", Arg((1, 3, 4, 4, 4)), (2, 3)),
        ),
    ),
    agree=_AGREE,
    autocast={"cpu": "float32"},
)
def adaptive_avg_pool3d(input: Tensor, output_size: Wanted) -> Tensor:
    """Means over windows of volumes, laid out so that the result has ``output_size`` (None keeps a size)."""
    return _mean(3, input, output_size)


# ------------------------------------------------------------------------------------------ maxima


def _best_along(values: Tensor, where: Tensor | None, at: int, count: int, pitch: int) -> tuple[Tensor, Tensor]:
    """The largest element of each window along a dimension, and its position; ``pitch`` is one step's part of it."""
    windows = _windows(values.shape[at], count)
    spread = [count if d == at else 1 for d in range(values.ndim)]
    best: Tensor | None = None
    for step in _steps(windows):
        places = _places(windows, step, values)
        seen = index_select(values, at, places)
        position = (places * pitch).reshape(spread)
        position = position.expand(seen.shape) if where is None else position + index_select(where, at, places)
        if best is None:
            best, found = seen, position
            continue
        wins = (seen > best) | (seen != seen)
        best, found = select_by(wins, seen, best), select_by(wins, position, found)
    assert best is not None, "every window has an element"
    return best, found


def _largest(dims: int, input: Tensor, output_size: Wanted) -> tuple[Tensor, Tensor]:
    sizes = _wanted("adaptive_max_pool", dims, input, output_size)
    full = input.shape[-dims:]
    even = _even(sizes, full)
    if even is not None:
        values, indices = _LARGEST[dims](input, even)
        return values, indices
    best, where = input.detach(), None
    for d in reversed(range(dims)):
        best, where = _best_along(best, where, input.ndim - dims + d, sizes[d], math.prod(full[d + 1 :]))
    assert where is not None, "there is a dimension"
    lead = input.shape[:-dims]
    flat = input.reshape((*lead, math.prod(full)))
    return gather(flat, -1, where.reshape((*lead, math.prod(sizes)))).reshape(where.shape), where


def _max_samples(cases: Sequence[Sample], name: str, dims: int) -> Any:
    few, many = (4,) * dims, (2,) * (dims + 2)
    words = f"{name}(): Expected {dims + 1}D or {dims + 2}D tensor, but got: [4"
    return calls(
        *cases,
        errors=(
            error(RuntimeError, words if dims > 1 else "Expected 2 to 3 dimensions", Arg(few), 2),
            error(RuntimeError, "greater than or equal to 0", Arg((1, 2, *few)), -1),
            error(RuntimeError, "output_size", Arg((1, 2, *few)), many),
            error(RuntimeError, "not implemented for 'Long'", Arg((1, 2, *few), dtype="int64"), 2),
        ),
    )


_ONE: Final = (
    call(Arg((2, 3, 6), distinct=True), 3),
    call(Arg((3, 7), distinct=True), (4,)),
    call(Arg((1, 1, 5), values=[1.0, math.nan, 2.0, math.nan, 2.0]), 3, grad=False),
)
_TWO: Final = (
    call(Arg((2, 3, 6, 4), distinct=True), (3, 2)),
    call(Arg((2, 5, 7), distinct=True), (3, None)),
    call(Arg((1, 2, 2, 3), distinct=True), 5),
)
_THREE: Final = (
    call(Arg((1, 2, 4, 2, 6), distinct=True), (2, 1, 3)),
    call(Arg((2, 3, 4, 5), distinct=True), (2, None, 3)),
    call(Arg((1, 1, 2, 3, 2), distinct=True), 3),
)


@op(samples=_max_samples(_ONE, "adaptive_max_pool1d", 1), agree=_EXACT)
def adaptive_max_pool1d(input: Tensor, output_size: Wanted) -> tuple[Tensor, Tensor]:
    """The largest element of windows of signals, laid out so that the result has ``output_size``, and its position."""
    return _largest(1, input, output_size)


@op(samples=_max_samples(_TWO, "adaptive_max_pool2d", 2), agree=_EXACT, internal=True)
def adaptive_max_pool2d(input: Tensor, output_size: Wanted) -> tuple[Tensor, Tensor]:
    """The largest element of windows of images, laid out so that the result has ``output_size``, and its position."""
    return _largest(2, input, output_size)


@op(
    samples=_max_samples(_THREE, "adaptive_max_pool3d", 3),
    agree=_EXACT,
    internal=True,
    autocast={"cpu": "float32"},
)
def adaptive_max_pool3d(input: Tensor, output_size: Wanted) -> tuple[Tensor, Tensor]:
    """The largest element of windows of volumes, laid out so that the result has ``output_size``, and its position."""
    return _largest(3, input, output_size)
