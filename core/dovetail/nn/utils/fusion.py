"""Batch norm folded into the layer before it, for evaluation."""

from __future__ import annotations

import copy
from typing import TypeVar

from dovetail import ops
from dovetail.errors import ArgumentError
from dovetail.nn.convolution import Convolution
from dovetail.nn.linear import Linear
from dovetail.nn.normalization import BatchNorm
from dovetail.nn.parameter import Parameter
from dovetail.tensor.tensor import Tensor

Conv = TypeVar("Conv", bound=Convolution)


class FusionError(ArgumentError, AssertionError):
    """Two layers that cannot be folded into one."""


def fuse_conv_bn_eval(conv: Conv, bn: BatchNorm, transpose: bool = False) -> Conv:
    """Return one convolution that computes what a convolution and a batch norm compute in evaluation.

    Raises:
        FusionError: a layer in training mode, or a batch norm without running statistics.
    """
    mean, variance = _statistics(conv.training, bn)
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, mean, variance, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Return weight and bias of the convolution that has the batch norm in it."""
    channels = [1] * conv_w.ndim
    channels[1 if transpose else 0] = -1
    return _folded(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, channels)


def fuse_linear_bn_eval(linear: Linear, bn: BatchNorm) -> Linear:
    """Return one linear layer that computes what a linear layer and a batch norm compute in evaluation.

    Raises:
        FusionError: a layer in training mode, numbers of features that do not fit, or no running statistics.
    """
    mean, variance = _statistics(linear.training, bn)
    if bn.num_features not in (1, linear.out_features):
        raise FusionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got linear.out_features="
            f"{linear.out_features} and bn.num_features={bn.num_features}"
        )
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, mean, variance, bn.eps, bn.weight, bn.bias
    )
    return fused


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """Return weight and bias of the linear layer that has the batch norm in it."""
    return _folded(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, [-1, 1])


def _folded(
    weight: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    eps: float,
    scale: Tensor | None,
    shift: Tensor | None,
    channels: list[int],
) -> tuple[Parameter, Parameter]:
    factor = (variance + eps).rsqrt()
    if scale is not None:
        factor = factor * scale
    start = ops.zeros_like(mean) if bias is None else bias
    moved = (start - mean) * factor
    if shift is not None:
        moved = moved + shift
    kind = weight.dtype if bias is None else bias.dtype
    return (
        Parameter((weight * factor.reshape(channels)).to(weight.dtype).detach(), weight.requires_grad),
        Parameter(moved.to(kind).detach(), start.requires_grad),
    )


def _statistics(training: bool, bn: BatchNorm) -> tuple[Tensor, Tensor]:
    if training or bn.training:
        raise FusionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise FusionError("bn.running_mean and bn.running_var must not be None")
    return bn.running_mean, bn.running_var
