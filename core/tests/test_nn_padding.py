"""Padding in every mode, windows as columns and back, and shuffles, with gradients of both orders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn

F = nn.functional
MODES = ("constant", "reflect", "replicate", "circular")


def pads(mode: str) -> list[tuple[tuple[int, ...], list[int]]]:
    """Random shapes and amounts that are valid in both frameworks; negative ones cut."""
    rng = np.random.default_rng(MODES.index(mode))
    found: list[tuple[tuple[int, ...], list[int]]] = []
    while len(found) < 30:
        dims = int(rng.integers(1, 4))
        extra = int(rng.integers(1, 3)) if mode != "constant" else int(rng.integers(0, 3))
        shape = tuple(int(n) for n in rng.integers(2, 5, dims + extra))
        amounts = [int(n) for n in rng.integers(-1 if mode != "circular" else 0, 4, 2 * dims)]
        sizes = [n for n in shape[::-1][:dims] for _ in range(2)]
        most = {"reflect": -1, "circular": 0}.get(mode, 9)
        left = [n + a + b for n, a, b in zip(sizes[::2], amounts[::2], amounts[1::2], strict=True)]
        # of an empty result PyTorch's gradient is whatever lay in memory
        if min(left) > 0 and all(a <= n + most for a, n in zip(amounts, sizes, strict=True)):
            found.append((shape, amounts))
    return found


@pytest.mark.oracle
@pytest.mark.parametrize("mode", MODES)
def test_every_mode(mode: str, ways: str, oracle: Any) -> None:
    rng = np.random.default_rng(9)
    for shape, amounts in pads(mode):
        host = rng.normal(size=shape)
        oracle.compare(lambda f, x, a=amounts: f.nn.functional.pad(x * x, a, mode), host)


@pytest.mark.oracle
@pytest.mark.parametrize("mode", MODES)
def test_integers_and_bools(mode: str, oracle: Any) -> None:
    oracle.agree(lambda f: f.nn.functional.pad(f.arange(12).reshape(1, 3, 4), (2, 1), mode))
    assert F.pad(dovetail.ones(1, 2, 3, dtype=dovetail.bool), (1, 0), mode).dtype is dovetail.bool


@pytest.mark.oracle
def test_the_value_of_the_padding(oracle: Any) -> None:
    oracle.compare(lambda f, x: f.nn.functional.pad(x, (1, 2, -1, 1), value=-3.5), np.arange(6.0).reshape(2, 3))


def test_a_cut_does_not_come_round_again() -> None:
    x = dovetail.arange(4.0).reshape(1, 4)
    assert F.pad(x, (-1, 2), "circular").tolist() == [[1.0, 2.0, 3.0, 1.0, 2.0]]
    assert F.pad(x, (-2, 3), "circular").tolist() == [[2.0, 3.0, 2.0, 3.0, 2.0]]


# ------------------------------------------------------------------------------------------ columns

LAYOUTS: list[tuple[tuple[int, int], dict[str, Any]]] = [
    ((4, 5), {"kernel_size": 2}),
    ((5, 4), {"kernel_size": (3, 2), "padding": (1, 0), "stride": (2, 1)}),
    ((6, 5), {"kernel_size": 2, "dilation": (3, 2), "padding": 1}),
    ((3, 3), {"kernel_size": 3, "stride": 2, "padding": 2}),
    ((4, 4), {"kernel_size": 1, "stride": 3}),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("size", "words"), LAYOUTS)
def test_unfold_and_fold(size: Any, words: Any, ways: str, oracle: Any) -> None:
    rng = np.random.default_rng(1)
    images = rng.normal(size=(2, 3, *size))
    oracle.compare(lambda f, x: f.nn.functional.unfold(x * x, **words), images)
    columns = F.unfold(dovetail.tensor(images), **words)
    other = rng.normal(size=tuple(columns.shape))
    oracle.compare(lambda f, x: f.nn.functional.fold(x * x, size, **words), other)
    # each is the adjoint of the other
    left = (columns * dovetail.tensor(other)).sum().item()
    right = (dovetail.tensor(images) * F.fold(dovetail.tensor(other), size, **words)).sum().item()
    assert left == pytest.approx(right, rel=1e-12)


@pytest.mark.parametrize(("size", "words"), LAYOUTS[:1])
def test_a_convolution_is_a_product_of_columns(size: Any, words: Any) -> None:
    rng = np.random.default_rng(2)
    x, w = dovetail.tensor(rng.normal(size=(2, 3, *size))), dovetail.tensor(rng.normal(size=(4, 3, 2, 2)))
    by_columns = (w.reshape(4, 12) @ F.unfold(x, 2)).reshape(2, 4, 3, 4)
    np.testing.assert_allclose(by_columns.numpy(), F.conv2d(x, w).numpy(), rtol=1e-12)


# ------------------------------------------------------------------------------------------ shuffles


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("name", "shape", "factor"),
    [
        ("pixel_shuffle", (2, 12, 2, 3), 2),
        ("pixel_shuffle", (9, 1, 2), 3),
        ("pixel_shuffle", (2, 1, 4, 2, 2), 2),
        ("pixel_unshuffle", (2, 3, 4, 6), 2),
        ("pixel_unshuffle", (1, 6, 3), 3),
        ("channel_shuffle", (2, 6, 3), 3),
        ("channel_shuffle", (2, 6, 2, 2), 2),
    ],
)
def test_shuffles(name: str, shape: Any, factor: int, oracle: Any) -> None:
    host = np.random.default_rng(4).normal(size=shape)
    oracle.compare(lambda f, x: getattr(f.nn.functional, name)(x, factor), host)


@pytest.mark.oracle
def test_the_native_name(oracle: Any) -> None:
    oracle.agree(lambda f: f.nn.functional.native_channel_shuffle(f.arange(16.0).reshape(1, 4, 2, 2), 2))


def test_unshuffling_undoes_shuffling() -> None:
    x = dovetail.arange(48).reshape(2, 8, 3, 1)
    assert nn.PixelUnshuffle(2)(nn.PixelShuffle(2)(x)).tolist() == x.tolist()
    assert nn.ChannelShuffle(4)(nn.ChannelShuffle(2)(x)).tolist() == x.tolist()
