"""What is known of objects and types without computing: PyTorch's questions to the top package."""

from __future__ import annotations

import numbers
from typing import Any

from dovetail import dtypes
from dovetail.dispatch.constants import dtype_of_number
from dovetail.errors import ArgumentRuntimeError, ArgumentTypeError
from dovetail.ops.definition import Number, front
from dovetail.record import rules
from dovetail.tensor.tensor import Tensor


@front(method=False)
def is_tensor(obj: Any) -> bool:
    """Tell whether an object is a tensor.

    >>> import dovetail
    >>> dovetail.is_tensor(dovetail.ones(2)), dovetail.is_tensor([1.0])
    (True, False)
    """
    return isinstance(obj, Tensor)


@front(method=False)
def typename(obj: Any) -> str:
    """Return the name of an object's type; of a tensor one that tells its dtype."""
    if isinstance(obj, Tensor):
        return f"dovetail.{obj.dtype.legacy_name}Tensor"
    kind = obj if isinstance(obj, type) else type(obj)
    name = kind.__qualname__
    return name if kind.__module__ in ("builtins", None) else f"{kind.__module__}.{name}"


def _tensor(name: str, input: Any) -> Tensor:
    if not isinstance(input, Tensor):
        raise ArgumentTypeError(f"{name}(): argument 'input' must be Tensor, not {type(input).__name__}")
    return input


@front(method=False)
def numel(input: Tensor) -> int:
    """Return the number of elements of a tensor."""
    return _tensor("numel", input).numel()


@front(method=False)
def is_floating_point(input: Tensor) -> bool:
    """Tell whether the elements of a tensor are real floating-point numbers."""
    return _tensor("is_floating_point", input).is_floating_point()


@front(method=False)
def is_complex(input: Tensor) -> bool:
    """Tell whether the elements of a tensor are complex numbers."""
    return _tensor("is_complex", input).is_complex()


@front(method=True)
def is_nonzero(input: Tensor) -> bool:
    """Tell whether the only element of a tensor is not zero."""
    size = _tensor("is_nonzero", input).numel()
    if size != 1:
        words = "no values" if size == 0 else "more than one value"
        raise ArgumentRuntimeError(f"Boolean value of Tensor with {words} is ambiguous (shape {list(input.shape)})")
    return bool(input)


@front(method=True)
def is_signed(input: Tensor) -> bool:
    """Tell whether the dtype of a tensor has negative numbers."""
    return _tensor("is_signed", input).dtype.is_signed


@front(method=False)
def result_type(tensor1: Tensor | Number, tensor2: Tensor | Number) -> dtypes.dtype:
    """Return the dtype that an op of both would give: a number, or a 0-d tensor, counts by its category alone.

    >>> import dovetail
    >>> dovetail.result_type(dovetail.tensor([1, 2], dtype=dovetail.int32), 1.0)
    dovetail.float32
    """
    specs = [x._spec for x in (tensor1, tensor2) if isinstance(x, Tensor)]
    found = rules.result_type(specs) if specs else None
    for value in (tensor1, tensor2):
        if isinstance(value, Tensor):
            continue
        if not isinstance(value, numbers.Number):
            raise ArgumentTypeError(f"result_type(): arguments must be Tensor or Number, not {type(value).__name__}")
        found = dtype_of_number(value, found)
    assert found is not None, "there are two arguments"
    return found
