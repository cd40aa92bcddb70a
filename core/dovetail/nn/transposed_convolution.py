"""Transposed convolutions: layers that spread each input over the window that a convolution would have read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dovetail.errors import ArgumentError
from dovetail.nn import functional as F
from dovetail.nn.convolution import Convolution
from dovetail.nn.functional.sizes import repeated

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.dtypes import dtype as Dtype
    from dovetail.tensor.tensor import Tensor


class TransposedConvolution(Convolution):
    """A transposed convolution over ``dims`` dimensions.

    ``output_padding`` makes the far side of the result longer; a call may ask for an ``output_size`` instead.

    Raises:
        ArgumentError: a padding mode other than "zeros", or an output size that no output padding gives.
    """

    _transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Device | str | None = None,
        dtype: Dtype | None = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ArgumentError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__(
            in_channels, out_channels, kernel_size, stride, repeated(padding, self.dims), dilation, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip
        self.output_padding = repeated(output_padding, self.dims)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Return the spread input; ``output_size`` is the wanted shape, with or without batch and channels."""
        extra = self.output_padding if output_size is None else self._extra(input, output_size)
        return type(self).convolve(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )

    def _extra(self, input: Tensor, wanted: Sequence[int]) -> tuple[int, ...]:
        """Return the output padding that gives the wanted sizes."""
        lead = 2 if input.dim() == self.dims + 2 else 1
        given = wanted[lead:] if len(wanted) == lead + self.dims else wanted
        if len(given) != self.dims:
            raise ArgumentError(
                f"ConvTranspose{self.dims}D: for {input.dim()}D input, output_size must have {self.dims} or "
                f"{lead + self.dims} elements (got {len(given)})"
            )
        least = [
            (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1
            for size, stride, padding, dilation, kernel in zip(
                input.shape[lead:], self.stride, self.padding, self.dilation, self.kernel_size, strict=True
            )
        ]
        most = [size + stride - 1 for size, stride in zip(least, self.stride, strict=True)]
        if any(not low <= size <= high for low, size, high in zip(least, given, most, strict=True)):
            raise ArgumentError(
                f"requested an output size of {given}, but valid sizes range from {least} to {most} (for an input "
                f"of {input.shape[2:]})"
            )
        return tuple(size - low for size, low in zip(given, least, strict=True))


class ConvTranspose1d(TransposedConvolution):
    """A transposed convolution of sequences.

    Shapes: input (N, C, L) or (C, L), weight (in_channels, out_channels / groups, kL).
    """

    dims = 1
    convolve = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(TransposedConvolution):
    """A transposed convolution of images: what the gradient of :class:`Conv2d` does to its result.

    Shapes: input (N, C, H, W) or (C, H, W), weight (in_channels, out_channels / groups, kH, kW); the result has
    (H - 1) stride - 2 padding + dilation (kH - 1) + output_padding + 1 rows.

    >>> import dovetail
    >>> up = dovetail.nn.ConvTranspose2d(3, 8, 3, stride=2, padding=1)
    >>> up(dovetail.zeros(1, 3, 4, 4)).shape, up(dovetail.zeros(1, 3, 4, 4), output_size=(8, 8)).shape
    (dovetail.Size([1, 8, 7, 7]), dovetail.Size([1, 8, 8, 8]))
    """

    dims = 2
    convolve = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(TransposedConvolution):
    """A transposed convolution of volumes.

    Shapes: input (N, C, D, H, W) or (C, D, H, W), weight (in_channels, out_channels / groups, kD, kH, kW).
    """

    dims = 3
    convolve = staticmethod(F.conv_transpose3d)
