"""Convolution on the NumPy backend: against longdouble loops and against PyTorch, in every memory layout."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from dovetail_numpy import conv_planes, conv_rows, convolution
from dovetail_numpy.geometry import tap_span, window_count

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]

UNIT = {np.dtype(np.float32): 2.0**-24, np.dtype(np.float64): 2.0**-53}


def gamma(terms: int, dtype: np.dtype[Any]) -> float:
    """Return gamma_K = K u / (1 - K u): the error of K products summed in any order, over sum |products|."""
    unit = UNIT[np.dtype(dtype)]
    return terms * unit / (1 - terms * unit)


class Convolution:
    """A convolution as loops over taps in longdouble: it shares nothing with the kernels but the formula."""

    def __init__(self, stride: Pair, padding: Pair, dilation: Pair, groups: int) -> None:
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups

    @property
    def keywords(self) -> dict[str, Any]:
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }

    def out_size(self, x: tuple[int, ...], w: tuple[int, ...]) -> Pair:
        height, width = (
            (x[2 + i] + 2 * self.padding[i] - self.dilation[i] * (w[2 + i] - 1) - 1) // self.stride[i] + 1
            for i in (0, 1)
        )
        return height, width

    def taps(self, x_shape: tuple[int, ...], w_shape: tuple[int, ...]) -> Iterator[tuple[int, int, Any]]:
        """Yield each tap and the index that selects its pixels from padded images."""
        height, width = self.out_size(x_shape, w_shape)
        for i, j in itertools.product(range(w_shape[2]), range(w_shape[3])):
            top, left = i * self.dilation[0], j * self.dilation[1]
            rows = slice(top, top + (height - 1) * self.stride[0] + 1, self.stride[0])
            columns = slice(left, left + (width - 1) * self.stride[1] + 1, self.stride[1])
            yield i, j, (slice(None), slice(None), rows, columns)

    def pad(self, x: Array) -> Array:
        sides = ((0, 0), (0, 0), (self.padding[0],) * 2, (self.padding[1],) * 2)
        return np.pad(x.astype(np.longdouble), sides)

    def forward(self, x: Array, w: Array) -> Array:
        padded, weight = self.pad(x), w.astype(np.longdouble)
        depth, filters = w.shape[1], w.shape[0] // self.groups
        out = np.zeros((x.shape[0], w.shape[0], *self.out_size(x.shape, w.shape)), np.longdouble)
        for i, j, at in self.taps(x.shape, w.shape):
            for group, o in itertools.product(range(self.groups), range(filters)):
                for c in range(depth):
                    factor = weight[group * filters + o, c, i, j]
                    out[:, group * filters + o] += factor * padded[at][:, group * depth + c]
        return out

    def input_grad(self, g: Array, w: Array, x_shape: tuple[int, ...]) -> Array:
        weight, grad = w.astype(np.longdouble), g.astype(np.longdouble)
        depth, filters = w.shape[1], w.shape[0] // self.groups
        padded = self.pad(np.zeros(x_shape))
        for i, j, at in self.taps(x_shape, w.shape):
            for group, o in itertools.product(range(self.groups), range(filters)):
                for c in range(depth):
                    factor = weight[group * filters + o, c, i, j]
                    padded[at][:, group * depth + c] += factor * grad[:, group * filters + o]
        top, left = self.padding
        return padded[:, :, top : top + x_shape[2], left : left + x_shape[3]]

    def weight_grad(self, g: Array, x: Array, w_shape: tuple[int, ...]) -> Array:
        padded, grad = self.pad(x), g.astype(np.longdouble)
        depth, filters = w_shape[1], w_shape[0] // self.groups
        out = np.zeros(w_shape, np.longdouble)
        for i, j, at in self.taps(x.shape, w_shape):
            for o, c in itertools.product(range(w_shape[0]), range(depth)):
                out[o, c, i, j] = (grad[:, o] * padded[at][:, o // filters * depth + c]).sum()
        return out


# (batch, channels, height, width), (filters, channels / groups, kernel), stride, padding, dilation, groups
CASES = [
    ((2, 3, 7, 6), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((2, 5, 7, 6), (4, 5, 3, 2), (1, 1), (0, 0), (1, 1), 1),
    ((1, 6, 9, 8), (3, 6, 3, 3), (2, 2), (1, 1), (1, 1), 1),
    ((3, 4, 8, 9), (2, 4, 2, 3), (1, 2), (1, 0), (2, 1), 1),
    ((2, 4, 9, 9), (5, 4, 3, 3), (2, 1), (2, 2), (2, 2), 1),
    ((2, 1, 6, 6), (3, 1, 5, 5), (1, 1), (2, 2), (1, 1), 1),
    ((2, 4, 5, 5), (3, 4, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 4, 5, 5), (3, 4, 1, 1), (2, 2), (1, 1), (1, 1), 1),
    ((2, 6, 5, 7), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 2),
    ((2, 6, 5, 7), (6, 1, 3, 3), (1, 1), (1, 1), (1, 1), 6),
    ((2, 6, 6, 5), (12, 2, 2, 2), (2, 1), (0, 1), (1, 1), 3),
    ((2, 4, 3, 3), (2, 4, 3, 3), (1, 1), (0, 0), (1, 1), 1),
    ((2, 4, 3, 4), (2, 4, 2, 2), (1, 1), (3, 2), (1, 1), 1),
    ((1, 2, 1, 8), (3, 2, 1, 3), (1, 1), (0, 1), (1, 1), 1),
]
LAYOUTS = ["first", "last", "sliced"]
# Channels-last, channels-first, and either in blocks of a single image or a single row or group.
PATHS = ["rows", "planes", "rows in small blocks", "planes in small blocks"]


def lay_out(array: Array, layout: str) -> Array:
    """Give an NCHW array another memory layout."""
    if layout == "last":
        return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    if layout == "sliced":
        return np.repeat(array, 2, axis=3)[..., ::2]
    return array


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Take one of the ways through the kernels, whatever the shapes would choose."""
    least = 0 if request.param.startswith("rows") else 10**9
    monkeypatch.setattr(convolution, "_ROWS_FROM_CHANNELS", least)
    monkeypatch.setattr(convolution, "_ROWS_FROM_GROUP_CHANNELS", least)
    if "small" in request.param:
        monkeypatch.setattr(conv_rows, "BLOCK_BYTES", 256)
        monkeypatch.setattr(conv_planes, "BLOCK_BYTES", 256)
        monkeypatch.setattr(conv_rows, "_MIN_BAND_PIXELS", 0)
    return str(request.param)


def normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Array:
    return rng.standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_convolution_stays_within_gamma(case: Any, layout: str, dtype: Any, path: str) -> None:
    x_shape, w_shape, *sizes = case
    loops, rng = Convolution(*sizes), np.random.default_rng(0)
    x, w, b = (normal(rng, shape, dtype) for shape in (x_shape, w_shape, w_shape[:1]))
    g = normal(rng, (x_shape[0], w_shape[0], *loops.out_size(x_shape, w_shape)), dtype)
    depth = w_shape[1] * w_shape[2] * w_shape[3]
    offset = b.reshape(-1, 1, 1).astype(np.longdouble)

    out = convolution.conv2d(lay_out(x, layout), w, b, **loops.keywords)
    scale = loops.forward(abs(x), abs(w)) + abs(offset)
    assert out.dtype == dtype
    assert out.shape == g.shape
    assert (abs(out - (loops.forward(x, w) + offset)) <= gamma(depth + 1, dtype) * scale).all()

    gx = convolution.conv2d_input_grad(lay_out(g, layout), w, input_shape=x_shape, **loops.keywords)
    reads = w_shape[0] // sizes[3] * w_shape[2] * w_shape[3]
    scale = loops.input_grad(abs(g), abs(w), x_shape)
    assert gx.dtype == dtype
    assert gx.shape == x_shape
    assert (abs(gx - loops.input_grad(g, w, x_shape)) <= gamma(reads, dtype) * scale).all()

    gw = convolution.conv2d_weight_grad(lay_out(g, layout), lay_out(x, layout), weight_shape=w_shape, **loops.keywords)
    terms = g.shape[0] * g.shape[2] * g.shape[3]
    scale = loops.weight_grad(abs(g), abs(x), w_shape)
    assert gw.dtype == dtype
    assert gw.shape == w_shape
    assert gw.flags.c_contiguous
    assert (abs(gw - loops.weight_grad(g, x, w_shape)) <= gamma(terms, dtype) * scale).all()


def test_the_bound_sees_inputs_rounded_to_tf32() -> None:
    loops, rng = Convolution((1, 1), (1, 1), (1, 1), 1), np.random.default_rng(1)
    x, w = normal(rng, (2, 16, 8, 8), np.float32), normal(rng, (8, 16, 3, 3), np.float32)
    rounded = (x.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)
    bound = gamma(144, np.dtype(np.float32)) * loops.forward(abs(x), abs(w))
    exact = loops.forward(x, w)
    assert (abs(convolution.conv2d(x, w, None, **loops.keywords) - exact) <= bound).all()
    assert not (abs(convolution.conv2d(rounded, w, None, **loops.keywords) - exact) <= bound).all()


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_convolution_is_float32_rounded_once(dtype: Any, path: str) -> None:
    loops, rng = Convolution((1, 1), (1, 1), (1, 1), 1), np.random.default_rng(2)
    x, w, b = (normal(rng, shape, dtype) for shape in ((2, 4, 6, 6), (3, 4, 3, 3), (3,)))
    wide = [array.astype(np.float32) for array in (x, w, b)]
    out = convolution.conv2d(x, w, b, **loops.keywords)
    np.testing.assert_array_equal(out, convolution.conv2d(*wide, **loops.keywords).astype(dtype))
    gx = convolution.conv2d_input_grad(out, w, input_shape=x.shape, **loops.keywords)
    grad = out.astype(np.float32)
    expected = convolution.conv2d_input_grad(grad, wide[1], input_shape=x.shape, **loops.keywords)
    np.testing.assert_array_equal(gx, expected.astype(dtype))
    gw = convolution.conv2d_weight_grad(out, x, weight_shape=w.shape, **loops.keywords)
    expected = convolution.conv2d_weight_grad(grad, wide[0], weight_shape=w.shape, **loops.keywords)
    np.testing.assert_array_equal(gw, expected.astype(dtype))
    assert {array.dtype for array in (out, gx, gw)} == {np.dtype(dtype)}


@pytest.mark.parametrize(
    ("x_shape", "w_shape"),
    [((0, 4, 5, 5), (3, 4, 3, 3)), ((2, 0, 5, 5), (3, 0, 3, 3)), ((2, 4, 5, 5), (0, 4, 3, 3))],
)
def test_empty_convolutions(x_shape: tuple[int, ...], w_shape: tuple[int, ...]) -> None:
    keywords = Convolution((1, 1), (0, 0), (1, 1), 1).keywords
    x, w, b = np.ones(x_shape, np.float32), np.ones(w_shape, np.float32), np.full(w_shape[0], 2, np.float32)
    out = convolution.conv2d(x, w, b, **keywords)
    np.testing.assert_array_equal(out, np.full((x_shape[0], w_shape[0], 3, 3), 2, np.float32))
    gx = convolution.conv2d_input_grad(out, w, input_shape=x_shape, **keywords)
    np.testing.assert_array_equal(gx, np.zeros(x_shape, np.float32))
    gw = convolution.conv2d_weight_grad(out, x, weight_shape=w_shape, **keywords)
    np.testing.assert_array_equal(gw, np.zeros(w_shape, np.float32))


def test_nan_reaches_only_the_windows_that_read_it(path: str) -> None:
    keywords = Convolution((1, 1), (1, 1), (1, 1), 1).keywords
    x = np.ones((2, 4, 6, 6), np.float32)
    x[1, 2, 3, 3] = np.nan
    out = convolution.conv2d(x, np.ones((3, 4, 3, 3), np.float32), None, **keywords)
    expected = np.zeros((2, 3, 6, 6), bool)
    expected[1, :, 2:5, 2:5] = True
    np.testing.assert_array_equal(np.isnan(out), expected)


def test_convolution_writes_to_no_argument_and_owns_its_result(path: str) -> None:
    keywords = Convolution((1, 1), (1, 1), (1, 1), 1).keywords
    arrays = [np.ones(s, np.float32) for s in ((2, 4, 6, 6), (3, 4, 3, 3), (3,), (2, 3, 6, 6))]
    for array in arrays:
        array.flags.writeable = False
    x, w, b, g = arrays
    results = (
        convolution.conv2d(x, w, b, **keywords),
        convolution.conv2d_input_grad(g, w, input_shape=x.shape, **keywords),
        convolution.conv2d_weight_grad(g, x, weight_shape=w.shape, **keywords),
    )
    assert all(result.flags.owndata for result in results)


@pytest.mark.oracle
@pytest.mark.parametrize("case", CASES, ids=str)
def test_convolution_agrees_with_pytorch(case: Any, path: str) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    x_shape, w_shape, *sizes = case
    loops, rng = Convolution(*sizes), np.random.default_rng(3)
    x, w, b = (rng.standard_normal(shape) for shape in (x_shape, w_shape, w_shape[:1]))
    leaves = [torch.from_numpy(array).requires_grad_() for array in (x, w, b)]
    theirs = torch.nn.functional.conv2d(*leaves, *sizes)
    g = rng.standard_normal(tuple(theirs.shape))
    gx, gw, _ = torch.autograd.grad(theirs, leaves, torch.from_numpy(g))
    ours = (
        convolution.conv2d(x, w, b, **loops.keywords),
        convolution.conv2d_input_grad(g, w, input_shape=x_shape, **loops.keywords),
        convolution.conv2d_weight_grad(g, x, weight_shape=w_shape, **loops.keywords),
    )
    scales = (
        loops.forward(abs(x), abs(w)) + abs(b).reshape(-1, 1, 1),
        loops.input_grad(abs(g), abs(w), x_shape),
        loops.weight_grad(abs(g), abs(x), w_shape),
    )
    most = max(w.size // w_shape[0] + 1, w.size // w_shape[1], g.size)
    for mine, other, scale in zip(ours, (theirs.detach(), gx, gw), scales):
        # Both are off by at most gamma.
        assert (abs(mine - other.numpy()) <= 2 * gamma(most, np.dtype(np.float64)) * scale).all()


def test_tap_spans_are_the_taps_inside_the_input() -> None:
    sizes = itertools.product(range(1, 7), range(1, 4), range(1, 4), range(4), range(1, 3), (False, True))
    for size, kernel, stride, padding, dilation, ceil_mode in sizes:
        count = window_count(size, kernel, stride, padding, dilation, ceil_mode)
        for tap in range(kernel):
            windows, elements = tap_span(tap, size, count, stride, padding, dilation)
            places = ((i, i * stride + tap * dilation - padding) for i in range(count))
            inside = [(i, place) for i, place in places if 0 <= place < size]
            assert list(zip(range(count)[windows], range(size)[elements])) == inside
