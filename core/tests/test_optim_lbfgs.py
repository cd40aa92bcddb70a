"""LBFGS: PyTorch's trajectory, the line search, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.errors import CaptureError
from dovetail.optim.line_search import Point, cubic_minimum, strong_wolfe

OPTIONS: list[dict[str, Any]] = [
    {"lr": 0.1},
    {"lr": 0.05, "max_iter": 5, "history_size": 3},
    {"lr": 0.1, "tolerance_grad": 0.5, "max_eval": 7},
    {"lr": 0.1, "tolerance_change": 1e-2},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "lr": 0.3, "max_iter": 4, "history_size": 2},
    {"line_search_fn": "strong_wolfe", "max_eval": 5, "max_iter": 10},
]


def rosenbrock(xp: Any, options: dict[str, Any], dtype: str, steps: int = 20) -> list[Any]:
    """Rosenbrock's valley in two parameters, from its usual start; with how often the loss was computed."""
    kind = getattr(xp, dtype)
    x = xp.tensor([-1.2, 0.5], dtype=kind).requires_grad_()
    y = xp.tensor([[1.0], [-0.5]], dtype=kind).requires_grad_()
    unused = xp.zeros(2, requires_grad=True, dtype=kind)
    optimizer = xp.optim.LBFGS([x, unused, y], **options)
    found: list[Any] = []

    def closure() -> Any:
        optimizer.zero_grad()
        loss = ((1 - x) ** 2).sum() + 10 * ((y[:, 0] - x**2) ** 2).sum()
        loss.backward()
        return loss

    for _ in range(steps):
        loss = optimizer.step(closure).item()
        state = optimizer.state[x]
        values = [loss, *x.tolist(), *y[:, 0].tolist()]
        found.append((values, state["func_evals"], state["n_iter"]))
    return found


@pytest.mark.oracle
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_trajectory_is_pytorchs(dtype: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    theirs = rosenbrock(torch, options, dtype)
    with dovetail.use_backend("numpy"):
        ours = rosenbrock(dovetail, options, dtype)
    assert len({tuple(values) for values, *_ in ours}) > 2
    for i, (mine, yours) in enumerate(zip(ours, theirs, strict=True)):
        if dtype == "float64":
            # along a curved valley every step doubles what roundings have done
            np.testing.assert_allclose(
                mine[0], yours[0], **({"rtol": 1e-10} if i < 5 else {"rtol": 1e-4, "atol": 1e-5})
            )
            assert mine[1:] == yours[1:]
        elif i < 4:
            np.testing.assert_allclose(mine[0], yours[0], rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("options", [OPTIONS[0], OPTIONS[4]], ids=str)
def test_jax_gives_the_same_trajectory(options: dict[str, Any]) -> None:
    pytest.importorskip("jax", reason="the extra `jax` is not installed")
    with dovetail.use_backend("numpy"):
        expected = rosenbrock(dovetail, options, "float64", 2)
    with dovetail.use_backend("jax"):
        found = rosenbrock(dovetail, options, "float64", 2)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a[0], b[0], rtol=1e-7)
        assert a[1:] == b[1:]


def test_the_minimum_is_found() -> None:
    (values, *_) = rosenbrock(dovetail, {"line_search_fn": "strong_wolfe", "max_iter": 50}, "float64", 3)[-1]
    np.testing.assert_allclose(values[1:], 1.0, atol=1e-5)


def on(function: Any, slope: Any) -> Any:
    """A function of one variable as the line search sees it."""
    return lambda t: Point(t, function(t), None, slope(t))


@pytest.mark.parametrize(
    ("function", "slope", "first"),
    [
        (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3), 0.01),
        (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3), 50.0),
        (lambda t: -math.sin(t), lambda t: -math.cos(t), 1.0),
        (lambda t: t**4 - 2 * t, lambda t: 4 * t**3 - 2, 10.0),
        (lambda t: math.exp(t) - 3 * t, lambda t: math.exp(t) - 3, 1e-3),
    ],
)
def test_an_accepted_step_satisfies_the_strong_wolfe_conditions(function: Any, slope: Any, first: float) -> None:
    evaluate = on(function, slope)
    start = evaluate(0.0)
    found, looked = strong_wolfe(evaluate, first, start, reach=1.0, most=25)
    assert found.value <= start.value + 1e-4 * found.t * start.slope
    assert abs(found.slope) <= 0.9 * abs(start.slope)
    assert 1 <= looked <= 26


def test_a_cubic_has_its_minimum_found() -> None:
    evaluate = on(lambda t: t**3 - 3 * t, lambda t: 3 * t**2 - 3)
    assert cubic_minimum(evaluate(0.0), evaluate(3.0)) == pytest.approx(1.0)
    assert cubic_minimum(evaluate(3.0), evaluate(0.0)) == pytest.approx(1.0)
    assert cubic_minimum(evaluate(0.0), evaluate(3.0), (1.5, 2.0)) == 1.5
    assert cubic_minimum(evaluate(2.0), evaluate(2.0)) == 2.0
    flat = Point(0.0, 0.0, None, math.nan)
    assert cubic_minimum(flat, evaluate(2.0)) == 1.0


def test_what_lbfgs_cannot_do_is_refused() -> None:
    w, v = (dovetail.ones(2, requires_grad=True) for _ in range(2))
    with pytest.raises(ValueError, match="doesn't support per-parameter options"):
        dovetail.optim.LBFGS([{"params": [w]}, {"params": [v]}])
    optimizer = dovetail.optim.LBFGS([w])
    with pytest.raises(TypeError, match="needs a closure"):
        optimizer.step()
    with pytest.raises(CaptureError, match="LBFGS reads values"):
        dovetail.program.capture(lambda x: optimizer.step(lambda: (w * x).sum()), dovetail.ones(2))
    with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
        dovetail.optim.LBFGS([w], line_search_fn="armijo").step(lambda: w.sum())
    saved = dovetail.optim.LBFGS([dovetail.ones(3, requires_grad=True)])
    saved.state[saved.param_groups[0]["params"][0]] = {"d": dovetail.zeros(3), "n_iter": 1, "func_evals": 1}
    with pytest.raises(ValueError, match="vectors of 3 elements, the parameters have 2"):
        optimizer.load_state_dict(saved.state_dict())
