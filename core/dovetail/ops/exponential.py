"""Exponentials, logarithms and roots."""

from __future__ import annotations

import numpy as np

from dovetail.ops.definition import NoDecomposition, op
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.samples import unary
from dovetail.tensor.tensor import Tensor


@op(
    shape=rules.like_first,
    dtype=rules.to_float,
    method=True,
    inplace=True,
    samples=unary(-5, 5),
    agree=Agree.ulp(f32=3, f64=1.5),
    reference=np.exp,
)
def exp(input: Tensor) -> Tensor:
    """e to the power of each element."""
    raise NoDecomposition


exp.vjp(input=lambda g, out: g * out)


@op(
    shape=rules.like_first,
    dtype=rules.to_float,
    method=True,
    inplace=True,
    samples=unary(0.1, 5),
    agree=Agree.ulp(f32=3, f64=1.5),
    reference=np.log,
)
def log(input: Tensor) -> Tensor:
    """Natural logarithm of each element; -inf of 0, NaN of negative numbers."""
    raise NoDecomposition


log.vjp(input=lambda g, input: g / input)


@op(
    shape=rules.like_first,
    dtype=rules.to_float,
    method=True,
    inplace=True,
    samples=unary(0.1, 5),
    agree=Agree.rounded(),
    reference=np.sqrt,
)
def sqrt(input: Tensor) -> Tensor:
    """Square root of each element; its gradient at 0 is infinite."""
    raise NoDecomposition


sqrt.vjp(input=lambda g, out: g / (out * 2))


@op(
    shape=rules.like_first,
    dtype=rules.to_float,
    method=True,
    inplace=True,
    samples=unary(-3, 3),
    agree=Agree.ulp(f32=4.5, f64=2.5),
    reference=np.tanh,
)
def tanh(input: Tensor) -> Tensor:
    """Hyperbolic tangent of each element."""
    raise NoDecomposition


tanh.vjp(input=lambda g, out: g * (1 - out * out))
