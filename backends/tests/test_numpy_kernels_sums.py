"""Sums, means and variances on the NumPy backend: the bound holds along every axis and in every layout."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from dovetail_numpy import reductions

Array = np.ndarray[Any, Any]
Axes = tuple[int, ...]

UNIT = {np.dtype(np.float32): 2.0**-24, np.dtype(np.float64): 2.0**-53}


def depth(array: Array, axes: Axes, extra: int = 0) -> float:
    """Return gamma for the promised number of additions, ceil(log2 n) + 32 and some more."""
    count = math.prod(array.shape[axis] for axis in axes)
    steps = max(count - 1, 0).bit_length() + 32 + extra
    return steps * UNIT[array.dtype] / (1 - steps * UNIT[array.dtype])


def within(result: Array, array: Array, axes: Axes) -> bool:
    """Tell whether every sum obeys its bound. Longdouble adds pairwise too, 2048 times as exactly."""
    exact = array.astype(np.longdouble).sum(axis=axes)
    scale = abs(array.astype(np.longdouble)).sum(axis=axes)
    return bool((abs(result - exact) <= depth(array, axes) * scale).all())


def constant(shape: tuple[int, ...], dtype: Any) -> Array:
    """Return 0.1 everywhere: the rounding errors of a sequence of additions all have one sign for a while."""
    return np.full(shape, 0.1, dtype)


def vanishing(shape: tuple[int, ...], dtype: Any) -> Array:
    """Return 1 followed by 0.49 u: a sequence of additions never sees what follows."""
    array = np.full(shape, 0.49 * UNIT[np.dtype(dtype)], dtype)
    array[(0,) * len(shape)] = 1
    return array


def normal(shape: tuple[int, ...], dtype: Any) -> Array:
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


PROBES = [constant, vanishing, normal]
SHAPES = [
    (100_001,),
    (30_000, 5),
    (5, 30_000),
    (3, 7000, 4),
    (40, 33, 50),
    (64, 3, 28, 28),
    (2, 1, 5000, 1, 3),
]


def layouts(array: Array) -> list[Array]:
    """Return the array in row-major and in column-major order, with its axes rotated, sliced and reversed."""
    return [
        array,
        np.asfortranarray(array),
        np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 0, -1)), -1, 0),
        np.repeat(array, 2, axis=-1)[..., ::2],
        array[::-1],
    ]


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sums_of_float32_over_any_axes_in_any_layout(shape: tuple[int, ...], probe: Callable[..., Array]) -> None:
    axes = [a for k in range(1, len(shape) + 1) for a in itertools.combinations(range(len(shape)), k)]
    for array, some in itertools.product(layouts(probe(shape, np.float32)), axes):
        result = reductions.sum_over(array, some)
        assert result.dtype == np.float32
        assert within(result, array, some), (array.strides, some)


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_sums_of_float64(axes: Axes, probe: Callable[..., Array]) -> None:
    for array in layouts(probe((20_001, 7), np.float64)):
        assert within(reductions.sum_over(array, axes), array, axes)


def test_the_probes_see_a_sequence_of_additions() -> None:
    for probe in (constant, vanishing):
        array = probe((100_000, 3), np.float32)
        assert not within(np.add.reduce(array, axis=0), array, (0,))
        assert within(reductions.sum_over(array, (0,)), array, (0,))


@pytest.mark.parametrize("length", [*range(1, 90), 255, 256, 257, 4095, 4097, 8191, 8192, 8193, 65_537])
def test_sums_over_rows_of_every_length(length: int) -> None:
    array = constant((length, 300), np.float32)
    assert within(reductions.sum_over(array, (0,)), array, (0,))
    assert within(reductions.sum_over(array, (1,)), array, (1,))


def test_the_depth_of_additions_is_counted_not_guessed() -> None:
    # One row is 1 and every other one 2^-24: a partial sum that holds the 1 ignores a single row, so what the
    # result lacks counts the single rows that were added to it.
    for length in (39, 100, 1000, 10_000, 100_000):
        array = np.full((length, 512), 2.0**-24, np.float32)
        array[0] = 1
        lost = (1 + (length - 1) * 2.0**-24) - reductions.sum_over(array, (0,)).astype(np.float64)
        assert (lost <= ((length - 1).bit_length() + 32) * 2.0**-24 * 1.01).all()


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_added_in_float32_and_rounded_once(dtype: Any) -> None:
    ones = np.ones((3000, 2), dtype)
    np.testing.assert_array_equal(
        reductions.sum_over(ones, (0,)).astype(np.float64), np.full(2, 3000, dtype).astype(np.float64)
    )
    array = normal((4001, 3), np.float32).astype(dtype)
    wide = reductions.sum_over(array.astype(np.float32), (0,))
    np.testing.assert_array_equal(reductions.sum_over(array, (0,)), wide.astype(dtype))
    np.testing.assert_array_equal(reductions.mean_over(array, (0,)), (wide / np.float32(4001)).astype(dtype))
    assert reductions.sum_over(array, (0,)).dtype == dtype


def test_integers_and_bools_give_int64() -> None:
    for array in (np.full((3, 4), 200, np.uint8), np.ones((3, 4), np.bool_), np.full((3, 4), -5, np.int32)):
        result = reductions.sum_over(array, (0, 1))
        assert (result.dtype, result.shape) == (np.dtype(np.int64), ())
        assert result == array.astype(np.int64).sum()


def test_shapes_with_kept_axes_and_without_elements() -> None:
    array = np.ones((2, 3, 4), np.float32)
    assert reductions.sum_over(array, (0, 2), keepdims=True).shape == (1, 3, 1)
    assert reductions.mean_over(array, (1,)).shape == (2, 4)
    assert isinstance(reductions.sum_over(array, (0, 1, 2)), np.ndarray)
    assert reductions.sum_over(array, ()).shape == array.shape
    empty = np.ones((0, 3), np.float32)
    np.testing.assert_array_equal(reductions.sum_over(empty, (0,)), np.zeros(3))
    np.testing.assert_array_equal(reductions.mean_over(empty, (0,)), np.full(3, np.nan))
    assert reductions.mean_over(empty, (1,)).shape == (0,)


def test_mean_divides_once() -> None:
    array = normal((50_000, 3), np.float32)
    exact = array.astype(np.longdouble).mean(axis=0)
    scale = abs(array.astype(np.longdouble)).mean(axis=0)
    assert (abs(reductions.mean_over(array, (0,)) - exact) <= depth(array, (0,), extra=1) * scale).all()


@pytest.mark.parametrize("offset", [0.0, 1000.0, 200_000.0])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_variance_is_two_pass(axes: Axes, offset: float) -> None:
    array = (normal((3000, 40), np.float64) + offset).astype(np.float32)
    exact = array.astype(np.longdouble).var(axis=axes, ddof=1)
    result = reductions.variance_over(array, axes, 1)
    count = math.prod(array.shape[axis] for axis in axes)
    # G(2 log2 n + 40). What a mean that is off by u |mean| would add is corrected.
    steps = 2 * math.ceil(math.log2(count)) + 40
    assert (abs(result - exact) <= steps * UNIT[array.dtype] * exact).all()


def test_variance_of_too_few_is_not_a_number() -> None:
    one = np.ones((1, 2), np.float32)
    np.testing.assert_array_equal(reductions.variance_over(one, (0,), 1), np.full(2, np.nan))
    np.testing.assert_array_equal(reductions.variance_over(one, (0,), 0, keepdims=True), np.zeros((1, 2)))


def test_dot_over_sums_products_in_blocks() -> None:
    left, right = normal((4000, 3, 50), np.float32), normal((4000, 3, 50), np.float32)[::-1]
    for axes in ((0,), (0, 2), (2,), (0, 1, 2)):
        result = reductions.dot_over(left, right, axes)
        product = left.astype(np.longdouble) * right
        bound = depth(left, axes, extra=33) * abs(product).sum(axis=axes)
        assert (abs(result - product.sum(axis=axes)) <= bound).all()
