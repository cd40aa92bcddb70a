"""Process-wide settings of PyTorch's that programs make: accepted, kept, and answered truthfully."""

from __future__ import annotations

import os

from dovetail.errors import ArgumentRuntimeError

_threads = os.cpu_count() or 1
_interop = 1
_precision = "highest"


def set_num_threads(number: int) -> None:
    """Keep how many threads are wanted; the libraries below take theirs from the environment (OMP_NUM_THREADS).

    Raises:
        ArgumentRuntimeError: a number that is not positive.
    """
    global _threads
    _threads = _positive(number, "set_num_threads")


def get_num_threads() -> int:
    """Return how many threads were asked for, or how many processors there are."""
    return _threads


def set_num_interop_threads(number: int) -> None:
    """Keep how many operations may run at once; they run one after the other."""
    global _interop
    _interop = _positive(number, "set_num_interop_threads")


def get_num_interop_threads() -> int:
    """Return what was asked for."""
    return _interop


def _positive(number: int, name: str) -> int:
    if number <= 0:
        raise ArgumentRuntimeError(f"{name} expects a positive integer, got {number}")
    return number


_deterministic = False


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Keep the wish: every operation gives the same bits on the same device with or without it."""
    global _deterministic
    _deterministic = bool(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """Return whether that was asked for."""
    return _deterministic


def set_float32_matmul_precision(precision: str) -> None:
    """Keep how precise products of float32 matrices must be; they are as precise as "highest" asks.

    Raises:
        ArgumentRuntimeError: none of "highest", "high", "medium".
    """
    global _precision
    if precision not in ("highest", "high", "medium"):
        raise ArgumentRuntimeError(
            f"float32 matmul precision is one of 'highest', 'high', 'medium', got {precision!r}"
        )
    _precision = precision


def get_float32_matmul_precision() -> str:
    """Return what was asked for."""
    return _precision
