"""Layers that read the number of their input features or channels off the first input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dovetail import dtypes, ops
from dovetail.errors import ArgumentError, ArgumentRuntimeError
from dovetail.nn.convolution import Conv1d, Conv2d, Conv3d, Convolution
from dovetail.nn.instance_norm import InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from dovetail.nn.lazy import LazyModuleMixin
from dovetail.nn.linear import Linear
from dovetail.nn.normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d, RunningNorm
from dovetail.nn.transposed_convolution import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from dovetail.nn.uninitialized import UninitializedBuffer, UninitializedParameter, UninitializedTensor

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.dtypes import dtype as Dtype
    from dovetail.tensor.tensor import Tensor


def _materialize(tensor: Tensor | None, *shape: int) -> None:
    if isinstance(tensor, UninitializedTensor):
        tensor.materialize(shape)


class LazyLinear(LazyModuleMixin, Linear):
    """:class:`Linear` with ``in_features`` of the first input."""

    cls_to_become = Linear

    def __init__(
        self, out_features: int, bias: bool = True, device: Device | str | None = None, dtype: Dtype | None = None
    ) -> None:
        super().__init__(0, 0, False)
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_features = out_features
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, if they have shapes."""
        if not self.has_uninitialized_params() and self.in_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        """Give weight and bias shapes."""
        if self.has_uninitialized_params():
            self.in_features = input.shape[-1]
            _materialize(self.weight, self.out_features, self.in_features)
            _materialize(self.bias, self.out_features)
            self.reset_parameters()
        if self.in_features == 0:
            # The shapes came with a state dict.
            if input.shape[-1] != self.weight.shape[-1]:
                raise ArgumentRuntimeError(
                    f"The in_features inferred from input: {input.shape[-1]} is not equal to in_features from "
                    f"self.weight: {self.weight.shape[-1]}"
                )
            self.in_features = input.shape[-1]


class LazyConvolution(LazyModuleMixin, Convolution):
    """What the lazy convolutions share."""

    def _make_lazy(self, out_channels: int, bias: bool, device: Device | str | None, dtype: Dtype | None) -> None:
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_channels = out_channels
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, if they have shapes."""
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Give weight and bias shapes."""
        if not self.has_uninitialized_params():
            return
        if input.dim() not in (self.dims + 1, self.dims + 2):
            raise ArgumentRuntimeError(
                f"Expected {self.dims + 1}D (unbatched) or {self.dims + 2}D (batched) input to {type(self).__name__}, "
                f"but got input of size: {input.shape}"
            )
        self.in_channels = input.shape[-self.dims - 1]
        if self.in_channels % self.groups != 0:
            raise ArgumentError(f"in_channels must be divisible by groups, got {self.in_channels} and {self.groups}")
        _materialize(self.weight, *self._weight_sizes())
        _materialize(self.bias, self.out_channels)
        self.reset_parameters()


class LazyConv(LazyConvolution):
    """What the lazy convolutions of all numbers of dimensions share: the constructor."""

    def __init__(
        self,
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
        super().__init__(
            0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode, device=device, dtype=dtype
        )
        self._make_lazy(out_channels, bias, device, dtype)


class LazyConvTranspose(LazyConvolution):
    """What the lazy transposed convolutions of all numbers of dimensions share: the constructor."""

    def __init__(
        self,
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
        super().__init__(
            0,
            0,
            kernel_size,
            stride,
            padding,
            output_padding,
            groups,
            False,
            dilation,
            padding_mode,
            device=device,
            dtype=dtype,
        )
        self._make_lazy(out_channels, bias, device, dtype)


class LazyConv1d(LazyConv, Conv1d):
    """:class:`Conv1d` with ``in_channels`` of the first input."""

    cls_to_become = Conv1d


class LazyConv2d(LazyConv, Conv2d):
    """:class:`Conv2d` with ``in_channels`` of the first input."""

    cls_to_become = Conv2d


class LazyConv3d(LazyConv, Conv3d):
    """:class:`Conv3d` with ``in_channels`` of the first input."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(LazyConvTranspose, ConvTranspose1d):
    """:class:`ConvTranspose1d` with ``in_channels`` of the first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(LazyConvTranspose, ConvTranspose2d):
    """:class:`ConvTranspose2d` with ``in_channels`` of the first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(LazyConvTranspose, ConvTranspose3d):
    """:class:`ConvTranspose3d` with ``in_channels`` of the first input."""

    cls_to_become = ConvTranspose3d


class LazyNorm(LazyModuleMixin, RunningNorm):
    """What the lazy batch norms and instance norms share."""

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False, device, dtype, bias=False)
        self.affine = affine
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
            if bias:
                self.bias = UninitializedParameter(device=device, dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = ops.zeros((), device=device, dtype=dtypes.int64)

    def reset_parameters(self) -> None:
        """Set weight, bias and the running statistics to their start, if they have shapes."""
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        """Give weight, bias and the running statistics shapes."""
        if self.has_uninitialized_params():
            self.num_features = input.shape[1]
            for tensor in (self.weight, self.bias, self.running_mean, self.running_var):
                _materialize(tensor, self.num_features)
            self.reset_parameters()


class LazyBatchNorm1d(LazyNorm, BatchNorm1d):
    """:class:`BatchNorm1d` with ``num_features`` of the first input."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(LazyNorm, BatchNorm2d):
    """:class:`BatchNorm2d` with ``num_features`` of the first input."""

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(LazyNorm, BatchNorm3d):
    """:class:`BatchNorm3d` with ``num_features`` of the first input."""

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(LazyNorm, InstanceNorm1d):
    """:class:`InstanceNorm1d` with ``num_features`` of the first input."""

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(LazyNorm, InstanceNorm2d):
    """:class:`InstanceNorm2d` with ``num_features`` of the first input."""

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(LazyNorm, InstanceNorm3d):
    """:class:`InstanceNorm3d` with ``num_features`` of the first input."""

    cls_to_become = InstanceNorm3d
