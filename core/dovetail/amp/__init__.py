"""Mixed precision: ``autocast`` chooses the type per op, ``GradScaler`` keeps small gradients above zero."""

from __future__ import annotations

from dovetail.amp.block import autocast
from dovetail.amp.custom import custom_bwd, custom_fwd
from dovetail.amp.grad_scaler import GradScaler, OptState
from dovetail.amp.modes import is_autocast_available

__all__ = ["autocast", "custom_bwd", "custom_fwd", "GradScaler", "OptState", "is_autocast_available"]
