"""Parametrizations: a parameter that is a function of others, computed whenever it is read."""

from __future__ import annotations

import copyreg
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, NoReturn, TypeVar, cast

from dovetail.autograd.mode import no_grad
from dovetail.dispatch.state import tracing
from dovetail.errors import ArgumentError, ArgumentRuntimeError
from dovetail.nn.containers import ModuleDict
from dovetail.nn.module import Module
from dovetail.nn.parameter import Parameter
from dovetail.nn.utils.parametrization_list import ParametrizationList, check_result, enter, write_original
from dovetail.tensor.tensor import Tensor

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

Net = TypeVar("Net", bound=Module)


class _Cache:
    """Values that were computed since the outermost ``cached()`` began."""

    depth = 0
    values: dict[tuple[int, str], Tensor] = {}  # noqa: RUF012  # one for the process, as PyTorch's


@contextmanager
def cached() -> Iterator[None]:
    """Within the block compute each parametrized tensor once, however often it is read.

    >>> import dovetail
    >>> from dovetail.nn.utils import parametrizations, parametrize
    >>> layer = parametrizations.weight_norm(dovetail.nn.Linear(2, 2))
    >>> with parametrize.cached():
    ...     layer.weight is layer.weight
    True
    """
    _Cache.depth += 1
    try:
        yield
    finally:
        _Cache.depth -= 1
        if not _Cache.depth:
            _Cache.values = {}


def register_parametrization(
    module: Net, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Net:
    """Make a parameter or buffer of a module the result of ``parametrization``; return the module.

    Reading ``module.<tensor_name>`` then computes ``parametrization(original)``; the original is
    ``module.parametrizations.<tensor_name>.original``, and is what is trained and saved. If the parametrization has a
    ``right_inverse``, the value of before is kept as far as it can be, and the tensor can be assigned to. A second
    parametrization of the same tensor is put on top of the first.

    Args:
        unsafe: whether the parametrization may change shape and dtype.

    Raises:
        ArgumentError: there is no such tensor, or the parametrization changes shape or dtype.

    >>> import dovetail
    >>> class Symmetric(dovetail.nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).T
    >>> layer = dovetail.nn.Linear(3, 3)
    >>> _ = dovetail.nn.utils.parametrize.register_parametrization(layer, "weight", Symmetric())
    >>> dovetail.equal(layer.weight, layer.weight.T)
    True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_on_top(module, tensor_name, parametrization)
        _list_of(module, tensor_name).append(parametrization)
        if unsafe:
            _list_of(module, tensor_name).unsafe = True
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original = getattr(module, tensor_name)
        # Made first: if it fails, the module is as it was.
        parametrizations = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _inject_class(module)
            module.parametrizations = ModuleDict()
        _inject_property(module, tensor_name)
        cast("ModuleDict", module.parametrizations)[tensor_name] = parametrizations
    else:
        raise ArgumentError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
            f"'{tensor_name}'"
        )
    return module


def _list_of(module: Module, tensor_name: str) -> ParametrizationList:
    return cast("ParametrizationList", cast("ModuleDict", module.parametrizations)[tensor_name])


def _check_on_top(module: Module, tensor_name: str, parametrization: Module) -> None:
    before = getattr(module, tensor_name)
    after = parametrization(before)
    check_result(after, before, f"parametrization(module.{tensor_name})", f"module.{tensor_name}")
    inverse = getattr(parametrization, "right_inverse", None)
    if inverse is None:
        return
    try:
        back = inverse(after)
    except NotImplementedError:
        return
    if not isinstance(back, Tensor):
        raise ArgumentError(f"parametrization.right_inverse must return a tensor. Got: {type(back).__name__}")
    for word in ("dtype", "shape"):
        if getattr(back, word) != getattr(before, word):
            raise ArgumentError(
                f"The tensor returned by parametrization.right_inverse must have the same {word} as "
                f"module.{tensor_name}, unless the `unsafe` flag is enabled.\nmodule.{tensor_name}.{word}: "
                f"{getattr(before, word)}\nreturned {word}: {getattr(back, word)}"
            )


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Return whether a module, or the tensor of that name, has a parametrization."""
    found = module.__dict__.get("_modules", {}).get("parametrizations")
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module: Net, tensor_name: str, leave_parametrized: bool = True) -> Net:
    """Make a parametrized tensor an ordinary one again and return the module.

    It keeps its present value, or with ``leave_parametrized=False`` gets the original's.

    Raises:
        ArgumentError: it has no parametrization, or is computed from several originals that cannot all be left.
    """
    if not is_parametrized(module, tensor_name):
        raise ArgumentError(f"Module {module} does not have a parametrization on {tensor_name}")
    parametrizations = _list_of(module, tensor_name)
    original: Tensor
    if parametrizations.is_tensor:
        original = parametrizations.original
        if leave_parametrized:
            with no_grad():
                write_original(original, getattr(module, tensor_name))
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        original = Parameter(value) if value.requires_grad else value
    else:
        raise ArgumentError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a "
            "sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del cast("ModuleDict", module.parametrizations)[tensor_name]
    enter(module, tensor_name, original)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """Return the class that a module had before it was parametrized."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Net, tensor_name: str | None = None
) -> Net:
    """Give a module the parametrizations of another, with their originals; of one tensor or of all."""
    if not is_parametrized(from_module):
        return to_module
    names = list(cast("ModuleDict", from_module.parametrizations)) if tensor_name is None else [tensor_name]
    for name in names:
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name)))
        source = _list_of(from_module, name)
        for parametrization in source:
            register_parametrization(to_module, name, parametrization)
        for original in source.originals():
            setattr(_list_of(to_module, name), original, getattr(source, original))
    return to_module


# ------------------------------------------------------------------------------------------------ the class


def _inject_class(module: Module) -> None:
    """Give the module a class of its own, which can have properties that other modules have not."""
    cls = type(module)
    members: dict[str, Any] = {"__getstate__": _refuse_pickle, "__module__": cls.__module__}
    if not hasattr(cls, "__deepcopy__"):
        members["__deepcopy__"] = _copied
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), members)


def _refuse_pickle(self: Module) -> NoReturn:
    raise ArgumentRuntimeError(
        "Serialization of parametrized modules is only supported through state_dict(): save "
        "module.state_dict(), and load it into a module with the same parametrizations"
    )


def _copied(self: Any, memo: dict[int, Any]) -> Any:
    if id(self) in memo:
        return memo[id(self)]
    replica = object.__new__(type(self))
    memo[id(self)] = replica
    replica.__dict__ = deepcopy(self.__dict__, memo)
    slots: Sequence[str] = copyreg._slotnames(type(self))  # type: ignore[attr-defined]  # typeshed leaves it out
    for slot in slots:
        if hasattr(self, slot):
            setattr(replica, slot, deepcopy(getattr(self, slot), memo))
    # A class of its own for the copy too: removing a parametrization here must not reach the original.
    replica.__class__ = type(type(self).__name__, type(self).__bases__, dict(vars(type(self))))
    return replica


def _inject_property(module: Module, tensor_name: str) -> None:
    def read(self: Module) -> Tensor:
        parametrization = _list_of(self, tensor_name)
        if not _Cache.depth:
            return cast("Tensor", parametrization())
        if tracing.get() is not None:
            raise ArgumentRuntimeError(
                "Cannot trace a model while caching parametrizations: leave parametrize.cached() around the captured "
                "step out"
            )
        key = (id(self), tensor_name)
        if key not in _Cache.values:
            _Cache.values[key] = parametrization()
        return _Cache.values[key]

    def write(self: Module, value: Tensor) -> None:
        _list_of(self, tensor_name).right_inverse(value)

    setattr(type(module), tensor_name, property(read, write))
