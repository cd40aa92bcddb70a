"""An optimizer's step that takes place or not by a flag that nobody reads: for captured programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dovetail import ops
from dovetail.autograd.mode import no_grad
from dovetail.contract.device import Device
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.optim.optimizer import Optimizer


def masked_step(optimizer: Optimizer, skipped: Mapping[Device, Tensor], options: Mapping[str, Any]) -> Any:
    """Take the step, then put every parameter and its state back where ``skipped`` is true on any device."""
    # What a first step would make must exist before, to be what a step that does not count goes back to.
    make_state = getattr(optimizer, "make_state", None)
    if make_state is not None:
        make_state()
    with no_grad():
        before = [(t, t.detach().clone()) for t in _tensors(optimizer)]
    result = optimizer.step(**options)
    with no_grad():
        for t, old in before:
            flags = [flag.to(t.device) for flag in skipped.values()]
            bad = flags[0] if len(flags) == 1 else ops.stack(flags).any()
            t.copy_(ops.where(bad, old, t))
    return result


def _tensors(optimizer: Optimizer) -> Iterator[Tensor]:
    for group in optimizer.param_groups:
        for param in group["params"]:
            if param.grad is not None:
                yield param
                yield from (value for value in optimizer.state[param].values() if isinstance(value, Tensor))
