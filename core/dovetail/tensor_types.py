"""PyTorch's older constructors, one per dtype: ``FloatTensor([1, 2])``, ``LongTensor(2, 3)``."""

from __future__ import annotations

from typing import Any

from dovetail import dtypes, ops
from dovetail.contract.device import Device
from dovetail.tensor.tensor import Tensor


class _OfDtype(type):
    """A class whose instances are the tensors of one dtype, and whose call makes one."""

    dtype: dtypes.dtype

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype

    def __call__(cls, *args: Any, device: Device | str | None = None) -> Tensor:
        """Make a tensor of values, or of sizes, which leaves the values open."""
        made: Tensor
        if len(args) == 1 and not isinstance(args[0], int):
            made = ops.tensor(args[0], dtype=cls.dtype, device=device)
        elif args:
            made = ops.empty(*args, dtype=cls.dtype, device=device)
        else:
            made = ops.empty(0, dtype=cls.dtype, device=device)
        return made


def _made(name: str, dtype: dtypes.dtype) -> _OfDtype:
    doc = f"Tensors of {dtype.name}: what is called makes one of values or of sizes."
    return _OfDtype(name, (), {"dtype": dtype, "__doc__": doc, "__module__": __name__})


FloatTensor = _made("FloatTensor", dtypes.float32)
DoubleTensor = _made("DoubleTensor", dtypes.float64)
HalfTensor = _made("HalfTensor", dtypes.float16)
BFloat16Tensor = _made("BFloat16Tensor", dtypes.bfloat16)
LongTensor = _made("LongTensor", dtypes.int64)
IntTensor = _made("IntTensor", dtypes.int32)
ShortTensor = _made("ShortTensor", dtypes.int16)
CharTensor = _made("CharTensor", dtypes.int8)
ByteTensor = _made("ByteTensor", dtypes.uint8)
BoolTensor = _made("BoolTensor", dtypes.bool_)
