"""Instance norm: each channel of each sample normalised by itself."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from dovetail.errors import ArgumentError
from dovetail.nn import functional as F
from dovetail.nn.normalization import RunningNorm

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.dtypes import dtype as Dtype
    from dovetail.tensor.tensor import Tensor


class InstanceNorm(RunningNorm):
    """What instance norms of all numbers of dimensions share; a subclass says which inputs it takes.

    (x - mean) / sqrt(var + eps) * weight + bias for each channel of each sample (Ulyanov et al., arXiv:1607.08022).
    Weight and bias, and running statistics for evaluation, are made on request only. An input without the batch
    dimension is one sample.

    Raises:
        ArgumentError: an input of the wrong number of dimensions, or of other channels where weights exist.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input; in training running statistics, where they exist, move on."""
        self._check_input_dim(input)
        sample_dims = self.accepted_dims[0]
        channel_dim = input.dim() - sample_dims
        if input.shape[channel_dim] != self.num_features:
            self._complain(channel_dim, input.shape[channel_dim])
        if input.dim() == sample_dims:
            return self._normalised(input.unsqueeze(0)).squeeze(0)
        return self._normalised(input)

    def _complain(self, dim: int, size: int) -> None:
        if self.affine:
            raise ArgumentError(
                f"expected input's size at dim={dim} to match num_features ({self.num_features}), but got: {size}."
            )
        warnings.warn(
            f"input's size at dim={dim} does not match num_features. You can silence this warning by not passing in "
            "num_features, which is not used because affine=False",
            stacklevel=4,
        )

    def _normalised(self, input: Tensor) -> Tensor:
        return F.instance_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
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
        # Without a version it is of a PyTorch before 0.4, where every instance norm had running statistics.
        present = [n for n in ("running_mean", "running_var") if prefix + n in state_dict]
        if local_metadata.get("version") is None and not self.track_running_stats and present:
            name = type(self).__name__
            error_msgs.append(
                f"Unexpected running stats buffer(s) {' and '.join(map(repr, present))} for {name} with "
                "track_running_stats=False. If state_dict is a checkpoint saved before 0.4.0, this may be expected "
                f"because {name} does not track running stats by default since 0.4.0. Please remove these keys from "
                "state_dict. If the running stats are actually needed, instead set track_running_stats=True in "
                f"{name} to enable them."
            )
            for key in present:
                state_dict.pop(prefix + key)
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


class InstanceNorm1d(InstanceNorm):
    """Instance norm of (N, C, L) or (C, L)."""

    accepted_dims = (2, 3)


class InstanceNorm2d(InstanceNorm):
    """Instance norm of images (N, C, H, W) or (C, H, W).

    >>> from dovetail import nn
    >>> nn.InstanceNorm2d(3, affine=True)
    InstanceNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=False)
    """

    accepted_dims = (3, 4)


class InstanceNorm3d(InstanceNorm):
    """Instance norm of volumes (N, C, D, H, W) or (C, D, H, W)."""

    accepted_dims = (4, 5)
