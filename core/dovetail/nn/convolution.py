"""Convolutions: what all numbers of dimensions share, and the layers of one, two and three."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dovetail import ops
from dovetail.errors import ArgumentError
from dovetail.nn import functional as F
from dovetail.nn import init
from dovetail.nn.functional.sizes import repeated
from dovetail.nn.linear import reset_bias
from dovetail.nn.module import Module
from dovetail.nn.parameter import Parameter, fresh

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.dtypes import dtype as Dtype
    from dovetail.tensor.tensor import Tensor

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class Convolution(Module):
    """A convolution over ``dims`` dimensions; a subclass names the function that computes it.

    Raises:
        ArgumentError: channels that the groups do not divide, or a padding that does not exist.
    """

    dims: int
    convolve: Callable[..., Tensor]
    _transposed = False

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Device | str | None = None,
        dtype: Dtype | None = None,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = repeated(kernel_size, self.dims)
        self.stride = repeated(stride, self.dims)
        self.padding: Any = padding if isinstance(padding, str) else repeated(padding, self.dims)
        self.dilation = repeated(dilation, self.dims)
        self.transposed = self._transposed
        self.output_padding: tuple[int, ...] = (0,) * self.dims
        self.groups = groups
        self.padding_mode = padding_mode
        self._check()
        self._reversed_padding_repeated_twice = self._padding_amounts()
        self.weight = fresh(ops.empty(self._weight_sizes(), device=device, dtype=dtype))
        self.register_parameter("bias", fresh(ops.empty(out_channels, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def _check(self) -> None:
        if self.groups <= 0:
            raise ArgumentError(f"groups must be a positive integer, got {self.groups}")
        for name in ("in_channels", "out_channels"):
            channels = getattr(self, name)
            if channels % self.groups != 0:
                raise ArgumentError(f"{name} must be divisible by groups, got {channels} and {self.groups}")
        if isinstance(self.padding, str):
            if self.padding not in ("same", "valid"):
                raise ArgumentError(f"Invalid padding string {self.padding!r}, should be one of 'same', 'valid'")
            if self.padding == "same" and any(step != 1 for step in self.stride):
                raise ArgumentError("padding='same' is not supported for strided convolutions")
        if self.padding_mode not in _PADDING_MODES:
            raise ArgumentError(
                f"padding_mode must be one of {_PADDING_MODES}, but got padding_mode='{self.padding_mode}'"
            )

    def _weight_sizes(self) -> tuple[int, ...]:
        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        return (first, second // self.groups, *self.kernel_size)

    def _padding_amounts(self) -> list[int]:
        """Return what ``pad`` takes, last dimension first, for the modes that pad before they convolve."""
        amounts: list[int] = []
        for dim in reversed(range(self.dims)):
            if self.padding == "valid":
                amounts += [0, 0]
            elif self.padding == "same":
                total = self.dilation[dim] * (self.kernel_size[dim] - 1)
                amounts += [total // 2, total - total // 2]
            else:
                amounts += [self.padding[dim]] * 2
        return amounts

    def reset_parameters(self) -> None:
        """Draw weight and bias anew from U(-x, x) with x = 1 / sqrt(fan_in)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            reset_bias(self.bias, self.weight)

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of the input with the weight."""
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = 0
        return type(self).convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        """Return the sizes, and the options that differ from their defaults."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        # A word never equals the zeros, so it is always shown.
        if self.padding != (0,) * len(self.padding):
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self.dims:
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * self.dims:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class Conv1d(Convolution):
    """A convolution of sequences: ``Conv1d(in_channels, out_channels, kernel_size)``.

    Shapes: input (N, C, L) or (C, L), weight (out_channels, in_channels / groups, kL).
    """

    dims = 1
    convolve = staticmethod(F.conv1d)


class Conv2d(Convolution):
    """A convolution of images: ``Conv2d(in_channels, out_channels, kernel_size)``.

    Shapes: input (N, C, H, W) or (C, H, W), weight (out_channels, in_channels / groups, kH, kW). Sizes may
    be one number for both dimensions or a pair; ``padding`` also "same" or "valid"; ``padding_mode`` is
    "zeros", "reflect", "replicate" or "circular".

    >>> import dovetail
    >>> dovetail.nn.Conv2d(3, 8, 3, padding=1)(dovetail.zeros(1, 3, 5, 5)).shape
    dovetail.Size([1, 8, 5, 5])
    """

    dims = 2
    convolve = staticmethod(F.conv2d)


class Conv3d(Convolution):
    """A convolution of volumes: ``Conv3d(in_channels, out_channels, kernel_size)``.

    Shapes: input (N, C, D, H, W) or (C, D, H, W), weight (out_channels, in_channels / groups, kD, kH, kW);
    options as those of :class:`Conv2d`.
    """

    dims = 3
    convolve = staticmethod(F.conv3d)
