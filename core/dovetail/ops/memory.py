"""Requests about memory that PyTorch programs make: accepted, since where values lie is the backend's own affair."""

from __future__ import annotations

from typing import Any

from dovetail.ops.definition import front
from dovetail.tensor.tensor import Tensor


@front(method=True, public=False)
def share_memory_(input: Tensor) -> Tensor:
    """The tensor itself: a worker process is sent its values."""
    return input


@front(method=True, public=False)
def is_shared(input: Tensor) -> bool:
    """Whether other processes see what is written into the tensor: they never do."""
    return False


@front(method=True, public=False)
def pin_memory(input: Tensor, device: Any = None) -> Tensor:
    """The tensor itself: transfers take the way that the backend has."""
    return input


@front(method=True, public=False)
def is_pinned(input: Tensor, device: Any = None) -> bool:
    """Whether the memory is page-locked: never by itself."""
    return False
