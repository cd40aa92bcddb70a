"""``Variable``, the name that tensors with gradients had before PyTorch 0.4."""

from __future__ import annotations

from typing import Any

from dovetail.errors import ArgumentTypeError
from dovetail.tensor.tensor import Tensor


class _VariableMeta(type):
    """``isinstance(x, Variable)`` is true of every tensor."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_VariableMeta):
    """A tensor that shares the storage of ``data``: old code goes on to run.

    >>> import dovetail
    >>> from dovetail.autograd import Variable
    >>> Variable(dovetail.ones(2), requires_grad=True).requires_grad
    True
    """

    def __new__(cls, data: Tensor, requires_grad: bool = False, volatile: bool | None = None) -> Any:
        """Return a tensor of the same storage, as a leaf that collects gradients on request."""
        if not isinstance(data, Tensor):
            raise ArgumentTypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        made = data.detach()
        return made.requires_grad_() if requires_grad else made
