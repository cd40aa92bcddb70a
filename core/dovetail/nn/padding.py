"""Padding layers: the last dimensions made longer by a value or by what is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from dovetail.errors import ArgumentError
from dovetail.nn import functional as F
from dovetail.nn.module import Module

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor

Amounts = int | Sequence[int]
"""One number for every side, or (left, right, top, bottom, front, back) as far as there are dimensions."""


class Padding(Module):
    """What padding layers share; a subclass names its mode and how many dimensions it pads."""

    dims: ClassVar[int]
    mode: ClassVar[str]

    def __init__(self, padding: Amounts) -> None:
        super().__init__()
        # A list of another length is an error of the call, as in PyTorch.
        self.padding = (padding,) * (2 * self.dims) if isinstance(padding, int) else tuple(padding)

    def forward(self, input: Tensor) -> Tensor:
        """Return the longer tensor."""
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        """Return the amounts."""
        return f"{self.padding}"


class CircularPadding(Padding):
    """What circular padding layers share: they say how many dimensions an input may have."""

    mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        """Return the longer tensor.

        Raises:
            ArgumentError: an input with neither one nor two dimensions more than are padded.
        """
        if input.dim() not in (self.dims + 1, self.dims + 2):
            raise ArgumentError(f"expected {self.dims + 1}D or {self.dims + 2}D input (got {input.dim()}D input)")
        return super().forward(input)


class ConstantPadding(Padding):
    """What padding with one value shares."""

    mode = "constant"

    def __init__(self, padding: Amounts, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """Return the longer tensor."""
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        """Return the amounts and the value."""
        return f"padding={self.padding}, value={self.value}"


class ZeroPadding(ConstantPadding):
    """What padding with zeros shares."""

    def __init__(self, padding: Amounts) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """Return the amounts."""
        return f"{self.padding}"


class ReflectionPadding(Padding):
    """What reflecting at the edges shares; the edge itself is not repeated."""

    mode = "reflect"


class ReplicationPadding(Padding):
    """What repeating the edges shares."""

    mode = "replicate"


class ConstantPad1d(ConstantPadding):
    """One value around sequences (N, C, L) or (C, L) by a number or (left, right)."""

    dims = 1


class ConstantPad2d(ConstantPadding):
    """One value around images (N, C, H, W) or (C, H, W) by a number or (left, right, top, bottom)."""

    dims = 2


class ConstantPad3d(ConstantPadding):
    """One value around volumes (N, C, D, H, W) or (C, D, H, W) by a number or six numbers."""

    dims = 3


class ZeroPad1d(ZeroPadding):
    """Zeros around sequences (N, C, L) or (C, L) by a number or (left, right)."""

    dims = 1


class ZeroPad2d(ZeroPadding):
    """Zeros around images (N, C, H, W) or (C, H, W) by a number or (left, right, top, bottom)."""

    dims = 2


class ZeroPad3d(ZeroPadding):
    """Zeros around volumes (N, C, D, H, W) or (C, D, H, W) by a number or six numbers."""

    dims = 3


class ReflectionPad1d(ReflectionPadding):
    """Reflection at the edges of sequences (N, C, L) or (C, L) by a number or (left, right)."""

    dims = 1


class ReflectionPad2d(ReflectionPadding):
    """Reflection at the edges of images (N, C, H, W) or (C, H, W) by a number or (left, right, top, bottom).

    >>> import dovetail
    >>> dovetail.nn.ReflectionPad2d((2, 0, 0, 0))(dovetail.tensor([[[0.0, 1.0, 2.0]]]))
    tensor([[[2., 1., 0., 1., 2.]]])
    """

    dims = 2


class ReflectionPad3d(ReflectionPadding):
    """Reflection at the edges of volumes (N, C, D, H, W) or (C, D, H, W) by a number or six numbers."""

    dims = 3


class ReplicationPad1d(ReplicationPadding):
    """Edges repeated around sequences (N, C, L) or (C, L) by a number or (left, right)."""

    dims = 1


class ReplicationPad2d(ReplicationPadding):
    """Edges repeated around images (N, C, H, W) or (C, H, W) by a number or (left, right, top, bottom)."""

    dims = 2


class ReplicationPad3d(ReplicationPadding):
    """Edges repeated around volumes (N, C, D, H, W) or (C, D, H, W) by a number or six numbers."""

    dims = 3


class CircularPad1d(CircularPadding):
    """The opposite ends around sequences (N, C, L) or (C, L) by a number or (left, right)."""

    dims = 1


class CircularPad2d(CircularPadding):
    """The opposite ends around images (N, C, H, W) or (C, H, W) by a number or (left, right, top, bottom)."""

    dims = 2


class CircularPad3d(CircularPadding):
    """The opposite ends around volumes (N, C, D, H, W) or (C, D, H, W) by a number or six numbers."""

    dims = 3
