"""Smooth activations: gelu, silu, mish, softplus, the exponential linear units and glu.

Where a formula loses digits, in the tails of gelu and silu above all, float32 is computed in float64.
"""

from __future__ import annotations

import math
from typing import Any, Final

from dovetail.errors import ArgumentRuntimeError, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import op
from dovetail.ops.precision import widest
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import normalize_dim
from dovetail.record.samples import Arg, call, calls, error, unary
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

_INTEGERS = error(RuntimeError, "not implemented for 'Long'", Arg((3,), dtype="int64"))

# ------------------------------------------------------------------------------- exponential linear units


def _below(input: Tensor) -> Tensor:
    """The negative elements, 0 for the others: no exponential overflows in the branch that is not taken."""
    return select_by(input > 0, 0, input)


@op(
    shape=rules.like_first,
    dtype=rules.require_floating("elu"),
    samples=unary(params=({}, {"alpha": 0.5}), errors=(_INTEGERS,)),
    agree=Agree.running(),
)
def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Each element where it is positive, ``alpha * (exp(x) - 1)`` elsewhere (arXiv:1511.07289).

    The gradient at 0 is alpha.
    """
    return select_by(input > 0, input, _below(input).expm1() * alpha)


elu.vjp(input=lambda g, input, *, alpha: select_by(input <= 0, g * (_below(input).exp() * alpha), g))

# Klambauer et al. 2017, arXiv:1706.02515, equation 14.
SELU_ALPHA: Final = 1.6732632423543772848170429916717
SELU_SCALE: Final = 1.0507009873554804934193349852946


@op(
    shape=rules.like_first,
    dtype=rules.require_floating("selu"),
    samples=unary(errors=(_INTEGERS,)),
    agree=Agree.running(),
    backward_name="EluBackward0",
)
def selu(input: Tensor) -> Tensor:
    """``scale * elu(x, alpha)`` with the two constants that keep mean 0 and variance 1 (arXiv:1706.02515)."""
    return select_by(input > 0, input * SELU_SCALE, _below(input).expm1() * (SELU_ALPHA * SELU_SCALE))


selu.vjp(
    input=lambda g, input: select_by(input <= 0, g * (_below(input).exp() * (SELU_ALPHA * SELU_SCALE)), g * SELU_SCALE)
)


def _not_zero(input: Spec, *, alpha: float) -> dict[str, Any]:
    if alpha == 0:
        raise ArgumentRuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return {"alpha": alpha}


@op(
    shape=rules.like_first,
    dtype=rules.require_floating("celu"),
    canon=_not_zero,
    samples=unary(
        params=({}, {"alpha": 0.5}),
        errors=(_INTEGERS, error(RuntimeError, "alpha cannot be 0 for CELU", Arg((2,)), 0.0)),
    ),
    agree=Agree.running(),
)
def celu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Each element where it is positive, ``alpha * (exp(x / alpha) - 1)`` elsewhere (arXiv:1704.07483)."""
    return select_by(input > 0, input, (_below(input) / alpha).expm1() * alpha)


celu.vjp(input=lambda g, input, *, alpha: select_by(input <= 0, g * (_below(input) / alpha).exp(), g))

# ------------------------------------------------------------------------------------------ softplus


@op(
    shape=rules.like_first,
    dtype=rules.require_floating("softplus"),
    samples=unary(-5, 5, params=({}, {"beta": 2.0, "threshold": 1.0}), errors=(_INTEGERS,)),
    agree=Agree.running(),
    autocast={"accelerator": "float32"},
)
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """``log(1 + exp(beta * x)) / beta``, and x itself where ``beta * x`` is above the threshold."""
    x = input.to(widest(input))
    scaled = x * beta
    straight = scaled > threshold
    soft = select_by(straight, 0, scaled).exp().log1p() / beta
    return select_by(straight, x, soft).to(input.dtype)


softplus.vjp(
    input=lambda g, input, *, beta, threshold: select_by(input * beta > threshold, g, g * (input * beta).sigmoid())
)


@op(
    shape=rules.like_first,
    dtype=rules.require_floating("logsigmoid"),
    samples=unary(-5, 5, errors=(_INTEGERS,)),
    agree=Agree.running(),
    backward_name="LogSigmoidBackward0",
)
def logsigmoid(input: Tensor) -> Tensor:
    """``log(sigmoid(x))`` as ``min(x, 0) - log(1 + exp(-abs(x)))``, which neither overflows nor cancels."""
    x = input.to(widest(input))
    return (_below(x) - (-x.abs()).exp().log1p()).to(input.dtype)


logsigmoid.vjp(input=lambda g, input: g * (-input).sigmoid())

# ------------------------------------------------------------------------------------------ gates


@op(
    shape=rules.like_first,
    dtype=rules.same,
    internal=True,
    samples=calls(call(Arg((2, 3)), Arg((2, 3), low=-6, high=6))),
    agree=Agree.running(),
)
def silu_backward(grad: Tensor, input: Tensor) -> Tensor:
    """``grad * s * (1 + x * (1 - s))`` with s = sigmoid(x), and 1 - s as sigmoid(-x)."""
    x = input.to(widest(input))
    return (grad.to(x.dtype) * (x.sigmoid() * (1 + x * (-x).sigmoid()))).to(input.dtype)


@op(
    shape=rules.like_first,
    dtype=rules.require_floating("silu"),
    samples=unary(-6, 6, errors=(_INTEGERS,)),
    agree=Agree.running(),
)
def silu(input: Tensor) -> Tensor:
    """``x * sigmoid(x)``, also known as swish (arXiv:1606.08415)."""
    x = input.to(widest(input))
    return (x * x.sigmoid()).to(input.dtype)


silu.vjp(input=lambda g, input: silu_backward(g, input))


@op(
    samples=unary(-6, 6),
    agree=Agree.running(),
)
def mish(input: Tensor) -> Tensor:
    """``x * tanh(softplus(x))`` (arXiv:1908.08681)."""
    if not input.is_floating_point():
        raise ArgumentRuntimeError(f"\"mish\" not implemented for '{input.dtype.legacy_name}'")
    x = input.to(widest(input))
    return (x * softplus(x).tanh()).to(input.dtype)


# 1 / sqrt(2), sqrt(2 / pi) and 1 / sqrt(2 pi).
_ROOT_HALF: Final = math.sqrt(0.5)
_TANH_SCALE: Final = math.sqrt(2 / math.pi)
_BELL: Final = 1 / math.sqrt(2 * math.pi)
# Hendrycks and Gimpel, arXiv:1606.08415, section 2.
_CUBIC: Final = 0.044715


def _approximation(input: Spec, *others: Spec, approximate: str) -> dict[str, Any]:
    if approximate not in ("none", "tanh"):
        raise ArgumentRuntimeError(f"approximate argument must be either none or tanh. (got {approximate!r})")
    return {"approximate": approximate}


@op(
    shape=rules.like_first,
    dtype=rules.same,
    canon=lambda grad, input, *, approximate: _approximation(input, approximate=approximate),
    internal=True,
    samples=calls(
        call(Arg((2, 3)), Arg((2, 3), low=-4, high=4)),
        call(Arg((2, 3)), Arg((2, 3), low=-4, high=4), approximate="tanh"),
    ),
    agree=Agree.running(),
)
def gelu_backward(grad: Tensor, input: Tensor, approximate: str = "none") -> Tensor:
    """``grad`` times the derivative of gelu: Phi(x) + x phi(x), or that of the tanh form."""
    x = input.to(widest(input))
    if approximate == "none":
        slope = (x * -_ROOT_HALF).erfc() * 0.5 + x * ((x * x * -0.5).exp() * _BELL)
    else:
        square = x * x
        inner = (x * (square * _CUBIC + 1)) * _TANH_SCALE
        rate = (square * (3 * _CUBIC) + 1) * _TANH_SCALE
        # (1 + tanh u) / 2 is sigmoid(2 u): the tails keep their digits.
        gate, rest = (inner * 2).sigmoid(), (inner * -2).sigmoid()
        slope = gate + x * (gate * rest * 2) * rate
    return (grad.to(x.dtype) * slope).to(input.dtype)


@op(
    shape=rules.like_first,
    dtype=rules.require_floating("gelu"),
    canon=_approximation,
    samples=unary(
        -4,
        4,
        params=({}, {"approximate": "tanh"}),
        errors=(
            _INTEGERS,
            error(
                RuntimeError,
                "approximate argument must be either none or tanh.",
                Arg((2,)),
                approximate="erf",
            ),
        ),
    ),
    agree=Agree.running(),
)
def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """``x * Phi(x)`` with the normal distribution function Phi; "tanh" approximates it (arXiv:1606.08415).

    Phi(x) is ``erfc(-x / sqrt(2)) / 2``, which does not cancel for negative x.
    """
    x = input.to(widest(input))
    if approximate == "none":
        return (x * ((x * -_ROOT_HALF).erfc() * 0.5)).to(input.dtype)
    inner = (x * (x * x * _CUBIC + 1)) * _TANH_SCALE
    return (x * (inner * 2).sigmoid()).to(input.dtype)


gelu.vjp(input=lambda g, input, *, approximate: gelu_backward(g, input, approximate))


@op(
    samples=calls(
        call(Arg((4,))),
        call(Arg((2, 4)), 1),
        call(Arg((2, 4, 3)), 0),
        errors=(
            error(RuntimeError, "Halving dimension must be even, but dimension 0 is size 3", Arg((3,)), 0),
            error(RuntimeError, "glu does not support scalars because halving size must be even", Arg(())),
        ),
    ),
    agree=Agree.running(),
)
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """``a * sigmoid(b)`` for the two halves a and b of a dimension (arXiv:1612.08083)."""
    if not input.ndim:
        raise ShapeError("glu does not support scalars because halving size must be even")
    at = normalize_dim(dim, input.ndim)
    size = input.shape[at]
    if size % 2:
        raise ShapeError(f"Halving dimension must be even, but dimension {at} is size {size}")
    return input.narrow(at, 0, size // 2) * input.narrow(at, size // 2, size // 2).sigmoid()


# ---------------------------------------------------------------------- without exponentials of their own


@op(samples=unary(dtypes=("float", "int")), agree=Agree.running())
def softsign(input: Tensor) -> Tensor:
    """``x / (1 + abs(x))``."""
    return input / (input.abs() + 1)


@op(samples=unary(dtypes=("float", "int")), agree=Agree.running())
def tanhshrink(input: Tensor) -> Tensor:
    """``x - tanh(x)``."""
    return input - input.tanh()
