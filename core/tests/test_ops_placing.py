"""Values at positions, small numeric functions and padding, where samples do not reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import dovetail

NAN, INF = float("nan"), float("inf")
Program = Callable[[Any], Any]


def odd(t: Any) -> Any:
    return t.tensor([-1.0, 0.0, 2.0, NAN, INF, -INF, -0.0])


CASES: dict[str, Program] = {
    "take from the end": lambda t: t.take(t.arange(6).reshape(2, 3), t.tensor([[0, -1], [2, 3]])),
    "take too far": lambda t: t.take(t.arange(3), t.tensor([3])),
    "put_": lambda t: t.tensor([1.0, 2.0, 3.0]).put_(t.tensor([0, -1]), t.tensor([9.0, 8.0])),
    "put_ adds": lambda t: t.tensor([1.0, 2.0, 3.0]).put_(t.tensor([0, 0]), t.tensor([9.0, 8.0]), True),
    "put of another type": lambda t: t.tensor([1.0]).put_(t.tensor([0]), t.tensor([9])),
    "index_fill_": lambda t: t.ones(2, 3).index_fill_(1, t.tensor([0, -1]), 5),
    "index_fill with a tensor": lambda t: t.ones(2, 3).index_fill(0, t.tensor([1]), t.tensor(2.0)),
    "masked_scatter_": lambda t: t.zeros(5).masked_scatter_(
        t.tensor([True, False, True, True, False]), t.arange(1.0, 6.0)
    ),
    "masked_scatter by an int mask": lambda t: t.ones(2).masked_scatter(t.tensor([1, 0]), t.ones(2)),
    "select_scatter of the wrong shape": lambda t: t.select_scatter(t.zeros(2, 3), t.ones(2), 0, 1),
    "slice_scatter": lambda t: t.slice_scatter(t.zeros(4, 2), t.ones(2, 2), 0, 1, 4, 2),
    "argwhere": lambda t: t.argwhere(t.tensor([[1, 0], [0, 2]])),
    "nan_to_num": lambda t: (t.nan_to_num(odd(t)), t.nan_to_num(odd(t), 0.5, 1.0, 2.0), t.nan_to_num(odd(t).half())),
    "signs": lambda t: (t.copysign(odd(t), -1), t.sgn(odd(t)), t.copysign(t.tensor([1, 2]), t.tensor([-1, 1]))),
    "signbit": lambda t: t.signbit(t.tensor([-1.0, 0.0, -0.0, INF, -INF])),
    "heaviside": lambda t: t.heaviside(odd(t), t.tensor([0.5])),
    "fmax and fmin": lambda t: (t.fmax(odd(t), t.tensor(1.0)), t.fmin(odd(t), t.tensor(1.0))),
    "float_power": lambda t: (t.float_power(t.tensor([1, 2]), 2), t.float_power(t.tensor([4.0]), t.tensor([0.5]))),
    "diff of bools": lambda t: t.diff(t.tensor([True, False, False])),
    "degrees": lambda t: (t.deg2rad(t.tensor([180, 90])), t.rad2deg(t.tensor([1.0]))),
    "hypot of large numbers": lambda t: t.hypot(t.tensor([3e38, INF]), t.tensor([1e38, NAN])),
    "logaddexp of infinities": lambda t: t.logaddexp(t.tensor([INF, -INF, 1.0, INF]), t.tensor([INF, -INF, INF, -INF])),
    "xlogy at 0": lambda t: t.xlogy(t.tensor([0.0, 0.0, 1.0, 0.0]), t.tensor([0.0, -1.0, 0.0, NAN])),
    "xlogy of a number": lambda t: t.xlogy(2.0, t.tensor([1.0, 3.0])),
    "atan2 of a number": lambda t: t.atan2(t.tensor([1.0, -1.0]), t.tensor(-0.0)),
    "pad with a float into ints": lambda t: t.nn.functional.pad(t.arange(3), (1, 1), value=1.5),
    "pad in three dimensions": lambda t: t.nn.functional.pad(
        t.arange(16.0).reshape(1, 2, 2, 2, 2), (1, 1, 1, 0, 0, 1), mode="reflect"
    ),
}


@pytest.mark.oracle
@pytest.mark.parametrize("name", CASES)
def test_results_are_those_of_pytorch(oracle: Any, ways: str, name: str) -> None:
    oracle.agree(CASES[name])


def test_gradients_of_masked_scatter_go_to_what_was_taken(ways: str) -> None:
    x = dovetail.zeros(3, requires_grad=True)
    source = dovetail.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x.masked_scatter(dovetail.tensor([True, False, True]), source)
    (y * dovetail.tensor([10.0, 20.0, 30.0])).sum().backward()
    assert x.grad.tolist() == [0.0, 20.0, 0.0]
    assert source.grad.tolist() == [10.0, 30.0, 0.0]


def test_gradients_of_atan2_at_the_origin_are_zero(ways: str) -> None:
    y = dovetail.zeros(1, requires_grad=True)
    x = dovetail.zeros(1, requires_grad=True)
    dovetail.atan2(y, x).sum().backward()
    assert (y.grad.item(), x.grad.item()) == (0.0, 0.0)


def test_a_write_into_nothing_of_an_expanded_tensor_is_allowed() -> None:
    x = dovetail.ones(2, 1).expand(1, 2, 3)
    x[1:] = 5.0
    assert x.tolist() == [[[1.0] * 3] * 2]
    with pytest.raises(RuntimeError, match="more than one element"):
        x[0] = 5.0
