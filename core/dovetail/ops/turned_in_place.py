"""Views in place: ``x.unsqueeze_(0)`` makes x itself look at its storage in another shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dovetail.errors import InPlaceError
from dovetail.ops.definition import front
from dovetail.ops.values import leave_storage
from dovetail.tensor.node import Leaf
from dovetail.tensor.storage import Alias
from dovetail.tensor.tensor import Tensor

NAMES: Final = ("unsqueeze", "squeeze", "transpose", "t")
"""The views, without the underscore of their in-place forms; their other names follow them by themselves."""


def _become(self: Tensor, view: Tensor) -> Tensor:
    """Give a tensor the shape, place in the storage and edge of a view of it."""
    if view is self or view._alias is None:
        return self
    alias = view._alias
    if self._alias is not None:
        leave_storage(self, self._alias)
    self._alias = Alias(alias.cell, alias.steps, None, (), alias.strides)
    alias.cell.join(self)
    self._data = view._data
    self._node = view._node
    self._spec = view._spec
    return self


def _turn(name: str) -> None:
    def method(self: Tensor, *args: Any, **params: Any) -> Tensor:
        if isinstance(self._node, Leaf):
            raise InPlaceError(
                f"a leaf Variable that requires grad is being used in an in-place operation ({name}_; write "
                f"x = x.{name}(...), or do it under no_grad to x.data)"
            )
        made: Callable[..., Tensor] = getattr(self, name)
        return _become(self, made(*args, **params))

    method.__name__ = f"{name}_"
    method.__doc__ = f"In-place form of ``{name}``: the tensor itself takes the shape; it shares what it shared."
    front(method=True, public=False)(method)


for _name in NAMES:
    _turn(_name)
