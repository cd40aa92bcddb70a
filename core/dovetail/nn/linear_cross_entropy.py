"""The last layer of a classifier together with its cross entropy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dovetail.dtypes import bfloat16, float16, float32, float64
from dovetail.errors import ArgumentError, ArgumentRuntimeError
from dovetail.nn import functional as F
from dovetail.nn.linear import Linear
from dovetail.nn.loss import WeightedLoss

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.dtypes import dtype as Dtype
    from dovetail.tensor.tensor import Tensor

_POLICIES = ("auto", "accurate", "balanced", "compact")


@dataclass(slots=True, frozen=True)
class LinearCrossEntropyOptions:
    """How PyTorch cuts the logits into chunks; checked and kept, without influence on any value here.

    Raises:
        ArgumentError: an option that PyTorch refuses.
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Dtype | None = None

    def __post_init__(self) -> None:
        if self.acc_policy not in _POLICIES:
            raise ArgumentError(f"invalid acc_policy: {self.acc_policy!r}")
        if self.chunking_method not in (None, "auto") and not _is_ratio(str(self.chunking_method)):
            raise ArgumentError(f"invalid chunking_method: {self.chunking_method!r}")
        size: object = self.batch_chunk_size
        if size is not None and (not isinstance(size, int) or size <= 0):
            raise ArgumentError(f"batch_chunk_size must be positive int or None, got {size!r}")
        if self.acc_dtype not in (None, float16, bfloat16, float32, float64):
            raise ArgumentError(f"acc_dtype must be None or a floating point dtype, got {self.acc_dtype!r}")


def _is_ratio(method: str) -> bool:
    name, _, factor = method.partition(":")
    factor = factor if ":" in method else "1"
    return name == "aspect_ratio" and factor.isdigit() and int(factor) > 0


class LinearCrossEntropyLoss(WeightedLoss):
    """cross_entropy(linear(x), y) with the weights of the linear layer as its parameters.

    Shapes: input (N, in_features) or (in_features); target (N, *out_features) of class indices, or
    (N, num_classes, *out_features) of probabilities.

    Raises:
        ArgumentRuntimeError: a weight that has not one value per class, or a smoothing outside 0 to 1.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: LinearCrossEntropyOptions | None = None,
    ) -> None:
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise ArgumentRuntimeError(f"expected weight shape to be {(num_classes,)}, got {tuple(weight.shape)}")
        if not 0 <= label_smoothing <= 1:
            raise ArgumentRuntimeError(f"expected label_smoothing to be in range [0, 1], got {label_smoothing}")
        super().__init__(weight, reduction=reduction)
        self.num_classes = num_classes
        self.out_features = out_features
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        width = math.prod(out_features, start=num_classes)
        self.linear = Linear(in_features, width, bias=bias, device=device, dtype=dtype)
        self.options = options

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return linear_cross_entropy(input, linear.weight, target)."""
        sizes = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return F.linear_cross_entropy(
            input,
            self.linear.weight.reshape(*sizes, self.linear.in_features),
            target,
            linear_bias=None if bias is None else bias.reshape(sizes),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, reduction={self.reduction}, "
            f"ignore_index={self.ignore_index}, label_smoothing={self.label_smoothing}, options={self.options}"
        )
