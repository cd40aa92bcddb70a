"""Convolution and pooling with every option: values and gradients of both orders are PyTorch's."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.errors import DovetailError

# PyTorch says once what it does inside.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")

F = dovetail.ops


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")


def derivatives(frame: Any, function: Any, hosts: list[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    """Value, gradients, and gradients of a weighted sum of the gradients."""
    sources = [frame.tensor(h, requires_grad=True) for h in hosts]
    y = function(*sources)
    rng = np.random.default_rng(5)

    def weighted(t: Any) -> Any:
        return (t * frame.tensor(rng.uniform(0.5, 1.5, tuple(t.shape)))).sum()

    first = frame.autograd.grad(weighted(y), sources, create_graph=True)
    parts = [weighted(g) for g in first]
    total = sum(parts[1:], parts[0])
    second = [np.zeros(h.shape) for h in hosts]
    if total.requires_grad:
        found = frame.autograd.grad(total, sources, allow_unused=True)
        second = [z if g is None else g.detach().numpy(force=True) for z, g in zip(second, found)]
    return [y.detach().numpy(), *(g.detach().numpy() for g in first), *second]


def same(torch: Any, name: str, hosts: list[np.ndarray[Any, Any]], *options: Any, **words: Any) -> None:
    """Compare an op in both frameworks."""
    ours = derivatives(dovetail, lambda *a: getattr(F, name)(*a, *options, **words), hosts)
    theirs = derivatives(torch, lambda *a: getattr(torch.nn.functional, name)(*a, *options, **words), hosts)
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


def operands(*shapes: tuple[int, ...]) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(sum(map(sum, shapes)))
    return [rng.normal(size=s) for s in shapes]


# ------------------------------------------------------------------------------------------ convolution

CONVOLUTIONS = [
    ((2, 3, 7, 6), (4, 3, 3, 2), {}),
    ((2, 3, 7, 6), (4, 3, 3, 2), {"stride": 2}),
    ((2, 3, 7, 6), (4, 3, 3, 2), {"stride": (1, 3), "padding": (2, 1)}),
    ((2, 3, 7, 6), (4, 3, 3, 2), {"dilation": (2, 1), "padding": 1}),
    ((2, 4, 6, 6), (6, 2, 3, 3), {"groups": 2, "padding": 1}),
    ((2, 4, 6, 6), (4, 1, 3, 3), {"groups": 4, "stride": 2}),
    ((1, 2, 5, 5), (3, 2, 1, 1), {}),
    ((1, 2, 4, 4), (3, 2, 4, 4), {}),
    ((1, 1, 3, 3), (2, 1, 3, 3), {"padding": 2}),
    ((2, 3, 6, 6), (4, 3, 3, 3), {"padding": "same"}),
    ((2, 3, 6, 6), (4, 3, 2, 4), {"padding": "same"}),
    ((2, 3, 6, 6), (4, 3, 2, 3), {"padding": "same", "dilation": 3}),
    ((2, 3, 6, 6), (4, 3, 2, 3), {"padding": "valid"}),
    ((3, 6, 6), (4, 3, 3, 3), {"padding": 1}),
    ((3, 6, 6), (4, 3, 2, 2), {"padding": "same"}),
]


@pytest.mark.oracle
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("image", "kernel", "words"), CONVOLUTIONS)
def test_conv2d(image: Any, kernel: Any, words: Any, bias: bool, ways: str, torch: Any) -> None:
    hosts = operands(image, kernel, *([kernel[:1]] if bias else []))
    same(torch, "conv2d", hosts, **words)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("signal", "kernel", "words"),
    [
        ((2, 3, 9), (4, 3, 3), {}),
        ((2, 3, 9), (4, 3, 2), {"stride": 2, "padding": 1}),
        ((4, 9), (4, 2, 3), {"groups": 2, "dilation": 2}),
        ((2, 3, 9), (4, 3, 4), {"padding": "same"}),
    ],
)
def test_conv1d(signal: Any, kernel: Any, words: Any, ways: str, torch: Any) -> None:
    same(torch, "conv1d", operands(signal, kernel, kernel[:1]), **words)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("image", "kernel", "words"),
    [
        ((2, 3, 4, 5), (3, 4, 3, 2), {}),
        ((2, 3, 4, 5), (3, 4, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
        ((2, 4, 4, 4), (4, 2, 3, 3), {"groups": 2, "stride": (1, 2)}),
        ((3, 4, 4), (3, 2, 2, 2), {"dilation": 2, "padding": 1}),
        ((1, 2, 3, 3), (2, 2, 3, 3), {"dilation": 3, "output_padding": 2, "padding": 2}),
        ((1, 2, 3, 3), (2, 2, 3, 3), {"dilation": 2, "output_padding": 1}),
    ],
)
def test_conv_transpose2d(image: Any, kernel: Any, words: Any, ways: str, torch: Any) -> None:
    filters = kernel[1] * words.get("groups", 1)
    same(torch, "conv_transpose2d", operands(image, kernel, (filters,)), **words)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sixteen_bits_are_added_up_in_thirty_two(dtype: str, ways: str, torch: Any) -> None:
    image, kernel = operands((1, 8, 6, 6), (4, 8, 3, 3))
    kind = dovetail.dtypes.by_name(dtype)
    x, w = (dovetail.tensor(a).to(kind) for a in (image, kernel))
    got = F.conv2d(x, w)
    exact = torch.nn.functional.conv2d(*(torch.tensor(t.double().numpy()) for t in (x, w))).numpy()
    unit = 2.0**-11 if dtype == "float16" else 2.0**-8
    assert got.dtype is kind
    assert np.max(np.abs(got.double().numpy() - exact) / np.abs(exact)) <= unit * 1.001


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("shapes", "words", "text"),
    [
        (((1, 4, 8, 8), (16, 3, 3, 3)), {}, "expected input[1, 4, 8, 8] to have 3 channels, but got 4 channels"),
        (((4, 8, 8), (16, 3, 3, 3)), {}, "to have 3 channels, but got 4 channels instead"),
        (((8, 8), (16, 3, 3, 3)), {}, None),
        (((1, 3, 2, 2), (16, 3, 3, 3)), {}, None),
        (((1, 3, 8, 8), (16, 3, 3, 3), (3,)), {}, None),
        (((1, 3, 8, 8), (16, 3, 3, 3), (16, 1)), {}, None),
        (((1, 4, 8, 8), (15, 2, 3, 3)), {"groups": 2}, None),
        (((1, 4, 8, 8), (16, 3, 3, 3)), {"groups": 2}, None),
        (((1, 3, 8, 8), (0, 3, 3, 3)), {}, None),
        (((1, 3, 0, 8), (16, 3, 3, 3)), {"padding": 2}, None),
        (((1, 3, 8, 8), (16, 3, 3, 3)), {"groups": 0}, "non-positive groups is not supported"),
        (((1, 3, 8, 8), (16, 3, 3, 3)), {"stride": 0}, "non-positive stride is not supported"),
        (((1, 3, 8, 8), (16, 3, 3, 3)), {"padding": -1}, "negative padding is not supported"),
        (((1, 3, 8, 8), (16, 3, 3, 3)), {"dilation": 0}, "dilation should be greater than zero, but got [0, 0]"),
        (((1, 3, 8, 8), (16, 3, 3, 3)), {"padding": "same", "stride": 2}, None),
        (((1, 3, 8, 8), (16, 3, 3, 3)), {"padding": "foo"}, "Invalid padding string: 'foo'"),
    ],
)  # fmt: skip
def test_wrong_convolutions_are_told_in_pytorchs_words(shapes: Any, words: Any, text: str | None, torch: Any) -> None:
    with pytest.raises(RuntimeError) as theirs:
        torch.nn.functional.conv2d(*map(torch.zeros, shapes), **words)
    with pytest.raises(DovetailError) as ours:
        F.conv2d(*(dovetail.zeros(s) for s in shapes), **words)
    expected = str(theirs.value)
    assert text is None or text in expected
    assert (text or expected) in str(ours.value)
    assert isinstance(ours.value, RuntimeError)


def test_the_wrong_channels_name_everything() -> None:
    with pytest.raises(RuntimeError) as caught:
        F.conv2d(dovetail.zeros(1, 4, 8, 8), dovetail.zeros(16, 3, 3, 3))
    for part in ("[16, 3, 3, 3]", "[1, 4, 8, 8]", "3 channels", "4 channels"):
        assert part in str(caught.value)


def test_two_types_name_both() -> None:
    with pytest.raises(RuntimeError, match=re.escape("Input type (double) and weight type (float)")):
        F.conv2d(dovetail.zeros(1, 1, 3, 3, dtype=dovetail.float64), dovetail.zeros(1, 1, 2, 2))


# ------------------------------------------------------------------------------------------ pooling

WINDOWS = [
    (2, {}),
    ((3, 2), {}),
    (3, {"stride": 2}),
    (3, {"stride": (1, 2), "padding": 1}),
    (3, {"stride": 2, "ceil_mode": True}),
    (3, {"stride": 2, "padding": 1, "ceil_mode": True}),
    ((2, 3), {"stride": 1}),
]
IMAGES = [(2, 3, 7, 8), (3, 8, 7), (1, 1, 4, 5)]


def distinct(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    size = int(np.prod(shape))
    return np.random.default_rng(size).permutation(np.linspace(-2, 2, size)).reshape(shape)


@pytest.mark.oracle
@pytest.mark.parametrize(("image", "window"), list(itertools.product(IMAGES, WINDOWS)))
def test_max_pool2d(image: Any, window: Any, ways: str, torch: Any) -> None:
    kernel, words = window
    same(torch, "max_pool2d", [distinct(image)], kernel, **words)
    same(torch, "max_pool2d", [distinct(image)], kernel, **words, dilation=(1, 2))
    values, indices = F.max_pool2d_with_indices(dovetail.tensor(distinct(image)), kernel, **words)
    expected = torch.nn.functional.max_pool2d(torch.tensor(distinct(image)), kernel, **words, return_indices=True)
    assert indices.dtype is dovetail.int64
    np.testing.assert_array_equal(values.numpy(), expected[0].numpy())
    np.testing.assert_array_equal(indices.numpy(), expected[1].numpy())


@pytest.mark.oracle
@pytest.mark.parametrize(("image", "window"), list(itertools.product(IMAGES, WINDOWS)))
@pytest.mark.parametrize("count_include_pad", [True, False])
def test_avg_pool2d(image: Any, window: Any, count_include_pad: bool, ways: str, torch: Any) -> None:
    kernel, words = window
    host = operands(image)
    same(torch, "avg_pool2d", host, kernel, **words, count_include_pad=count_include_pad)
    same(torch, "avg_pool2d", host, kernel, **words, divisor_override=3)


@pytest.mark.oracle
@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("size", [1, 2, 3, (4, 3), (5, None), 9])
def test_adaptive_avg_pool2d(image: Any, size: Any, ways: str, torch: Any) -> None:
    same(torch, "adaptive_avg_pool2d", operands(image), size)


@pytest.mark.oracle
@pytest.mark.parametrize("shape", [(2, 3, 9), (3, 8)])
@pytest.mark.parametrize("words", [{}, {"stride": 1}, {"stride": 2, "padding": 1, "ceil_mode": True}])
def test_pooling_of_signals(shape: Any, words: Any, ways: str, torch: Any) -> None:
    same(torch, "max_pool1d", [distinct(shape)], 3, **words)
    same(torch, "avg_pool1d", operands(shape), 3, **words)


@pytest.mark.oracle
def test_equal_maxima_and_nan(ways: str, torch: Any) -> None:
    host = np.array([[[1.0, 1.0, np.nan, 2.0], [1.0, 1.0, 3.0, np.nan]]])
    values, indices = F.max_pool2d_with_indices(dovetail.tensor(host), 2)
    expected = torch.nn.functional.max_pool2d(torch.tensor(host), 2, return_indices=True)
    np.testing.assert_array_equal(values.numpy(), expected[0].numpy())
    np.testing.assert_array_equal(indices.numpy(), expected[1].numpy())
    x = dovetail.tensor(host, requires_grad=True)
    F.max_pool2d(x, 2).sum().backward()
    assert x.grad.tolist() == [[[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]]


@pytest.mark.oracle
def test_max_pooling_of_integers(ways: str, torch: Any) -> None:
    host = np.random.default_rng(0).integers(-9, 9, (1, 2, 5, 5))
    got = F.max_pool2d(dovetail.tensor(host), 3, 2, 1)
    expected = torch.nn.functional.max_pool2d(torch.tensor(host), 3, 2, 1)
    assert got.dtype is dovetail.int64
    np.testing.assert_array_equal(got.numpy(), expected.numpy())


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize(
    ("shape", "options", "words"),
    [
        ((1, 3, 8, 8), (3,), {"padding": 2}),
        ((1, 3, 2, 2), (3,), {}),
        ((1, 3, 8, 8), (2, 0), {}),
        ((1, 0, 8, 8), (2,), {}),
        ((1, 3, 0, 8), (2,), {}),
        ((1, 3, 8, 8), (2,), {"padding": -1}),
    ],
)
def test_wrong_windows_are_told_in_pytorchs_words(name: str, shape: Any, options: Any, words: Any, torch: Any) -> None:
    with pytest.raises(RuntimeError) as theirs:
        getattr(torch.nn.functional, name)(torch.zeros(shape), *options, **words)
    with pytest.raises(RuntimeError, match=re.escape(str(theirs.value))):
        getattr(F, name)(dovetail.zeros(shape), *options, **words)


def test_inference_takes_the_values_alone() -> None:
    """Without a graph the kernel without positions runs: half the time."""
    seen: list[str] = []
    remove = dovetail.dispatch.state.add_observer(lambda name, *_: seen.append(name))
    images = dovetail.ones(1, 1, 4, 4)
    try:
        F.max_pool2d(images, 2)
        F.max_pool2d(images.requires_grad_(), 2)
    finally:
        remove()
    assert seen[-2:] == ["max_pool2d", "max_pool2d_with_indices"]
