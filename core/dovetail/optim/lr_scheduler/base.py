"""The base of schedules: when a rate is due, and how it gets into the optimizer."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FunctionType
from typing import Any, Final

from dovetail.autograd.mode import no_grad
from dovetail.dispatch.state import tracing
from dovetail.errors import ArgumentError, ArgumentTypeError, CaptureError
from dovetail.optim.groups import Group
from dovetail.optim.optimizer import Optimizer
from dovetail.tensor.tensor import Tensor

Rate = float | Tensor

_EPOCH: Final = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible: call "
    "`scheduler.step()` without it. Where a schedule has a closed form, that gives the rate of the epoch."
)
_ORDER: Final = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. Call them in the opposite order, "
    "`optimizer.step()` first, or the first value of the schedule is skipped."
)
_OVERRIDDEN: Final = (
    "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization, so that nobody "
    "can tell whether it was called. Call `optimizer.step()` before `lr_scheduler.step()`."
)
_LAST: Final = "To get the last learning rate computed by the scheduler, please use `get_last_lr()`."


class LRScheduler:
    """Base of schedules: a subclass gives the rates of all groups in :meth:`get_lr`, for the epoch ``last_epoch``.

    Errors: TypeError for what is no optimizer, KeyError where a schedule is resumed in an optimizer whose groups do
    not know their initial rate.

    >>> import dovetail
    >>> class Halving(dovetail.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [rate / 2**self.last_epoch for rate in self.base_lrs]
    >>> optimizer = dovetail.optim.SGD([dovetail.ones(1, requires_grad=True)], lr=8.0)
    >>> schedule = Halving(optimizer)
    >>> for epoch in range(3):
    ...     optimizer.step()
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [1.0]
    """

    _get_lr_called_within_step: bool = False
    _is_initial: bool = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with last_epoch "
                    f">= 0. Load the state of the optimizer first, or start with last_epoch=-1"
                )
        self.base_lrs: list[Rate] = of_groups(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        optimizer.__dict__["_step_when_scheduled"] = optimizer.__dict__.get("step")
        self._initial_step()

    def _initial_step(self) -> None:
        """Put the first rate into the optimizer."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_last_lr(self) -> list[Rate]:
        """Return the rates of all groups that were set last."""
        return self._last_lr

    def get_lr(self) -> Sequence[Rate]:
        """Compute the rates of all groups; called by :meth:`step`."""
        raise NotImplementedError(f"{type(self).__name__} must define get_lr()")

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch and set its rates; call it after the optimizer's step."""
        refuse_capture(self)
        if self._step_count == 1:
            self._warn_of_order()
        self._step_count += 1
        if epoch is not None:
            warnings.warn(_EPOCH, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _warn_of_order(self) -> None:
        inside = self.optimizer.__dict__
        if inside.get("step") is not inside.get("_step_when_scheduled"):
            warnings.warn(_OVERRIDDEN, UserWarning, stacklevel=3)
        elif not inside.get("_opt_called", False):
            warnings.warn(_ORDER, UserWarning, stacklevel=3)

    def _update_lr(self, epoch: int | None = None) -> None:
        with self._asking():
            self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
            closed = getattr(self, "_get_closed_form_lr", None)
            values = self.get_lr() if epoch is None or closed is None else closed()
        self._set_rates(values)

    def _set_rates(self, values: Sequence[Rate]) -> None:
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            put(group, "lr", value)
        self._last_lr: list[Rate] = of_groups(self.optimizer, "lr")

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Inside, :meth:`get_lr` is called by the schedule itself."""
        self._get_lr_called_within_step = True
        try:
            yield
        finally:
            self._get_lr_called_within_step = False

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn(_LAST, UserWarning, stacklevel=3)

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimizer."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a :meth:`state_dict`; load that of the optimizer too."""
        self.__dict__.update(state_dict)


def check_optimizer(optimizer: Any) -> None:
    """Raise for what is no optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise ArgumentTypeError(f"{type(optimizer).__name__} is not an Optimizer")


def refuse_capture(schedule: Any) -> None:
    """Raise inside a captured function: a program would repeat the rate of its capture for ever."""
    if tracing.get() is not None:
        raise CaptureError(
            f"{type(schedule).__name__}.step() counts epochs in Python, which a captured program does not repeat. Call "
            "it after the captured function: learning rates are read anew at each run"
        )


def warn_of_epoch() -> None:
    """Say that an epoch need not be given."""
    warnings.warn(_EPOCH, UserWarning, stacklevel=3)


def copied(value: Any) -> Any:
    """A rate of its own where it is a tensor."""
    return value.detach().clone() if isinstance(value, Tensor) else value


def of_groups(optimizer: Optimizer, key: str) -> list[Any]:
    """An option of all groups."""
    return [copied(group[key]) for group in optimizer.param_groups]


def put(group: Group, key: str, value: Any) -> None:
    """Set an option of a group; a tensor is written in place."""
    if isinstance(group[key], Tensor):
        with no_grad():
            group[key].fill_(float(value))
    else:
        group[key] = value


def per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """A number for each group, from a list of them or one for all."""
    count = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [copied(value) for _ in range(count)]
    if len(value) != count:
        raise ArgumentError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} values, param_groups "
            f"has {count}."
        )
    return [copied(v) for v in value]


def state_of(function: Any) -> dict[str, Any] | None:
    """What a callable object remembers; a plain function is not saved."""
    return None if function is None or isinstance(function, FunctionType) else function.__dict__.copy()
