"""Pooling on the NumPy backend: window by window, and against PyTorch, in every memory layout."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from dovetail_numpy import pooling

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]

LAYOUTS = ["first", "last", "sliced"]


def gamma(terms: int) -> float:
    """Return gamma_K = K u / (1 - K u) for float32: what any order of adding K terms may be off by."""
    return terms * 2.0**-24 / (1 - terms * 2.0**-24)


def lay_out(array: Array, layout: str) -> Array:
    """Give an NCHW array another memory layout."""
    if layout == "last":
        return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    if layout == "sliced":
        return np.repeat(array, 2, axis=3)[..., ::2]
    return array


# kernel, stride, padding, dilation, ceil_mode
WINDOWS = [
    ((2, 2), (2, 2), (0, 0), (1, 1), False),
    ((3, 3), (2, 2), (1, 1), (1, 1), False),
    ((3, 2), (1, 2), (1, 1), (1, 1), True),
    # The last window of a column hangs over the padding, which no average counts.
    ((3, 3), (2, 2), (1, 1), (1, 1), True),
    ((2, 3), (3, 2), (0, 1), (2, 1), False),
    ((2, 2), (3, 3), (1, 1), (1, 2), True),
    ((1, 1), (1, 1), (0, 0), (1, 1), False),
    ((6, 7), (6, 7), (0, 0), (1, 1), False),
]


def names(window: Any) -> dict[str, Any]:
    return dict(zip(("kernel_size", "stride", "padding", "dilation", "ceil_mode"), window))


def pooled_size(size: int, k: int, s: int, p: int, d: int, ceil_mode: bool) -> int:
    room = size + 2 * p - d * (k - 1) - 1
    count = (-(-room // s) if ceil_mode else room // s) + 1
    return count - 1 if ceil_mode and (count - 1) * s >= size + p else count


def each_window(shape: tuple[int, ...], window: Any) -> Iterator[tuple[Pair, list[Pair], Pair]]:
    """Yield the place of each window, its pixels inside the image, and its corner, which may be outside."""
    kernel, stride, padding, dilation, ceil_mode = window
    counts = [pooled_size(shape[2 + i], *(pair[i] for pair in window[:4]), ceil_mode) for i in (0, 1)]
    for i, j in itertools.product(*map(range, counts)):
        top, left = i * stride[0] - padding[0], j * stride[1] - padding[1]
        rows = [top + a * dilation[0] for a in range(kernel[0]) if 0 <= top + a * dilation[0] < shape[2]]
        columns = [left + a * dilation[1] for a in range(kernel[1]) if 0 <= left + a * dilation[1] < shape[3]]
        yield (i, j), list(itertools.product(rows, columns)), (top, left)


def image_of_ties(rng: np.random.Generator, special: str) -> Array:
    x = rng.integers(-2, 3, (2, 3, 6, 7)).astype(np.float32)
    if special == "nan":
        x[rng.random(x.shape) < 0.2] = np.nan
    if special == "-inf":
        x[rng.random(x.shape) < 0.8] = -np.inf
    return x


def largest(pixels: list[Pair], plane: Array) -> Pair:
    """Return PyTorch's choice: the last nan, otherwise the first maximum in row-major order."""
    best = pixels[0]
    for pixel in pixels:
        if (plane[pixel] > plane[best] and not np.isnan(plane[best])) or np.isnan(plane[pixel]):
            best = pixel
    return best


@pytest.mark.parametrize("special", ["ties", "nan", "-inf"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_max_pooling_window_by_window(window: Any, layout: str, special: str) -> None:
    rng = np.random.default_rng(4)
    x = image_of_ties(rng, special)
    values, indices = pooling.max_pool2d(lay_out(x, layout), **names(window))
    assert indices.dtype == np.int64
    g = rng.standard_normal(values.shape).astype(np.float32)
    gx = np.zeros(x.shape)
    for (i, j), pixels, _ in each_window(x.shape, window):
        for n, c in itertools.product(range(2), range(3)):
            row, column = largest(pixels, x[n, c])
            assert indices[n, c, i, j] == row * x.shape[3] + column
            np.testing.assert_array_equal(values[n, c, i, j], x[n, c, row, column])
            gx[n, c, row, column] += g[n, c, i, j]
    np.testing.assert_array_equal(pooling.max_pool2d_values(lay_out(x, layout), **names(window)), values)
    # Float64 sums of a few float32 numbers are exact here but for the last rounding.
    for grad in (g, lay_out(g, layout)):
        back = pooling.max_pool2d_backward(grad, indices, input_shape=x.shape, **names(window))
        np.testing.assert_array_equal(back, gx.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64, np.int64, np.uint8])
def test_max_pooling_keeps_the_dtype(dtype: Any) -> None:
    x = np.arange(16).reshape(1, 1, 4, 4).astype(dtype)
    keywords = names(((2, 2), (2, 2), (1, 1), (1, 1), False))
    values, indices = pooling.max_pool2d(x, **keywords)
    np.testing.assert_array_equal(values[0, 0], np.array([[0, 2, 3], [8, 10, 11], [12, 14, 15]], dtype))
    np.testing.assert_array_equal(indices[0, 0], [[0, 2, 3], [8, 10, 11], [12, 14, 15]])
    assert values.dtype == pooling.max_pool2d_values(x, **keywords).dtype == dtype


def averages(x: Array, window: Any, include: bool, override: int | None) -> tuple[Array, Array, Array]:
    """Return float64 averages, averages of magnitudes, and by what each sum is divided."""
    kernel, _, padding, _, _ = window
    places = list(each_window(x.shape, window))
    out = np.zeros((2, *x.shape[:2], *(n + 1 for n in places[-1][0])))
    divisors = np.ones(out.shape[-2:])
    for (i, j), pixels, (top, left) in places:
        bottom, right = top + kernel[0], left + kernel[1]
        padded = (min(bottom, x.shape[2] + padding[0]) - top) * (min(right, x.shape[3] + padding[1]) - left)
        divisors[i, j] = override or (padded if include else len(pixels))
        for row, column in pixels:
            out[0, :, :, i, j] += x[:, :, row, column]
            out[1, :, :, i, j] += abs(x[:, :, row, column])
    return out[0] / divisors, out[1] / divisors, divisors


@pytest.mark.parametrize(("include", "override"), [(True, None), (False, None), (True, 5)])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("window", [w for w in WINDOWS if w[3] == (1, 1)], ids=str)
def test_average_pooling_window_by_window(window: Any, layout: str, include: bool, override: int | None) -> None:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((2, 3, 6, 7)).astype(np.float32)
    keywords = {key: value for key, value in names(window).items() if key != "dilation"}
    keywords |= {"count_include_pad": include, "divisor_override": override}
    out = pooling.avg_pool2d(lay_out(x, layout), **keywords)
    mean, scale, divisors = averages(x.astype(np.float64), window, include, override)
    # KH + KW additions and one division; a single window over everything has the bound of a sum.
    bound = gamma(sum(window[0]) + 1 + 32)
    assert (abs(out - mean) <= bound * scale).all()

    g = rng.standard_normal(out.shape).astype(np.float32)
    gx, size = np.zeros((2, *x.shape)), 0
    for (i, j), pixels, _ in each_window(x.shape, window):
        size = max(size, len(pixels))
        for row, column in pixels:
            gx[0, :, :, row, column] += g[:, :, i, j] / divisors[i, j]
            gx[1, :, :, row, column] += abs(g[:, :, i, j]) / divisors[i, j]
    back = pooling.avg_pool2d_backward(lay_out(g, layout), input_shape=x.shape, **keywords)
    assert (abs(back - gx[0]) <= gamma(size + 1) * gx[1]).all()


def test_pooling_of_no_images() -> None:
    x, keywords = np.empty((0, 3, 6, 6), np.float32), names(((2, 2), (2, 2), (0, 0), (1, 1), False))
    values, indices = pooling.max_pool2d(x, **keywords)
    assert values.shape == indices.shape == (0, 3, 3, 3)
    assert pooling.max_pool2d_backward(values, indices, input_shape=x.shape, **keywords).shape == x.shape
    del keywords["dilation"]
    keywords |= {"count_include_pad": True, "divisor_override": None}
    assert pooling.avg_pool2d(x, **keywords).shape == (0, 3, 3, 3)


@pytest.mark.oracle
@pytest.mark.parametrize("special", ["ties", "nan", "-inf"])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_pooling_agrees_with_pytorch(window: Any, special: str) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    x = image_of_ties(np.random.default_rng(6), special)
    theirs, positions = torch.nn.functional.max_pool2d(torch.from_numpy(x), *window, return_indices=True)
    values, indices = pooling.max_pool2d(x, **names(window))
    np.testing.assert_array_equal(values, theirs.numpy())
    np.testing.assert_array_equal(indices, positions.numpy())
