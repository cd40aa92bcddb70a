"""The schedule between two rates, up and down (Smith 2017, arXiv:1506.01186)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from dovetail.errors import ArgumentError
from dovetail.optim.lr_scheduler import momentum
from dovetail.optim.lr_scheduler.base import LRScheduler, Rate, check_optimizer, per_group, put, state_of
from dovetail.optim.optimizer import Optimizer

_MODES = ("triangular", "triangular2", "exp_range")


class CyclicLR(LRScheduler):
    """Between ``base_lr`` and ``max_lr`` in a straight line up and down, a step for each batch.

    The height stays ("triangular"), halves with each cycle ("triangular2") or shrinks by ``gamma`` with each step
    ("exp_range"); ``scale_fn`` may give it as a function of the cycle or of the step (``scale_mode``). The momentum
    goes the other way.

    Errors: ValueError for an unknown mode, or an optimizer without momentum unless ``cycle_momentum`` is False.

    >>> import dovetail
    >>> optimizer = dovetail.optim.SGD([dovetail.ones(1, requires_grad=True)], lr=0.1, momentum=0.9)
    >>> schedule = dovetail.optim.lr_scheduler.CyclicLR(optimizer, base_lr=0.0, max_lr=1.0, step_size_up=2)
    >>> optimizer.step()
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: Any,
        max_lr: Any,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.8,
        max_momentum: Any = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        if mode not in _MODES and scale_fn is None:
            raise ArgumentError("mode is invalid and scale_fn is None")
        self.optimizer = optimizer
        base_lrs = per_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for rate, group in zip(base_lrs, optimizer.param_groups, strict=True):
                put(group, "lr", rate)
        self.max_lrs = per_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (float(step_size_down) if step_size_down is not None else up)
        self.step_ratio = up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom: Any = scale_fn
        self.scale_mode: str = scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = momentum.uses_beta(optimizer)
            least, most = momentum.start(optimizer, base_momentum, max_momentum, last_epoch == -1)
            self.base_momentums, self.max_momentums = list(least), list(most)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """The height of a cycle, or at a step."""
        if self._scale_fn_custom is not None:
            return float(self._scale_fn_custom(x))
        if self.mode == "triangular":
            return 1.0
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else float(self.gamma**x)

    def get_lr(self) -> list[Rate]:
        """By the place in the cycle; the momentum is set at once."""
        self._warn_outside_step()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        rise = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        height = cycle if self.scale_mode == "cycle" else self.last_epoch
        rates = [
            low + (high - low) * rise * self.scale_fn(height)
            for low, high in zip(self.base_lrs, self.max_lrs, strict=True)
        ]
        if self.cycle_momentum:
            pairs = zip(self.base_momentums, self.max_momentums, self.optimizer.param_groups, strict=True)
            for low, high, group in pairs:
                momentum.set_momentum(group, high - (high - low) * rise * self.scale_fn(height), self.use_beta1)
        return rates

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimizer, and of a function of the height what it remembers."""
        return {**super().state_dict(), "_scale_fn_custom": state_of(self._scale_fn_custom)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a :meth:`state_dict`; a function of the height stays that of this schedule."""
        remembered = state_dict["_scale_fn_custom"]
        super().load_state_dict({key: v for key, v in state_dict.items() if key != "_scale_fn_custom"})
        if remembered is not None:
            self._scale_fn_custom.__dict__.update(remembered)
