"""Small functions of numbers: signs, steps, powers, what to put for NaN, differences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, DtypeError, ShapeError
from dovetail.ops.arithmetic import maximum, minimum, pow, sign
from dovetail.ops.comparison import logical_xor, select_by
from dovetail.ops.definition import Number, op
from dovetail.ops.indexing import narrow
from dovetail.ops.joining import cat
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import normalize_dim
from dovetail.record.samples import ALL, NUMERIC, Arg, binary, call, calls, error, unary
from dovetail.tensor.tensor import Tensor

_STEP = "the result is a truth value"


@op(method=True, inplace=True, samples=unary(dtypes=ALL), agree=Agree.exact())
def sgn(input: Tensor) -> Tensor:
    """-1, 0 or 1 by the sign of each element, as ``sign``."""
    return sign(input)


@op(method=True, nondifferentiable=_STEP, samples=unary(dtypes=NUMERIC, special=False), agree=Agree.exact())
def signbit(input: Tensor) -> Tensor:
    """Whether each element has a minus, also -0. and not NaN."""
    negative: Any = input < 0
    if not input.dtype.is_floating_point:
        return negative  # type: ignore[no-any-return]  # a comparison of tensors
    return negative | ((input == 0) & (1 / input < 0))  # type: ignore[no-any-return]  # comparisons of tensors


@op(
    method=True,
    inplace=True,
    samples=binary(right=(0.5, 2), dtypes=NUMERIC, scalars=(-1.0, 2), special=False),
    agree=Agree.exact(),
)
def copysign(input: Tensor, other: Tensor | Number) -> Tensor:
    """The size of each element of ``input`` with the sign of ``other``; integers become floating.

    >>> import dovetail
    >>> dovetail.copysign(dovetail.tensor([1.0, 2.0]), -1)
    tensor([-1., -2.])
    """
    both = [t._spec for t in (input, other) if isinstance(t, Tensor)]
    x: Any = input.to(rules.floating(rules.result_type(both)))
    sign_of: Any = other if isinstance(other, Tensor) else x.new_full((), other)
    return select_by(logical_xor(signbit(x), signbit(sign_of)), -x, x)


@op(
    method=True,
    inplace=True,
    nondifferentiable="a step function: the gradient is 0 almost everywhere",
    samples=calls(
        call(Arg((5,), values=[-1.0, 0.0, 2.0, -0.0, 0.5]), Arg((1,))),
        call(Arg((2, 3)), Arg((2, 3))),
        dtypes=("float",),
        errors=(
            error(
                RuntimeError,
                "heaviside is not yet implemented for tensors with different dtypes.",
                Arg((2,), dtype="int64"),
                Arg((2,)),
            ),
        ),
    ),
    agree=Agree.exact(),
)
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 below 0, 1 above, and ``values`` at 0; 0 for NaN."""
    if input.dtype is not values.dtype:
        raise DtypeError("heaviside is not yet implemented for tensors with different dtypes.")
    above: Any = input > 0
    return select_by(input == 0, values, above.to(input.dtype))


@op(
    method=True,
    inplace=True,
    samples=calls(
        call(Arg((5,), values=[1.0, math.nan, math.inf, -math.inf, -0.0])),
        call(Arg((5,), values=[1.0, math.nan, math.inf, -math.inf, -0.0]), 0.5, 1.0, 2.0),
        call(Arg((2, 3)), nan=1.0),
        dtypes=NUMERIC[:1],
        special=True,
    ),
    agree=Agree.exact(),
)
def nan_to_num(
    input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """Numbers for NaN (0) and for the infinities (the largest and the smallest number of the type).

    >>> import dovetail
    >>> dovetail.nan_to_num(dovetail.tensor([1.0, float("nan")]))
    tensor([1., 0.])
    """
    if not input.dtype.is_floating_point:
        return input.clone()
    largest = _largest(input.dtype)
    result = select_by(input != input, 0.0 if nan is None else nan, input)
    result = select_by(input == math.inf, largest if posinf is None else posinf, result)
    return select_by(input == -math.inf, -largest if neginf is None else neginf, result)


def _largest(dtype: dtypes.dtype) -> float:
    if dtype is dtypes.bfloat16:
        return 3.3895313892515355e38
    return float(np.finfo(dtype.host).max)


@op(method=True, samples=binary(dtypes=NUMERIC), agree=Agree.exact(signed_zero=False))
def fmax(input: Tensor, other: Tensor) -> Tensor:
    """The larger of each pair; where one is NaN, the other."""
    return select_by(other != other, input, select_by(input != input, other, maximum(input, other)))


@op(method=True, samples=binary(dtypes=NUMERIC), agree=Agree.exact(signed_zero=False))
def fmin(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of each pair; where one is NaN, the other."""
    return select_by(other != other, input, select_by(input != input, other, minimum(input, other)))


# ------------------------------------------------------------------------------------------ powers


@op(
    method=True,
    inplace=True,
    samples=calls(
        call(Arg((3,)), Arg((3,), dtype="int64", values=[1, 2, 5])), call(Arg((2, 3)), Arg((3,)))
    ),
    agree=Agree.running(),
)
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """``input * 2 ** other``."""
    kind = rules.floating(rules.result_type((input._spec, other._spec)))
    return input * pow(2.0, other.to(kind))


@op(
    method=True,
    samples=calls(
        call(Arg((3,), low=0.2, high=3), 2),
        call(Arg((2, 3), low=0.2, high=3), Arg((3,))),
        dtypes=NUMERIC[:1],
    ),
    agree=Agree.ulp(f32=2, f64=1),
)
def float_power(input: Tensor, exponent: Tensor | Number) -> Tensor:
    """Power of each element, computed and given in float64."""
    base: Any = input.to(dtypes.float64)
    if isinstance(exponent, Tensor):
        exponent = exponent.to(dtypes.float64)
    return base.pow(exponent)  # type: ignore[no-any-return]  # a power of tensors


# ------------------------------------------------------------------------------------------ differences


@op(
    method=True,
    samples=calls(
        call(Arg((5,))),
        call(Arg((2, 4)), 2),
        call(Arg((3, 2)), dim=0),
        call(Arg((2, 3)), prepend=Arg((2, 1)), append=Arg((2, 2))),
        call(Arg((2,)), 3),
        dtypes=ALL,
        errors=(
            error(RuntimeError, "diff expects input to be at least one-dimensional", Arg(())),
            error(RuntimeError, "order must be non-negative but got -1", Arg((2,)), -1),
        ),
    ),
    agree=Agree.running(),
)
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """Differences of neighbours along a dimension, ``n`` times; of bools whether they differ.

    >>> import dovetail
    >>> dovetail.diff(dovetail.tensor([1, 4, 9]))
    tensor([3, 5])
    """
    if not input.ndim:
        raise ShapeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise ArgumentRuntimeError(f"order must be non-negative but got {n}")
    at = normalize_dim(dim, input.ndim)
    parts = [t for t in (prepend, input, append) if t is not None]
    row: Any = cat(parts, at) if len(parts) > 1 else input
    for _ in range(n):
        size = row.shape[at]
        if not size:
            return row  # type: ignore[no-any-return]  # a tensor
        after, before = narrow(row, at, 1, size - 1), narrow(row, at, 0, size - 1)
        row = logical_xor(after, before) if row.dtype is dtypes.bool_ else after - before
    return row if n else row.clone()  # type: ignore[no-any-return]  # a tensor
