"""Tensors that a module owns: parameters, which are trained, and buffers, which are kept with them."""

from __future__ import annotations

from typing import Any, Self, TypeVar, cast

from dovetail import ops
from dovetail.errors import ArgumentTypeError
from dovetail.tensor.tensor import Tensor

Owned = TypeVar("Owned", bound=Tensor)


class Parameter(Tensor):
    """A tensor that a :class:`Module` registers when it is assigned as an attribute.

    A parameter is a leaf that shares its values with ``data``; it requires gradients unless told otherwise,
    also when it is made under ``no_grad``. What an op makes of it is a plain tensor.

    Args:
        data: the values; an empty tensor if left out.
        requires_grad: whether gradients are collected.

    Raises:
        ArgumentTypeError: ``data`` is not a tensor.
        DtypeError: gradients are asked for on an integer or bool dtype.

    >>> import dovetail
    >>> weight = dovetail.nn.Parameter(dovetail.ones(2))
    >>> weight.requires_grad, weight.is_leaf
    (True, True)
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Self:
        return _shared(cls, data, requires_grad)

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        """Keep Tensor's own constructor out: everything was done in ``__new__``."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # PyTorch copies no attributes of a parameter here, and no gradient.
        return _copied(self, memo, {})

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()

    __str__ = __repr__

    def __reduce_ex__(self, protocol: Any = None) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.data, self.requires_grad, dict(self.__dict__))


class Buffer(Tensor):
    """A tensor that a :class:`Module` registers as a buffer when it is assigned as an attribute.

    Buffers are state that is not trained, such as the running mean of a batch norm.

    Args:
        data: the values; an empty tensor if left out.
        persistent: whether the buffer is part of the state dict.
    """

    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Self:
        buffer = _shared(cls, data, isinstance(data, Tensor) and data.requires_grad)
        buffer.persistent = persistent
        return buffer

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True) -> None:
        """Keep Tensor's own constructor out: everything was done in ``__new__``."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return _copied(self, memo, dict(self.__dict__))

    def __reduce_ex__(self, protocol: Any = None) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.data, self.requires_grad, dict(self.__dict__))


def fresh(values: Tensor, requires_grad: bool = True) -> Parameter:
    """Make a parameter of a tensor that nobody else holds, as layers do: no alias to keep up with."""
    return Tensor._make_subclass(Parameter, values, requires_grad)


def _shared(cls: type[Owned], data: Tensor | None, requires_grad: bool) -> Owned:
    """Make a leaf of the class on the storage of ``data``, so that each sees what the other writes."""
    if data is None:
        data = ops.empty(0)
    if not isinstance(data, Tensor):
        raise ArgumentTypeError(
            f"{cls.__name__} data must be a Tensor, got {type(data).__name__}; "
            f"write nn.{cls.__name__}(dovetail.tensor(...))"
        )
    owned: Any = data.detach()
    # A detached tensor is all that is wanted but for its class, and a subclass adds nothing to its layout.
    owned.__class__ = cls
    return cast(Owned, owned.requires_grad_(requires_grad))


def _copied(owned: Owned, memo: dict[int, Any], attributes: dict[str, Any]) -> Owned:
    # A parameter that two layers share stays shared in the copy: the memo knows it by its id.
    if id(owned) not in memo:
        values = owned.detach().clone()
        memo[id(owned)] = _rebuilt(type(owned), values, owned.requires_grad, attributes)
    found: Owned = memo[id(owned)]
    return found


def _rebuilt(cls: type[Owned], data: Tensor, requires_grad: bool, attributes: dict[str, Any]) -> Owned:
    """Make a parameter or buffer again, with values of its own."""
    owned = Tensor._make_subclass(cls, data, requires_grad)
    owned.__dict__.update(attributes)
    return owned
