"""Fractional max pooling: windows whose distances vary at random between two integers.

Source: B. Graham, *Fractional Max-Pooling*, arXiv:1412.6071, the pseudo-random sequences of section 2. With n
inputs, windows of k, m results and a = (n - k) / (m - 1), window i < m - 1 begins at
floor((i + u) a) - floor(u a) for a uniform u of each plane and dimension, the last one at n - k.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, DtypeError, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import iota
from dovetail.ops.definition import op
from dovetail.ops.gathering import gather
from dovetail.ops.joining import cat
from dovetail.ops.pooling import Shape, Size, sizes_of
from dovetail.record.agree import Agree
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.tensor import Tensor


def _check(name: str, input: Tensor, kernel: Shape, sizes: Shape, samples: Tensor) -> None:
    dims = len(kernel)
    if input.ndim not in (dims + 1, dims + 2) or 0 in input.shape[-dims - 1 :]:
        raise ShapeError(
            f"{name}(): Expected {dims + 1}D or {dims + 2}D tensor with non-zero size for non-batch dimensions, but "
            f"got {list(input.shape)}"
        )
    if not input.is_floating_point():
        raise DtypeError(f"\"{name}\" not implemented for '{input.dtype.legacy_name}'")
    for axis, n, k, m in zip(("time", "height", "width")[-dims:], input.shape[-dims:], kernel, sizes, strict=True):
        if k <= 0 or m <= 0:
            raise ArgumentRuntimeError(
                f"{name}(): kernel_size and output_size must be positive, got {list(kernel)} and {list(sizes)}"
            )
        if m + k - 1 > n:
            raise ShapeError(f"{name}(): pool {axis} {k} too large relative to input {axis} {n}")
    wanted = (1 if input.ndim == dims + 1 else input.shape[0], input.shape[-dims - 1], dims)
    if samples.dtype is not input.dtype:
        raise DtypeError("Expect _random_samples to have the same dtype as input")
    if tuple(samples.shape) != wanted:
        raise ShapeError(f"Expect _random_samples to have shape {list(wanted)}, got {list(samples.shape)}")


def _starts(samples: Tensor, size: int, kernel: int, count: int) -> Tensor:
    """Where the windows of one dimension begin: int64, with the results as a further dimension."""
    last = size - kernel
    steps = iota(samples.new_zeros((), dtype=dtypes.int64), count)
    final = (steps * 0 + last).expand((*samples.shape, count))
    if count == 1:
        return final
    # in the type of the samples, so that the integer parts are those that PyTorch finds
    pace = (samples.new_ones(()) * last) / (count - 1)
    moved = (steps.to(samples.dtype) + samples.unsqueeze(-1)) * pace
    found = moved.to(dtypes.int64) - (samples * pace).to(dtypes.int64).unsqueeze(-1)
    return cat([found[..., : count - 1], final[..., :1]], -1)


def _pooled(name: str, input: Tensor, kernel: Shape, sizes: Shape, samples: Tensor) -> tuple[Tensor, Tensor]:
    _check(name, input, kernel, sizes, samples)
    dims = len(kernel)
    full = input.shape[-dims:]
    batch = input.unsqueeze(0) if input.ndim == dims + 1 else input
    lead = batch.shape[:2]
    # the samples of images are in the order (width, height), those of volumes in that of the dimensions
    order = (1, 0) if dims == 2 else (0, 1, 2)
    flat = batch.reshape((*lead, math.prod(full)))
    source = flat.detach()
    corner: Tensor | None = None
    for d in range(dims):
        begins = _starts(samples[..., order[d]], full[d], kernel[d], sizes[d]) * math.prod(full[d + 1 :])
        spread = begins.reshape((*lead, *(sizes[d] if e == d else 1 for e in range(dims))))
        corner = spread if corner is None else corner + spread
    assert corner is not None, "there is a dimension"
    corners = corner.reshape((*lead, math.prod(sizes)))
    where = _best(source, corners, kernel, full)
    shape = (*input.shape[:-dims], *sizes)
    return gather(flat, -1, where).reshape(shape), where.reshape(shape)


def _best(source: Tensor, corners: Tensor, kernel: Shape, full: Sequence[int]) -> Tensor:
    """The position of the largest element of each window, the first of equal ones and the last NaN."""
    found, best = corners, gather(source, -1, corners)
    taps = itertools.product(*(range(k) for k in kernel))
    next(taps)
    for tap in taps:
        offset = sum(step * math.prod(full[d + 1 :]) for d, step in enumerate(tap))
        place = corners + offset
        seen = gather(source, -1, place)
        wins = (seen > best) | (seen != seen)
        best, found = select_by(wins, seen, best), select_by(wins, place, found)
    return found


@op(
    internal=True,
    samples=calls(
        call(Arg((2, 1, 5, 6), distinct=True), 2, (3, 4), Arg((2, 1, 2), low=0.0, high=0.999, grad=False)),
        call(Arg((2, 5, 5), distinct=True), (2, 3), 1, Arg((1, 2, 2), low=0.0, high=0.999, grad=False)),
        errors=(
            error(RuntimeError, "pool height 4 too large relative to", Arg((1, 5, 5)), 4, 3, Arg((1, 1, 2))),
            error(RuntimeError, "Expect _random_samples to have shape", Arg((1, 5, 5)), 2, 3, Arg((1, 1, 3))),
        ),
    ),
    agree=Agree.exact(signed_zero=False),
    autocast={"cpu": "float32"},
)  # fmt: skip
def fractional_max_pool2d(
    input: Tensor, kernel_size: Size, output_size: Size, random_samples: Tensor
) -> tuple[Tensor, Tensor]:
    """The largest element of each window of images, and its position; ``random_samples`` (N, C, 2) lay them out."""
    name = "fractional_max_pool2d"
    sizes = (sizes_of(name, "kernel_size", kernel_size, 2), sizes_of(name, "output_size", output_size, 2))
    return _pooled(name, input, *sizes, random_samples)


@op(
    internal=True,
    samples=calls(
        call(Arg((1, 2, 4, 5, 4), distinct=True), 2, (3, 2, 3), Arg((1, 2, 3), low=0.0, high=0.999, grad=False)),
        call(Arg((1, 4, 4, 4), distinct=True), (1, 2, 3), 2, Arg((1, 1, 3), low=0.0, high=0.999, grad=False)),
        errors=(error(RuntimeError, "too large relative to input", Arg((1, 4, 4, 4)), 3, 3, Arg((1, 1, 3))),),
    ),
    agree=Agree.exact(signed_zero=False),
    autocast={"cpu": "float32"},
)
def fractional_max_pool3d(
    input: Tensor, kernel_size: Size, output_size: Size, random_samples: Tensor
) -> tuple[Tensor, Tensor]:
    """The largest element of each window of volumes, and its position; ``random_samples`` (N, C, 3) lay them out."""
    name = "fractional_max_pool3d"
    sizes = (sizes_of(name, "kernel_size", kernel_size, 3), sizes_of(name, "output_size", output_size, 3))
    return _pooled(name, input, *sizes, random_samples)
