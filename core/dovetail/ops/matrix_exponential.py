"""The exponential of a matrix."""

from __future__ import annotations

import math
from typing import Final

from dovetail.errors import DtypeError, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import eye
from dovetail.ops.definition import op
from dovetail.record.agree import Agree, Growth
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.tensor import Tensor

_DEGREE: Final = 18
"""Of the Taylor polynomial: with a norm of at most 1 its rest is 1 / 19! = 8e-18, below the last bit of float64."""
_SQUARINGS: Final = 12
"""Enough for norms up to 2**12, whose exponentials no floating-point type can hold but for cancellation."""


@op(
    method=True,
    samples=calls(
        call(Arg((3, 3), low=-1.0, high=1.0)),
        call(Arg((2, 2, 2), low=-3.0, high=3.0)),
        call(Arg((1, 1))),
        errors=(
            error(RuntimeError, "expected a tensor of floating or complex types", Arg((2, 2), dtype="int64")),
            error(RuntimeError, "must be batches of square matrices", Arg((2, 3))),
        ),
    ),
    agree=Agree.terms(k=Growth(linear=64, plus=512)),
)
def matrix_exp(input: Tensor) -> Tensor:
    """The exponential of each square matrix, by scaling, a Taylor polynomial, and squaring.

    The matrix is divided by a power of two that makes its norm at most 1, and the result squared as often (C. Moler and
    C. Van Loan, *Nineteen dubious ways to compute the exponential of a matrix*, SIAM Review 45, 2003, method 3). How
    often is decided without reading the norm, so a captured program can contain it.

    Shapes: input and result (..., n, n).
    """
    if not input.is_floating_point():
        raise DtypeError(f"linalg.matrix_exp: expected a tensor of floating or complex types (got {input.dtype.name})")
    if input.ndim < 2 or input.shape[-1] != input.shape[-2]:
        raise ShapeError(f"linalg.matrix_exp: A must be batches of square matrices, got {list(input.shape)}")
    size = input.shape[-1]
    if not input.numel():
        return input.clone()
    norm = input.detach().abs().sum(-2).amax(-1)
    halvings = sum(((norm > 2.0**k).to(input.dtype) for k in range(1, _SQUARINGS)), (norm > 1).to(input.dtype))
    scaled = input * (-halvings * math.log(2)).exp()[..., None, None]
    one = eye(size, dtype=input.dtype, device=input.device)
    total = one + scaled * (1 / _DEGREE)
    for k in range(_DEGREE - 1, 0, -1):
        total = one + scaled @ total * (1 / k)
    for k in range(_SQUARINGS):
        total = select_by((halvings > k)[..., None, None], total @ total, total)
    return total
