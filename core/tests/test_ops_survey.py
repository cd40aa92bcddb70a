"""Functions that tutorials and papers call, which are fronts or whose corners the records' samples do not reach."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dovetail


@pytest.fixture(name="torch")
def torch_module() -> Any:
    return pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")


pytestmark = pytest.mark.oracle
TABLE = np.random.default_rng(0).standard_normal((3, 5))
WORDS = ("linear", "lower", "higher", "midpoint", "nearest")


@pytest.mark.parametrize("interpolation", WORDS)
@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
@pytest.mark.parametrize("q", [0.3, [0.0, 0.4, 1.0]])
def test_quantiles(name: str, q: Any, interpolation: str, torch: Any) -> None:
    holes = TABLE.copy()
    holes[1, 2] = np.nan
    for dim in (None, 0, -1):
        for keepdim in (False, True):
            for values in (TABLE, holes):
                results = []
                for f in (dovetail, torch):
                    fractions = f.tensor(q, dtype=f.float64) if isinstance(q, list) else q
                    x = f.tensor(values, requires_grad=True)
                    out = getattr(x, name)(fractions, dim, keepdim, interpolation=interpolation)
                    out.nan_to_num().sum().backward()
                    results.append((out.detach().numpy(), x.grad.numpy()))
                assert results[0][0].shape == results[1][0].shape
                for a, b in zip(*results, strict=True):
                    np.testing.assert_allclose(a, b, rtol=1e-12)


def test_quantile_mistakes() -> None:
    x = dovetail.ones(3)
    with pytest.raises(RuntimeError, match=r"q must be in the range \[0, 1\] but got 2"):
        dovetail.quantile(x, 2)
    with pytest.raises(RuntimeError, match="must be same dtype as the input"):
        dovetail.quantile(x, dovetail.tensor(0.5, dtype=dovetail.float64))
    with pytest.raises(RuntimeError, match="interpolation must be one of"):
        dovetail.quantile(x, 0.5, interpolation="cubic")
    with pytest.raises(RuntimeError, match="must be non-empty"):
        dovetail.quantile(dovetail.ones(0), 0.5)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_mode(dim: int, torch: Any) -> None:
    values = np.random.default_rng(3).integers(0, 4, (4, 9))
    for keepdim in (False, True):
        ours, theirs = (f.tensor(values).mode(dim, keepdim) for f in (dovetail, torch))
        assert ours.values.tolist() == theirs.values.tolist()
        assert ours.indices.tolist() == theirs.indices.tolist()


@pytest.mark.parametrize("name", ["hann", "hamming", "blackman", "bartlett", "kaiser"])
def test_windows(name: str, torch: Any) -> None:
    for length in (0, 1, 2, 5, 8):
        for periodic in (True, False):
            for dtype in (None, "float64"):
                ours, theirs = (
                    getattr(f, f"{name}_window")(length, periodic, dtype=dtype and getattr(f, dtype))
                    for f in (dovetail, torch)
                )
                assert str(ours.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
                np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-12 if dtype else 1e-6)
    with pytest.raises(RuntimeError, match="requires non-negative window_length"):
        dovetail.hann_window(-1)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_frexp(dtype: str, torch: Any) -> None:
    x = np.array([0.0, -0.0, 1.0, -3.0, 0.3, 5e-324, 1e-310, 1e308, np.inf, -np.inf, np.nan, 6e-8, 65504.0])
    with np.errstate(over="ignore"):
        x = x.astype(dtype)
    (m, e), (m2, e2) = (f.frexp(f.tensor(x)) for f in (dovetail, torch))
    np.testing.assert_array_equal(m.numpy(), m2.numpy())
    assert e.tolist() == e2.tolist()
    assert e.dtype is dovetail.int32


def test_bessel_functions_over_their_range(torch: Any) -> None:
    x = np.concatenate([np.linspace(-40, 40, 401), [0.0, 17.999999, 18.0, 100.0, 700.0]])
    ours, theirs = (f.tensor(x, requires_grad=True) for f in (dovetail, torch))
    a, b = dovetail.i0(ours), torch.special.i0(theirs)
    a.backward(dovetail.ones_like(a))
    b.backward(torch.ones_like(b))
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-14)
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-13)
    assert float(dovetail.i0(dovetail.tensor(91.0))) < float("inf")


def test_windows_of_a_dimension(torch: Any) -> None:
    x = np.arange(12.0).reshape(3, 4)
    for args in ((0, 2, 1), (1, 3, 1), (-1, 2, 2), (0, 3, 1)):
        assert dovetail.tensor(x).unfold(*args).tolist() == torch.tensor(x).unfold(*args).tolist()


def test_written_forms(torch: Any) -> None:
    def run(f: Any) -> list[Any]:
        def x() -> Any:
            return f.tensor([1.0, -2.0, 3.0])

        return [
            x().gt_(0).tolist(), x().eq_(3).tolist(), x().square_().tolist(), x().clamp_min_(0).tolist(),
            x().logical_not_().tolist(), x().less_equal_(1).tolist(), x().sinc_().tolist(),
            f.tensor([1, 2]).bitwise_left_shift_(2).tolist(), (f.tensor([5, -6]) >> 1).tolist(),
            (f.tensor([5, -6]) << 1).tolist(), x().renorm_ is not None,
        ]  # fmt: skip

    for a, b in zip(run(dovetail), run(torch), strict=True):
        assert a == pytest.approx(b, abs=1e-7)


def test_cov(torch: Any) -> None:
    counts, weights = np.array([1, 2, 1, 3, 2]), np.random.default_rng(2).random(5)
    for values in (TABLE, TABLE[0]):
        for options in (
            {}, {"correction": 0}, {"fweights": counts}, {"aweights": weights},
            {"correction": 0, "aweights": weights}, {"fweights": counts, "aweights": weights},
        ):  # fmt: skip
            results = []
            for f in (dovetail, torch):
                given = {k: f.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
                x = f.tensor(values, requires_grad=True)
                out = x.cov(**given)
                (out * out).sum().backward()
                results.append((out.detach().numpy(), x.grad.numpy()))
            for a, b in zip(*results, strict=True):
                assert a.shape == b.shape
                np.testing.assert_allclose(a, b, rtol=1e-9)


def test_cov_warns_without_freedom(torch: Any) -> None:
    with pytest.warns(UserWarning, match="degrees of freedom is <= 0") as found:
        dovetail.cov(dovetail.ones(2, 1))
    assert found[0].filename == __file__


def test_trapezoids_at_places_of_several_dimensions(torch: Any) -> None:
    y, x = TABLE, np.sort(np.random.default_rng(1).random((3, 5)), axis=1)
    for name in ("trapezoid", "trapz", "cumulative_trapezoid"):
        ours, theirs = (getattr(f, name)(f.tensor(y), f.tensor(x)) for f in (dovetail, torch))
        np.testing.assert_allclose(ours.numpy(), theirs.numpy())
