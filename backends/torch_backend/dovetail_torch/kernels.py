"""What PyTorch has beyond the array-API standard, or does in its own way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch

from dovetail.backend import Array, Call, KernelTable, dtypes, ops, transfer
from dovetail_torch import exact, fused, words
from dovetail_torch.words import own

Kernel = Callable[..., Array]

IN_DOUBLE: Final = (ops.hypot, ops.asinh, ops.acosh, ops.atanh)
"""Functions whose float32 form misses the bound of its record, computed in float64."""


def extend(table: KernelTable) -> None:
    """Add the kernels to a table."""
    words.extend(table)
    fused.extend(table)
    table(ops.sqrt)(exact.sqrt)
    table(ops.log1p)(exact.log1p)
    for op, function in ((ops.fmod, exact.fmod), (ops.remainder, exact.remainder)):
        table.binder(op)(exact.for_floats(function, _binder(table, op)))
    table(ops.clone)(lambda x: x.clone(memory_format=torch.contiguous_format))
    table.binder(ops.copy_to)(_copier)
    _conversions(table)


def _copier(call: Call) -> Kernel:
    """Between devices of PyTorch without the host; to and from other backends through it."""
    target: Any = call.statics["device"]
    if target.backend != call.device.backend:
        return transfer(call)
    place = target.runtime.place(target)
    return lambda x: x.to(place, copy=True)


def _binder(table: KernelTable, op: Any) -> Callable[[Call], Any]:
    """What the table has so far, as a binder."""
    kernel = table.get(op.record.name)
    assert kernel is not None, "the standard has it"
    return kernel.fn if kernel.binder else lambda call: kernel.fn


def _conversions(table: KernelTable) -> None:
    portable = _binder(table, ops.cast)

    @table.binder(ops.cast)
    def cast(call: Call) -> Any:
        source, target = call.inputs[0].dtype, call.output.dtype
        if source.is_floating_point and target.category == dtypes.INTEGER:
            return lambda x: to_integer(x, target)
        if target in (dtypes.float16, dtypes.bfloat16):
            return portable(call)
        kind = own(target)
        return lambda x: x.to(kind)


def to_integer(x: Array, target: dtypes.dtype) -> Array:
    """Truncate; NaN gives 0, what is out of range the nearest integer."""
    bits = 8 * target.itemsize
    low = -(2 ** (bits - 1)) if target.is_signed else 0
    high = 2 ** (bits - 1) - 1 if target.is_signed else 2**bits - 1
    whole = torch.trunc(torch.nan_to_num(x.to(torch.float64), nan=0.0, posinf=torch.inf, neginf=-torch.inf))
    over, under = whole >= float(high), whole <= float(low)
    inside = torch.where(over | under, 0.0, whole)
    if target is dtypes.uint64:
        upper = inside >= 2.0**63
        found = torch.where(upper, inside - 2.0**63, inside).to(torch.int64)
        found = torch.where(upper, found ^ words.TOP, found)
        return torch.where(over, -1, torch.where(under, 0, found)).view(torch.uint64)
    found = torch.where(over, high, torch.where(under, low, inside.to(torch.int64)))
    return found.to(own(target))
