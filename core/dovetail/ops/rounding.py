"""Rounding to integers, which stay floating; the gradient is zero, as everywhere on a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np

from dovetail import dtypes
from dovetail.errors import UnsupportedError
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import NoDecomposition, OpFunction, bind, op
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import DtypeRule, Dtypes
from dovetail.record.samples import NUMERIC, Arg, Samples, call, calls, error, unary
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor


def _numbers(name: str) -> DtypeRule:
    """The input's type, which must not be bool."""

    def rule(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
        answer = rules.same(inputs, statics)
        if answer.outputs[0] is dtypes.bool_:
            raise UnsupportedError(f"\"{name}\" not implemented for 'Bool'")
        return answer

    return rule


def _samples(name: str) -> Samples:
    no_bools = error(RuntimeError, f"\"{name}\" not implemented for 'Bool'", Arg((2,), dtype="bool"))
    values = (-2.5, -1.5, -0.5, -0.25, 0.25, 0.5, 1.5, 2.5, 2.75)
    return Samples((*unary(-9, 9).cases, call(Arg((9,), values=values), grad=False)), NUMERIC, (no_bools,))


P = ParamSpec("P")
R = TypeVar("R")


def _step(name: str, reference: Any) -> Callable[[Callable[P, R]], OpFunction[P, R]]:
    return op(
        shape=rules.like_first,
        dtype=_numbers(name),
        method=True,
        inplace=True,
        samples=_samples(name),
        agree=Agree.exact(),
        reference=reference,
    )


def _flat(g: Tensor) -> Tensor:
    """The gradient of a step: zeros."""
    zeros: Tensor = g.new_zeros(g.shape)
    return zeros


@_step("floor", np.floor)
def floor(input: Tensor) -> Tensor:
    """The largest integer that is not above each element.

    >>> import dovetail
    >>> dovetail.floor(dovetail.tensor([-0.5, 1.5]))
    tensor([-1.,  1.])
    """
    raise NoDecomposition


@_step("ceil", np.ceil)
def ceil(input: Tensor) -> Tensor:
    """The smallest integer that is not below each element."""
    return -floor(-input) if input.dtype.is_floating_point else input


@_step("trunc", np.trunc)
def trunc(input: Tensor) -> Tensor:
    """Each element without its fraction."""
    return select_by(input < 0, ceil(input), floor(input)) if input.dtype.is_floating_point else input


bind("fix", trunc)


def _to_decimals(input: Tensor, *, decimals: int) -> Tensor:
    if decimals == 0:
        return round(input)
    if not input.dtype.is_floating_point:
        raise UnsupportedError(f"\"round_cpu\" not implemented for '{input.dtype.legacy_name}'")
    power = float(10 ** builtin_abs(decimals))
    if decimals > 0:
        return round(input * power) / power
    return round(input / power) * power


builtin_abs = abs


@op(
    shape=rules.like_first,
    dtype=_numbers("round"),
    method=True,
    inplace=True,
    sugar={"decimals": _to_decimals},
    samples=_samples("round"),
    agree=Agree.exact(),
    reference=np.round,
)
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest integer to each element, halves to even; ``decimals`` keeps digits after the point.

    >>> import dovetail
    >>> dovetail.round(dovetail.tensor([0.5, 1.5, 2.5]))
    tensor([0., 2., 2.])
    """
    raise NoDecomposition


for _function in (floor, ceil, trunc, round):
    _function.vjp(input=_flat)


@op(
    method=True,
    inplace=True,
    samples=calls(
        call(Arg((5,), low=-9, high=9)),
        call(Arg(())),
        errors=(error(RuntimeError, "\"frac\" not implemented for 'Long'", Arg((2,), dtype="int64")),),
    ),
    agree=Agree.exact(),
)
def frac(input: Tensor) -> Tensor:
    """The fraction of each element, with its sign: ``x - trunc(x)``.

    >>> import dovetail
    >>> dovetail.frac(dovetail.tensor([-1.5, 2.25]))
    tensor([-0.5000,  0.2500])
    """
    if not input.dtype.is_floating_point:
        raise UnsupportedError(f"\"frac\" not implemented for '{input.dtype.legacy_name}'")
    result: Tensor = input - trunc(input)
    return result
