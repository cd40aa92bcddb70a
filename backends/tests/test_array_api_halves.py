"""16-bit floats on namespaces with and without a dtype for them; random numbers in all floats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import dovetail
from dovetail.backend import ArrayAPIBackend, dtypes
from dovetail.backend.array_api_halves import Carried, rounded

strict = pytest.importorskip("array_api_strict", reason="array-api-strict is in the extra `test`")

Host = np.ndarray[Any, Any]


class Strict(ArrayAPIBackend):
    """No 16-bit floats at all."""

    namespace = strict


class OnNumPy(ArrayAPIBackend):
    """NumPy through the standard: a float16, and no bfloat16."""

    namespace = np


@pytest.fixture(scope="module")
def backend(register: Any) -> Iterator[str]:
    name = register("standard_halves", Strict)
    dovetail.set_host_fallback("error")
    yield name
    dovetail.set_host_fallback("warn")


@pytest.fixture(scope="module")
def on_numpy(register: Any) -> str:
    return str(register("standard_on_numpy", OnNumPy))


FORMATS = {dtypes.float16: np.dtype(np.float16), dtypes.bfloat16: np.dtype(ml_dtypes.bfloat16)}


@pytest.mark.parametrize("dtype", FORMATS, ids=lambda d: d.name)
@pytest.mark.parametrize("wide", [np.float32, np.float64])
def test_rounding_is_to_nearest_with_ties_to_even(dtype: Any, wide: Any) -> None:
    """Every number of the format, the midpoints between neighbours, and what lies next to them."""
    host = FORMATS[dtype]
    exact = np.arange(2**16, dtype=np.uint16).view(host).astype(wide)
    exact = np.sort(exact[np.isfinite(exact)])
    middle = exact[:-1] / 2 + exact[1:] / 2
    beyond = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, np.finfo(np.float32).max, -1e38, 65519.99, 65520.0], wide)
    x = np.concatenate([exact, middle, np.nextafter(middle, wide(np.inf)), np.nextafter(middle, wide(-np.inf)), beyond])
    with np.errstate(all="ignore"):
        found = np.asarray(rounded(np, x, dtype))
        single = x.astype(np.float32).astype(host).astype(wide)
    if wide is np.float32:
        np.testing.assert_array_equal(found, single)
        np.testing.assert_array_equal(np.signbit(found[found == 0]), np.signbit(single[found == 0]))
        return
    assert (found[: exact.size] == exact).all()
    above, below = (
        found[exact.size + middle.size :][: middle.size],
        found[exact.size + 2 * middle.size :][: middle.size],
    )
    np.testing.assert_array_equal(above, exact[1:])
    np.testing.assert_array_equal(below, exact[:-1])
    at = found[exact.size : exact.size + middle.size]
    assert ((at == exact[1:]) | (at == exact[:-1])).all()
    with np.errstate(over="ignore"):
        assert not (at.astype(host).view(np.uint16) & 1).any(), "ties go to even"
    assert (found[-9:-7] == [np.inf, -np.inf]).all()


@pytest.mark.parametrize("name", ["standard_halves", "standard_on_numpy"])
@pytest.mark.parametrize("dtype", FORMATS, ids=lambda d: d.name)
def test_sixteen_bits_compute_in_float32_and_round_once(backend: str, on_numpy: str, name: str, dtype: Any) -> None:
    host = np.random.default_rng(2).standard_normal((4, 300)).astype(FORMATS[dtype])
    wide = host.astype(np.float32)
    with dovetail.use_backend(name):
        x = dovetail.tensor(host)
        assert x.dtype is dtype
        assert (x.sum(1).numpy() == wide.sum(1, dtype=np.float64).astype(np.float32).astype(host.dtype)).all()
        assert dovetail.ones(1000, dtype=dtype).sum().item() == 1000
        product = (x @ x.T).numpy()
        assert product.dtype == host.dtype
        np.testing.assert_allclose(product.astype(np.float32), wide @ wide.T, rtol=2.0**-7, atol=1e-2)
        double = dovetail.tensor(np.array([1 + 2.0**-8 + 2.0**-40, 1 + 2.0**-11 + 2.0**-40]))
        twice = {dtypes.bfloat16: [1 + 2.0**-7, 1.0], dtypes.float16: [1 + 2.0**-8, 1 + 2.0**-10]}[dtype]
        assert double.to(dtype).tolist() == twice, "float64 is rounded once, not by way of float32"
        view = x[1:, ::2]
        view[0, 0] = 5.0
        assert x[1, 0].item() == 5.0


def test_a_dtype_that_the_namespace_lacks_is_carried(backend: str, on_numpy: str) -> None:
    for name, carried in (("standard_halves", (True, True)), ("standard_on_numpy", (False, True))):
        for dtype, expected in zip((dtypes.float16, dtypes.bfloat16), carried, strict=True):
            x = dovetail.ones(2, dtype=dtype, device=name)
            assert isinstance(x._data, Carried) is expected
            assert x._spec.device.runtime.supports_dtype(dtype, x.device)


def test_random_numbers_are_those_of_numpy(backend: str, on_numpy: str) -> None:
    def draws() -> list[Host]:
        dovetail.manual_seed(5)
        found = [f(40, dtype=d) for f in (dovetail.rand, dovetail.randn) for d in (*FORMATS, dtypes.float32)]
        found += [
            dovetail.randint(-3, 9, (20,)),
            dovetail.randperm(30),
            dovetail.bernoulli(dovetail.full((9,), 0.3)),
        ]
        found += [dovetail.nn.init.normal_(dovetail.empty(30, dtype=d), 0.1, 3.7) for d in FORMATS]
        return [t.numpy() for t in found]

    with dovetail.use_backend("numpy"):
        expected = draws()
    for name in ("standard_halves", "standard_on_numpy"):
        with dovetail.use_backend(name):
            for mine, yours in zip(draws(), expected, strict=True):
                assert (mine.dtype, mine.tobytes()) == (yours.dtype, yours.tobytes())
