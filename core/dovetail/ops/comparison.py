"""Comparing, choosing and combining truth values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dovetail import dtypes
from dovetail.errors import DtypeError
from dovetail.ops.definition import NoDecomposition, Number, OpFunction, front, op
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import Dtypes, result_type
from dovetail.record.samples import ALL, NUMERIC, Arg, binary, call, calls, unary
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

_STEP = "the result is a truth value"

Body = Callable[[Tensor, Tensor | Number], Tensor]
Comparison = Callable[[Body], OpFunction[[Tensor, Tensor | Number], Tensor]]


def _comparison(*, operator: str, reference: Callable[..., Any]) -> Comparison:
    return op(
        shape=rules.broadcast,
        dtype=rules.compare,
        method=[operator.strip("_"), operator],
        nondifferentiable=_STEP,
        samples=binary(dtypes=ALL, scalars=(1,)),
        agree=Agree.exact(),
        reference=reference,
    )


@_comparison(operator="__eq__", reference=np.equal)
def eq(input: Tensor, other: Tensor | Number) -> Tensor:
    """Whether the elements of each pair are equal."""
    raise NoDecomposition


@_comparison(operator="__ne__", reference=np.not_equal)
def ne(input: Tensor, other: Tensor | Number) -> Tensor:
    """Whether the elements of each pair differ."""
    raise NoDecomposition


@_comparison(operator="__lt__", reference=np.less)
def lt(input: Tensor, other: Tensor | Number) -> Tensor:
    """Whether the left element of each pair is less."""
    raise NoDecomposition


@_comparison(operator="__le__", reference=np.less_equal)
def le(input: Tensor, other: Tensor | Number) -> Tensor:
    """Whether the left element of each pair is less or equal."""
    raise NoDecomposition


@_comparison(operator="__gt__", reference=np.greater)
def gt(input: Tensor, other: Tensor | Number) -> Tensor:
    """Whether the left element of each pair is greater."""
    raise NoDecomposition


@_comparison(operator="__ge__", reference=np.greater_equal)
def ge(input: Tensor, other: Tensor | Number) -> Tensor:
    """Whether the left element of each pair is greater or equal."""
    raise NoDecomposition


def _choice(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    condition = inputs[0]
    assert condition is not None, "where has a condition"
    if condition.dtype not in (dtypes.bool_, dtypes.uint8):
        raise DtypeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype.name}"
        )
    common = result_type(inputs[1:])
    return Dtypes([dtypes.bool_, common, common], [common])


@op(
    shape=rules.broadcast,
    dtype=_choice,
    internal=True,
    samples=calls(
        call(Arg((2, 3), dtype="bool"), Arg((2, 3)), Arg((3,))),
        call(Arg((3,), dtype="bool"), Arg(()), Arg((2, 3))),
        dtypes=ALL,
        special=True,
    ),
    agree=Agree.exact(),
    backward_name="WhereBackward0",
)
def select_by(condition: Tensor, input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """``input`` where the condition holds, else ``other``; the branch not taken gets a zero gradient."""
    raise NoDecomposition


def _kept_dtypes(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    grad = inputs[0]
    assert grad is not None, "no input of kept is optional"
    return Dtypes([grad.dtype, dtypes.bool_], [grad.dtype])


@op(
    shape=rules.broadcast,
    dtype=_kept_dtypes,
    internal=True,
    samples=calls(
        call(Arg((2, 3)), Arg((2, 3), dtype="bool")),
        call(Arg(()), Arg((2, 3), dtype="bool")),
        call(Arg((70, 80)), Arg((70, 80), dtype="bool")),
        dtypes=NUMERIC,
        special=True,
    ),
    agree=Agree.exact(),
    backward_name="WhereBackward0",
)
def kept(grad: Tensor, condition: Tensor) -> Tensor:
    """``grad`` where the condition holds, else 0: what a choice hands back, also of an infinite or NaN ``grad``."""
    return select_by(condition, grad, 0)


kept.vjp(grad=lambda g, condition: kept(g, condition))

select_by.vjp(
    input=lambda g, condition: kept(g, condition),
    other=lambda g, condition: select_by(condition, 0, g),
)


@front(method=False)
def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """``input`` where the condition holds, else ``other``; with the condition alone, the positions where it holds.

    >>> import dovetail
    >>> dovetail.where(dovetail.tensor([True, False]), 1.0, 0.0)
    tensor([1., 0.])
    """
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    return select_by(condition, input, other)


def _where_method(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """The tensor where the condition holds, else ``other``."""
    return select_by(condition, self, other)


_where_method.__name__ = "tensor_where"
front(method=["where"], public=False)(_where_method)


@op(
    shape=rules.like_first,
    dtype=rules.truth,
    method=True,
    nondifferentiable=_STEP,
    samples=unary(dtypes=ALL),
    agree=Agree.exact(),
    reference=np.logical_not,
)
def logical_not(input: Tensor) -> Tensor:
    """Whether each element is zero."""
    raise NoDecomposition


@op(method=True, nondifferentiable=_STEP, samples=binary(dtypes=ALL), agree=Agree.exact())
def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """Whether both elements of each pair are not zero."""
    return input.to(dtypes.bool_) & other.to(dtypes.bool_)


@op(method=True, nondifferentiable=_STEP, samples=binary(dtypes=ALL), agree=Agree.exact())
def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """Whether one element of each pair is not zero."""
    return input.to(dtypes.bool_) | other.to(dtypes.bool_)


@op(method=True, nondifferentiable=_STEP, samples=binary(dtypes=ALL), agree=Agree.exact())
def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """Whether exactly one element of each pair is not zero."""
    return input.to(dtypes.bool_) ^ other.to(dtypes.bool_)


_BITS = ("int", "bool")


@op(
    shape=rules.broadcast,
    dtype=rules.integers_only("bitwise_and"),
    method=True,
    inplace=True,
    operator="and",
    nondifferentiable="defined on integers",
    samples=binary(low=0, high=9, dtypes=_BITS),
    agree=Agree.exact(),
    reference=np.bitwise_and,
)
def bitwise_and(input: Tensor, other: Tensor | Number) -> Tensor:
    """Bits set in both elements of each pair; logical and for bools."""
    raise NoDecomposition


@op(
    shape=rules.broadcast,
    dtype=rules.integers_only("bitwise_or"),
    method=True,
    inplace=True,
    operator="or",
    nondifferentiable="defined on integers",
    samples=binary(low=0, high=9, dtypes=_BITS),
    agree=Agree.exact(),
    reference=np.bitwise_or,
)
def bitwise_or(input: Tensor, other: Tensor | Number) -> Tensor:
    """Bits set in one of the elements of each pair; logical or for bools."""
    raise NoDecomposition


@op(
    shape=rules.broadcast,
    dtype=rules.integers_only("bitwise_xor"),
    method=True,
    inplace=True,
    operator="xor",
    nondifferentiable="defined on integers",
    samples=binary(low=0, high=9, dtypes=_BITS),
    agree=Agree.exact(),
    reference=np.bitwise_xor,
)
def bitwise_xor(input: Tensor, other: Tensor | Number) -> Tensor:
    """Bits set in exactly one of the elements of each pair; logical xor for bools."""
    raise NoDecomposition


@op(
    shape=rules.like_first,
    dtype=rules.integers_only("bitwise_not"),
    method=["bitwise_not", "__invert__"],
    nondifferentiable="defined on integers",
    samples=unary(low=0, high=9, dtypes=_BITS),
    agree=Agree.exact(),
    reference=np.invert,
)
def bitwise_not(input: Tensor) -> Tensor:
    """Every bit of each element turned; logical not for bools."""
    raise NoDecomposition


@op(
    shape=rules.like_first,
    dtype=rules.truth,
    method=True,
    nondifferentiable=_STEP,
    samples=unary(dtypes=ALL),
    agree=Agree.exact(),
    reference=np.isnan,
)
def isnan(input: Tensor) -> Tensor:
    """Whether each element is NaN."""
    return input != input


@op(method=True, nondifferentiable=_STEP, samples=unary(), agree=Agree.exact())
def isinf(input: Tensor) -> Tensor:
    """Whether each element is an infinity."""
    return abs(input) == float("inf")


@op(method=True, nondifferentiable=_STEP, samples=unary(), agree=Agree.exact())
def isfinite(input: Tensor) -> Tensor:
    """Whether each element is neither infinite nor NaN."""
    if input.dtype.category < dtypes.FLOATING:
        return input == input
    return abs(input) < float("inf")


@front(method=True)
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether ``|input - other| <= atol + rtol * |other|`` for each pair."""
    close = (input == other) | ((abs(input - other) <= atol + rtol * abs(other)) & isfinite(other))
    return close | (isnan(input) & isnan(other)) if equal_nan else close


@front(method=True)
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all pairs are close."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


@front(method=True)
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether both tensors have the same shape and equal elements."""
    return input.shape == other.shape and bool((input == other).all())
