"""Namespaces that lack something: float64, a function, assignment; positions that repeat."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.backend import ArrayAPIBackend, BackendSpec, dtypes, ops
from dovetail.backend.array_api_positions import put_last, put_sum
from dovetail.backend.array_api_space import Space
from dovetail.errors import HostFallbackError, HostFallbackWarning

strict = pytest.importorskip("array_api_strict", reason="array-api-strict is in the extra `test`")


class Strict(ArrayAPIBackend):
    """The whole standard."""

    namespace = strict


class Single(Strict):
    """A namespace without float64."""

    def find_dtypes(self) -> Mapping[dtypes.dtype, Any]:
        return {d: own for d, own in super().find_dtypes().items() if d is not dtypes.float64}


def test_without_float64_sums_still_keep_their_bound(register: Any) -> None:
    name = register("single", Single)
    host = np.full((20000, 3), 0.1, np.float32)
    exact = host.astype(np.float64).sum(0)
    assert np.abs(host.sum(0) - exact).max() > 40 * 2.0**-24 * exact[0], "one after another is not good enough"
    with dovetail.use_backend(name):
        x = dovetail.tensor(host)
        found = x.sum(0).numpy()
        assert (np.abs(found - exact) <= 47 * 2.0**-24 * exact).all()
        assert np.abs(x.mean(0).numpy() - np.float64(np.float32(0.1))).max() <= 48 * 2.0**-24 * 0.1
        assert x[:5].log().dtype is dtypes.float32
        assert dovetail.tensor([2.7, -300.0, float("nan")]).to(dtypes.int8).tolist() == [2, -128, 0]
        with pytest.raises(dovetail.errors.UnsupportedError, match="float64"):
            dovetail.ones(2, dtype=dtypes.float64)


def test_a_missing_function_leaves_its_op_to_the_decomposition_or_the_host(register: Any) -> None:
    class Poor(Strict):
        def load_namespace(self) -> Any:
            lacking = ("cumulative_sum", "sinh", "tan")
            kept = {n: getattr(strict, n) for n in dir(strict) if n not in lacking and not n.startswith("__")}
            return types.SimpleNamespace(**kept)

        def is_array(self, value: object) -> bool:
            return isinstance(value, type(strict.zeros(1)))

    name = register("poor", Poor)
    table = dovetail.device(name).runtime.kernels
    assert "sinh" not in table
    assert "tan" not in table
    x = dovetail.tensor([0.5, 1.0], device=name)
    np.testing.assert_allclose(x.sinh().numpy(), np.sinh([0.5, 1.0]), rtol=1e-6)
    dovetail.set_host_fallback("error")
    with pytest.raises(HostFallbackError, match="tan"):
        x.tan()
    dovetail.set_host_fallback("warn")
    with pytest.warns(HostFallbackWarning, match="cumsum"):
        assert x.cumsum(0).tolist() == [0.5, 1.5]
    dovetail.set_host_fallback("error")


def test_arrays_that_cannot_be_written_are_put_together_anew(register: Any, agreement: Any) -> None:
    class Frozen(Strict):
        def __init__(self, spec: BackendSpec) -> None:
            super().__init__(spec)
            self._space.__dict__["assignable"] = False

    name = register("frozen", Frozen)
    agreement.check_all(ops.basic_index_put.record, "float32", name)
    x = dovetail.zeros(3, 4, device=name)
    x[1:, ::2] = dovetail.tensor([[1.0, 2.0], [3.0, 4.0]], device=name)
    x[..., 3] += 9
    assert x.tolist() == [[0, 0, 0, 9], [1, 0, 2, 9], [3, 0, 4, 9]]


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 100])
def test_positions_that_repeat_are_added_up(count: int) -> None:
    rng = np.random.default_rng(count)
    places = rng.integers(0, 6, count)
    rows = rng.integers(-99, 99, (count, 2))
    base = rng.integers(-9, 9, (7, 2))
    expected, last = base.copy(), base.copy()
    np.add.at(expected, places, rows)
    last[places] = rows
    space = Space(strict, {})
    x, at, values = (strict.asarray(a) for a in (base, places, rows))
    np.testing.assert_array_equal(np.asarray(put_sum(space, x, at, values)), expected)
    np.testing.assert_array_equal(np.asarray(put_last(space, x, at, values)), last)


def test_infinities_stay_in_their_segment() -> None:
    space = Space(strict, {})
    rows = strict.asarray([np.inf, 1.0, np.nan, 2.0, -np.inf])
    at = strict.asarray([0, 1, 2, 1, 3])
    found = np.asarray(put_sum(space, strict.zeros(5), at, rows))
    np.testing.assert_array_equal(found, [np.inf, 3.0, np.nan, -np.inf, 0.0])
