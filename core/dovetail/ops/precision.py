"""Computing a function in a wider type and rounding once, so that a decomposition meets its bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dovetail import dtypes
from dovetail.dispatch.constants import constant
from dovetail.errors import UnsupportedError
from dovetail.record.rules import Dtypes, promote

if TYPE_CHECKING:
    from dovetail.record.rules import DtypeRule
    from dovetail.tensor.spec import Spec
    from dovetail.tensor.tensor import Tensor

_HALF = (dtypes.float16, dtypes.bfloat16)


def widest(input: Tensor) -> dtypes.dtype:
    """Return float64 where the device has it: its further bits leave room for every rounding on the way."""
    device = input.device
    return dtypes.float64 if device.runtime.supports_dtype(dtypes.float64, device) else wider(input.dtype)


def wider(dtype: dtypes.dtype) -> dtypes.dtype:
    """Return float32 for the 16-bit types, the type itself for all others."""
    return dtypes.float32 if dtype in _HALF else dtype


def in_double(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Apply a function in the widest type and round the result once to the type of the first input."""
    wide = widest(inputs[0])
    result: Tensor = function(*(x.to(wide) for x in inputs)).to(inputs[0].dtype)
    return result


def in_single(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Apply a function in float32 where the inputs have 16 bits, and round the result once."""
    first = inputs[0].dtype
    result: Tensor = function(*(x.to(wider(first)) for x in inputs)).to(first)
    return result


def number(value: float, like: Tensor) -> Tensor:
    """Return a number as a 0-d tensor in the type of another one, where all other operands are numbers."""
    return constant(value, like.dtype, like.device)


def floating_only(name: str) -> DtypeRule:
    """As :func:`promote`, for floating operands only."""

    def rule(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
        answer = promote(inputs, statics)
        if answer.outputs[0].category < dtypes.FLOATING:
            raise UnsupportedError(
                f"\"{name}\" not implemented for '{answer.outputs[0].legacy_name}' (convert first: x.float())"
            )
        return answer

    return rule
