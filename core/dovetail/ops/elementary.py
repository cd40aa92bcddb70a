"""Elementwise functions and tests that are compositions of others, and rows cut to a length."""

from __future__ import annotations

import math

from dovetail.errors import ArgumentRuntimeError, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import Number, op
from dovetail.record.agree import Agree
from dovetail.record.rules import normalize_dim
from dovetail.record.samples import ALL, Arg, call, calls, error, unary
from dovetail.tensor.tensor import Tensor

_STEP = "the result is a truth value"


@op(method=True, inplace=True, samples=unary(special=False), agree=Agree.running())
def sinc(input: Tensor) -> Tensor:
    """``sin(pi x) / (pi x)``, which is 1 at 0."""
    angle = (input if input.is_floating_point() else input.float()) * math.pi
    zero = angle == 0
    safe = select_by(zero, 1.0, angle)
    # Near 0 a parabola, so that the first and the second derivative at 0 are right.
    return select_by(zero, 1.0 - angle * angle / 6, safe.sin() / safe)


@op(method=True, nondifferentiable=_STEP, samples=unary(dtypes=ALL), agree=Agree.exact())
def isposinf(input: Tensor) -> Tensor:
    """Whether each element is positive infinity."""
    return input == math.inf if input.is_floating_point() else input != input


@op(method=True, nondifferentiable=_STEP, samples=unary(dtypes=ALL), agree=Agree.exact())
def isneginf(input: Tensor) -> Tensor:
    """Whether each element is negative infinity."""
    return input == -math.inf if input.is_floating_point() else input != input


@op(method=True, nondifferentiable=_STEP, samples=unary(dtypes=ALL), agree=Agree.exact())
def isreal(input: Tensor) -> Tensor:
    """Whether each element has no imaginary part: always, as no dtype has one."""
    return input.new_ones(input.shape).bool()


@op(
    method=True,
    inplace=True,
    samples=calls(
        call(Arg((3, 4)), 2, 0, 1.0),
        call(Arg((2, 3, 2)), 1, 1, 0.5),
        call(Arg((3, 4)), 2, -1, 100.0),
        errors=(
            error(RuntimeError, "non-positive-norm not supported", Arg((2, 2)), 0, 0, 1.0),
            error(RuntimeError, "input needs at least 2 dimensions", Arg((2,)), 2, 0, 1.0),
            error(RuntimeError, "expected maxnorm to be >= 0", Arg((2, 2)), 2, 0, -1.0),
        ),
    ),
    agree=Agree.running(),
    autocast={"accelerator": "float32"},
)
def renorm(input: Tensor, p: Number, dim: int, maxnorm: Number) -> Tensor:
    """Each slice along a dimension scaled down so that its p-norm is at most ``maxnorm``."""
    if p <= 0:
        raise ArgumentRuntimeError("renorm: non-positive-norm not supported")
    if input.ndim < 2:
        raise ShapeError(f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions")
    if maxnorm < 0:
        raise ArgumentRuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    axis = normalize_dim(dim, input.ndim)
    norms = input.norm(p, [d for d in range(input.ndim) if d != axis], keepdim=True)
    # 1e-7 as in PyTorch, so that a shortened slice is never longer than maxnorm.
    return input * select_by(norms > maxnorm, maxnorm / (norms + 1e-7), 1.0)
