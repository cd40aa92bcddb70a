"""What every op has: in-place forms, methods, results of their own; and the names that are only other names."""

from __future__ import annotations

import math
from typing import Any

import pytest

import dovetail
from dovetail.ops import aliases
from dovetail.ops.definition import op as define
from dovetail.record import registry, rules
from dovetail.record.agree import Agree
from dovetail.record.op import Op
from dovetail.tensor.tensor import Tensor

WRITTEN = [op for op in registry.ops() if op.inplace and op.samples is not None]


def same(a: Any, b: Any) -> bool:
    """Equal values, where NaN equals NaN."""
    return bool(((a == b) | ((a != a) & (b != b))).all())


@pytest.mark.parametrize("op", WRITTEN, ids=lambda op: op.name)
def test_the_form_with_an_underscore_writes_what_the_op_gives(oracle: Any, op: Op, ways: str) -> None:
    assert op.samples is not None
    dtype = "float32" if "float" in op.samples.dtypes else "int64"
    done = 0
    for sample in op.samples.cases:
        (args, words), _ = oracle.operands(sample, dtype, op.name)
        target = args[0].clone() if isinstance(args[0], Tensor) else None
        expected = op.call(*args, **words)
        if target is None or expected.shape != target.shape or not dovetail.can_cast(expected.dtype, target.dtype):
            continue
        returned = getattr(target, op.inplace[0])(*args[1:], **words)
        assert returned is target
        assert same(target, expected.to(target.dtype))
        done += 1
    assert done


@pytest.mark.parametrize("op", [op for op in registry.ops() if not op.internal], ids=lambda op: op.name)
def test_an_op_is_a_function_and_has_its_methods(op: Op) -> None:
    assert getattr(dovetail, op.name) is op.call
    for name in (*op.methods, *op.inplace):
        assert callable(getattr(Tensor, name))
    assert op.doc.strip()


@pytest.mark.parametrize("name", aliases.NAMES)
def test_other_names_mean_the_same(oracle: Any, name: str) -> None:
    original = aliases.NAMES[name]
    assert oracle.function(name) is not None
    x = dovetail.tensor([[0.5, -0.25], [0.75, 1.0]])
    rest = {"clip": (0.0,), "moveaxis": (0, 1), "swapaxes": (0, 1), "swapdims": (0, 1)}.get(name)
    two = name in ("subtract", "multiply", "divide", "true_divide", "arctan2") or name.startswith(("gre", "les", "not"))
    arguments = rest or ((x.T,) if two else ())
    expected = original(x, *arguments)
    assert same(getattr(dovetail, name)(x, *arguments), expected)
    assert same(getattr(x, name)(*arguments), expected)
    if hasattr(Tensor, f"{original.__name__}_"):
        assert same(getattr(x.clone(), f"{name}_")(*arguments), expected)


def test_rsub_and_the_halves_of_clamp() -> None:
    x = dovetail.tensor([1.0, 3.0])
    assert dovetail.rsub(x, 10.0, alpha=2).tolist() == [8.0, 4.0]
    assert x.clamp_min(2.0).tolist() == [2.0, 3.0]
    assert x.clamp_max(dovetail.tensor(2.0)).tolist() == [1.0, 2.0]


def test_bounds_of_clamp_may_be_tensors_and_get_gradients(ways: str) -> None:
    x = dovetail.tensor([1.0, 2.0, 3.0])
    assert dovetail.clamp(x, min=dovetail.tensor(2.0)).tolist() == [2.0, 2.0, 3.0]
    assert dovetail.clamp(x, min=dovetail.tensor(3.0)).tolist() == [3.0, 3.0, 3.0]
    low = dovetail.tensor(2.0, requires_grad=True)
    dovetail.clamp(x, min=low).sum().backward()
    assert low.grad.item() == 1.0


# ------------------------------------------------------------------------------------------ rounding


def test_rounding_to_digits() -> None:
    x = dovetail.tensor([123.456, -0.5, 15.0, 25.0], dtype=dovetail.float64)
    assert dovetail.round(x, decimals=1).tolist() == [123.5, -0.5, 15.0, 25.0]
    assert dovetail.round(x, decimals=-1).tolist() == [120.0, -0.0, 20.0, 20.0]
    with pytest.raises(NotImplementedError, match="not implemented for 'Long'"):
        dovetail.round(dovetail.tensor([1]), decimals=1)


@pytest.mark.parametrize("name", ["floor", "ceil", "trunc", "round", "sign"])
def test_steps_have_gradients_of_zeros(name: str, ways: str) -> None:
    x = dovetail.tensor([-1.5, 0.25, math.inf], requires_grad=True)
    getattr(x, name)().sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_zeros_keep_their_sign(ways: str) -> None:
    x = dovetail.tensor([-0.5, -0.0])
    for name in ("ceil", "trunc", "round"):
        assert dovetail.signbit(getattr(x, name)()).tolist() == [True, True]


# ------------------------------------------------------------------------------------------ derived ops


def test_the_formula_of_a_derived_op_is_used_with_and_without_a_kernel() -> None:
    @define(shape=rules.like_first, dtype=rules.same, agree=Agree.exact(), internal=True)
    def doubled_for_a_test(input: Tensor) -> Tensor:
        """Twice the tensor, with a gradient that gives itself away."""
        return input + input

    doubled_for_a_test.vjp(input=lambda g: g * 100)
    try:
        x = dovetail.ones(2, requires_grad=True)
        y = doubled_for_a_test(x)
        assert y.tolist() == [2.0, 2.0]
        y.sum().backward()
        assert x.grad.tolist() == [100.0, 100.0]
    finally:
        registry.remove("doubled_for_a_test")


def test_a_decomposition_that_breaks_its_promise_is_found() -> None:
    @define(shape=rules.like_first, dtype=rules.same, agree=Agree.exact(), internal=True)
    def widened_for_a_test(input: Tensor) -> Tensor:
        """A body that gives another dtype than its rule."""
        return input.double()

    widened_for_a_test.vjp(input=lambda g: g)
    try:
        with pytest.raises(RuntimeError, match="its rules promise"):
            widened_for_a_test(dovetail.ones(2, requires_grad=True))
    finally:
        registry.remove("widened_for_a_test")
