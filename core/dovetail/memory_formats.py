"""Memory formats and layouts by PyTorch's names: accepted where it takes them, and without influence on any value.

How values lie in memory is the backend's own affair; what a tensor says of its strides is always row-major order.
"""

from __future__ import annotations


class memory_format:
    """One of the orders in which PyTorch can keep the values of images."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"dovetail.{self._name}"


class layout:
    """One of the ways in which PyTorch can keep tensors; here they are all dense."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"dovetail.{self._name}"


contiguous_format = memory_format("contiguous_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
preserve_format = memory_format("preserve_format")
strided = layout("strided")
