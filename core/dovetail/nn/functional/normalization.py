"""Normalisation: batch_norm, layer_norm and normalize."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dovetail import ops
from dovetail.errors import ArgumentError

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(var + eps) * weight + bias for each channel (arXiv:1502.03167).

    Shapes: input (N, C, *), all others (C). In training mean and variance are those of the batch, and the
    running ones, if given, move towards them by ``momentum``, the variance with n - 1 in the denominator;
    otherwise the running ones are used. ``momentum`` may be a 0-d tensor, which a captured program keeps as
    a live value.

    Raises:
        ArgumentError: one value per channel in training, or an eps that is not positive.
    """
    if training:
        _check_batch(input)
        if eps <= 0.0:
            raise ArgumentError(f"batch_norm eps must be positive during training, but got {eps}")
    elif eps < 0.0:
        raise ArgumentError(f"batch_norm eps must be non-negative, but got {eps}")
    raise NotImplementedError


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(var + eps) * weight + bias over the last dimensions (arXiv:1607.06450).

    Shapes: input (*, normalized_shape), weight and bias normalized_shape.
    """
    return ops.layer_norm(input, weight, bias, normalized_shape=tuple(normalized_shape), eps=eps)


def normalize(input: Tensor, p: float = 2.0, dim: int | tuple[int, ...] = 1, eps: float = 1e-12) -> Tensor:
    """Return x / max(norm, eps) with the p-norm along ``dim``."""
    return input / input.norm(p, dim, keepdim=True).clamp_min(eps)


def _check_batch(input: Tensor) -> None:
    if input.dim() >= 2 and input.shape[0] * math.prod(input.shape[2:]) == 1:
        raise ArgumentError(
            f"Expected more than 1 value per channel when training, got input size {input.shape}; "
            "use a larger batch, drop_last=True in the DataLoader, or model.eval()"
        )
