"""The operations of complex numbers on real ones: every dtype is real, so most of them change nothing."""

from __future__ import annotations

import math

from dovetail.errors import ArgumentRuntimeError, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import front, op, property_of
from dovetail.record.agree import Agree
from dovetail.record.samples import unary
from dovetail.tensor.tensor import Tensor


@front(method=True)
def conj(input: Tensor) -> Tensor:
    """The complex conjugate, which of real numbers is the tensor itself."""
    return input


@front(method=True)
def conj_physical(input: Tensor) -> Tensor:
    """The complex conjugate, which of real numbers is the tensor itself."""
    return input


@front(method=True)
def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself: no conjugation is put off."""
    return input


@front(method=True)
def resolve_neg(input: Tensor) -> Tensor:
    """The tensor itself: no negation is put off."""
    return input


@front(method=True)
def is_conj(input: Tensor) -> bool:
    """Whether a conjugation is put off: never."""
    return False


@front()
def real(input: Tensor) -> Tensor:
    """The real part, which is the tensor itself."""
    return input


@front()
def imag(input: Tensor) -> Tensor:
    """The imaginary part, which real numbers do not have.

    Raises:
        ArgumentRuntimeError: always.
    """
    raise ArgumentRuntimeError("imag is not implemented for tensors with non-complex dtypes.")


@op(method=True, nondifferentiable="the angle is constant but for its jump", samples=unary(), agree=Agree.rounded())
def angle(input: Tensor) -> Tensor:
    """The angle of each number in the complex plane: 0 for positive ones, pi for negative ones, nan for nan."""
    x = input if input.is_floating_point() else input.float()
    return select_by(x < 0, math.pi, select_by(x.isnan(), x, 0.0))


@front(method=True)
def adjoint(input: Tensor) -> Tensor:
    """The conjugate transpose of each matrix: the last two dimensions exchanged.

    Raises:
        ShapeError: fewer than two dimensions.
    """
    if input.ndim < 2:
        raise ShapeError(
            f"tensor.adjoint() is only supported on matrices or batches of matrices. Got {input.ndim}-D tensor."
        )
    return input.transpose(-2, -1)


def _matrix_adjoint(input: Tensor) -> Tensor:
    if input.ndim not in (0, 2):
        raise ShapeError(f"tensor.H is only supported on matrices (2-D tensors). Got {input.ndim}-D tensor.")
    return input.t()


property_of("real", real)
property_of("mH", adjoint)
property_of("H", _matrix_adjoint)
