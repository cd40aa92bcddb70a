"""Containers of modules: Sequential, ModuleList and ModuleDict."""

from __future__ import annotations

import operator
import warnings
from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Self, SupportsIndex, overload

from dovetail.errors import ArgumentError, ArgumentTypeError
from dovetail.nn.errors import ModuleIndexError
from dovetail.nn.module import Module, enclose, indented


class Container(Module):
    """Modules by name, under the name that :class:`Module` had before PyTorch 0.2."""

    def __init__(self, **kwargs: Module) -> None:
        super().__init__()
        warnings.warn(
            "nn.Container is deprecated. All of its functionality is now implemented in nn.Module. Subclass that "
            "instead.",
            FutureWarning,
            stacklevel=2,
        )
        for name, module in kwargs.items():
            self.add_module(name, module)


class Row(Module):
    """What Sequential and ModuleList share: modules under the names "0", "1", ..., as a list."""

    _modules: dict[str, Module]  # type: ignore[assignment]  # none of them is None here

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]

    def _key(self, index: SupportsIndex) -> str:
        """Return the name at a position; names need not be numbers, as an OrderedDict may have given them."""
        position, size = operator.index(index), len(self)
        if not -size <= position < size:
            raise ModuleIndexError(f"index {position} is out of range; {type(self).__name__} has {size} modules")
        return list(self._modules)[position]

    @overload
    def __getitem__(self, idx: slice) -> Self: ...

    @overload
    def __getitem__(self, idx: SupportsIndex) -> Module: ...

    def __getitem__(self, idx: slice | SupportsIndex) -> Module:
        if isinstance(idx, slice):
            return self._sliced(idx)
        return self._modules[self._key(idx)]

    def _sliced(self, idx: slice) -> Self:
        return type(self)(list(self._modules.values())[idx])

    def __setitem__(self, idx: SupportsIndex, module: Module) -> None:
        setattr(self, self._key(idx), module)

    def __delitem__(self, idx: slice | SupportsIndex) -> None:
        for key in list(self._modules)[idx] if isinstance(idx, slice) else [self._key(idx)]:
            delattr(self, key)
        # The rest moves up, as in a list.
        self._modules = {str(i): module for i, module in enumerate(self._modules.values())}

    def append(self, module: Module) -> Self:
        """Add a module at the end and return the container."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end and return the container."""
        if not isinstance(modules, Iterable):
            raise ArgumentTypeError(
                f"{type(self).__name__}.extend should be called with an iterable, but got {type(modules).__name__}"
            )
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, key: int | slice) -> Module:
        """Take away the module at a position and return it."""
        module = self[key]
        del self[key]
        return module

    def _insert(self, index: int, module: Module) -> None:
        modules = list(self._modules.values())
        modules.insert(index, module)
        self._modules = {str(i): m for i, m in enumerate(modules)}


class Sequential(Row):
    """Modules that are called one after the other, each on what the one before returned.

    Takes the modules as arguments, or one OrderedDict from names to modules.

    >>> from dovetail import nn
    >>> nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): ReLU()
    )
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for key, module in args[0].items():
                self.add_module(key, module)
        else:
            for index, module in enumerate(args):
                self.add_module(str(index), module)

    def forward(self, input: Any) -> Any:
        """Return the last module's output; ``input`` is anything that the first module takes."""
        for module in self._modules.values():
            input = module(input)
        return input

    def _sliced(self, idx: slice) -> Self:
        return type(self)(OrderedDict(list(self._modules.items())[idx]))

    def extend(self, sequential: Iterable[Module]) -> Self:
        """Add modules at the end and return the container."""
        return super().extend(sequential)

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before a position and return the container."""
        if not isinstance(module, Module):
            raise ArgumentTypeError(f"module should be of type: {Module}, got {type(module)}")
        if not -len(self) <= index <= len(self):
            raise ModuleIndexError(f"Index out of range: {index}")
        self._insert(index, module)
        return self

    def __add__(self, other: Sequential) -> Sequential:
        return Sequential(*self, *_sequential(other))

    def __iadd__(self, other: Sequential) -> Self:
        return self.extend(_sequential(other))

    def __mul__(self, other: int) -> Sequential:
        return Sequential(*(list(self) * self._times(other)))

    def __rmul__(self, other: int) -> Sequential:
        return self * other

    def __imul__(self, other: int) -> Self:
        return self.extend(list(self) * (self._times(other) - 1))

    def _times(self, other: int) -> int:
        if not isinstance(other, int):
            raise ArgumentTypeError(f"unsupported operand type(s) for *: {type(self)} and {type(other)}")
        if other <= 0:
            raise ArgumentError(f"Non-positive multiplication factor {other} for {type(self)}")
        return other


def _sequential(other: Any) -> Sequential:
    if not isinstance(other, Sequential):
        raise ArgumentError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
    return other


class ModuleList(Row):
    """A list of modules that are registered; it has no forward of its own.

    >>> from dovetail import nn
    >>> layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
    >>> layers
    ModuleList(
      (0-2): 3 x Linear(in_features=4, out_features=4, bias=True)
    )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def insert(self, index: int, module: Module) -> None:
        """Put a module before a position; positions beyond the ends are the ends, as in a list."""
        self._insert(index, module)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __repr__(self) -> str:
        runs: list[list[Any]] = []
        for index, module in enumerate(self):
            text = repr(module)
            if runs and runs[-1][2] == text:
                runs[-1][1] = index
            else:
                runs.append([index, index, text])
        children = []
        for first, last, text in runs:
            key, times = (f"({first})", "") if first == last else (f"({first}-{last})", f"{last - first + 1} x ")
            children.append(f"{key}: {indented(times + text)}")
        return enclose(self._get_name(), [], children)


class ModuleDict(Module):
    """A dict of modules that are registered; it has no forward of its own.

    Takes a mapping from names to modules, or an iterable of pairs.
    """

    _modules: dict[str, Module]  # type: ignore[assignment]  # none of them is None here

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: str) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Remove all modules."""
        self._modules.clear()

    def pop(self, key: str) -> Module:
        """Take away the module of a name and return it."""
        return self._modules.pop(key)

    def keys(self) -> KeysView[str]:
        """Return the names."""
        return self._modules.keys()

    def items(self) -> ItemsView[str, Module]:
        """Return the names with their modules."""
        return self._modules.items()

    def values(self) -> ValuesView[Module]:
        """Return the modules."""
        return self._modules.values()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Set the modules of a mapping, a ModuleDict or an iterable of pairs."""
        for key, module in pairs(modules, "ModuleDict"):
            self[key] = module


def pairs(given: Any, owner: str) -> list[tuple[str, Any]]:
    """Return the pairs of what an ``update`` was given, with PyTorch's words for what cannot be pairs."""
    if not isinstance(given, Iterable):
        raise ArgumentTypeError(
            f"{owner}.update should be called with an iterable of key/value pairs, but got {type(given).__name__}"
        )
    items = getattr(given, "items", None)
    if items is not None:
        return list(items())
    result = []
    for position, pair in enumerate(given):
        if not isinstance(pair, Iterable):
            raise ArgumentTypeError(
                f"{owner} update sequence element #{position} should be Iterable; is {type(pair).__name__}"
            )
        pair = tuple(pair)
        if len(pair) != 2:
            raise ArgumentError(f"{owner} update sequence element #{position} has length {len(pair)}; 2 is required")
        result.append(pair)
    return result
