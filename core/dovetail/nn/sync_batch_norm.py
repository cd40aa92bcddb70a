"""Batch norm over several processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dovetail.errors import ArgumentError
from dovetail.nn.normalization import BatchNorm

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.dtypes import dtype as Dtype
    from dovetail.nn.module import Module
    from dovetail.tensor.tensor import Tensor


class SyncBatchNorm(BatchNorm):
    """Batch norm whose statistics are those of the batches of all processes of a group; alone, its own batch's.

    Shapes: input (N, C, *).

    Raises:
        ArgumentError: an input of fewer than two dimensions, or without channels.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any | None = None,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ArgumentError(f"expected at least 2D input (got {input.dim()}D input)")
        if input.shape[1] == 0:
            raise ArgumentError("SyncBatchNorm number of input channels should be non-zero")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any | None = None) -> Module:
        """Return the model with a SyncBatchNorm, of the same parameters and buffers, for every batch norm."""
        converted = module
        if isinstance(module, BatchNorm):
            converted = _converted(module, process_group)
        for name, child in module.named_children():
            converted.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return converted


def _converted(old: BatchNorm, process_group: Any | None) -> SyncBatchNorm:
    new = SyncBatchNorm(
        old.num_features,
        old.eps,
        old.momentum,
        old.affine,
        old.track_running_stats,
        process_group,
        bias=old.bias is not None,
    )
    # The very tensors, so that an optimizer which was made before goes on training them.
    new.weight, new.bias = old.weight, old.bias
    new.running_mean, new.running_var = old.running_mean, old.running_var
    new.num_batches_tracked = old.num_batches_tracked
    new.training = old.training
    return new
