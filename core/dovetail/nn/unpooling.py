"""Unpooling layers: values put back where max pooling found them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from dovetail.nn import functional as F
from dovetail.nn.functional.sizes import repeated
from dovetail.nn.module import Module

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


class MaxUnpool(Module):
    """What unpooling over any number of dimensions shares; a subclass names its function."""

    dims: ClassVar[int]
    unpool: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
    ) -> None:
        super().__init__()
        self.kernel_size = repeated(kernel_size, self.dims)
        self.stride = repeated(kernel_size if stride is None else stride, self.dims)
        self.padding = repeated(padding, self.dims)

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Return the values at ``indices``, zeros elsewhere; ``output_size`` settles what the pooling rounded away."""
        return type(self).unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        """Return the layout of the windows."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(MaxUnpool):
    """What undoes :class:`MaxPool1d` as far as it can, for sequences (N, C, L) or (C, L)."""

    dims = 1
    unpool = staticmethod(F.max_unpool1d)


class MaxUnpool2d(MaxUnpool):
    """What undoes :class:`MaxPool2d` as far as it can, for images (N, C, H, W) or (C, H, W).

    >>> import dovetail
    >>> pool, unpool = dovetail.nn.MaxPool2d(2, return_indices=True), dovetail.nn.MaxUnpool2d(2)
    >>> unpool(*pool(dovetail.tensor([[[1.0, 2.0], [3.0, 4.0]]])))
    tensor([[[0., 0.],
             [0., 4.]]])
    """

    dims = 2
    unpool = staticmethod(F.max_unpool2d)


class MaxUnpool3d(MaxUnpool):
    """What undoes :class:`MaxPool3d` as far as it can, for volumes (N, C, D, H, W) or (C, D, H, W)."""

    dims = 3
    unpool = staticmethod(F.max_unpool3d)
