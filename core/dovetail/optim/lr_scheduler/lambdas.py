"""Schedules by a function of the epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dovetail.errors import ArgumentError, ArgumentTypeError
from dovetail.optim.lr_scheduler.base import LRScheduler, Rate, of_groups, state_of
from dovetail.optim.optimizer import Optimizer

Factor = Callable[[int], float]


class _ByFunction(LRScheduler):
    """A schedule with a function for each group; of these only callable objects are saved, by their attributes."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1) -> None:
        self.optimizer = optimizer
        count = len(optimizer.param_groups)
        if isinstance(lr_lambda, list | tuple):
            if len(lr_lambda) != count:
                raise ArgumentError(f"Expected {count} lr_lambdas, but got {len(lr_lambda)}")
            self.lr_lambdas: list[Any] = list(lr_lambda)
        else:
            self.lr_lambdas = [lr_lambda] * count
        for function in self.lr_lambdas:
            if not callable(function):
                raise ArgumentTypeError(f"lr_lambda should be a function, but got {type(function).__name__}")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimizer, and of the functions what they remember."""
        state = {key: value for key, value in super().state_dict().items() if key != "lr_lambdas"}
        return {**state, "lr_lambdas": [state_of(function) for function in self.lr_lambdas]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a :meth:`state_dict`; the functions stay those of this schedule."""
        self.__dict__.update({key: value for key, value in state_dict.items() if key != "lr_lambdas"})
        for function, remembered in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=True):
            if remembered is not None:
                function.__dict__.update(remembered)


class LambdaLR(_ByFunction):
    """The initial rate times a function of the epoch.

    >>> import dovetail
    >>> optimizer = dovetail.optim.SGD([dovetail.ones(1, requires_grad=True)], lr=0.5)
    >>> schedule = dovetail.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> optimizer.step()
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    def get_lr(self) -> list[Rate]:
        """Each initial rate times its function of the epoch."""
        self._warn_outside_step()
        return [base * factor(self.last_epoch) for factor, base in zip(self.lr_lambdas, self.base_lrs, strict=True)]


class MultiplicativeLR(_ByFunction):
    """The last rate times a function of the epoch."""

    def get_lr(self) -> list[Rate]:
        """Each rate times its function of the epoch; the first epoch has the rate as it is."""
        self._warn_outside_step()
        if self._is_initial:
            return of_groups(self.optimizer, "lr")
        groups = self.optimizer.param_groups
        return [g["lr"] * factor(self.last_epoch) for factor, g in zip(self.lr_lambdas, groups, strict=True)]
