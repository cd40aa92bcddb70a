"""The printed form of tensors: PyTorch's."""

from __future__ import annotations

from typing import Any

from dovetail.tensor.tensor import Tensor


def text(self: Tensor) -> str:
    """Return the printed form of a tensor."""
    from dovetail.dispatch.reading import host_values  # printing reads values, which the layers below cannot

    return f"tensor({host_values(self).tolist()})"
