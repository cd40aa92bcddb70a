"""Spread and norms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, ArgumentTypeError, DtypeError
from dovetail.ops.arithmetic import power, sign
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import Number, op
from dovetail.ops.exponential import sqrt
from dovetail.ops.precision import in_single
from dovetail.ops.reduction import Dims, amax, amin, count, mean, sum, widened
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import Dtypes, normalize_dims
from dovetail.record.samples import Arg, Samples, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

# ------------------------------------------------------------------------------------------ spread


def _canonical_spread(
    input: Spec, *, dim: Any, unbiased: bool | None, keepdim: bool, correction: Number | None
) -> dict[str, Any]:
    """PyTorch's three forms: ``var(True)``, ``var(dim, True)`` and ``var(dim, correction=1)``."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise ArgumentTypeError("var() and std() take unbiased or correction, not both")
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    dims = normalize_dims(dim, input.ndim)
    return {"dim": dims, "unbiased": None, "keepdim": keepdim, "correction": correction}


def _floating(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    answer = rules.same(inputs, statics)
    if not answer.outputs[0].is_floating_point:
        raise DtypeError(
            "std and var only support floating point and complex dtypes, but got "
            f"{answer.outputs[0].legacy_name} (convert first: x.float())"
        )
    return answer


def _spread_samples() -> Samples:
    return calls(
        call(Arg((2, 5))),
        call(Arg((3, 4, 2)), 1),
        call(Arg((3, 4, 2)), (0, -1), correction=0, keepdim=True),
        call(Arg((3, 4)), [0, 1], False),
        call(Arg((3, 4)), False),
        call(Arg((3, 4)), 0, True, True),
        call(Arg((4,)), correction=1.5),
        errors=(
            error(RuntimeError, "std and var only support floating point", Arg((3,), dtype="int64")),
            error(IndexError, "Dimension out of range", Arg((3,)), 1),
        ),
    )


def _freedom(shape: Sequence[int], dim: Sequence[int], correction: Number) -> float:
    """What the squares are divided by."""
    return max(count(shape, dim) - correction, 0)


def _variance(x: Tensor, dim: Sequence[int], keepdim: bool, correction: Number) -> Tensor:
    """The corrected two-pass algorithm: what the rounded mean is off by is taken out again.

    T. Chan, G. Golub and R. LeVeque, Algorithms for computing the sample variance, The American Statistician
    37, 1983.
    """
    centred: Any = x - mean(x, dim, True)
    drift = sum(centred, dim, keepdim)
    squares = sum(centred * centred, dim, keepdim)
    terms = count(x.shape, dim)
    if terms:
        squares = squares - drift * drift / terms
    return squares / _freedom(x.shape, dim, correction)


def _spread_gradient(g: Tensor, input: Tensor, specs: Any, dim: Any, keepdim: bool, correction: Number) -> Any:
    freedom = count(input.shape, dim) - correction
    factor = 2 / freedom if freedom else math.inf
    return widened(g, specs[0], dim, keepdim) * ((input - mean(input, dim, True)) * factor)


@op(
    shape=rules.reduced,
    dtype=_floating,
    canon=_canonical_spread,
    method=True,
    samples=_spread_samples(),
    agree=Agree.running(),
)
def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: Number | None = None,
) -> Tensor:
    """Variance over dimensions: the squares of distances from the mean, divided by n - ``correction``.

    ``correction`` is 1 by default and with ``unbiased``, 0 without. NaN or inf where n is not larger.

    >>> import dovetail
    >>> dovetail.var(dovetail.tensor([1.0, 2.0, 3.0]))
    tensor(1.)
    """
    assert correction is not None, "parameters are canonical in the body"
    return in_single(lambda x: _variance(x, dim, keepdim, correction), input)


var.vjp(
    input=lambda g, input, *, specs, dim, keepdim, correction: _spread_gradient(
        g, input, specs, dim, keepdim, correction
    )
)


@op(
    shape=rules.reduced,
    dtype=_floating,
    canon=_canonical_spread,
    method=True,
    samples=_spread_samples(),
    agree=Agree.running(),
)
def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: Number | None = None,
) -> Tensor:
    """Standard deviation over dimensions, the root of ``var``; where it is 0, so is the gradient.

    >>> import dovetail
    >>> dovetail.std(dovetail.tensor([1.0, 2.0, 3.0]), correction=0)
    tensor(0.8165)
    """
    assert correction is not None, "parameters are canonical in the body"
    return in_single(lambda x: sqrt(_variance(x, dim, keepdim, correction)), input)


std.vjp(
    input=lambda g, input, out, *, specs, dim, keepdim, correction: _spread_gradient(
        select_by(out == 0, 0, g / (out * 2)), input, specs, dim, keepdim, correction
    )
)


@op(method=False, samples=_spread_samples(), agree=Agree.running())
def var_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: Number | None = None,
) -> tuple[Tensor, Tensor]:
    """Variance and mean over dimensions."""
    spread = var(input, dim, unbiased, keepdim, correction=correction)
    return spread, mean(input, None if isinstance(dim, bool) else dim, keepdim)


@op(method=False, samples=_spread_samples(), agree=Agree.running())
def std_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: Number | None = None,
) -> tuple[Tensor, Tensor]:
    """Standard deviation and mean over dimensions."""
    spread = std(input, dim, unbiased, keepdim, correction=correction)
    return spread, mean(input, None if isinstance(dim, bool) else dim, keepdim)


# ------------------------------------------------------------------------------------------ norms


def _canonical_norm(input: Spec, *, p: Any, dim: Any, keepdim: bool, dtype: Any) -> dict[str, Any]:
    if p in (None, "fro"):
        p = 2
    if isinstance(p, str):
        raise ArgumentRuntimeError(f"norm: p must be a number or 'fro', got {p!r}")
    return {"p": float(p), "dim": normalize_dims(dim, input.ndim), "keepdim": keepdim, "dtype": dtype}


def _norm_dtype(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    first = inputs[0]
    assert first is not None, "the first input is never absent"
    kind = statics["dtype"] or first.dtype
    if not kind.is_floating_point:
        raise DtypeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            f"{kind.legacy_name} (convert first: x.float().norm())"
        )
    return Dtypes([kind], [kind])


def _norm_shape(input: Spec, *, p: float, dim: Any, keepdim: bool, dtype: Any) -> Any:
    if (math.isinf(p) or p < 0) and count(input.shape, dim) == 0:
        raise ArgumentRuntimeError(
            f"linalg.vector_norm cannot compute the {p:g} norm on an empty tensor because the operation does "
            "not have an identity"
        )
    return rules.reduced(input, dim=dim, keepdim=keepdim)


_SMOOTH: Final = Arg((2, 3))


def _norm_of(x: Tensor, p: float, dim: Any, keepdim: bool) -> Tensor:
    size: Any = x.abs()
    if p == 2:
        return sqrt(sum(size * size, dim, keepdim))
    if p == 1:
        return sum(size, dim, keepdim)
    if p == 0:
        return sum((size != 0).to(size.dtype), dim, keepdim)
    if math.isinf(p):
        return amax(size, dim, keepdim) if p > 0 else amin(size, dim, keepdim)
    return power(sum(power(size, p), dim, keepdim), 1 / p)


@op(
    shape=_norm_shape,
    dtype=_norm_dtype,
    canon=_canonical_norm,
    method=True,
    samples=calls(
        call(_SMOOTH),
        call(_SMOOTH, 2, 1),
        call(_SMOOTH, "fro", (0, 1), True),
        call(_SMOOTH, 1),
        call(_SMOOTH, 3, 0),
        call(_SMOOTH, 1.5, 0),
        call(Arg((2, 3), low=0.5), 0.5, 1),
        call(Arg((2, 3), distinct=True), float("inf"), 1),
        call(Arg((2, 3), low=0.5, distinct=True), -float("inf"), 1),
        call(_SMOOTH, 0, 1, grad=False),
        call(Arg((0,))),
        call(_SMOOTH, dtype=dtypes.float64),
        errors=(
            error(
                RuntimeError,
                "Expected a floating point or complex tensor as input. Got Long",
                Arg((3,), dtype="int64"),
            ),
            error(RuntimeError, "cannot compute the inf norm on an empty tensor", Arg((0,)), float("inf")),
        ),
    ),
    agree=Agree.running(),
    backward_name="LinalgVectorNormBackward0",
    autocast={"accelerator": "float32"},
)
def norm(
    input: Tensor,
    p: Any = "fro",
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: dtypes.dtype | None = None,
) -> Tensor:
    """The ``p``-norm over dimensions, ``sum(|x|^p)^(1/p)``: by default of all elements with p = 2.

    ``p`` may be infinite, 0 counts what is not 0. Where the norm is 0, the gradient is 0.

    >>> import dovetail
    >>> dovetail.norm(dovetail.tensor([[3.0, 4.0], [0.0, 1.0]]), dim=1)
    tensor([5., 1.])
    """
    return in_single(lambda x: _norm_of(x, p, dim, keepdim), input)


@norm.vjp
def _norm_gradient(
    g: Tensor, input: Tensor, out: Tensor, *, specs: Sequence[Spec], p: float, dim: Any, keepdim: bool
) -> tuple[Any]:
    g, out = widened(g, specs[0], dim, keepdim), widened(out, specs[0], dim, keepdim)
    x: Any = input
    size = x.abs()
    if p == 0:
        return (x.new_zeros(x.shape),)
    if p == 1:
        return (g * sign(x),)
    if p == 2:
        return (g * select_by(out == 0, 0, x / out),)
    if math.isinf(p):
        ties = ((size == out) | ((size != size) & (out != out))).to(g.dtype)
        return (g * (sign(x) * (ties / sum(ties, dim, True))),)
    if p < 1:
        slope = select_by(x == 0, 0, power(size, p - 1)) * power(out, 1 - p)
        return (g * (sign(x) * slope),)
    inner = sign(x) * power(size, p - 1) if p < 2 else x * power(size, p - 2)
    return (inner * select_by(out == 0, 0, g / power(out, p - 1)),)
