"""Losses between two tensors of one shape: squares, absolute values, binary cross entropy, divergence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from dovetail.errors import ArgumentError, ArgumentRuntimeError, DtypeError
from dovetail.ops.activation import logsigmoid
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import ValueCheck, op
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import Dtypes, broadcast_shapes
from dovetail.record.samples import Arg, Sample, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

REDUCTIONS: Final = ("none", "mean", "sum")


def check_reduction(reduction: str) -> None:
    """Raise unless the word is one of "none", "mean" and "sum"."""
    if reduction not in REDUCTIONS:
        raise ArgumentError(f"{reduction} is not a valid value for reduction; it may be 'none', 'mean' or 'sum'")


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The losses themselves, their mean or their sum."""
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss


def _loss_shape(*inputs: Spec | None, reduction: str, **_: Any) -> tuple[int, ...]:
    check_reduction(reduction)
    shape = broadcast_shapes(*(s.shape for s in inputs if s is not None))
    return shape if reduction == "none" else ()


def _floating(name: str) -> rules.DtypeRule:
    """Every input in the common type, which must be floating."""

    def rule(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
        common = rules.result_type(inputs)
        if not common.is_floating_point:
            raise DtypeError(f"\"{name}\" not implemented for '{common.legacy_name}' (convert first: x.float())")
        return Dtypes([common] * len(inputs), [common])

    return rule


_PAIRS: Final[tuple[Sample, ...]] = (
    call(Arg((2, 3)), Arg((2, 3))),
    call(Arg((2, 3)), Arg((3,)), reduction="none"),
    call(Arg((4,)), Arg((4,)), reduction="sum"),
    call(Arg(()), Arg(())),
)
_WORD = error(ValueError, "foo is not a valid value for reduction", Arg((2,)), Arg((2,)), reduction="foo")
_SIZES = error(RuntimeError, "The size of tensor a (3) must match the size of tensor b (2)", Arg((3,)), Arg((2,)))
_LONG = error(RuntimeError, "'Long'", Arg((2,), dtype="int64"), Arg((2,), dtype="int64"))

# ------------------------------------------------------------------------------------------ squares


@op(
    shape=lambda grad, input, target, *, reduction: broadcast_shapes(input.shape, target.shape),
    dtype=rules.same,
    internal=True,
    samples=calls(
        call(Arg(()), Arg((2, 3)), Arg((2, 3)), reduction="mean"),
        call(Arg((2, 3)), Arg((2, 3)), Arg((3,)), reduction="none"),
    ),
    agree=Agree.running(),
)
def mse_loss_backward(grad: Tensor, input: Tensor, target: Tensor, reduction: str) -> Tensor:
    """``2 (x - y)`` times the gradient of each square."""
    difference = input - target
    scale = 2 / difference.numel() if reduction == "mean" and difference.numel() else 2.0
    return difference * (grad * scale)


@op(
    shape=_loss_shape,
    dtype=_floating("mse_loss"),
    samples=calls(*_PAIRS, errors=(_WORD, _SIZES, _LONG)),
    agree=Agree.running(),
    autocast="float32",
)
def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Squared differences ``(x - y)**2``: their mean, their sum, or each of them.

    >>> import dovetail
    >>> dovetail.nn.functional.mse_loss(dovetail.zeros(2), dovetail.tensor([1.0, 3.0]))
    tensor(5.)
    """
    difference = input - target
    return reduced(difference * difference, reduction)


@mse_loss.vjp
def _mse_gradient(g: Tensor, input: Tensor, target: Tensor, *, reduction: str, needs: Any) -> Any:
    gradient = mse_loss_backward(g, input, target, reduction)
    return (gradient if needs[0] else None, -gradient if needs[1] else None)


# ------------------------------------------------------------------------------------------ absolute values


@op(
    shape=_loss_shape,
    dtype=_floating("l1_loss"),
    samples=calls(*_PAIRS, errors=(_WORD, _SIZES, _LONG)),
    agree=Agree.running(),
    autocast="float32",
)
def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Absolute differences ``abs(x - y)``: their mean, their sum, or each of them."""
    return reduced((input - target).abs(), reduction)


def _smooth_shape(input: Spec, target: Spec, *, reduction: str, beta: float) -> tuple[int, ...]:
    if beta < 0:
        raise ArgumentRuntimeError(f"smooth_l1_loss does not support negative values for beta. (got {beta})")
    return _loss_shape(input, target, reduction=reduction)


@op(
    shape=_smooth_shape,
    dtype=_floating("smooth_l1_loss"),
    samples=calls(
        *_PAIRS,
        call(Arg((2, 3)), Arg((2, 3)), beta=0.3),
        call(Arg((2, 3)), Arg((2, 3)), beta=0.0),
        errors=(
            _WORD,
            _SIZES,
            _LONG,
            error(RuntimeError, "negative values for beta", Arg((2,)), Arg((2,)), beta=-1.0),
        ),
    ),
    agree=Agree.running(),
    autocast="float32",
)
def smooth_l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """``(x - y)**2 / (2 beta)`` where ``abs(x - y) < beta``, ``abs(x - y) - beta / 2`` elsewhere.

    Source: Girshick 2015, arXiv:1504.08083; beta 0 is l1_loss.
    """
    difference = input - target
    if beta == 0:
        return reduced(difference.abs(), reduction)
    size = difference.abs()
    square = difference * difference * (0.5 / beta)
    return reduced(select_by(size < beta, square, size - 0.5 * beta), reduction)


def _huber_shape(input: Spec, target: Spec, *, reduction: str, delta: float) -> tuple[int, ...]:
    if delta <= 0:
        raise ArgumentRuntimeError(f"huber_loss does not support non-positive values for delta. (got {delta})")
    return _loss_shape(input, target, reduction=reduction)


@op(
    shape=_huber_shape,
    dtype=_floating("huber_loss"),
    samples=calls(
        *_PAIRS,
        call(Arg((2, 3)), Arg((2, 3)), delta=0.3),
        errors=(
            _WORD,
            _SIZES,
            _LONG,
            error(RuntimeError, "non-positive values for delta", Arg((2,)), Arg((2,)), delta=0.0),
        ),
    ),
    agree=Agree.running(),
    autocast="float32",
)
def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """``(x - y)**2 / 2`` where ``abs(x - y) <= delta``, ``delta * (abs(x - y) - delta / 2)`` elsewhere."""
    difference = input - target
    size = difference.abs()
    square = difference * difference * 0.5
    return reduced(select_by(size <= delta, square, (size - 0.5 * delta) * delta), reduction)


# ----------------------------------------------------------------------------------- binary cross entropy


def _not_probability(input: Tensor, target: Tensor, *_: Any, **__: Any) -> Tensor:
    return (outside_unit(input) | outside_unit(target)).any()


def outside_unit(x: Tensor) -> Tensor:
    """Where an element is no number from 0 to 1."""
    return ~((x >= 0) & (x <= 1))


def _not_probability_error(input: Tensor, target: Tensor, *_: Any, **__: Any) -> Exception:
    if bool(outside_unit(input.detach()).any()):
        return ArgumentRuntimeError(
            "all elements of input should be between 0 and 1 (apply sigmoid first, or use "
            "binary_cross_entropy_with_logits)"
        )
    return ArgumentRuntimeError("all elements of target should be between 0 and 1")


def _unit(*shape: int) -> Arg:
    """Probabilities, none of them certain."""
    return Arg(shape, low=0.05, high=0.95)


_FLOOR: Final = -100.0
"""The least value of each logarithm, as in PyTorch."""
_TINY: Final = 1e-12
"""The least divisor of the gradient, as in PyTorch."""


def _bounded_log(x: Tensor) -> Tensor:
    """The logarithm, but at least -100."""
    found = x.log()
    return select_by(found < _FLOOR, _FLOOR, found)


@op(
    shape=_loss_shape,
    dtype=_floating("binary_cross_entropy"),
    checks=(ValueCheck(_not_probability, _not_probability_error),),
    samples=calls(
        call(_unit(2, 3), _unit(2, 3)),
        call(_unit(2, 3), _unit(2, 3), Arg((3,), low=0.5, grad=False), reduction="sum"),
        call(_unit(4), _unit(4), reduction="none"),
        errors=(
            error(
                RuntimeError,
                "all elements of input should be between 0 and 1",
                Arg((1,), values=[1.5]),
                _unit(1),
            ),
            error(
                RuntimeError,
                "all elements of target should be between 0 and 1",
                _unit(1),
                Arg((1,), values=[1.5]),
            ),
            _LONG,
        ),
    ),
    agree=Agree.running(),
    autocast={"cpu": "float32", "accelerator": "refused"},
)
def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """``-(y log(x) + (1 - y) log(1 - x))`` of probabilities, each logarithm at least -100; reduced.

    The gradient of x is ``(x - y) / max(x (1 - x), 1e-12)``.
    """
    loss = (target - 1) * _bounded_log_of_rest(input) - target * _bounded_log(input)
    return reduced(loss if weight is None else loss * weight, reduction)


def _bounded_log_of_rest(x: Tensor) -> Tensor:
    """The logarithm of ``1 - x``, but at least -100."""
    found = (-x).log1p()
    return select_by(found < _FLOOR, _FLOOR, found)


@binary_cross_entropy.vjp
def _bce_gradient(
    g: Tensor, input: Tensor, target: Tensor, weight: Tensor | None, *, reduction: str, needs: Any, specs: Any
) -> Any:
    shape = broadcast_shapes(*(s.shape for s in specs if s is not None))
    if reduction == "mean":
        g = g / max(math.prod(shape), 1)
    whole = g if weight is None else g * weight
    divisor = input * (1 - input)
    left = right = third = None
    if needs[0]:
        left = whole * ((input - target) / select_by(divisor < _TINY, _TINY, divisor))
    if needs[1]:
        right = whole * (_bounded_log_of_rest(input) - _bounded_log(input))
    if needs[2]:
        third = g * ((target - 1) * _bounded_log_of_rest(input) - target * _bounded_log(input))
    return tuple(part if part is None else part.expand(shape) for part in (left, right, third))


@op(
    shape=_loss_shape,
    dtype=_floating("binary_cross_entropy_with_logits"),
    samples=calls(
        call(Arg((2, 3), low=-5, high=5), _unit(2, 3)),
        call(
            Arg((2, 3)),
            _unit(2, 3),
            Arg((3,), low=0.5, grad=False),
            pos_weight=Arg((3,), low=0.5, grad=False),
            reduction="sum",
        ),
        call(Arg((4,)), _unit(4), reduction="none"),
        errors=(_WORD, _SIZES, _LONG),
    ),
    agree=Agree.running(),
    autocast="float32",
)
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``binary_cross_entropy(sigmoid(x), y)`` without overflow; ``pos_weight`` weighs the positives; reduced.

    Computed as ``(1 - y) x - (1 + (p - 1) y) log(sigmoid(x))``.
    """
    low = logsigmoid(input)
    if pos_weight is not None:
        low = low * ((pos_weight - 1) * target + 1)
    loss = (1 - target) * input - low
    return reduced(loss if weight is None else loss * weight, reduction)


# ------------------------------------------------------------------------------------------ divergence


@op(
    shape=_loss_shape,
    dtype=_floating("kl_div"),
    samples=calls(
        call(Arg((2, 3), low=-3, high=0), _unit(2, 3)),
        call(Arg((2, 3), low=-3, high=0), Arg((2, 3), low=-3, high=0), reduction="sum", log_target=True),
        call(Arg((4,), low=-3, high=0), _unit(4), reduction="none"),
        errors=(_WORD, _SIZES, _LONG),
    ),
    agree=Agree.running(),
    autocast="float32",
)
def kl_div(input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """``y (log(y) - x)`` for log-probabilities x, 0 where y is 0; ``log_target``: y is a logarithm too."""
    if log_target:
        return reduced(target.exp() * (target - input), reduction)
    nothing = target == 0
    entropy = target * select_by(nothing, 1, target).log()
    return reduced(select_by(nothing, 0, entropy) - target * input, reduction)
