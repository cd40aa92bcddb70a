"""Averages of weights along a training: stochastic weight averaging and exponential moving averages.

Izmailov et al. 2018, arXiv:1803.05407 (SWA); Polyak and Juditsky 1992 (averages of all points).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from itertools import chain
from typing import Any, Literal

from dovetail import dtypes, ops
from dovetail.autograd.mode import no_grad
from dovetail.dispatch.state import tracing
from dovetail.errors import ArgumentError
from dovetail.nn.module import Module
from dovetail.nn.normalization import BatchNorm
from dovetail.optim.lr_scheduler.base import LRScheduler, Rate, per_group
from dovetail.optim.optimizer import Optimizer
from dovetail.tensor.tensor import Tensor

Average = Callable[[Tensor, Tensor, Any], Tensor]
"""``(average, current, how many went in) -> new average``."""
MultiAverage = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]
"""The same for lists of tensors of one device and dtype, in place."""


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """Return the exponential moving average: ``decay * average + (1 - decay) * current``.

    Errors: ValueError for a decay outside [0, 1].
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        return ema_param * decay + current_param * (1 - decay)

    return ema_update


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAverage:
    """Return the exponential moving average of lists of tensors, in place.

    Errors: ValueError for a decay outside [0, 1].
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param_list: Sequence[Tensor], current_param_list: Sequence[Tensor], _: Any) -> None:
        for average, current in zip(ema_param_list, current_param_list, strict=True):
            if average.is_floating_point():
                average.add_((current - average) * (1 - decay))
            else:
                average.copy_(average * decay + current * (1 - decay))

    return ema_update


def get_swa_avg_fn() -> Average:
    """Return the mean of all points: ``average + (current - average) / (num_averaged + 1)``."""

    @no_grad()
    def swa_update(averaged_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        share: Tensor = (current_param - averaged_param) / (num_averaged + 1)
        return averaged_param + share

    return swa_update


def get_swa_multi_avg_fn() -> MultiAverage:
    """Return the mean of all points, for lists of tensors, in place."""
    one = get_swa_avg_fn()

    @no_grad()
    def swa_update(
        averaged_param_list: Sequence[Tensor], current_param_list: Sequence[Tensor], num_averaged: Any
    ) -> None:
        for average, current in zip(averaged_param_list, current_param_list, strict=True):
            average.copy_(one(average, current, num_averaged))

    return swa_update


def _check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ArgumentError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of the model's; ``update_parameters`` takes in another point.

    By default the mean of all points; ``avg_fn`` or ``multi_avg_fn`` give another average. Buffers are copied, or
    averaged with ``use_buffers``. The first point is taken as it is.

    Errors: AssertionError for both functions at once.

    >>> import dovetail
    >>> from dovetail.optim.swa_utils import AveragedModel
    >>> model = dovetail.nn.Linear(1, 1, bias=False)
    >>> average = AveragedModel(model)
    >>> for value in (1.0, 2.0, 6.0):
    ...     _ = dovetail.nn.init.constant_(model.weight, value)
    ...     average.update_parameters(model)
    >>> average.module.weight.item(), average.n_averaged.item()
    (3.0, 3)
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: MultiAverage | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", ops.zeros((), dtype=dtypes.int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the averaged model."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take the present parameters of a model into the average."""
        averages = [t.detach() for t in self._members(self.module)]
        current = [t.detach().to(a.device) for a, t in zip(averages, self._members(model), strict=False)]
        if tracing.get() is not None:
            # a program has no value to decide by: it computes the average and takes the point where it is the first
            self._average(averages, current)
            for average, t in zip(averages, current, strict=False):
                average.copy_(ops.where(self.n_averaged.to(average.device) == 0, t, average))
        elif int(self.n_averaged) == 0:
            for average, t in zip(averages, current, strict=False):
                average.copy_(t)
        else:
            self._average(averages, current)
        if not self.use_buffers:
            for own, theirs in zip(self.module.buffers(), model.buffers(), strict=True):
                own.detach().copy_(theirs.detach().to(own.device))
        self.n_averaged += 1

    def _members(self, module: Module) -> list[Tensor]:
        """What is averaged of a model."""
        return list(chain(module.parameters(), module.buffers() if self.use_buffers else ()))

    def _average(self, averages: Sequence[Tensor], current: Sequence[Tensor]) -> None:
        if self.multi_avg_fn is None:
            one = self.avg_fn if self.avg_fn is not None else get_swa_avg_fn()
            for average, t in zip(averages, current, strict=False):
                average.copy_(one(average, t, self.n_averaged.to(average.device)))
            return
        groups: dict[Any, tuple[list[Tensor], list[Tensor]]] = {}
        for average, t in zip(averages, current, strict=False):
            mine, theirs = groups.setdefault((average.device, average.dtype), ([], []))
            mine.append(average)
            theirs.append(t)
        for (device, _), (mine, theirs) in groups.items():
            self.multi_avg_fn(mine, theirs, self.n_averaged.to(device))


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of all batch norms anew, from one pass over data.

    Of an element that is a list or a tuple the first part is the input. The model is put in train mode for the pass.

    >>> import dovetail
    >>> model = dovetail.nn.Sequential(dovetail.nn.BatchNorm1d(1))
    >>> dovetail.optim.swa_utils.update_bn([dovetail.tensor([[1.0], [3.0]]), dovetail.tensor([[5.0], [7.0]])], model)
    >>> model[0].running_mean
    tensor([4.])
    """
    norms = [module for module in model.modules() if isinstance(module, BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    training = model.training
    model.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average of all batches
    for batch in loader:
        given = batch[0] if isinstance(batch, list | tuple) else batch
        model(given if device is None else given.to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(training)


def _check_epochs(count: Any) -> None:
    if not isinstance(count, int) or count < 0:
        raise ArgumentError(f"anneal_epochs must be equal or greater than 0, got {count}")


class SWALR(LRScheduler):
    """From the present rate to ``swa_lr`` within ``anneal_epochs``, along a cosine or a line, and there it stays.

    Errors: ValueError for an unknown strategy or a negative number of epochs.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: Any,
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        rates = per_group("swa_lr", optimizer, swa_lr)
        for rate, group in zip(rates, optimizer.param_groups, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        _check_epochs(anneal_epochs)
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, epoch: int) -> float:
        """How much of the way is done at an epoch."""
        t = max(0, min(1, epoch / max(1, self.anneal_epochs)))
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list[Rate]:
        """By the rate that the way began with, which is found from the last one."""
        self._warn_outside_step()
        epoch = self._step_count - 1
        if self.anneal_epochs == 0:
            epoch = max(1, epoch)
        before, now = self._share(epoch - 1), self._share(epoch)
        rates = []
        for group in self.optimizer.param_groups:
            end = group["swa_lr"]
            start = end if before == 1 else (group["lr"] - before * end) / (1 - before)
            rates.append(end * now + start * (1 - now))
        return rates
