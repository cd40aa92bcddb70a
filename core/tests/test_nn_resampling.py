"""interpolate, grid_sample and affine_grid over all of their options: values and gradients are PyTorch's."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn

F = nn.functional
pytestmark = pytest.mark.oracle

MODES = [
    *itertools.product(("nearest", "nearest-exact", "area"), (1, 2, 3), (None,)),
    *(("linear", 1, a) for a in (None, False, True)),
    *(("bilinear", 2, a) for a in (None, False, True)),
    *(("bicubic", 2, a) for a in (None, False, True)),
    *(("trilinear", 3, a) for a in (None, False, True)),
]


def layouts(dims: int) -> list[tuple[tuple[int, ...], dict[str, Any]]]:
    """Random sizes and factors, but none that leaves a size alone or only just doubles it.

    There PyTorch's gradient does not belong to its value: one goes by the factor, the other by the sizes.
    """
    rng = np.random.default_rng(dims)
    found: list[tuple[tuple[int, ...], dict[str, Any]]] = []
    while len(found) < 12:
        shape = tuple(int(n) for n in rng.integers(1, 8, dims))
        if len(found) % 2:
            found.append((shape, {"size": tuple(int(n) for n in rng.integers(2, 13, dims))}))
            continue
        factors = tuple(float(f) for f in rng.choice([0.4, 0.5, 0.7, 1.3, 2.0, 2.3, 3.0], dims))
        sizes = [math.floor(n * f) for n, f in zip(shape, factors, strict=True)]
        plain = all(m != n and (m != 2 * n or f == 2) for n, m, f in zip(shape, sizes, factors, strict=True))
        if min(sizes) > 0 and plain:
            found.append((shape, {"scale_factor": factors, "recompute_scale_factor": len(found) % 4 == 0 or None}))
    return found


@pytest.mark.parametrize(("mode", "dims", "corners"), MODES)
def test_interpolate(mode: str, dims: int, corners: bool | None, oracle: Any) -> None:
    rng = np.random.default_rng(2)
    for shape, words in layouts(dims):
        host = rng.normal(size=(1, 2, *shape))
        oracle.compare(
            lambda f, x, w=words: f.nn.functional.interpolate(x, mode=mode, align_corners=corners, **w),
            host,
            second=False,
        )


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
def test_antialias(mode: str, oracle: Any) -> None:
    rng = np.random.default_rng(3)
    for shape, words in layouts(2):
        sizes = words.get("size") or [math.floor(n * f) for n, f in zip(shape, words["scale_factor"], strict=True)]
        if min(sizes) == 1:
            continue  # PyTorch's value is not what its own gradient belongs to
        oracle.compare(
            lambda f, x, w=words: f.nn.functional.interpolate(x, mode=mode, antialias=True, **w),
            rng.normal(size=(1, 2, *shape)),
            second=False,
        )


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bicubic"])
def test_positions_in_float32(mode: str, oracle: Any) -> None:
    """The integer part of a position decides: all sizes up to 40, and factors whose products are not exact."""
    for before, after in itertools.product(range(1, 40, 3), range(1, 40)):
        host = np.arange(before, dtype=np.float32).reshape(1, 1, 1, before)
        oracle.compare(
            lambda f, x, n=after: f.nn.functional.interpolate(x, (1, n), mode=mode), host, second=False, tolerance=1e-4
        )


def test_a_factor_that_does_not_reach_the_next_size(oracle: Any) -> None:
    for dims, mode in itertools.product((1, 2, 3), ("nearest", "nearest-exact")):
        host = np.arange(3.0).reshape(1, 1, *[1] * (dims - 1), 3)
        factor = (1.0,) * (dims - 1) + (1.3,)
        oracle.agree(
            lambda f, h=host, s=factor, m=mode: f.nn.functional.interpolate(f.tensor(h), scale_factor=s, mode=m)
        )


def test_bytes_are_rounded(oracle: Any) -> None:
    host = np.random.default_rng(0).integers(0, 256, (1, 3, 5, 7))
    ours, theirs = dovetail.tensor(host).to(dovetail.uint8), oracle.torch.tensor(host).byte()
    for mode, antialias in itertools.product(("bilinear", "bicubic"), (False, True)):
        a = F.interpolate(ours, (9, 4), mode=mode, antialias=antialias)
        b = oracle.torch.nn.functional.interpolate(theirs, (9, 4), mode=mode, antialias=antialias)
        exact = F.interpolate(ours.double(), (9, 4), mode=mode, antialias=antialias).round().clamp(0, 255)
        assert a.dtype is dovetail.uint8
        assert a.tolist() == exact.to(dovetail.uint8).tolist()
        # PyTorch computes in fixed point, one dimension after the other, and is a few off
        assert np.abs(a.numpy().astype(int) - b.numpy().astype(int)).max() <= 3
    oracle.agree(lambda f: f.nn.functional.interpolate(f.tensor(host).to(f.uint8), (9, 4)))


def test_second_derivatives(ways: str, oracle: Any) -> None:
    host = np.random.default_rng(1).normal(size=(1, 2, 3, 4))
    for mode in ("nearest", "bilinear", "bicubic", "area"):
        oracle.compare(lambda f, x, m=mode: f.nn.functional.interpolate(x * x * x, (5, 3), mode=m), host)


def test_former_names_warn(oracle: Any) -> None:
    x = dovetail.arange(4.0).reshape(1, 1, 2, 2)
    for name, words in (
        ("upsample", {"scale_factor": 2}),
        ("upsample_nearest", {"size": 3}),
        ("upsample_bilinear", {"size": 3}),
    ):
        with pytest.warns(UserWarning, match="is deprecated. Use `nn.functional.interpolate` instead"):
            found = getattr(F, name)(x, **words)
        theirs = getattr(oracle.torch.nn.functional, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = theirs(oracle.torch.arange(4.0).reshape(1, 1, 2, 2), **words)
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6)


# ------------------------------------------------------------------------------------------ grids

GRIDS = [
    *itertools.product((2,), ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (False, True)),
    *itertools.product((3,), ("bilinear", "nearest"), ("zeros", "border", "reflection"), (False, True)),
]


@pytest.mark.parametrize(("dims", "mode", "padding", "corners"), GRIDS)
def test_grid_sample(dims: int, mode: str, padding: str, corners: bool, oracle: Any) -> None:
    rng = np.random.default_rng(7)
    for trial in range(4):
        input_sizes = tuple(int(n) for n in rng.integers(1, 6, dims))
        grid = rng.uniform(-2.5, 2.5, (2, *(int(n) for n in rng.integers(1, 4, dims)), dims))
        if trial == 3:
            grid = np.round(grid * 2) / 2  # on pixels, edges and borders
        oracle.compare(
            lambda f, x, g: f.nn.functional.grid_sample(x, g, mode, padding, corners),
            rng.normal(size=(2, 2, *input_sizes)),
            grid,
            second=False,
        )


@pytest.mark.parametrize("place", [math.nan, math.inf, -math.inf, 1e20])
@pytest.mark.parametrize(("dims", "mode", "padding", "corners"), [g for g in GRIDS if g[0] == 2])
def test_places_that_are_nowhere(place: float, dims: int, mode: str, padding: str, corners: bool, oracle: Any) -> None:
    """In two dimensions; in three PyTorch takes NaN for the last pixel, against its own documentation."""
    if padding == "reflection" and place == 1e20:
        place = 1e6  # beyond that, where in the input it ends is a matter of rounding
    host = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    grid = np.array([place, 0.1]).reshape(1, 1, 1, 2)
    oracle.agree(lambda f: f.nn.functional.grid_sample(f.tensor(host), f.tensor(grid), mode, padding, corners), 1e6)


def test_the_grid_has_second_derivatives() -> None:
    x = dovetail.tensor(np.random.default_rng(0).normal(size=(1, 1, 4, 4)), requires_grad=True)
    grid = dovetail.tensor([[[[0.13, -0.31], [0.42, 0.27]]]], dtype=dovetail.float64, requires_grad=True)

    def function(a: Any, b: Any) -> Any:
        return F.grid_sample(a, b, "bicubic", "border", align_corners=True)

    assert dovetail.autograd.gradgradcheck(function, (x, grid))


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize(
    ("maps", "size"), [((2, 2, 3), (2, 3, 4, 5)), ((1, 2, 3), (1, 1, 4, 1)), ((2, 3, 4), (2, 1, 2, 3, 2))]
)
def test_affine_grid(maps: Any, size: Any, corners: bool, oracle: Any) -> None:
    host = np.random.default_rng(0).normal(size=maps)
    oracle.compare(lambda f, t: f.nn.functional.affine_grid(t, size, corners), host)


def test_the_unchanged_map_reads_the_input() -> None:
    x = dovetail.tensor(np.random.default_rng(0).normal(size=(1, 2, 3, 4)))
    theta = dovetail.tensor([[[1.0, 0, 0], [0, 1, 0]]], dtype=dovetail.float64)
    for corners in (False, True):
        read = F.grid_sample(x, F.affine_grid(theta, (1, 2, 3, 4), corners), align_corners=corners)
        np.testing.assert_allclose(read.numpy(), x.numpy(), rtol=1e-12)


def test_unsaid_corners_warn() -> None:
    with pytest.warns(UserWarning, match="align_corners=False since 1.3.0"):
        F.grid_sample(dovetail.ones(1, 1, 2, 2), dovetail.zeros(1, 1, 1, 2))
    with pytest.warns(UserWarning, match="align_corners=False since 1.3.0"):
        F.affine_grid(dovetail.zeros(1, 2, 3), (1, 1, 2, 2))
