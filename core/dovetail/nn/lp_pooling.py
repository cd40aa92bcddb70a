"""Pooling layers by the p-norm of each window."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from dovetail.nn import functional as F
from dovetail.nn.module import Module

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


class LPPool(Module):
    """What pooling by a norm shares; a subclass names its function: ``sum(x ** p) ** (1 / p)`` of each window."""

    pool: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        norm_type: float,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """Return the norms."""
        return type(self).pool(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        """Return the power and the layout of the windows."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(LPPool):
    """The p-norm of each window of sequences (N, C, L) or (C, L)."""

    pool = staticmethod(F.lp_pool1d)


class LPPool2d(LPPool):
    """The p-norm of each window of images (N, C, H, W) or (C, H, W)."""

    pool = staticmethod(F.lp_pool2d)


class LPPool3d(LPPool):
    """The p-norm of each window of volumes (N, C, D, H, W) or (C, D, H, W)."""

    pool = staticmethod(F.lp_pool3d)
