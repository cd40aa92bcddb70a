"""Methods of tensors whose family has not been imported yet."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from dovetail.record import registry
from dovetail.tensor.tensor import Tensor


class Deferred:
    """Stands in the place of a method until somebody asks for it; the family puts the real one there."""

    __slots__ = ("name", "home")

    def __init__(self, name: str, home: str) -> None:
        self.name = name
        self.home = home

    def __get__(self, instance: Any, owner: type) -> Any:
        """Import the family, or everything where the table of homes is out of date, and look again."""
        try:
            importlib.import_module(self.home)
        except ModuleNotFoundError as error:
            if error.name != self.home:
                raise
        if vars(Tensor).get(self.name) is self:
            registry.load_all()
        if vars(Tensor).get(self.name) is self:
            delattr(Tensor, self.name)
        return getattr(owner if instance is None else instance, self.name)

    def __set__(self, instance: Any, value: Any) -> None:
        """A computed attribute may be writable: the real one decides."""
        self.__get__(None, type(instance))
        setattr(instance, self.name, value)


def defer_methods(homes: Mapping[str, str]) -> None:
    """Put a deferred method on Tensor for every name that nothing has been bound to."""
    present = vars(Tensor)
    for name, home in homes.items():
        if name not in present:
            setattr(Tensor, name, Deferred(name, home))
