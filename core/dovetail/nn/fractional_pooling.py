"""Fractional max pooling layers: windows whose distances vary at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from dovetail.errors import ArgumentError
from dovetail.nn import functional as F
from dovetail.nn.functional.sizes import repeated
from dovetail.nn.module import Module

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


class FractionalMaxPool(Module):
    """What fractional max pooling shares; a subclass names its function.

    The result has ``output_size``, or ``output_ratio`` times the input's sizes. Source: Graham 2014,
    arXiv:1412.6071.

    Raises:
        ArgumentError: neither or both of size and ratio, a ratio outside (0, 1), or no positive window.
    """

    dims: ClassVar[int]
    pool: ClassVar[Callable[..., Any]]

    _random_samples: Tensor | None

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        output_size: int | tuple[int, ...] | None = None,
        output_ratio: float | tuple[float, ...] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.kernel_size = repeated(kernel_size, self.dims)
        if min(self.kernel_size) <= 0:
            raise ArgumentError(f"kernel_size must be greater than 0, but got {kernel_size}")
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else repeated(output_size, self.dims)
        self.output_ratio = None if output_ratio is None else repeated(output_ratio, self.dims)
        if output_size is None and output_ratio is None:
            raise ArgumentError(f"{name} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ArgumentError("only one of output_size and output_ratio may be specified")
        if self.output_ratio is not None and not all(0 < ratio < 1 for ratio in self.output_ratio):
            raise ArgumentError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Tensor) -> Any:
        """Return the maxima, and with ``return_indices`` their positions."""
        return type(self).pool(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            _random_samples=self._random_samples,
        )


class FractionalMaxPool2d(FractionalMaxPool):
    """The largest value of windows of images (N, C, H, W) or (C, H, W), laid out at random."""

    dims = 2
    pool = staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(FractionalMaxPool):
    """The largest value of windows of volumes (N, C, D, H, W) or (C, D, H, W), laid out at random."""

    dims = 3
    pool = staticmethod(F.fractional_max_pool3d)
