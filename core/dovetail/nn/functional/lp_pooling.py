"""Pooling by the p-norm of each window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dovetail import ops
from dovetail.nn.functional import pooling
from dovetail.nn.functional.sizes import repeated

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


def _lp_pool(
    dims: int,
    input: Tensor,
    norm_type: float,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None,
    ceil_mode: bool,
) -> Tensor:
    largest: Any = getattr(pooling, f"max_pool{dims}d")
    mean: Any = getattr(pooling, f"avg_pool{dims}d")
    if norm_type == math.inf:
        return largest(input.abs(), kernel_size, stride, 0, 1, ceil_mode)  # type: ignore[no-any-return]  # one tensor
    if norm_type == -math.inf:
        return -largest(-input.abs(), kernel_size, stride, 0, 1, ceil_mode)  # type: ignore[no-any-return]  # the same
    powers: Tensor = mean(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    count = math.prod(repeated(kernel_size, dims))
    norms: Tensor = (ops.sign(powers) * ops.relu(powers.abs()) * count).pow(1.0 / norm_type)
    return norms


def lp_pool1d(
    input: Tensor,
    norm_type: float,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Return ``sum(x ** p) ** (1 / p)`` of each window of (N, C, L) or (C, L).

    For p = inf it is the largest absolute value.
    """
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor,
    norm_type: float,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Return ``sum(x ** p) ** (1 / p)`` of each window of (N, C, H, W) or (C, H, W).

    For p = inf it is the largest absolute value.
    """
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor,
    norm_type: float,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Return ``sum(x ** p) ** (1 / p)`` of each window of (N, C, D, H, W) or (C, D, H, W).

    For p = inf it is the largest absolute value.
    """
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)
