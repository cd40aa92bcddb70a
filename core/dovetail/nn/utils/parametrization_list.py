"""The functions that make a parametrized tensor of its originals, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail.autograd.mode import no_grad
from dovetail.errors import ArgumentError, ArgumentRuntimeError
from dovetail.nn.containers import ModuleList
from dovetail.nn.module import Module
from dovetail.nn.parameter import Parameter
from dovetail.tensor.tensor import Tensor


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor and the tensors that they begin with.

    Those are ``original``, or ``original0``, ``original1``, ... if the right inverse of the first parametrization
    returns several; the first parametrization takes them all.

    Raises:
        ArgumentError: no module, or one that changes shape or dtype without ``unsafe``.
    """

    original: Tensor

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if len(modules) == 0:
            raise ArgumentError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        before = original.detach()
        with no_grad():
            new: Any = original
            for module in reversed(list(self)):
                new = _inverted(module, new)
        if not isinstance(new, (Tensor, Sequence)):
            raise ArgumentError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got "
                f"{type(new).__name__}"
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if isinstance(new, Tensor) else len(new)
        if isinstance(new, Tensor):
            self._enter_one(original, new)
        else:
            self._enter_several(original, new)
        if not unsafe:
            check_result(self(), before, "parametrized", "unparametrized")

    def _enter_one(self, original: Tensor, new: Tensor) -> None:
        for word in ("dtype", "device"):
            if getattr(original, word) != getattr(new, word):
                raise ArgumentError(
                    f"When `right_inverse` outputs one tensor, it may not change the {word}.\noriginal.{word}: "
                    f"{getattr(original, word)}\nright_inverse(original).{word}: {getattr(new, word)}"
                )
        with no_grad():
            write_original(original, new)
        enter(self, "original", original)

    def _enter_several(self, original: Tensor, new: Sequence[Any]) -> None:
        for position, part in enumerate(new):
            if not isinstance(part, Tensor):
                raise ArgumentError(
                    "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got element "
                    f"{position} of the sequence with type {type(part).__name__}."
                )
            owned = Parameter(part.detach(), original.requires_grad) if isinstance(original, Parameter) else part
            enter(self, f"original{position}", owned.requires_grad_(original.requires_grad))

    def originals(self) -> list[str]:
        """Return the names of the tensors that the parametrizations begin with."""
        return ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]

    @no_grad()
    def right_inverse(self, value: Any) -> None:
        """Write into the originals what makes the parametrized tensor ``value``: what assigning to it does.

        Raises:
            ArgumentRuntimeError: a parametrization has no right inverse.
            ArgumentError: a right inverse that returns something of another kind or dtype.
        """
        for module in reversed(list(self)):
            if not hasattr(module, "right_inverse"):
                raise ArgumentRuntimeError(
                    f"parametrization {type(module).__name__} does not implement right_inverse."
                )
            value = module.right_inverse(value)
        if self.is_tensor and not isinstance(value, Tensor):
            raise ArgumentError(f"`right_inverse` should return a tensor. Got {type(value).__name__}")
        if not self.is_tensor and not (isinstance(value, Sequence) and len(value) == self.ntensors):
            found = f"a sequence of length {len(value)}" if isinstance(value, Sequence) else type(value).__name__
            raise ArgumentError(
                f"'right_inverse' must return a sequence of tensors of length {self.ntensors}. Got {found}."
            )
        for name, part in zip(self.originals(), [value] if self.is_tensor else value):
            target = getattr(self, name)
            if target.dtype != part.dtype:
                raise ArgumentError(
                    f"The tensor returned by `right_inverse` has dtype {part.dtype} while `{name}` has dtype "
                    f"{target.dtype}"
                )
            write_original(target, part)

    def forward(self) -> Any:
        """Return the parametrized tensor."""
        first, *more = self
        value = first(*(getattr(self, name) for name in self.originals()))
        for module in more:
            value = module(value)
        return value


def _inverted(module: Module, value: Any) -> Any:
    inverse = getattr(module, "right_inverse", None)
    if inverse is None:
        return value
    try:
        return inverse(value)
    except NotImplementedError:
        return value


def enter(module: Module, name: str, tensor: Tensor) -> None:
    """Register a tensor as the kind that it is: a parameter or a buffer."""
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def write_original(target: Tensor, value: Tensor) -> None:
    """Give an original other data, of another shape too; the object stays, which optimizers hold."""
    if value is not target:
        target.data = value.detach()


def check_result(found: Any, before: Tensor, name: str, former: str) -> None:
    """Raise unless a parametrization has returned a tensor of the shape and dtype of before."""
    if not isinstance(found, Tensor):
        raise ArgumentError(f"A parametrization must return a tensor. Got {type(found).__name__}.")
    for word in ("dtype", "shape"):
        if getattr(found, word) != getattr(before, word):
            raise ArgumentError(
                f"Registering a parametrization may not change the {word} of the tensor, unless the `unsafe` flag is "
                f"enabled.\n{former} {word}: {getattr(before, word)}\n{name} {word}: {getattr(found, word)}"
            )
