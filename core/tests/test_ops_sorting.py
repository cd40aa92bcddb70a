"""Order, search, counting: ties, NaN, empty and 0-d tensors, positions, what depends on values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import dovetail

NAN = float("nan")
INF = float("inf")
Program = Callable[[Any], Any]


def ties(t: Any) -> Any:
    return t.tensor([[3.0, 1.0, 3.0, 2.0], [1.0, 1.0, 0.0, 1.0]])


def holes(t: Any) -> Any:
    return t.tensor([2.0, NAN, -1.0, INF, NAN, 0.0, -INF])


ORDER: dict[str, Program] = {
    "nan is last": lambda t: t.sort(holes(t)),
    "nan is first in descending order": lambda t: t.sort(holes(t), descending=True, stable=True),
    "ties keep their order": lambda t: t.sort(ties(t), dim=1, stable=True),
    "ties keep their order, descending": lambda t: t.sort(ties(t), dim=1, descending=True, stable=True),
    "along the first dimension": lambda t: t.sort(ties(t), dim=0, stable=True),
    "integers": lambda t: t.sort(t.tensor([3, -9223372036854775808, 5]), descending=True),
    "bools": lambda t: t.sort(t.tensor([True, False, True]), stable=True),
    "bfloat16": lambda t: t.sort(t.tensor([3.0, NAN, 1.0]).bfloat16()),
    "0-d": lambda t: t.sort(t.tensor(3.0)),
    "empty": lambda t: t.sort(t.ones(0, 3), 0),
    "argsort": lambda t: t.argsort(ties(t), dim=-1, descending=True, stable=True),
    "topk with nan": lambda t: t.topk(holes(t), 3),
    "topk of nothing": lambda t: t.topk(holes(t), 0),
    "smallest": lambda t: t.topk(t.tensor([4.0, 1.0, 3.0]), 2, largest=False),
    "kthvalue": lambda t: t.kthvalue(t.tensor([[4.0, 1.0, 3.0]]), 2, keepdim=True),
    "cummax": lambda t: t.cummax(t.tensor([1.0, 1.0, NAN, 3.0, NAN]), 0),
    "cummin": lambda t: t.cummin(t.tensor([1, 1, 0, 3]), 0),
    "cumsum of bools": lambda t: t.cumsum(t.tensor([True, True, False]), 0),
    "cumsum in another type": lambda t: t.cumsum(t.ones(3, dtype=t.int32), 0, dtype=t.float64),
    "cumprod with zeros": lambda t: t.cumprod(t.tensor([2.0, 0.0, 3.0]), 0),
    "logcumsumexp from nothing": lambda t: t.logcumsumexp(t.tensor([-INF, 1.0, 2.0]), 0),
    "method": lambda t: ties(t).sort(1, True).values,
    "named fields": lambda t: (t.sort(ties(t)).indices.shape, t.topk(ties(t), 1).values),
    "k too large": lambda t: t.topk(t.ones(2), 3),
    "no such dimension": lambda t: t.sort(t.ones(2), 1),
}

SEARCH: dict[str, Program] = {
    "left and right": lambda t: (
        t.searchsorted(t.tensor([1, 3, 3, 5]), t.tensor([[0, 3], [5, 9]])),
        t.searchsorted(t.tensor([1, 3, 3, 5]), t.tensor([[0, 3], [5, 9]]), right=True),
    ),
    "a number": lambda t: t.searchsorted(t.tensor([1, 3, 5]), 3, right=True),
    "nan goes to the end": lambda t: t.searchsorted(t.tensor([1.0, 3.0]), t.tensor([NAN, 2.0])),
    "rows": lambda t: t.searchsorted(
        t.tensor([[1.0, 3.0, 5.0], [0.0, 0.0, 1.0]]), t.tensor([[3.0, 9.0], [0.0, 0.5]]), side="right"
    ),
    "int32": lambda t: t.searchsorted(t.tensor([1.0]), t.tensor([1.0]), out_int32=True),
    "sorter": lambda t: t.searchsorted(
        t.tensor([5.0, 1.0, 3.0]), t.tensor([2.0]), sorter=t.tensor([1, 2, 0])
    ),
    "bucketize": lambda t: t.bucketize(t.tensor([1, 3, 9]), t.tensor([1, 3, 5]), right=True),
    "bucketize a number": lambda t: t.bucketize(3, t.tensor([1, 3, 5])),
    "other dtypes": lambda t: t.searchsorted(t.tensor([1.0]), t.tensor([1])),
    "other rows": lambda t: t.searchsorted(t.ones(3, 2), t.ones(2, 2)),
    "isin": lambda t: t.isin(t.tensor([[1, 2], [3, 4]]), t.tensor([2, 4, 9])),
    "isin, inverted, of nothing": lambda t: t.isin(t.tensor([1, 2]), t.tensor([], dtype=t.int64), invert=True),
    "isin of a number": lambda t: t.isin(t.tensor([1.0, 2.0]), 2),
}

COUNTS: dict[str, Program] = {
    "unique": lambda t: t.unique(t.tensor([3, 1, 3, 2])),
    "unique with everything": lambda t: t.unique(
        t.tensor([[3, 1], [3, 2]]), return_inverse=True, return_counts=True
    ),
    "every nan is different": lambda t: t.unique(t.tensor([NAN, 1.0, NAN]), return_counts=True),
    "unique rows": lambda t: t.unique(
        t.tensor([[3, 1], [3, 1], [0, 5], [3, 0]]), dim=0, return_inverse=True, return_counts=True
    ),
    "unique columns": lambda t: t.unique(t.tensor([[3, 1, 3], [3, 1, 3]]), dim=1),
    "unique of nothing": lambda t: t.unique(t.tensor([]), return_counts=True),
    "runs": lambda t: t.unique_consecutive(
        t.tensor([1, 1, 2, 2, 2, 1]), return_inverse=True, return_counts=True
    ),
    "runs of rows": lambda t: t.unique_consecutive(t.tensor([[1, 2], [1, 2], [0, 0]]), dim=0),
    "bincount": lambda t: t.bincount(t.tensor([0, 3, 3]), minlength=6),
    "bincount with weights": lambda t: t.bincount(t.tensor([0, 3, 3]), t.tensor([0.5, 1.0, 2.0])),
    "integer weights give float64": lambda t: t.bincount(t.tensor([1]), t.tensor([2])),
    "histc between the extremes": lambda t: t.histc(t.tensor([1.0, 2.0, 1.0, 5.0]), bins=4),
    "histc": lambda t: t.histc(t.tensor([1.0, 2.0, 1.0, 5.0]), bins=4, min=0, max=3),
    "histc of one value": lambda t: t.histc(t.tensor([1.0, 1.0]), bins=2),
    "negative": lambda t: t.bincount(t.tensor([-1])),
}

CASES = [*ORDER.items(), *SEARCH.items(), *COUNTS.items()]


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "program"), CASES, ids=[name for name, _ in CASES])
def test_results_are_those_of_pytorch(oracle: Any, ways: str, name: str, program: Program) -> None:
    oracle.agree(program)


def test_the_gradient_of_a_sort_follows_the_permutation() -> None:
    x = dovetail.tensor([1.0, 1.0, 0.0], requires_grad=True)
    values, positions = dovetail.sort(x)
    (values * dovetail.tensor([10.0, 20.0, 30.0])).sum().backward()
    assert positions.tolist() == [2, 0, 1]
    assert x.grad.tolist() == [20.0, 30.0, 10.0]


def test_positions_take_no_gradient() -> None:
    x = dovetail.tensor([2.0, 1.0], requires_grad=True)
    assert not dovetail.argsort(x).requires_grad
    assert not dovetail.sort(x).indices.requires_grad
    assert dovetail.sort(x).values.requires_grad
