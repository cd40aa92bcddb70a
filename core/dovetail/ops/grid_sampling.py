"""Images and volumes read at places that a grid gives, and the grids of affine maps.

Source: Jaderberg et al. 2015, *Spatial Transformer Networks*, arXiv:1506.02025. Grid coordinates go from -1 to 1
over the input, between the centres of the corner pixels (``align_corners``) or between their outer edges.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Final

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, DtypeError, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import iota
from dovetail.ops.definition import op
from dovetail.ops.gathering import index_select
from dovetail.ops.joining import stack
from dovetail.ops.precision import wider
from dovetail.ops.resampling_taps import SHARP, cubic_weights
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.tensor import Tensor

LINEAR, NEAREST, CUBIC = 0, 1, 2
ZEROS, BORDER, REFLECTION = 0, 1, 2


# ------------------------------------------------------------------------------------------ coordinates


@op(
    shape=rules.like_first,
    dtype=rules.same,
    internal=True,
    samples=calls(call(Arg((2, 3)), Arg((2, 3), grad=False), Arg((2, 3), grad=False), grad=False)),
    agree=Agree.exact(),
)
def steered(input: Tensor, value: Tensor, slope: Tensor) -> Tensor:
    """``value``, whose gradient with respect to ``input`` is ``slope``: a function that is known piece by piece."""
    return value.clone()


steered.vjp(
    input=lambda g, slope: g * slope,
    value=lambda g: g.new_zeros(g.shape),
    slope=lambda g: g.new_zeros(g.shape),
)


def _unnormalized(grid: Tensor, size: int, align_corners: bool) -> Tensor:
    """Grid coordinates as pixel coordinates."""
    if align_corners:
        return (grid + 1) / 2 * (size - 1)
    return ((grid + 1) * size - 1) / 2


def _clipped(at: Tensor, slope: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Coordinates on the border or inside; on the border and outside nothing moves."""
    moving = (at > 0) & (at < size - 1)
    return at.clamp(0, size - 1), select_by(moving, slope, 0)


def _reflected(at: Tensor, size: int, align_corners: bool) -> tuple[Tensor, Tensor]:
    """Coordinates mirrored until they are inside, and in which direction they move."""
    low, high = (0.0, size - 1.0) if align_corners else (-0.5, size - 0.5)
    span = high - low
    if span == 0:
        return at * 0, at * 0
    away = at - low
    distance = away.abs()
    direction = 1 - 2 * (away < 0).to(at.dtype)
    extra = distance.fmod(span)
    odd = (distance / span).floor().fmod(2) != 0
    found = select_by(odd, span - extra + low, extra + low)
    return found, select_by(odd, -direction, direction)


def _placed(at: Tensor, size: int, padding_mode: int, align_corners: bool) -> Tensor:
    """Pixel coordinates as the padding mode leaves them."""
    if padding_mode == ZEROS:
        return at
    plain = at.detach()
    slope = plain.new_ones(plain.shape)
    if padding_mode == REFLECTION:
        plain, slope = _reflected(plain, size, align_corners)
    lost = plain != plain  # not a number, also an infinity that was reflected: the first pixel
    plain, slope = _clipped(select_by(lost, plain.new_zeros(()), plain), slope, size)
    return steered(at, plain, select_by(lost, 0, slope))


# ------------------------------------------------------------------------------------------ reading


class _Pixels:
    """The pixels of a batch as rows of channels, read at whole coordinates."""

    def __init__(self, input: Tensor) -> None:
        batch, channels, *sizes = input.shape
        self.sizes = sizes
        self.shape = (batch, channels)
        rows = input.reshape((batch, channels, math.prod(sizes))).transpose(1, 2)
        self.rows = rows.reshape((batch * math.prod(sizes), channels))
        numbers = iota(input.new_zeros((), dtype=dtypes.int64), batch)
        self.first = (numbers * math.prod(sizes)).reshape((batch, *[1] * len(sizes)))

    def read(self, places: Sequence[Tensor]) -> Tensor:
        """The pixels at one whole coordinate per dimension, channels last; zeros outside."""
        inside: Tensor | None = None
        index = self.first
        for at, size, pitch in zip(places, self.sizes, self._pitches(), strict=True):
            within = (at >= 0) & (at <= size - 1)
            inside = within if inside is None else inside & within
            index = index + at.clamp(0, size - 1).to(dtypes.int64) * pitch
        assert inside is not None, "there is a dimension"
        shape = (*index.shape, self.shape[1])
        seen = index_select(self.rows, 0, index.reshape((math.prod(index.shape),))).reshape(shape)
        return select_by(inside.unsqueeze(-1), seen, 0)

    def _pitches(self) -> list[int]:
        return [math.prod(self.sizes[d + 1 :]) for d in range(len(self.sizes))]


def _weighted(pixels: _Pixels, corners: Sequence[Sequence[tuple[Tensor, Tensor]]]) -> Tensor:
    """The sum over all combinations of (coordinate, weight) of the dimensions."""
    total: Tensor | None = None
    for choice in itertools.product(*corners):
        seen = pixels.read([at for at, _ in choice])
        weight = choice[0][1]
        for _, other in choice[1:]:
            weight = weight * other
        part = seen * weight.unsqueeze(-1)
        total = part if total is None else total + part
    assert total is not None, "there is a corner"
    return total


def _linear(at: Tensor) -> list[tuple[Tensor, Tensor]]:
    first = at.detach().floor()
    share = at - first
    return [(first, 1 - share), (first + 1, share)]


def _cubic(at: Tensor, size: int, padding_mode: int, align_corners: bool) -> list[tuple[Tensor, Tensor]]:
    first = at.detach().floor()
    weights = cubic_weights(at - first, SHARP)
    steps = [_placed(first + step, size, padding_mode, align_corners).detach() for step in (-1, 0, 1, 2)]
    # a reflection between pixels gives whole numbers as well; the truncation is that of an index
    return [(step.trunc() if padding_mode else step, weight) for step, weight in zip(steps, weights, strict=True)]


def _check(input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int) -> None:
    a, g = list(input.shape), list(grid.shape)
    if a[:1] != g[:1]:
        raise ShapeError(
            f"grid_sampler(): expected grid and input to have same batch size, but got input with sizes {a} and grid "
            f"with sizes {g}"
        )
    if input.ndim not in (4, 5) or (grid.ndim != input.ndim and g[-1] == input.ndim - 2):
        raise ShapeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got input with "
            f"sizes {a} and grid with sizes {g}"
        )
    if g[-1] != input.ndim - 2:
        raise ShapeError(
            f"grid_sampler(): expected grid to have size {input.ndim - 2} in last dimension, but got grid with sizes "
            f"{g}"
        )
    for dim in range(2, input.ndim):
        if not a[dim]:
            raise ShapeError(
                "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes "
                f"{a} with dimension {dim} being empty"
            )
    if interpolation_mode == CUBIC and input.ndim == 5:
        raise ArgumentRuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if interpolation_mode not in (LINEAR, NEAREST, CUBIC) or padding_mode not in (ZEROS, BORDER, REFLECTION):
        raise ArgumentRuntimeError(f"grid_sampler(): modes are 0, 1 and 2, got {interpolation_mode} and {padding_mode}")
    if not input.is_floating_point():
        raise DtypeError(f"\"grid_sampler\" not implemented for '{input.dtype.legacy_name}'")
    if grid.dtype is not input.dtype:
        raise DtypeError(
            "grid_sampler(): expected input and grid to have same dtype, but input has "
            f"{input.dtype.legacy_name.lower()} and grid has {grid.dtype.legacy_name.lower()}: expected scalar type "
            f"{input.dtype.legacy_name} but found {grid.dtype.legacy_name}"
        )


_PLACES: Final = Arg((1, 3, 2, 2), low=-1.4, high=1.4)


@op(
    samples=calls(
        call(Arg((1, 2, 4, 5)), _PLACES, 0, 0, False),
        call(Arg((1, 2, 4, 5)), _PLACES, 0, 1, True),
        call(Arg((1, 1, 3, 4)), _PLACES, 0, 2, False),
        call(Arg((1, 2, 4, 3)), Arg((1, 2, 2, 2), low=-0.9, high=0.9, grad=False), 1, 1, False),
        call(Arg((1, 1, 4, 4)), _PLACES, 2, 0, True),
        call(Arg((1, 1, 2, 3, 3)), Arg((1, 1, 2, 2, 3), low=-1.2, high=1.2), 0, 0, True),
        errors=(
            error(RuntimeError, "to have same batch size", Arg((1, 2, 4, 4)), Arg((2, 3, 3, 2)), 0, 0, False),
            error(RuntimeError, "size 2 in last dimension", Arg((1, 2, 4, 4)), Arg((1, 3, 3, 3)), 0, 0, False),
            error(RuntimeError, "only supports 4D", Arg((1, 1, 2, 2, 2)), Arg((1, 1, 1, 1, 3)), 2, 0, False),
        ),
    ),
    agree=Agree.running(),
    autocast={"cpu": "float32", "accelerator": "widest"},
)
def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """The input read at the places of a grid.

    Shapes: input (N, C, H, W) with grid (N, OH, OW, 2) of (x, y), or (N, C, D, H, W) with (N, OD, OH, OW, 3) of
    (x, y, z). Modes: 0 linear, 1 nearest, 2 cubic; padding: 0 zeros, 1 border, 2 reflection.
    """
    _check(input, grid, interpolation_mode, padding_mode)
    wide = wider(input.dtype)
    if wide is not input.dtype:
        parts = (input.to(wide), grid.to(wide))
        return grid_sampler(*parts, interpolation_mode, padding_mode, align_corners).to(input.dtype)
    pixels = _Pixels(input)
    coordinates = [_unnormalized(grid[..., -1 - d], size, align_corners) for d, size in enumerate(pixels.sizes)]
    if interpolation_mode == CUBIC:
        corners = [
            _cubic(at, size, padding_mode, align_corners) for at, size in zip(coordinates, pixels.sizes, strict=True)
        ]
        found = _weighted(pixels, corners)
    else:
        places = [
            _placed(at, size, padding_mode, align_corners) for at, size in zip(coordinates, pixels.sizes, strict=True)
        ]
        if interpolation_mode == NEAREST:
            found = unmoved(pixels.read([at.detach().round() for at in places]), grid)
        else:
            found = _weighted(pixels, [_linear(at) for at in places])
    return found.permute(0, found.ndim - 1, *range(1, found.ndim - 1))


@op(
    shape=rules.like_first,
    dtype=rules.same,
    internal=True,
    samples=calls(call(Arg((2, 3)), Arg((3, 2)), grad=False)),
    agree=Agree.exact(),
)
def unmoved(input: Tensor, other: Tensor) -> Tensor:
    """The input; the other tensor is known not to change it, and has a gradient of zeros."""
    return input.clone()


def _nothing(g: Tensor, *, specs: Any) -> Tensor:
    return g.new_zeros(tuple(specs[1].shape))


unmoved.vjp(input=lambda g: g, other=_nothing)


# ------------------------------------------------------------------------------------------ affine grids


def _steps(like: Tensor, size: int, align_corners: bool) -> Tensor:
    """Where the pixels of one dimension lie between -1 and 1."""
    at = iota(like.new_zeros(()), size).to(like.dtype)
    if align_corners:
        return at * (2 / (size - 1)) - 1 if size > 1 else at
    return (at * 2 + (1 - size)) / size


@op(
    samples=calls(
        call(Arg((2, 2, 3)), (2, 3, 4, 5), False),
        call(Arg((1, 2, 3)), (1, 1, 1, 3), True),
        call(Arg((1, 3, 4)), (1, 2, 2, 3, 2), True),
        errors=(error(RuntimeError, "Expected a batch of 2D affine matrices", Arg((1, 3, 4)), (1, 2, 4, 4), True),),
    ),
    agree=Agree.running(),
)
def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """The grid (N, H, W, 2) of affine maps (N, 2, 3) for results of ``size`` (N, C, H, W); in 3-d one more of each."""
    batch, _, *sizes = size
    dims = len(sizes)
    if tuple(theta.shape) != (batch, dims, dims + 1):
        raise ShapeError(
            f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size {tuple(size)}. Got "
            f"{list(theta.shape)}."
        )
    wide = wider(theta.dtype)
    if wide is not theta.dtype:
        return affine_grid_generator(theta.to(wide), size, align_corners).to(theta.dtype)
    axes: list[Tensor] = []
    for d in reversed(range(dims)):
        spread = [n if e == d else 1 for e, n in enumerate(sizes)]
        axes.append(_steps(theta, sizes[d], align_corners).reshape(spread).expand(sizes))
    points = stack([*axes, theta.new_ones(tuple(sizes))], -1).reshape((1, math.prod(sizes), dims + 1))
    found = points.expand((batch, math.prod(sizes), dims + 1)) @ theta.transpose(1, 2)
    return found.reshape((batch, *sizes, dims))
