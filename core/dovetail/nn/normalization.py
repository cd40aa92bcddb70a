"""Normalising layers: batch norm with its running statistics, layer norm, group norm, RMS norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from dovetail import dtypes, ops
from dovetail.errors import ArgumentError
from dovetail.nn import functional as F
from dovetail.nn import init
from dovetail.nn.module import Module
from dovetail.nn.parameter import Parameter, fresh

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.dtypes import dtype as Dtype
    from dovetail.tensor.tensor import Tensor


class RunningNorm(Module):
    """What batch norms and instance norms share: weight, bias and running statistics, and their options.

    Args:
        num_features: the number of channels C of an input (N, C, *).
        eps: added to the variance.
        momentum: how far the running statistics move towards those of a batch; None gives their plain
            average.
        affine: whether weight and bias exist.
        track_running_stats: whether running statistics exist; without them evaluation uses the input's as
            well.
        bias: whether, of the two, the bias exists.
    """

    _version: ClassVar[int] = 2
    accepted_dims: ClassVar[tuple[int, ...]]

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            values = ops.empty(num_features, device=device, dtype=dtype) if wanted else None
            self.register_parameter(name, None if values is None else fresh(values))
        mean = variance = count = None
        if track_running_stats:
            mean = ops.zeros(num_features, device=device, dtype=dtype)
            variance = ops.ones(num_features, device=device, dtype=dtype)
            count = ops.zeros((), device=device, dtype=dtypes.int64)
        self.register_buffer("running_mean", mean)
        self.register_buffer("running_var", variance)
        self.register_buffer("num_batches_tracked", count)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Set the running mean to 0, the running variance to 1 and the count to 0."""
        for buffer, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
            if buffer is not None:
                buffer.fill_(value)

    def reset_parameters(self) -> None:
        """Set weight to 1, bias to 0 and the running statistics to their start."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in self.accepted_dims:
            accepted = " or ".join(f"{dims}D" for dims in self.accepted_dims)
            raise ArgumentError(f"expected {accepted} input (got {input.dim()}D input)")

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        # Version 1 had no count of batches: such a state dict keeps the one that the module has.
        version = local_metadata.get("version")
        key = prefix + "num_batches_tracked"
        if (version is None or version < 2) and self.track_running_stats and key not in state_dict:
            count = self.num_batches_tracked
            state_dict[key] = ops.zeros((), dtype=dtypes.int64) if count is None else count
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


class BatchNorm(RunningNorm):
    """What batch norms of all numbers of dimensions share; a subclass says which inputs it takes.

    (x - mean) / sqrt(var + eps) * weight + bias for each channel, with the mean and variance of the batch in
    training and the running ones in evaluation (Ioffe and Szegedy 2015, arXiv:1502.03167).

    Raises:
        ArgumentError: an input of the wrong number of dimensions, or one value per channel in training.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input; in training the running statistics move on."""
        self._check_input_dim(input)
        tracked = not self.training or self.track_running_stats
        return F.batch_norm(
            input,
            self.running_mean if tracked else None,
            self.running_var if tracked else None,
            self.weight,
            self.bias,
            self.training or (self.running_mean is None and self.running_var is None),
            self._count_batch(),
            self.eps,
        )

    def _count_batch(self) -> float | Tensor:
        """Count a training batch, and return how far the running statistics are to move towards it."""
        count = self.num_batches_tracked
        if self.training and self.track_running_stats and count is not None:
            count.add_(1)
            if self.momentum is None:
                # The plain average; the count is not read as a number, so that a captured step stays live.
                return 1.0 / count
        return 0.0 if self.momentum is None else self.momentum


class BatchNorm1d(BatchNorm):
    """Batch norm of (N, C) or (N, C, L)."""

    accepted_dims = (2, 3)


class BatchNorm2d(BatchNorm):
    """Batch norm of images (N, C, H, W).

    >>> from dovetail import nn
    >>> sorted(nn.BatchNorm2d(3).state_dict())
    ['bias', 'num_batches_tracked', 'running_mean', 'running_var', 'weight']
    """

    accepted_dims = (4,)


class BatchNorm3d(BatchNorm):
    """Batch norm of volumes (N, C, D, H, W)."""

    accepted_dims = (5,)


class LayerNorm(Module):
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dimensions (arXiv:1607.06450).

    ``normalized_shape`` is the sizes of those dimensions, or one number for the last.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        for name, wanted in (("weight", elementwise_affine), ("bias", elementwise_affine and bias)):
            values = ops.empty(self.normalized_shape, device=device, dtype=dtype) if wanted else None
            self.register_parameter(name, None if values is None else fresh(values))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """x / sqrt(mean(x²) + eps) * weight over the last dimensions (Zhang and Sennrich 2019, arXiv:1910.07467).

    Without ``eps`` it is the distance of 1 to the next number of the dtype.
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        values = ops.empty(self.normalized_shape, device=device, dtype=dtype) if elementwise_affine else None
        self.register_parameter("weight", None if values is None else fresh(values))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight to 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Module):
    """(x - mean) / sqrt(var + eps) * weight + bias over groups of channels (Wu and He 2018, arXiv:1803.08494).

    Shapes: input (N, num_channels, *).

    Raises:
        ArgumentError: the groups do not divide the channels.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups != 0:
            raise ArgumentError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            values = ops.empty(num_channels, device=device, dtype=dtype) if wanted else None
            self.register_parameter(name, None if values is None else fresh(values))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


def _sizes(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    return (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
