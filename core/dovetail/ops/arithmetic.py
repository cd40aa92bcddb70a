"""Arithmetic of elements: +, -, *, /, //, %, **, and what goes with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, IntegerDivisionByZero
from dovetail.ops.comparison import kept, where
from dovetail.ops.definition import NoDecomposition, Number, ValueCheck, bind, front, op, titled
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.samples import ALL, NUMERIC, Arg, binary, call, calls, error, unary
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

_MISMATCH = error(
    RuntimeError, "The size of tensor a (4) must match the size of tensor b (5)", Arg((3, 4)), Arg((3, 5))
)


@op(
    shape=rules.broadcast,
    dtype=rules.promote,
    method=True,
    inplace=True,
    operator="add",
    sugar={"alpha": lambda input, other, *, alpha: input + other * alpha},
    samples=binary(dtypes=ALL, scalars=(2, 1.5), errors=(_MISMATCH,)),
    agree=Agree.exact(),
    reference=np.add,
)
def add(input: Tensor, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """Sum of each pair of elements, ``input + alpha * other``; logical or for bools.

    Shapes broadcast, dtypes promote. Differentiable in both.

    >>> import dovetail
    >>> dovetail.tensor([1.0, 2.0]) + dovetail.tensor([10.0])
    tensor([11., 12.])
    """
    raise NoDecomposition


add.vjp(input=lambda g: g, other=lambda g: g)

_NO_BOOL_SUB = (
    "If you are trying to invert a mask, use the `~` or `logical_not()` operator instead; to subtract masks use the "
    "`^` or `logical_xor()` operator."
)


@op(
    shape=rules.broadcast,
    dtype=rules.no_bool("Subtraction, the `-` operator", _NO_BOOL_SUB),
    method=True,
    inplace=True,
    operator="sub",
    sugar={"alpha": lambda input, other, *, alpha: input - other * alpha},
    samples=binary(dtypes=NUMERIC, scalars=(2, 1.5), errors=(_MISMATCH,)),
    agree=Agree.exact(),
    reference=np.subtract,
)
def sub(input: Tensor, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """Difference of each pair of elements, ``input - alpha * other``; not for bools."""
    raise NoDecomposition


sub.vjp(input=lambda g: g, other=lambda g: -g)


@op(
    shape=rules.broadcast,
    dtype=rules.promote,
    method=True,
    inplace=True,
    operator="mul",
    samples=binary(dtypes=ALL, scalars=(2, 1.5), errors=(_MISMATCH,)),
    agree=Agree.exact(),
    reference=np.multiply,
)
def mul(input: Tensor, other: Tensor | Number) -> Tensor:
    """Product of each pair of elements; logical and for bools."""
    raise NoDecomposition


mul.vjp(input=lambda g, other: g * other, other=lambda g, input: g * input)


@op(
    shape=rules.broadcast,
    dtype=rules.to_float,
    method=True,
    inplace=True,
    operator="truediv",
    sugar={"rounding_mode": lambda input, other, *, rounding_mode: _rounded_division(input, other, rounding_mode)},
    samples=binary(right=(0.5, 2), dtypes=NUMERIC, scalars=(3.0, 7), errors=(_MISMATCH,)),
    agree=Agree.rounded(),
    reference=np.divide,
)
def div(input: Tensor, other: Tensor | Number, *, rounding_mode: str | None = None) -> Tensor:
    """Quotient of each pair of elements, always floating; with ``rounding_mode`` "trunc" or "floor" rounded so."""
    raise NoDecomposition


div.vjp(
    input=lambda g, other: g / other,
    other=lambda g, input, other: -g * ((input / other) / other),
)


def _rounded_division(input: Tensor, other: Tensor | Number, mode: str | None) -> Tensor:
    if mode is None:
        return div(input, other)
    if mode == "floor":
        return floor_divide(input, other)
    if mode != "trunc":
        raise ArgumentRuntimeError(
            f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{mode}'"
        )
    exact = sub(input, fmod(input, other))
    return floor_divide(exact, other) if exact.dtype.category <= dtypes.INTEGER else (exact / other).round()


def _zero_divisor(input: Tensor, other: Tensor, **_: Any) -> Tensor:
    return (other == 0).any()


def _zero_divisor_error(input: Tensor, other: Tensor, **_: Any) -> Exception:
    return IntegerDivisionByZero("ZeroDivisionError: integer division or remainder by zero")


def _is_integer(input: Spec, other: Spec, **_: Any) -> bool:
    return rules.result_type((input, other)).category <= dtypes.INTEGER


_BY_ZERO = ValueCheck(_zero_divisor, _zero_divisor_error, _is_integer)
_BY_ZERO_SAMPLE = error(ZeroDivisionError, "by zero", Arg((2,), dtype="int64"), Arg((2,), dtype="int64", values=[1, 0]))


@op(
    shape=rules.broadcast,
    dtype=rules.promote,
    method=True,
    inplace=True,
    operator="floordiv",
    nondifferentiable="a step function: the gradient is 0 almost everywhere",
    checks=(_BY_ZERO,),
    samples=binary(low=-9, high=9, right=(1, 4), dtypes=NUMERIC, scalars=(3,), errors=(_BY_ZERO_SAMPLE,)),
    agree=Agree.exact(),
)
def floor_divide(input: Tensor, other: Tensor | Number) -> Tensor:
    """Quotient rounded towards minus infinity; an integer division by zero is an error."""
    raise NoDecomposition


@op(
    shape=rules.broadcast,
    dtype=rules.promote,
    method=True,
    inplace=True,
    operator="mod",
    checks=(_BY_ZERO,),
    samples=binary(low=-9, high=9, right=(1, 4), dtypes=NUMERIC, scalars=(3,), errors=(_BY_ZERO_SAMPLE,)),
    agree=Agree.exact(),
)
def remainder(input: Tensor, other: Tensor | Number) -> Tensor:
    """Remainder with the sign of the divisor: ``remainder(-7, 3)`` is 2."""
    raise NoDecomposition


remainder.vjp(input=lambda g: g, other=lambda g, input, other: -g * floor_divide(input, other))


@op(
    shape=rules.broadcast,
    dtype=rules.promote,
    method=True,
    inplace=True,
    checks=(_BY_ZERO,),
    samples=binary(low=-9, high=9, right=(1, 4), dtypes=NUMERIC, scalars=(3,), errors=(_BY_ZERO_SAMPLE,)),
    agree=Agree.exact(),
)
def fmod(input: Tensor, other: Tensor | Number) -> Tensor:
    """Remainder with the sign of the dividend: ``fmod(-7, 3)`` is -1."""
    raise NoDecomposition


fmod.vjp(input=lambda g: g, other=lambda g, input, other: -g * div(input, other, rounding_mode="trunc"))


@op(
    shape=rules.like_first,
    dtype=rules.no_bool(
        "Negation, the `-` operator",
        "If you are trying to invert a mask, use the `~` or `logical_not()` operator instead.",
    ),
    method=["neg", "negative", "__neg__"],
    inplace=True,
    samples=unary(dtypes=NUMERIC),
    agree=Agree.exact(),
    reference=np.negative,
)
def neg(input: Tensor) -> Tensor:
    """Each element with the other sign."""
    raise NoDecomposition


neg.vjp(input=lambda g: -g)


@op(
    shape=rules.like_first,
    dtype=rules.promote,
    method=["abs", "absolute", "__abs__"],
    inplace=True,
    samples=unary(dtypes=NUMERIC),
    agree=Agree.exact(),
    reference=np.abs,
)
def abs(input: Tensor) -> Tensor:
    """Absolute value of each element; its gradient at 0 is 0."""
    raise NoDecomposition


abs.vjp(input=lambda g, input: g * input.sign())


@op(
    shape=rules.like_first,
    dtype=rules.promote,
    method=True,
    inplace=True,
    samples=unary(dtypes=ALL),
    agree=Agree.exact(),
)
def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1 by the sign of each element; 0 for NaN and for both zeros. Its gradient is 0."""
    raise NoDecomposition


sign.vjp(input=lambda g: g.new_zeros(g.shape))


@op(
    shape=rules.broadcast,
    dtype=rules.promote,
    method=True,
    samples=binary(dtypes=NUMERIC, errors=(_MISMATCH,)),
    agree=Agree.exact(signed_zero=False),
    reference=np.maximum,
)
def maximum(input: Tensor, other: Tensor | Number) -> Tensor:
    """The larger of each pair, NaN if one of them is; equal values share the gradient by halves."""
    raise NoDecomposition


@op(
    shape=rules.broadcast,
    dtype=rules.promote,
    method=True,
    samples=binary(dtypes=NUMERIC, errors=(_MISMATCH,)),
    agree=Agree.exact(signed_zero=False),
    reference=np.minimum,
)
def minimum(input: Tensor, other: Tensor | Number) -> Tensor:
    """The smaller of each pair, NaN if one of them is; equal values share the gradient by halves."""
    raise NoDecomposition


def _share(g: Tensor, wins: Tensor, ties: Tensor) -> Tensor:
    """The gradient to the winner of a pair, half of it where both are equal."""
    return g * (wins.to(g.dtype) + ties.to(g.dtype) * 0.5)


maximum.vjp(
    input=lambda g, input, other: _share(g, input > other, input == other),
    other=lambda g, input, other: _share(g, other > input, input == other),
)
minimum.vjp(
    input=lambda g, input, other: _share(g, input < other, input == other),
    other=lambda g, input, other: _share(g, other < input, input == other),
)


def _power_name(input: Spec, other: Spec) -> str:
    """PyTorch's three forms: an exponent that is a number, two tensors, a base that is a number."""
    if not other.shape:
        return "PowBackward0"
    return "PowBackward1" if input.shape else "PowBackward2"


@op(
    shape=rules.broadcast,
    dtype=rules.promote,
    internal=True,
    samples=binary(low=0.1, high=3, dtypes=("float",)),
    agree=Agree.ulp(f32=2, f64=1),
    reference=np.power,
    backward_name=_power_name,
    autocast={"accelerator": "float32"},
)
def power(input: Tensor, other: Tensor | Number) -> Tensor:
    """Each element of ``input`` to the power of ``other``; integers to a negative power give 0, +-1 themselves."""
    raise NoDecomposition


@power.vjp
def _power_gradient(g: Tensor, input: Tensor, other: Tensor, out: Tensor, *, needs: Any) -> Any:
    base = exponent = None
    if needs[0]:
        lowered = g * (other * power(input, other - 1))
        base = where(other == 0, _zero(g), lowered)
    if needs[1]:
        still = (input == 0) & (other >= 0)
        exponent = g * where(still, _zero(g), out * input.log())
    return base, exponent


def _zero(like: Tensor) -> Tensor:
    """A zero that broadcasts, in the dtype of a gradient."""
    return like.new_zeros(())


@front(method=["pow", "__pow__"], autocast={"accelerator": "float32"})
def pow(input: Tensor | Number, exponent: Tensor | Number) -> Tensor:
    """Power of each element. Squares and cubes are products; all else is one correctly bounded power.

    An integer tensor to a negative number is an error; to a tensor of negative integers it gives 0, and the power
    itself for the bases 1 and -1.

    >>> import dovetail
    >>> dovetail.tensor([1.0, 2.0, 3.0]) ** 2
    tensor([1., 4., 9.])
    """
    if isinstance(input, Tensor) and type(exponent) in (int, float):
        if exponent < 0 and type(exponent) is int and input.dtype.category <= dtypes.INTEGER:
            raise ArgumentRuntimeError(
                "Integers to negative integer powers are not allowed. (convert the tensor first: x.float() ** -1)"
            )
        if exponent == 2 and (type(exponent) is int or input.dtype.category >= dtypes.FLOATING):
            return titled(input * input, "PowBackward0")
        if exponent == 3 and (type(exponent) is int or input.dtype.category >= dtypes.FLOATING):
            return titled(input * input * input, "PowBackward0")
    return power(input, exponent)  # type: ignore[arg-type]  # a number on the left is lifted like any operand


def _rpow(exponent: Tensor, base: Any) -> Tensor:
    return power(base, exponent)


def _pow_(self: Tensor, exponent: Tensor | Number) -> Tensor:
    """In-place form of ``pow``."""
    return self.copy_(pow(self, exponent))


bind("__rpow__", _rpow)
front(method=["pow_", "__ipow__"])(_pow_)


@op(method=True, samples=unary(dtypes=NUMERIC), agree=Agree.exact(), backward_name="PowBackward0")
def square(input: Tensor) -> Tensor:
    """Square of each element."""
    return input * input


@op(
    method=True,
    inplace=True,
    samples=unary(low=0.5, high=3),
    agree=Agree.rounded(),
    autocast={"accelerator": "float32"},
)
def reciprocal(input: Tensor) -> Tensor:
    """1 divided by each element."""
    return div(1, input)  # type: ignore[arg-type]  # a number on the left is lifted like any operand


@op(method=["__pos__", "positive"], samples=unary(dtypes=NUMERIC), agree=Agree.exact())
def positive(input: Tensor) -> Tensor:
    """The tensor itself."""
    return input


@op(
    method=True,
    inplace=True,
    samples=calls(call(Arg((2, 3)), Arg((2, 3)), Arg((3,)), value=0.5)),
    agree=Agree.running(),
    autocast={"accelerator": "widest"},
)
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """``input + value * tensor1 * tensor2``."""
    return input + tensor1 * tensor2 * value


@op(
    method=True,
    inplace=True,
    samples=calls(call(Arg((2, 3)), Arg((2, 3)), Arg((3,), low=0.5), value=0.5)),
    agree=Agree.running(),
    autocast={"accelerator": "widest"},
)
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """``input + value * tensor1 / tensor2``."""
    return input + tensor1 / tensor2 * value


@op(method=True, inplace=True, samples=calls(call(Arg((2, 3)), Arg((2, 3)), 0.3)), agree=Agree.running())
def lerp(input: Tensor, end: Tensor, weight: Tensor | Number) -> Tensor:
    """``input + weight * (end - input)``."""
    return input + (end - input) * weight


def _clamp_name(input: Spec, *bounds: Spec | None) -> str:
    """PyTorch's two forms: bounds that are tensors, and numbers."""
    return f"ClampBackward{int(not any(b is not None and b.shape for b in bounds))}"


def _clamp_bounds(input: Spec, min: Spec | None, max: Spec | None) -> dict[str, Any]:
    if min is None and max is None:
        raise ArgumentRuntimeError("clamp: At least one of 'min' or 'max' must not be None")
    return {}


@op(
    shape=rules.broadcast,
    dtype=rules.promote,
    canon=_clamp_bounds,
    method=["clamp", "clip"],
    inplace=True,
    samples=calls(
        call(Arg((2, 3)), -0.5, 0.5),
        call(Arg((2, 3)), None, 0.5),
        call(Arg((2, 3)), min=-0.5),
        call(Arg((2, 3)), Arg((3,)), Arg((), low=0.5)),
        dtypes=NUMERIC,
        errors=(error(RuntimeError, "At least one of 'min' or 'max' must not be None", Arg((2,))),),
    ),
    agree=Agree.exact(signed_zero=False),
    backward_name=_clamp_name,
)
def clamp(input: Tensor, min: Tensor | Number | None = None, max: Tensor | Number | None = None) -> Tensor:
    """Each element moved into ``[min, max]`` (numbers or tensors); the gradient at the edges is 1."""
    result = input
    if min is not None:
        result = maximum(result, min)
    if max is not None:
        result = minimum(result, max)
    return result


@clamp.vjp
def _clamp_gradient(g: Tensor, input: Tensor, min: Tensor | None, max: Tensor | None, *, needs: Any) -> Any:
    """To the element where it lies inside or on an edge (a NaN does not), else to the bound that took its place."""
    lifted = input if min is None or max is None else maximum(input, min)
    inner = lower = upper = None
    if needs[0]:
        inner = g if min is None else kept(g, input >= min)
        inner = inner if max is None else kept(inner, lifted <= max)
    if needs[1] and min is not None:
        rest = g if max is None else where(lifted > max, 0, g)
        lower = kept(rest, input < min)
    if needs[2] and max is not None:
        upper = kept(g, lifted > max)
    return inner, lower, upper
