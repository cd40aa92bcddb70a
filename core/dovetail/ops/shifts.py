"""Shifts of bits."""

from __future__ import annotations

import numpy as np

from dovetail.ops.arithmetic import floor_divide, mul
from dovetail.ops.definition import Number, op
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.samples import Arg, Samples, call, calls, error
from dovetail.tensor.tensor import Tensor

_REAL = Arg((2,), dtype="float32")
_WHOLE = "the result is an integer"


def _shift_samples(name: str) -> Samples:
    return calls(
        call(Arg((5,), low=-60, high=60), Arg((5,), low=0, high=3)),
        call(Arg((2, 3), low=0, high=60), 2),
        dtypes=("int",),
        errors=(error(RuntimeError, f"\"{name}\" not implemented for 'Float'", _REAL, _REAL),),
    )


@op(
    shape=rules.broadcast,
    dtype=rules.integers_only("bitwise_left_shift"),
    method=True,
    inplace=True,
    operator="lshift",
    nondifferentiable=_WHOLE,
    samples=_shift_samples("bitwise_left_shift"),
    agree=Agree.exact(),
    reference=np.left_shift,
)
def bitwise_left_shift(input: Tensor, other: Tensor | Number) -> Tensor:
    """The bits of each integer moved ``other`` places up: ``input * 2**other`` in the type."""
    return mul(input, _power(input, other))


@op(
    shape=rules.broadcast,
    dtype=rules.integers_only("bitwise_right_shift"),
    method=True,
    inplace=True,
    operator="rshift",
    nondifferentiable=_WHOLE,
    samples=_shift_samples("bitwise_right_shift"),
    agree=Agree.exact(),
    reference=np.right_shift,
)
def bitwise_right_shift(input: Tensor, other: Tensor | Number) -> Tensor:
    """The bits of each integer moved ``other`` places down: ``input / 2**other`` rounded down."""
    return floor_divide(input, _power(input, other))


def _power(input: Tensor, other: Tensor | Number) -> Tensor:
    two = input.new_full((), 2)
    return two ** (other if isinstance(other, Tensor) else input.new_full((), other))
