"""Convolutions of volumes and transposed ones: second derivatives, both ways to compute them, sizes and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn

pytestmark = pytest.mark.oracle
RNG = np.random.default_rng(3)

CONV3D = [
    ((2, 2, 3, 4, 3), (3, 2, 2, 2, 3), {}),
    ((1, 4, 4, 3, 5), (4, 2, 2, 3, 2), {"stride": (2, 1, 3), "padding": (1, 2, 0), "groups": 2}),
    ((1, 2, 5, 4, 3), (2, 2, 2, 2, 2), {"dilation": (2, 1, 1), "padding": 1}),
    ((2, 3, 3, 3), (3, 2, 3, 1, 2), {"padding": "same"}),
    ((1, 3, 2, 2, 2), (3, 1, 2, 2, 2), {"groups": 3, "padding": 1, "stride": 2}),
    ((0, 2, 3, 3, 3), (2, 2, 2, 2, 2), {}),
]
TRANSPOSED = [
    (1, (2, 2, 4), (2, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    (1, (4, 3), (4, 2, 2), {"groups": 2, "dilation": 2, "output_padding": 1}),
    (2, (1, 2, 3, 2), (2, 2, 2, 3), {"stride": (1, 3), "padding": (0, 2), "output_padding": (0, 2)}),
    (3, (1, 2, 2, 3, 2), (2, 2, 2, 1, 2), {"stride": (2, 1, 1), "output_padding": (1, 0, 0)}),
    (3, (4, 2, 2, 2), (4, 1, 2, 2, 2), {"groups": 2, "padding": 1, "stride": 2}),
]


def hosts(*shapes: tuple[int, ...]) -> list[np.ndarray[Any, Any]]:
    return [RNG.normal(size=s) for s in shapes]


@pytest.mark.parametrize(("volume", "kernel", "words"), CONV3D)
def test_conv3d(volume: Any, kernel: Any, words: Any, ways: str, oracle: Any) -> None:
    operands = hosts(volume, kernel, kernel[:1])
    oracle.compare(lambda frame, *t: frame.nn.functional.conv3d(*t, **words), *operands)


@pytest.mark.parametrize(("dims", "image", "kernel", "words"), TRANSPOSED)
def test_conv_transpose(dims: int, image: Any, kernel: Any, words: Any, ways: str, oracle: Any) -> None:
    filters = kernel[1] * words.get("groups", 1)
    operands = hosts(image, kernel, (filters,))
    oracle.compare(lambda frame, *t: getattr(frame.nn.functional, f"conv_transpose{dims}d")(*t, **words), *operands)


def test_conv_tbc(oracle: Any) -> None:
    oracle.compare(lambda frame, *t: frame.nn.functional.conv_tbc(*t, pad=1), *hosts((5, 2, 3), (2, 3, 4), (4,)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sixteen_bits_are_rounded_once(dtype: str, ways: str) -> None:
    kind = dovetail.dtypes.by_name(dtype)
    x, w = (dovetail.tensor(a).to(kind) for a in hosts((1, 4, 4, 4, 4), (2, 4, 3, 3, 3)))
    got = nn.functional.conv3d(x, w)
    exact = nn.functional.conv3d(x.double(), w.double()).numpy()
    unit = 2.0**-11 if dtype == "float16" else 2.0**-8
    assert got.dtype is kind
    assert np.max(np.abs(got.double().numpy() - exact) / np.abs(exact)) <= unit * 1.01


@pytest.mark.parametrize("wanted", [(7, 9), (8, 10), (2, 4, 8, 9), (4, 7, 9), (6, 9), (9, 9), (7,), None])
def test_output_size(wanted: Any, oracle: Any) -> None:
    def program(frame: Any) -> Any:
        layer = frame.nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1)
        with frame.no_grad():
            for p in layer.parameters():
                p.fill_(0.25)
        return layer(frame.ones(2, 3, 4, 5), output_size=wanted)

    oracle.agree(program)


def test_an_output_size_leads_back_to_the_input() -> None:
    x = dovetail.ones(1, 2, 12)
    down, up = nn.Conv1d(2, 2, 3, stride=2, padding=1), nn.ConvTranspose1d(2, 2, 3, stride=2, padding=1)
    assert up(down(x)).shape == (1, 2, 11)
    assert up(down(x), output_size=x.shape).shape == x.shape
