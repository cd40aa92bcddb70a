"""Normalisation: batch_norm, layer_norm and normalize."""

from __future__ import annotations

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
    if eps < 0.0 or (training and eps == 0.0):
        required = "positive during training" if training else "non-negative"
        raise ArgumentError(f"batch_norm eps must be {required}, but got {eps}")
    return ops.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


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
    return ops.layer_norm(input, normalized_shape, weight, bias, eps)


def normalize(
    input: Tensor, p: float = 2.0, dim: int | tuple[int, ...] = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """Return x / max(norm, eps) with the p-norm along ``dim``; ``out`` is written instead, if given."""
    result = input / input.norm(p, dim, keepdim=True).clamp(min=eps)
    return result if out is None else out.copy_(result)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """Return x / sqrt(mean(x²) + eps) * weight over the last dimensions (arXiv:1910.07467).

    Without ``eps`` it is the distance of 1 to the next number of the dtype.
    """
    return ops.rms_norm(input, normalized_shape, weight, eps)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(var + eps) * weight + bias over groups of channels (arXiv:1803.08494).

    Shapes: input (N, C, *), weight and bias (C).
    """
    return ops.group_norm(input, num_groups, weight, bias, eps)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return each channel of each sample normalised by itself (arXiv:1607.08022).

    Shapes: input (N, C, *), all others (C).
    """
    return ops.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)
