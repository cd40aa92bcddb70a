"""Windows of signals: numbers that rise from the edges to the middle."""

from __future__ import annotations

import math
from typing import Any

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError
from dovetail.ops.bessel import i0
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import arange, ones
from dovetail.ops.definition import front
from dovetail.settings import get_default_dtype
from dovetail.tensor.tensor import Tensor


def _phase(name: str, length: int, periodic: bool, dtype: Any, device: Any) -> Tensor:
    """The places from 0 to 1, computed in float64; a periodic window leaves the last one out."""
    kind = dtype or get_default_dtype()
    if not kind.is_floating_point:
        raise ArgumentRuntimeError(f"{name} expects floating point dtypes, got: {kind}")
    if length < 0:
        raise ArgumentRuntimeError(f"{name} requires non-negative window_length, got window_length={length}")
    if length == 1:
        return ones(1, dtype=dtypes.float64, device=device) * 0.5
    steps = length if periodic else length - 1
    return arange(length, dtype=dtypes.float64, device=device) / max(steps, 1)


def _finished(values: Tensor, length: int, dtype: Any, requires_grad: bool) -> Tensor:
    # A window of one place is 1, whatever the formula says there.
    found = values * 0 + 1 if length == 1 else values
    return found.to(dtype or get_default_dtype()).requires_grad_(requires_grad)


def _cosines(phase: Tensor, *weights: float) -> Tensor:
    total = phase * 0 + weights[0]
    for k, weight in enumerate(weights[1:], start=1):
        total = total + (phase * (2 * math.pi * k)).cos() * weight
    return total


@front()
def hann_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``(1 - cos(2 pi t)) / 2`` for t from 0 to 1.

    >>> import dovetail
    >>> dovetail.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    phase = _phase("hann_window", window_length, periodic, dtype, device)
    return _finished(_cosines(phase, 0.5, -0.5), window_length, dtype, requires_grad)


@front()
def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``alpha - beta cos(2 pi t)`` for t from 0 to 1."""
    phase = _phase("hamming_window", window_length, periodic, dtype, device)
    return _finished(_cosines(phase, alpha, -beta), window_length, dtype, requires_grad)


@front()
def blackman_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``0.42 - 0.5 cos(2 pi t) + 0.08 cos(4 pi t)`` for t from 0 to 1."""
    phase = _phase("blackman_window", window_length, periodic, dtype, device)
    return _finished(_cosines(phase, 0.42, -0.5, 0.08).clamp(min=0), window_length, dtype, requires_grad)


@front()
def bartlett_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A triangle: ``1 - abs(2 t - 1)`` for t from 0 to 1."""
    phase = _phase("bartlett_window", window_length, periodic, dtype, device)
    return _finished(1 - (phase * 2 - 1).abs(), window_length, dtype, requires_grad)


@front()
def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``I0(beta sqrt(1 - (2 t - 1)**2)) / I0(beta)`` for t from 0 to 1."""
    phase = _phase("kaiser_window", window_length, periodic, dtype, device)
    away = phase * 2 - 1
    inside = (1 - away * away).clamp(min=0)
    found = i0(inside.sqrt() * beta) / i0(phase.new_full((), beta))
    return _finished(select_by(away.abs() > 1, 0.0, found), window_length, dtype, requires_grad)
