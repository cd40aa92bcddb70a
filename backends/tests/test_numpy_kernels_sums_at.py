"""Large sums at positions are what adding term by term gives."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import dovetail
from dovetail_numpy import sums_at as kernel
from dovetail_numpy.sums_at import is_large, sums_at

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rest", [(), (3,), (2, 5)])
def test_rows_are_added_where_they_belong(dtype: Any, rest: tuple[int, ...]) -> None:
    index = RNG.integers(0, 50, 700)
    source = RNG.normal(size=(700, *rest)).astype(dtype)
    expected = np.zeros((60, *rest), dtype)
    np.add.at(expected, index, source)
    found = sums_at(index, source, 60)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype is np.float32 else 1e-12, atol=1e-6)
    assert not found[50:].any()


def test_what_is_not_finite_stays_where_it_is() -> None:
    source = np.ones((5, 2))
    source[1, 0], source[3, 1] = np.nan, np.inf
    found = sums_at(np.array([0, 1, 1, 2, 2]), source, 4)
    np.testing.assert_array_equal(found, [[1, 1], [np.nan, 2], [2, np.inf], [0, 0]])


def test_small_sums_and_integers_do_without() -> None:
    assert is_large(np.ones(5000, np.float32))
    assert not is_large(np.ones(50, np.float32))
    assert not is_large(np.ones(5000, np.int64))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("name", ["index_add", "scatter_add"])
def test_both_ways_agree(dtype: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = dovetail.dtypes.by_name(dtype)
    x = dovetail.tensor(RNG.normal(size=(40, 9, 30))).to(kind)
    if name == "index_add":
        index = dovetail.tensor(RNG.integers(0, 9, 25))
        source = dovetail.tensor(RNG.normal(size=(40, 25, 30))).to(kind)
    else:
        index = dovetail.tensor(RNG.integers(0, 9, (38, 25, 30)))
        source = dovetail.tensor(RNG.normal(size=(38, 25, 30))).to(kind)
    large = getattr(x, name)(1, index, source)
    monkeypatch.setattr(kernel, "_FEWEST", 10**9)
    small = getattr(x, name)(1, index, source)
    unit = float(ml_dtypes.finfo(kind.host).eps)
    np.testing.assert_allclose(large.double().numpy(), small.double().numpy(), rtol=2 * unit, atol=20 * unit)
