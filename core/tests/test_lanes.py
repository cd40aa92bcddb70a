"""Calls that are found by the way they were written give what the first call of their kind gave."""

from __future__ import annotations

import math

import numpy as np
import pytest

import dovetail
from dovetail.dispatch import lane
from dovetail.record import registry


def lanes(name: str) -> int:
    """How many ways of writing a call of the op are known."""
    return len(registry.get(name).lanes)


def test_a_second_call_is_found() -> None:
    x = dovetail.rand(2, 5)
    x.clamp(min=0.25)
    known = lanes("clamp")
    y = x.clamp(min=0.25)
    assert lanes("clamp") == known
    assert y.tolist() == [[max(v, 0.25) for v in row] for row in x.tolist()]


def test_numbers_that_are_equal_and_of_another_type_are_other_calls() -> None:
    x = dovetail.tensor([-1, 0, 3])
    results = [x.clamp(max=bound) for bound in (1, 1.0, True, np.float64(1), 1, 1.0)]
    dtypes = [t.dtype for t in results]
    assert dtypes[:2] == [dovetail.int64, dovetail.float32]
    assert dtypes[4:] == dtypes[:2]
    assert dtypes[2] is dovetail.int64


def test_zeros_keep_their_sign() -> None:
    x = dovetail.tensor([-1.0])
    for bound in (0.0, -0.0, 0.0):
        assert math.copysign(1, x.clamp(min=bound).item()) == math.copysign(1, bound)


def test_keywords_in_another_order_are_other_inputs() -> None:
    low, high, x = dovetail.tensor([1.0]), dovetail.tensor([2.0]), dovetail.tensor([5.0])
    for _ in range(2):
        assert x.clamp(min=low, max=high).item() == 2.0
        assert dovetail.clamp(max=high, input=x, min=low).item() == 2.0


def test_a_tensor_given_twice_does_not_stand_for_two() -> None:
    a, b = dovetail.tensor([1.0]), dovetail.tensor([2.0])
    mixed = dovetail.tensor([True])
    where = dovetail.where
    assert where(mixed, a, a).item() == 1.0
    assert where(mixed, a, b).item() == 1.0
    assert where(mixed, b, a).item() == 2.0
    assert dovetail.cat([a, a, b]).tolist() == [1.0, 1.0, 2.0]
    assert dovetail.cat([b, a, a]).tolist() == [2.0, 1.0, 1.0]
    assert dovetail.clamp(a, max=b, min=b).item() == 2.0
    assert dovetail.clamp(b, max=a, min=a).item() == 1.0
    assert dovetail.clamp(b, max=b, min=a).item() == 2.0


def test_lists_of_tensors_keep_their_lengths_apart() -> None:
    a, b = dovetail.ones(1), dovetail.zeros(1)
    for _ in range(2):
        assert dovetail.cat([a, b]).tolist() == [1.0, 0.0]
        assert dovetail.cat((b, a), 0).tolist() == [0.0, 1.0]
        assert dovetail.stack([a, b], dim=1).tolist() == [[1.0, 0.0]]


def test_gradients_reach_the_same_inputs_the_second_time() -> None:
    for _ in range(2):
        x, low = dovetail.tensor([1.0, 3.0], requires_grad=True), dovetail.tensor([2.0, 2.0], requires_grad=True)
        dovetail.clamp(x, low).sum().backward()
        assert x.grad.tolist() == [0.0, 1.0]
        assert low.grad.tolist() == [1.0, 0.0]
        y = dovetail.tensor([1.0, 3.0], requires_grad=True)
        dovetail.clamp(y, low.detach()).sum().backward()
        assert y.grad.tolist() == [0.0, 1.0]


def test_a_stale_view_is_read_anew() -> None:
    base = dovetail.zeros(2, 2)
    row = base[0]
    row.clamp(min=-1.0)
    base.fill_(5.0)
    assert row.clamp(min=-1.0).tolist() == [5.0, 5.0]


def test_errors_are_those_of_the_general_path() -> None:
    x = dovetail.ones(2, 3)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="must match the size of tensor b"):
            x.clamp(min=dovetail.ones(4))
        with pytest.raises(TypeError, match="unexpected keyword argument 'low'"):
            x.clamp(low=1)


def test_a_change_of_the_default_type_is_seen() -> None:
    x = dovetail.tensor([1, 2])
    assert x.clamp(max=1.5).dtype is dovetail.float32
    dovetail.set_default_dtype(dovetail.float64)
    try:
        assert x.clamp(max=1.5).dtype is dovetail.float64
    finally:
        dovetail.set_default_dtype(dovetail.float32)


def test_the_table_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "MAX_PLANS", 8)
    x = dovetail.ones(2)
    for i in range(30):
        x.clamp(min=i + 0.5)
    assert lanes("clamp") <= 8
