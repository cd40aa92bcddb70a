"""Mistakes in building, calling and loading modules, each also of the type that PyTorch raises for it."""

from __future__ import annotations

from dovetail.errors import DovetailError


class ModuleAttributeError(DovetailError, AttributeError):
    """A member that a module does not have, or one set before ``Module.__init__()``."""


class ModuleNameError(DovetailError, KeyError):
    """A name that a parameter, buffer or submodule cannot have."""

    def __str__(self) -> str:
        # KeyError shows the repr of its argument, which would put the sentence into quotes.
        return str(self.args[0]) if len(self.args) == 1 else super().__str__()


class ModuleIndexError(DovetailError, IndexError):
    """A position that a container of modules does not have."""


class ForwardNotImplementedError(DovetailError, NotImplementedError):
    """A module that was called without having a forward of its own."""


class HookError(DovetailError, RuntimeError, AssertionError):
    """A hook that returned something other than what was promised."""


class NotCallableError(DovetailError, RuntimeError):
    """A container that only holds values and computes nothing."""


class StateDictError(DovetailError, RuntimeError):
    """A state dict that does not fit the model; the model is left exactly as it was."""
