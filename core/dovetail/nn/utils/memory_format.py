"""Memory formats: accepted, because programs ask for them; how values lie in memory is the backend's own affair."""

from __future__ import annotations

from typing import Any, TypeVar

from dovetail.nn.module import Module

Net = TypeVar("Net", bound=Module)


def convert_conv2d_weight_memory_format(module: Net, memory_format: Any) -> Net:
    """Return the module as it is."""
    return module


def convert_conv3d_weight_memory_format(module: Net, memory_format: Any) -> Net:
    """Return the module as it is."""
    return module
