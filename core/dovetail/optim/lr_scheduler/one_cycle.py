"""The schedule of one cycle for a whole training (Smith and Topin 2018, arXiv:1708.07120)."""

from __future__ import annotations

import math
from typing import Any, Literal

from dovetail.errors import ArgumentError
from dovetail.optim.lr_scheduler import momentum
from dovetail.optim.lr_scheduler.base import LRScheduler, Rate, check_optimizer, per_group
from dovetail.optim.optimizer import Optimizer

Phase = dict[str, Any]


class OneCycleLR(LRScheduler):
    """Up to ``max_lr`` and down to nearly nothing within a known number of batches, the momentum the other way.

    The rate starts at ``max_lr / div_factor``, is at its largest after ``pct_start`` of all steps, and ends at the
    start's ``final_div_factor``-th part; with ``three_phase`` it first comes down as it went up.

    Errors: ValueError without a number of steps, for one that is not positive, for a share outside [0, 1], an unknown
    strategy, an optimizer without momentum unless ``cycle_momentum`` is False, and for a step beyond the last.

    >>> import dovetail
    >>> optimizer = dovetail.optim.SGD([dovetail.ones(1, requires_grad=True)], lr=0.1, momentum=0.9)
    >>> schedule = dovetail.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    >>> for batch in range(2):
    ...     optimizer.step()
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Any,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.85,
        max_momentum: Any = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        self.total_steps = _steps(total_steps, epochs, steps_per_epoch)
        _check_share(pct_start)
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        self._anneal_func_type = anneal_strategy
        rates = per_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for rate, group in zip(rates, optimizer.param_groups, strict=True):
                group["initial_lr"] = rate / div_factor
                group["max_lr"] = rate
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = momentum.uses_beta(optimizer)
            momentum.start(optimizer, base_momentum, max_momentum, last_epoch == -1)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        """By the place in the phase; the momentum is set at once."""
        self._warn_outside_step()
        if self.last_epoch > self.total_steps:
            raise ArgumentError(
                f"Tried to step {self.last_epoch} times. The specified number of total steps is {self.total_steps}"
            )
        phase, share = self._place()
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._between(group[phase["start_lr"]], group[phase["end_lr"]], share))
            if self.cycle_momentum:
                value = self._between(group[phase["start_momentum"]], group[phase["end_momentum"]], share)
                momentum.set_momentum(group, value, self.use_beta1)
        return rates

    def _place(self) -> tuple[Phase, float]:
        """The phase of the step, and the share of it that is done."""
        start = 0.0
        for phase in self._schedule_phases[:-1]:
            if self.last_epoch <= phase["end_step"]:
                break
            start = phase["end_step"]
        else:
            phase = self._schedule_phases[-1]
        return phase, (self.last_epoch - start) / (phase["end_step"] - start)

    def _between(self, start: Any, end: Any, share: float) -> Any:
        if self._anneal_func_type == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)


def _steps(total: int | None, epochs: int | None, per_epoch: int | None) -> int:
    """The number of steps, as it is or by epochs."""
    if total is not None:
        _check_positive("total_steps", total)
        return total
    if epochs is None or per_epoch is None:
        raise ArgumentError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    _check_positive("epochs", epochs)
    _check_positive("steps_per_epoch", per_epoch)
    return epochs * per_epoch


def _check_positive(name: str, value: Any) -> None:
    if value <= 0 or not isinstance(value, int):
        raise ArgumentError(f"Expected positive integer {name}, but got {value}")


def _check_share(value: Any) -> None:
    if not isinstance(value, float) or not 0 <= value <= 1:
        raise ArgumentError(f"Expected float between 0 and 1 pct_start, but got {value}")


def _phase(end: float, rates: tuple[str, str], momenta: tuple[str, str]) -> Phase:
    return {
        "end_step": end, "start_lr": rates[0], "end_lr": rates[1], "start_momentum": momenta[0],
        "end_momentum": momenta[1],
    }  # fmt: skip


def _phases(total: int, share: float, three: bool) -> list[Phase]:
    """Where each phase ends, and between which options of a group it goes."""
    falling, rising = ("max_momentum", "base_momentum"), ("base_momentum", "max_momentum")
    up = _phase(float(share * total) - 1, ("initial_lr", "max_lr"), falling)
    if not three:
        return [up, _phase(total - 1, ("max_lr", "min_lr"), rising)]
    return [
        up,
        _phase(float(2 * share * total) - 2, ("max_lr", "initial_lr"), rising),
        _phase(total - 1, ("initial_lr", "min_lr"), ("max_momentum", "max_momentum")),
    ]
