"""Activations made of straight pieces: relu and its kin, limits, thresholds and shrinkage.

The gradient at an edge is fixed: 0 for relu, relu6, hardtanh and hardsigmoid, the negative slope for
leaky_relu.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail import dtypes
from dovetail.errors import ArgumentError, ArgumentRuntimeError, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import Number, op
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.samples import NUMERIC, Arg, call, calls, error, unary
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

_INTEGERS = error(RuntimeError, "not implemented for 'Long'", Arg((3,), dtype="int64"))

# ------------------------------------------------------------------------------------------ relu


@op(
    shape=rules.like_first,
    dtype=rules.same,
    internal=True,
    samples=calls(call(Arg((2, 3)), Arg((2, 3))), call(Arg(()), Arg(())), special=True),
    agree=Agree.exact(),
)
def relu_backward(grad: Tensor, output: Tensor) -> Tensor:
    """``grad`` where the output of relu is not 0 (or is NaN), else 0."""
    return select_by(output <= 0, 0, grad)


relu_backward.vjp(grad=lambda g, output: relu_backward(g, output))


@op(
    shape=rules.like_first,
    dtype=rules.no_bool("relu", "Boolean inputs not supported for relu; convert them first: x.float()"),
    method=True,
    inplace=True,
    samples=unary(
        dtypes=NUMERIC,
        errors=(error(RuntimeError, "Boolean inputs not supported for relu", Arg((2,), dtype="bool")),),
    ),
    agree=Agree.exact(signed_zero=False),
    reference=lambda x: np.maximum(x, 0),
)
def relu(input: Tensor) -> Tensor:
    """The larger of each element and 0, NaN for NaN; the gradient at 0 is 0.

    >>> import dovetail
    >>> dovetail.relu(dovetail.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return select_by(input <= 0, 0, input)


relu.vjp(input=lambda g, out: relu_backward(g, out))


@op(
    shape=rules.like_first,
    dtype=rules.same,
    internal=True,
    samples=calls(call(Arg((2, 3)), Arg((2, 3)), 0.1), call(Arg(()), Arg(()), -0.5), special=True),
    agree=Agree.running(),
)
def leaky_relu_backward(grad: Tensor, input: Tensor, negative_slope: float) -> Tensor:
    """``grad`` where the input is positive, ``negative_slope`` times it elsewhere."""
    return select_by(input > 0, grad, grad * negative_slope)


leaky_relu_backward.vjp(grad=lambda g, input, *, negative_slope: leaky_relu_backward(g, input, negative_slope))


@op(
    shape=rules.like_first,
    dtype=rules.require_floating("leaky_relu"),
    samples=unary(params=({}, {"negative_slope": 0.2}), errors=(_INTEGERS,)),
    agree=Agree.running(),
)
def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Each element where it is positive, ``negative_slope`` times it elsewhere, also in the gradient at 0."""
    return select_by(input > 0, input, input * negative_slope)


leaky_relu.vjp(input=lambda g, input, *, negative_slope: leaky_relu_backward(g, input, negative_slope))


@op(
    samples=calls(
        call(Arg((2, 3)), Arg((1,))),
        call(Arg((2, 3, 2)), Arg((3,))),
        call(Arg((4,)), Arg((1,))),
        errors=(
            error(RuntimeError, "Mismatch of parameter numbers and input channel size", Arg((2, 3)), Arg((2,))),
            error(RuntimeError, "Expected `weight` to be a scalar or 1D tensor", Arg((2, 3)), Arg((3, 1))),
            error(RuntimeError, "Type promoting not supported", Arg((2,), dtype="int64"), Arg((1,))),
        ),
    ),
    agree=Agree.running(),
    backward_name="PreluKernelBackward0",
    autocast="lower",
)
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Each element where it is positive, ``weight`` times it elsewhere (arXiv:1502.01852).

    ``weight`` has one element, or one for each channel (dimension 1).
    """
    if input.dtype is not weight.dtype:
        raise ArgumentRuntimeError(
            f"prelu: Type promoting not supported. Got {input.dtype.legacy_name} and "
            f"{weight.dtype.legacy_name} "
            f"(convert one of them: weight.to({input.dtype!r}))"
        )
    if weight.ndim > 1:
        raise ShapeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}")
    if weight.numel() != 1:
        if not input.ndim:
            raise ShapeError(
                "prelu: Not allow zero-dim input tensor. (a weight of several elements is one per channel)"
            )
        channels = input.shape[1] if input.ndim > 1 else 1
        if weight.numel() != channels:
            raise ShapeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{weight.numel()} and channel size = {channels}. (input {list(input.shape)}: channels are "
                "dimension 1)"
            )
        weight = weight.reshape((channels, *(1,) * (input.ndim - 2)))
    elif weight.ndim and not input.ndim:
        weight = weight.reshape(())
    return select_by(input > 0, input, weight * input)


# ------------------------------------------------------------------------------------------ limits


@op(
    shape=rules.like_first,
    dtype=rules.same,
    internal=True,
    samples=calls(call(Arg((2, 3)), Arg((2, 3)), -1.0, 1.0), special=True),
    agree=Agree.exact(),
)
def hardtanh_backward(grad: Tensor, input: Tensor, min_val: float, max_val: float) -> Tensor:
    """``grad`` where the input lies strictly between the limits (or is NaN), else 0."""
    return select_by((input <= min_val) | (input >= max_val), 0, grad)


hardtanh_backward.vjp(grad=lambda g, input, *, min_val, max_val: hardtanh_backward(g, input, min_val, max_val))


def _limits(input: Spec, *, min_val: Number, max_val: Number) -> dict[str, Any]:
    """Limits in order, and as the input's type has them, so that they do not promote integers."""
    if min_val > max_val:
        raise ArgumentError(f"min_val cannot be greater than max_val, got {min_val} and {max_val}")
    if min_val < 0 and not input.dtype.is_signed and input.dtype.category == dtypes.INTEGER:
        raise ArgumentRuntimeError(
            f"cannot do hardtanh on an unsigned type with negative limits ({input.dtype.name}, {min_val})"
        )
    convert = float if input.dtype.is_floating_point else int
    return {"min_val": convert(min_val), "max_val": convert(max_val)}


@op(
    shape=rules.like_first,
    canon=_limits,
    dtype=rules.no_bool("hardtanh", "Bool inputs not supported for hardtanh; convert them first: x.float()"),
    samples=calls(
        call(Arg((5,))),
        call(Arg((2, 3)), -0.5, 1.5),
        call(Arg((2, 3), dtype="int64", low=-9, high=9), min_val=-2, max_val=1, grad=False),
        call(Arg(())),
        call(Arg((0, 3))),
        special=True,
        errors=(
            error(RuntimeError, "Bool inputs not supported for hardtanh", Arg((2,), dtype="bool")),
            error(RuntimeError, "hardtanh on an unsigned type with negative limits", Arg((2,), dtype="uint8")),
            error(ValueError, "min_val cannot be greater than max_val", Arg((2,)), 2.0, 1.0),
        ),
    ),
    agree=Agree.exact(signed_zero=False),
)
def hardtanh(input: Tensor, min_val: Number = -1.0, max_val: Number = 1.0) -> Tensor:
    """Each element limited to ``[min_val, max_val]``, NaN for NaN; the gradient at both edges is 0."""
    return select_by(input > max_val, max_val, select_by(input < min_val, min_val, input))


hardtanh.vjp(input=lambda g, input, *, min_val, max_val: hardtanh_backward(g, input, min_val, max_val))


@op(
    samples=unary(-2, 8, dtypes=NUMERIC),
    agree=Agree.exact(signed_zero=False),
    backward_name="HardtanhBackward0",
)
def relu6(input: Tensor) -> Tensor:
    """Each element limited to [0, 6]; the gradient at both edges is 0."""
    return hardtanh(input, 0, 6)


@op(
    shape=rules.like_first,
    dtype=rules.require_floating("hardsigmoid"),
    samples=unary(-4, 4, errors=(_INTEGERS,)),
    agree=Agree.running(),
)
def hardsigmoid(input: Tensor) -> Tensor:
    """``relu6(x + 3) / 6``, a straight line in place of the sigmoid; the gradient at both edges is 0."""
    return hardtanh(input + 3, 0, 6) / 6


hardsigmoid.vjp(input=lambda g, input: hardtanh_backward(g / 6, input, -3, 3))


@op(
    shape=rules.like_first,
    dtype=rules.require_floating("hardswish"),
    samples=unary(-4, 4, errors=(_INTEGERS,)),
    agree=Agree.running(),
)
def hardswish(input: Tensor) -> Tensor:
    """``x * relu6(x + 3) / 6`` (arXiv:1905.02244); the gradient is 0 at -3 and 1 at 3."""
    return input * hardtanh(input + 3, 0, 6) / 6


hardswish.vjp(input=lambda g, input: select_by(input <= -3, 0, select_by(input < 3, g * (input / 3 + 0.5), g)))


# ------------------------------------------------------------------------------------------ thresholds


def _value(input: Spec, *, threshold: Number, value: Number) -> dict[str, Any]:
    """The value as the input's type has it, so that it does not promote integers."""
    return {"threshold": threshold, "value": value if input.dtype.is_floating_point else int(value)}


@op(
    shape=rules.like_first,
    dtype=rules.same,
    canon=_value,
    samples=calls(
        call(Arg((2, 3)), 0.5, 9),
        call(Arg(()), 0.5, 0.0),
        dtypes=NUMERIC,
        special=True,
    ),
    agree=Agree.exact(),
)
def threshold(input: Tensor, threshold: Number, value: Number) -> Tensor:
    """Each element where it is above the threshold (or NaN), ``value`` elsewhere."""
    return select_by(input <= threshold, value, input)


threshold.vjp(input=lambda g, input, *, threshold: select_by(input <= threshold, 0, g))


@op(
    shape=rules.like_first,
    dtype=rules.require_floating("hardshrink"),
    method=True,
    samples=unary(params=({}, {"lambd": 0.3}), errors=(_INTEGERS,)),
    agree=Agree.exact(),
)
def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Each element where it is outside ``[-lambd, lambd]`` (or NaN), 0 elsewhere."""
    return select_by((input >= -lambd) & (input <= lambd), 0, input)


hardshrink.vjp(input=lambda g, input, *, lambd: select_by((input >= -lambd) & (input <= lambd), 0, g))


def _lambda(input: Spec, *, lambd: float) -> dict[str, Any]:
    if lambd < 0:
        raise ArgumentRuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}. (in softshrink)")
    return {"lambd": lambd}


@op(
    shape=rules.like_first,
    canon=_lambda,
    dtype=rules.require_floating("softshrink"),
    samples=unary(
        params=({}, {"lambd": 0.3}),
        errors=(_INTEGERS, error(RuntimeError, "lambda must be greater or equal to 0", Arg((2,)), -1.0)),
    ),
    agree=Agree.running(),
)
def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Each element moved towards 0 by ``lambd``, and 0 where it would pass it."""
    middle = (input >= -lambd) & (input <= lambd)
    return select_by(middle, 0, select_by(input > 0, input - lambd, input + lambd))


softshrink.vjp(input=lambda g, input, *, lambd: select_by((input >= -lambd) & (input <= lambd), 0, g))
