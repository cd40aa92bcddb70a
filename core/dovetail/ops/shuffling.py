"""Pixels and channels exchanged: rearrangements without arithmetic."""

from __future__ import annotations

from dovetail.errors import ArgumentRuntimeError, ShapeError
from dovetail.ops.definition import op
from dovetail.record.agree import Agree
from dovetail.record.samples import ALL, Arg, call, calls, error
from dovetail.tensor.tensor import Tensor


def _images(name: str, input: Tensor, factor: int, what: str) -> None:
    if input.ndim < 3:
        raise ShapeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)"
        )
    if factor <= 0:
        raise ArgumentRuntimeError(f"{name} expects a positive {what}, but got {factor}")


@op(
    samples=calls(
        call(Arg((2, 8, 2, 3)), 2),
        call(Arg((9, 1, 2)), 3),
        dtypes=ALL,
        errors=(
            error(RuntimeError, "expects input to have at least 3 dimensions", Arg((4, 4)), 2),
            error(RuntimeError, "expects a positive upscale_factor, but got 0", Arg((4, 2, 2)), 0),
            error(RuntimeError, "is not divisible by 4", Arg((3, 2, 2)), 2),
        ),
    ),
    agree=Agree.exact(),
)
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(..., C, H r, W r) for (..., C r^2, H, W): each group of r^2 channels becomes a square of pixels.

    >>> import dovetail
    >>> dovetail.pixel_shuffle(dovetail.arange(4).reshape(4, 1, 1), 2)
    tensor([[[0, 1],
             [2, 3]]])
    """
    r = upscale_factor
    _images("pixel_shuffle", input, r, "upscale_factor")
    *lead, channels, height, width = input.shape
    if channels % (r * r):
        raise ShapeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={channels} is not divisible by {r * r}"
        )
    n = len(lead)
    parts = input.reshape((*lead, channels // (r * r), r, r, height, width))
    return parts.permute(*range(n), n, n + 3, n + 1, n + 4, n + 2).reshape(
        (*lead, channels // (r * r), height * r, width * r)
    )


@op(
    samples=calls(
        call(Arg((2, 2, 4, 6)), 2),
        call(Arg((1, 3, 6)), 3),
        dtypes=ALL,
        errors=(
            error(RuntimeError, "expects input to have at least 3 dimensions", Arg((4, 4)), 2),
            error(RuntimeError, "expects a positive downscale_factor, but got -1", Arg((4, 2, 2)), -1),
            error(RuntimeError, "height to be divisible by downscale_factor", Arg((3, 3, 2)), 2),
            error(RuntimeError, "width to be divisible by downscale_factor", Arg((3, 2, 3)), 2),
        ),
    ),
    agree=Agree.exact(),
)
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(..., C r^2, H, W) for (..., C, H r, W r): each square of pixels becomes r^2 channels."""
    r = downscale_factor
    _images("pixel_unshuffle", input, r, "downscale_factor")
    *lead, channels, height, width = input.shape
    for name, size, dim in (("height", height, -2), ("width", width, -1)):
        if size % r:
            raise ShapeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size({dim})={size} is "
                f"not divisible by {r}"
            )
    n = len(lead)
    parts = input.reshape((*lead, channels, height // r, r, width // r, r))
    return parts.permute(*range(n), n, n + 2, n + 4, n + 1, n + 3).reshape(
        (*lead, channels * r * r, height // r, width // r)
    )


@op(
    samples=calls(
        call(Arg((2, 6, 2, 3)), 3),
        call(Arg((1, 4, 2)), 2),
        dtypes=ALL,
        errors=(
            error(RuntimeError, "expects input with > 2 dims", Arg((4, 4)), 2),
            error(RuntimeError, "Number of groups to divide channels in must be positive", Arg((1, 4, 2)), 0),
            error(RuntimeError, "Number of channels must be divisible by groups", Arg((1, 4, 2)), 3),
        ),
    ),
    agree=Agree.exact(),
)
def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels of (N, C, ...) with those of its groups interleaved."""
    if input.ndim <= 2:
        raise ShapeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(input.shape)}")
    if groups <= 0:
        raise ArgumentRuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    batch, channels, *rest = input.shape
    if channels % groups:
        raise ShapeError(
            f"Number of channels must be divisible by groups. Got {channels} channels and {groups} groups."
        )
    parts = input.reshape((batch, groups, channels // groups, *rest))
    return parts.transpose(1, 2).reshape(tuple(input.shape))
