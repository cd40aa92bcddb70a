"""Dropout: elements, or whole channels, set to zero at random in training."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

from dovetail import ops
from dovetail.autograd.mode import no_grad
from dovetail.errors import ArgumentError, ShapeError
from dovetail.nn.functional.activation import finish

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor

# The value that selu takes at minus infinity, negated: scale * alpha of Klambauer et al. 2017.
_SELU_FLOOR = 1.0507009873554805 * 1.6732632423543772


def check_probability(p: float) -> None:
    """Raise unless ``p`` is a probability.

    Raises:
        ArgumentError: ``p`` is below 0 or above 1.
    """
    if not 0.0 <= p <= 1.0:
        raise ArgumentError(f"dropout probability has to be between 0 and 1, but got {p}")


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, set each element to zero with probability ``p`` and divide the rest by 1 - p.

    Source: Hinton et al. 2012, arXiv:1207.0580. The mask depends on the seed alone, not on the backend.
    """
    check_probability(p)
    if not training:
        return input
    return finish(input, ops.dropout(input, p=p, training=True), inplace)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set whole channels of (N, C, L) or (C, L) to zero."""
    check_probability(p)
    if input.dim() not in (2, 3):
        raise ShapeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input. Note that dropout1d "
            "exists to provide channel-wise dropout on inputs with 1 spatial dimension, a channel "
            "dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    return _channels(input, p, training, inplace, batched=input.dim() == 3)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set whole channels of (N, C, H, W) to zero (Tompson et al. 2014, arXiv:1411.4280)."""
    check_probability(p)
    if input.dim() not in (3, 4):
        _warn_of_dims("dropout2d", input.dim(), 2, "3D or 4D")
    if input.dim() == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout "
            "behavior is desired - input is interpreted as shape (N, C, L), where C is the channel dim. "
            "This behavior will change in a future release to interpret the input as one without a batch "
            "dimension, i.e. shape (C, H, W). To maintain the 1D channel-wise dropout behavior, please "
            "switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _channels(input, p, training, inplace, batched=True)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set whole channels of (N, C, D, H, W) or (C, D, H, W) to zero."""
    check_probability(p)
    if input.dim() not in (4, 5):
        _warn_of_dims("dropout3d", input.dim(), 3, "4D or 5D")
    return _channels(input, p, training, inplace, batched=input.dim() == 5)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout that keeps mean 0 and variance 1: dropped elements take selu's lowest value.

    Source: Klambauer et al. 2017, arXiv:1706.02515.
    """
    check_probability(p)
    return _alpha(input, tuple(input.shape), p, training, inplace)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Drop whole channels, as :func:`alpha_dropout` drops elements."""
    check_probability(p)
    return _alpha(input, _per_channel(input, batched=True), p, training, inplace)


def _per_channel(input: Tensor, *, batched: bool) -> tuple[int, ...]:
    """Return the shape of one value per channel, broadcastable to the input."""
    kept = 2 if batched else 1
    if input.dim() < kept:
        raise ShapeError(f"Feature dropout requires at least {kept} dimensions in the input")
    return (*input.shape[:kept], *(1,) * (input.dim() - kept))


def _channels(input: Tensor, p: float, training: bool, inplace: bool, *, batched: bool) -> Tensor:
    if not training:
        return input
    ones = ops.ones(_per_channel(input, batched=batched), dtype=input.dtype, device=input.device)
    return finish(input, input * ops.dropout(ones, p=p, training=True), inplace)


def _alpha(input: Tensor, shape: tuple[int, ...], p: float, training: bool, inplace: bool) -> Tensor:
    if not training or p == 0.0:
        return input
    if p == 1.0:
        return finish(input, input * 0.0, inplace)
    scale = 1.0 / math.sqrt((_SELU_FLOOR**2 * p + 1) * (1 - p))
    with no_grad():
        kept = ops.empty(shape, dtype=input.dtype, device=input.device).bernoulli_(1 - p)
        shift = (kept - 1) * (_SELU_FLOOR * scale) + _SELU_FLOOR * scale * p
    return finish(input, input * (kept * scale) + shift, inplace)


def _warn_of_dims(name: str, got: int, spatial: int, expected: str) -> None:
    warnings.warn(
        f"{name}: Received a {got}-D input to {name}, which is deprecated and will result in an error in a "
        "future release. To retain the behavior and silence this warning, please use dropout instead. Note "
        f"that {name} exists to provide channel-wise dropout on inputs with {spatial} spatial dimensions, a "
        f"channel dimension, and an optional batch dimension (i.e. {expected} inputs).",
        stacklevel=3,
    )
