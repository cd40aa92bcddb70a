"""Walking the tree of modules: members by name, by path, in the order in which they were registered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from dovetail.errors import ArgumentError
from dovetail.nn.errors import ModuleAttributeError
from dovetail.nn.parameter import Parameter
from dovetail.nn.registry import Registry
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.nn.module import Module

Member = TypeVar("Member", bound=Tensor)


class Tree(Registry):
    """The second layer of :class:`Module`: iteration over parameters, buffers and submodules.

    What occurs several times, such as a layer used twice, is given once unless ``remove_duplicate`` is False.
    """

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Yield this module and all below it with their paths, parents first; its own path is ``prefix``."""
        seen: set[Module] = set() if memo is None else memo
        # An explicit stack: a chain of modules may be deeper than Python's recursion allows.
        stack: list[tuple[str, Module]] = [(prefix, cast("Module", self))]
        while stack:
            path, module = stack.pop()
            if module in seen:
                continue
            if remove_duplicate:
                seen.add(module)
            yield path, module
            children = [(join(path, name), child) for name, child in module._modules.items() if child is not None]
            stack.extend(reversed(children))

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """Yield this module and all modules below it."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the direct submodules with their names."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """Yield the direct submodules."""
        for _, module in self.named_children():
            yield module

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield the parameters with their paths, those of submodules too if ``recurse``."""
        return self._named_members(lambda m: m._parameters.items(), prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield the parameters: what an optimizer is given.

        >>> from dovetail import nn
        >>> [tuple(p.shape) for p in nn.Linear(3, 2).parameters()]
        [(2, 3), (2,)]
        """
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield the buffers with their paths, those of submodules too if ``recurse``."""
        return self._named_members(lambda m: m._buffers.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yield the buffers."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def _named_members(
        self,
        members: Callable[[Module], Iterable[tuple[str, Member | None]]],
        prefix: str = "",
        recurse: bool = True,
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Member]]:
        seen: set[Member] = set()
        modules: Iterable[tuple[str, Module]] = [(prefix, cast("Module", self))]
        if recurse:
            modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        for path, module in modules:
            for name, member in members(module):
                if member is None or member in seen:
                    continue
                if remove_duplicate:
                    seen.add(member)
                yield join(path, name), member

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call ``fn`` on every module below this one and then on itself, and return the module.

        >>> from dovetail import nn
        >>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        >>> _ = net.apply(lambda m: print(type(m).__name__))
        Linear
        ReLU
        Sequential
        """
        for child in self.children():
            child.apply(fn)
        fn(cast("Module", self))
        return self

    # ----------------------------------------------------------------------------------------------- by path

    def get_submodule(self, target: str) -> Module:
        """Return the module at a path such as "encoder.layers.0"; the empty path is the module itself.

        Raises:
            ModuleAttributeError: a name on the path does not exist or is no module.
        """
        module: Any = self
        for name in target.split(".") if target else ():
            owner, module = module, getattr(module, name, _MISSING)
            if module is _MISSING:
                raise ModuleAttributeError(
                    f"{owner._get_name()} has no attribute `{name}`{_below(owner)}", name=name, obj=owner
                )
            if not isinstance(module, Registry):
                raise ModuleAttributeError(f"`{name}` is not an nn.Module", name=name, obj=owner)
        return cast("Module", module)

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put ``module`` at a path; with ``strict`` there must be a module already.

        Raises:
            ArgumentError: the path is empty, or ``module`` is no module.
            ModuleAttributeError: the path leads nowhere, or, with ``strict``, to nothing.
        """
        if target == "":
            raise ArgumentError("Cannot set the submodule without a target name!")
        if not isinstance(module, Registry):
            raise ArgumentError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        present = getattr(parent, name, _MISSING)
        if present is _MISSING and strict:
            raise ModuleAttributeError(
                f"{parent._get_name()} has no attribute `{name}`{_below(parent)}", name=name, obj=parent
            )
        if present is not _MISSING and not isinstance(present, Registry):
            raise ModuleAttributeError(f"`{name}` is not an nn.Module", name=name, obj=parent)
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter at a path such as "fc1.weight".

        Raises:
            ModuleAttributeError: there is nothing at the path, or no parameter.
        """
        found = self._get_member(target)
        if not isinstance(found, Parameter):
            raise ModuleAttributeError(f"`{target.rpartition('.')[2]}` is not an nn.Parameter")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer at a path such as "bn1.running_mean".

        Raises:
            ModuleAttributeError: there is nothing at the path, or no buffer.
        """
        path, _, name = target.rpartition(".")
        found = self._get_member(target)
        if name not in self.get_submodule(path)._buffers:
            raise ModuleAttributeError(f"`{name}` is not a buffer")
        return cast(Tensor, found)

    def _get_member(self, target: str) -> Any:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        found = getattr(owner, name, _MISSING)
        if found is _MISSING:
            raise ModuleAttributeError(f"{owner._get_name()} has no attribute `{name}`", name=name, obj=owner)
        return found

    def _get_name(self) -> str:
        return type(self).__name__


_MISSING = object()


def join(path: str, name: str) -> str:
    """Return the path of a member: its owner's path, a dot and its name."""
    return f"{path}.{name}" if path else name


def _below(module: Tree) -> str:
    names = list(module._modules)
    return f"; its modules are {', '.join(names)}" if names else ""
