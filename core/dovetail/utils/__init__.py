"""Utilities around training: data loading, progress on the terminal, files for TensorBoard."""

from __future__ import annotations

import importlib
from typing import Any

_PARTS = frozenset({"data", "progress", "tensorboard"})


def __getattr__(name: str) -> Any:
    """``dovetail.utils.data`` needs no import of its own, as in PyTorch."""
    if name in _PARTS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
