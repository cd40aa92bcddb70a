"""Reductions at their edges: ties, zeros, constants, NaN, nothing at all; gradients of both orders there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import dovetail

NAN = float("nan")
INF = float("inf")
Program = Callable[[Any], Any]


def gradient(values: Any, function: Callable[[Any, Any], Any]) -> Program:
    """The result and the gradient of a function of one tensor."""

    def program(t: Any) -> Any:
        x = t.tensor(values, dtype=t.float64, requires_grad=True)
        y = function(t, x)
        return y.detach(), t.autograd.grad(y.sum(), x)[0]

    return program


CASES: dict[str, Program] = {
    "prod with one zero": gradient([0.0, 2.0, 3.0], lambda t, x: x.prod()),
    "prod with two zeros": gradient([0.0, 2.0, 0.0], lambda t, x: x.prod()),
    "prod along": gradient([[0.0, 2.0], [3.0, 4.0]], lambda t, x: x.prod(1, keepdim=True)),
    "prod of nothing": gradient([], lambda t, x: x.prod()),
    "prod of ints": lambda t: t.prod(t.tensor([2, 3], dtype=t.int32)),
    "cumprod with zeros": gradient([2.0, 0.0, 3.0, 0.0], lambda t, x: x.cumprod(0)),
    "norm at 0": gradient([0.0, 0.0], lambda t, x: x.norm()),
    "1-norm at 0": gradient([0.0, -2.0], lambda t, x: x.norm(p=1)),
    "3-norm at 0": gradient([0.0, 0.0], lambda t, x: x.norm(p=3)),
    "1.5-norm near 0": gradient([0.0, 1.0], lambda t, x: x.norm(p=1.5)),
    "half norm near 0": gradient([0.0, 1.0], lambda t, x: x.norm(p=0.5)),
    "largest shares": gradient([2.0, -2.0, 1.0], lambda t, x: x.norm(p=INF)),
    "smallest": gradient([2.0, -2.0, 1.0], lambda t, x: x.norm(p=-INF)),
    "std of constants": gradient([1.0, 1.0, 1.0], lambda t, x: x.std()),
    "var of one": lambda t: t.var(t.tensor([1.0]), correction=0),
    "var without freedom": lambda t: t.var(t.tensor([1.0, 2.0, 4.0]), correction=3),
    "var of 16 bits": lambda t: t.var(t.tensor([1000.0, 1001.0, 1002.0]).half()),
    "median of ties": gradient([1.0, 1.0, 1.0, 2.0], lambda t, x: x.median()),
    "median along": gradient([[3.0, 1.0, 2.0], [6.0, 5.0, 4.0]], lambda t, x: x.median(1).values),
    "median with nan": lambda t: t.median(t.tensor([[1.0, NAN, 0.0], [3.0, 1.0, 2.0]]), 1),
    "nanmedian": lambda t: t.nanmedian(t.tensor([1.0, NAN, 0.0, 5.0])),
    "nanmedian of nan alone": lambda t: t.nanmedian(t.tensor([NAN, NAN]), 0),
    "median of nothing": lambda t: t.median(t.ones(0)),
    "median of ints": lambda t: t.median(t.tensor([4, 3, 1, 2])),
    "logsumexp of -inf": lambda t: t.logsumexp(t.tensor([[-INF, -INF], [INF, 1.0], [1000.0, 1000.0]]), 1),
    "logsumexp of nothing": lambda t: t.logsumexp(t.ones(0, 2), 0),
    "logsumexp of ints": lambda t: t.logsumexp(t.tensor([1, 2]), 0),
    "nansum": gradient([1.0, NAN, 2.0], lambda t, x: t.nansum(x)),
    "nanmean": lambda t: t.nanmean(t.tensor([[1.0, NAN], [NAN, NAN]]), 1),
    "aminmax": lambda t: tuple(t.aminmax(t.tensor([[1.0, NAN], [3.0, 2.0]]), dim=1)),
    "count_nonzero": lambda t: t.count_nonzero(t.tensor([[0.0, NAN], [-0.0, 2.0]]), dim=0),
    "var_mean": lambda t: t.var_mean(t.tensor([[1.0, 2.0], [4.0, 9.0]]), 1),
    "std_mean, biased": lambda t: t.std_mean(t.tensor([1.0, 2.0, 4.0]), unbiased=False),
    "sums of 16 bits": lambda t: t.ones(3000).bfloat16().sum(),
}


@pytest.mark.oracle
@pytest.mark.parametrize("name", CASES)
def test_edges_are_those_of_pytorch(oracle: Any, ways: str, name: str) -> None:
    oracle.agree(CASES[name])


def test_prod_has_second_derivatives_at_zeros(ways: str) -> None:
    x = dovetail.tensor([0.0, 2.0, 0.0], dtype=dovetail.float64, requires_grad=True)
    (first,) = dovetail.autograd.grad(x.prod(), x, create_graph=True)
    (second,) = dovetail.autograd.grad((first * dovetail.tensor([1.0, 0.0, 2.0])).sum(), x)
    assert second.tolist() == [4.0, 0.0, 2.0]


def test_a_sum_along_the_first_dimension_is_as_exact_as_any_other(ways: str) -> None:
    column = dovetail.full((100_000, 2), 0.1)
    assert abs(column.sum(0)[0].item() - 0.1 * 100_000) < 0.01
    assert abs(column.mean(0)[1].item() - 0.1) < 1e-7


def test_var_takes_unbiased_or_a_correction() -> None:
    with pytest.raises(TypeError, match="not both"):
        dovetail.var(dovetail.ones(3), unbiased=True, correction=1)
