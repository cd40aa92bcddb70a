"""Hooks of all modules at once: for debuggers and profilers, which know nothing of the model."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from dovetail.nn.handle import RemovableHandle, register

Hook = Callable[..., Any]


class GlobalHooks:
    """The tables of the hooks that every module has; ``active`` says in one look-up whether a call needs them."""

    def __init__(self) -> None:
        self.forward_pre: OrderedDict[int, Hook] = OrderedDict()
        self.forward: OrderedDict[int, Hook] = OrderedDict()
        self.with_kwargs: OrderedDict[int, bool] = OrderedDict()
        self.always_called: OrderedDict[int, bool] = OrderedDict()
        self.backward_pre: OrderedDict[int, Hook] = OrderedDict()
        self.backward: OrderedDict[int, Hook] = OrderedDict()
        self.registration: dict[str, OrderedDict[int, Hook]] = {
            kind: OrderedDict() for kind in ("buffer", "module", "parameter")
        }

    @property
    def active(self) -> bool:
        """Whether a call of a module has global hooks to run."""
        return bool(self.forward_pre or self.forward or self.backward_pre or self.backward)

    def registered(self, kind: str, module: Any, name: str, value: Any) -> Any:
        """Ask the registration hooks what is to be registered in place of a value."""
        for hook in self.registration[kind].values():
            new = hook(module, name, value)
            if new is not None:
                value = new
        return value


everywhere = GlobalHooks()
"""The one set of them."""


def register_module_forward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, args)`` before the forward of every module; what it returns are the arguments."""
    return register(everywhere.forward_pre, hook)


def register_module_forward_hook(
    hook: Hook, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call ``hook(module, args, output)`` after the forward of every module; what it returns is the output.

    >>> import dovetail
    >>> from dovetail.nn.modules.module import register_module_forward_hook
    >>> net = dovetail.nn.Sequential(dovetail.nn.Identity(), dovetail.nn.ReLU())
    >>> with register_module_forward_hook(lambda module, args, output: print(type(module).__name__)):
    ...     _ = net(dovetail.zeros(1))
    Identity
    ReLU
    Sequential
    """
    flags = [everywhere.with_kwargs] if with_kwargs else []
    if always_call:
        flags.append(everywhere.always_called)
    return register(everywhere.forward, hook, flags=flags)


def register_module_full_backward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, grad_output)`` before the backward of every module; it may return new gradients."""
    return register(everywhere.backward_pre, hook)


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, grad_input, grad_output)`` after the backward of every module."""
    return register(everywhere.backward, hook)


def register_module_backward_hook(hook: Hook) -> RemovableHandle:
    """Register a full backward hook of every module under PyTorch's deprecated name."""
    warnings.warn(
        "register_module_backward_hook is deprecated and works as register_module_full_backward_hook here",
        FutureWarning,
        stacklevel=2,
    )
    return register_module_full_backward_hook(hook)


def register_module_buffer_registration_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, name, buffer)`` when a buffer is registered; what it returns is registered instead."""
    return register(everywhere.registration["buffer"], hook)


def register_module_module_registration_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, name, submodule)`` when a submodule is registered; what it returns is instead."""
    return register(everywhere.registration["module"], hook)


def register_module_parameter_registration_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, name, parameter)`` when a parameter is registered; what it returns is instead."""
    return register(everywhere.registration["parameter"], hook)
