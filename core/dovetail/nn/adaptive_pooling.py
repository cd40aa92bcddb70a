"""Pooling layers over windows that are laid out for a wanted size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from dovetail.nn import functional as F
from dovetail.nn.module import Module

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor

Size = int | tuple[int | None, ...] | None


class AdaptiveMaxPool(Module):
    """What adaptive maximum pooling over any number of dimensions shares; a subclass names its function.

    The result has ``output_size``, where None keeps a size; with ``return_indices`` positions come second.
    """

    pool: ClassVar[Callable[..., Any]]

    def __init__(self, output_size: Size, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        """Return the maxima, and with ``return_indices`` their positions."""
        return type(self).pool(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        """Return the size of the result."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool(Module):
    """What adaptive mean pooling over any number of dimensions shares; a subclass names its function.

    The result has ``output_size``, where None keeps a size.
    """

    pool: ClassVar[Callable[..., Tensor]]

    def __init__(self, output_size: Size) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        return type(self).pool(input, self.output_size)

    def extra_repr(self) -> str:
        """Return the size of the result."""
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(AdaptiveMaxPool):
    """The largest value of each window of sequences (N, C, L) or (C, L)."""

    pool = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(AdaptiveMaxPool):
    """The largest value of each window of images (N, C, H, W) or (C, H, W)."""

    pool = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(AdaptiveMaxPool):
    """The largest value of each window of volumes (N, C, D, H, W) or (C, D, H, W)."""

    pool = staticmethod(F.adaptive_max_pool3d)


class AdaptiveAvgPool1d(AdaptiveAvgPool):
    """The mean of each window of sequences (N, C, L) or (C, L)."""

    pool = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(AdaptiveAvgPool):
    """The mean of each window of images (N, C, H, W) or (C, H, W).

    >>> import dovetail
    >>> dovetail.nn.AdaptiveAvgPool2d((1, None))(dovetail.zeros(2, 3, 5, 7)).shape
    dovetail.Size([2, 3, 1, 7])
    """

    pool = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(AdaptiveAvgPool):
    """The mean of each window of volumes (N, C, D, H, W) or (C, D, H, W)."""

    pool = staticmethod(F.adaptive_avg_pool3d)
