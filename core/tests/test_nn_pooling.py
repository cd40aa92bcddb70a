"""Pooling and unpooling functions: ties, NaN, second derivatives, random windows; and the way back."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn

F = nn.functional
WINDOWS = [(2, {}), (3, {"stride": 1, "padding": 1}), ((1, 2, 3), {"stride": (1, 2, 1), "ceil_mode": True})]


def distinct(*shape: int) -> np.ndarray[Any, Any]:
    size = math.prod(shape)
    return np.random.default_rng(size).permutation(np.linspace(-2, 2, size)).reshape(shape)


def ties_and_nans(*shape: int) -> np.ndarray[Any, Any]:
    host = np.random.default_rng(5).integers(0, 3, shape).astype(np.float64)
    return np.where(host == 2, np.nan, host)


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "window"), list(itertools.product(["max_pool3d", "avg_pool3d"], WINDOWS)))
def test_volumes(name: str, window: Any, ways: str, oracle: Any) -> None:
    kernel, words = window
    oracle.compare(lambda f, x: getattr(f.nn.functional, name)(x, kernel, **words), distinct(1, 2, 4, 5, 4))


@pytest.mark.oracle
@pytest.mark.parametrize("host", [ties_and_nans(1, 2, 4, 4, 5), np.ones((1, 2, 4, 4, 5))], ids=["nans", "ties"])
@pytest.mark.parametrize(("kernel", "words"), WINDOWS)
def test_positions_in_volumes(host: Any, kernel: Any, words: Any, ways: str, oracle: Any) -> None:
    def function(frame: Any, x: Any) -> Any:
        return frame.nn.functional.max_pool3d(x, kernel, return_indices=True, **words)

    oracle.compare(function, host, second=False)


@pytest.mark.oracle
@pytest.mark.parametrize(("dims", "kind"), list(itertools.product((1, 2, 3), ("avg", "max"))))
def test_adaptive_windows_that_overlap(dims: int, kind: str, ways: str, oracle: Any) -> None:
    size = (3, 4, 2)[:dims]
    oracle.compare(
        lambda f, x: getattr(f.nn.functional, f"adaptive_{kind}_pool{dims}d")(x, size),
        distinct(1, 2, *(5, 7, 3)[:dims]),
    )


@pytest.mark.oracle
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_adaptive_maxima_of_ties_and_nans(dims: int, oracle: Any) -> None:
    host = ties_and_nans(2, 3, *(5, 7, 3)[:dims])
    oracle.compare(lambda f, x: getattr(f.nn.functional, f"adaptive_max_pool{dims}d")(x, 4, True), host, second=False)


@pytest.mark.oracle
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_unpooling_puts_maxima_back(dims: int, ways: str, oracle: Any) -> None:
    def function(frame: Any, x: Any) -> Any:
        f = frame.nn.functional
        values, indices = getattr(f, f"max_pool{dims}d")(x, 2, return_indices=True)
        return getattr(f, f"max_unpool{dims}d")(values * values, indices, 2, output_size=x.shape)

    oracle.compare(function, distinct(2, 2, *(5, 7, 4)[:dims]))


@pytest.mark.oracle
@pytest.mark.parametrize("norm", [1, 2, 3.5, math.inf, -math.inf])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_norms_of_windows(norm: float, dims: int, oracle: Any) -> None:
    host = np.abs(distinct(2, *(5, 4, 4)[:dims])) + 0.1
    oracle.compare(lambda f, x: getattr(f.nn.functional, f"lp_pool{dims}d")(x, norm, 2, 1), host)


# ------------------------------------------------------------------------------------------ random windows


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("dims", [2, 3])
def test_fractional_windows_follow_the_samples(dims: int, dtype: str, oracle: Any) -> None:
    rng = np.random.default_rng(dims)
    for _ in range(5):
        samples = rng.random((2, 2, dims)).astype(dtype)
        sizes = tuple(int(n) for n in rng.integers(1, 5, dims))

        def function(frame: Any, x: Any, sizes: Any = sizes, samples: Any = samples) -> Any:
            pool = getattr(frame.nn.functional, f"fractional_max_pool{dims}d")
            return pool(x, 2, sizes, return_indices=True, _random_samples=frame.tensor(samples))

        oracle.compare(function, distinct(2, 2, *(7, 6, 5)[:dims]).astype(dtype), tolerance=1e-6)


def test_fractional_windows_are_drawn_from_the_generator() -> None:
    x = dovetail.arange(400.0).reshape(1, 1, 20, 20)
    pool = nn.FractionalMaxPool2d(2, output_ratio=0.6)

    def drawn(seed: int) -> list[float]:
        dovetail.manual_seed(seed)
        return pool(x).flatten().tolist()  # type: ignore[no-any-return]  # floats

    assert drawn(0) == drawn(0)
    assert len({tuple(drawn(seed)) for seed in range(8)}) > 1
    assert pool(x).shape == (1, 1, 12, 12)


def test_samples_are_a_buffer_of_the_layer() -> None:
    pool = nn.FractionalMaxPool2d(2, 3, _random_samples=dovetail.full((1, 1, 2), 0.25))
    assert list(pool.state_dict()) == ["_random_samples"]
    x = dovetail.arange(25.0).reshape(1, 1, 5, 5)
    assert pool(x).tolist() == pool(x).tolist()


# ------------------------------------------------------------------------------------------ 16 bits, names


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(("name", "argument"), [("avg_pool3d", 4), ("adaptive_avg_pool3d", 3)])
def test_means_of_sixteen_bits_are_rounded_once(dtype: str, name: str, argument: int) -> None:
    kind = dovetail.dtypes.by_name(dtype)
    x = dovetail.tensor(distinct(2, 8, 8, 8)).to(kind)
    got, exact = getattr(F, name)(x, argument), getattr(F, name)(x.double(), argument).numpy()
    unit = 2.0**-11 if dtype == "float16" else 2.0**-8
    assert got.dtype is kind
    assert np.max(np.abs(got.double().numpy() - exact) / np.abs(exact)) <= unit * 1.01


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_names_with_indices(dims: int) -> None:
    x = dovetail.tensor(distinct(1, *(4, 6, 4)[:dims]))
    for name, argument in (("max_pool", 2), ("adaptive_max_pool", 2)):
        values, indices = getattr(F, f"{name}{dims}d_with_indices")(x, argument)
        assert values.tolist() == getattr(F, f"{name}{dims}d")(x, argument).tolist()
        assert indices.dtype is dovetail.int64
        assert x.flatten(1).gather(1, indices.flatten(1)).tolist() == values.flatten(1).tolist()
