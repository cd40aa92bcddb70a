"""Modules whose values are still to come."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from dovetail.errors import ArgumentRuntimeError
from dovetail.nn.module import Module
from dovetail.random.generator import get_rng_state, set_rng_state

Net = TypeVar("Net", bound=Module)


def skip_init(module_cls: type[Net], *args: Any, **kwargs: Any) -> Net:
    """Return a module whose parameters and buffers hold no values yet: a checkpoint is to be loaded into it.

    The random stream is where it was before.

    Raises:
        ArgumentRuntimeError: a class that is no module, or takes no ``device``.
    """
    if not issubclass(module_cls, Module):
        raise ArgumentRuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise ArgumentRuntimeError("Module must support a 'device' arg to skip initialization")
    device = kwargs.pop("device", None)
    before = get_rng_state()
    try:
        made = module_cls(*args, **kwargs)
    finally:
        set_rng_state(before)
    return made.to_empty(device=device)
