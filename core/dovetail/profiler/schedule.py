"""Which steps of a loop are profiled."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from dovetail.errors import ArgumentError


class ProfilerAction(Enum):
    """What happens in a step."""

    NONE = 0
    WARMUP = 1
    """Recorded and thrown away: the first recorded calls are slower than the rest."""
    RECORD = 2
    RECORD_AND_SAVE = 3
    """The last step of a cycle: the profile is handed to ``on_trace_ready`` at its end."""


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0
) -> Callable[[int], ProfilerAction]:
    """Return a schedule: after ``skip_first`` steps, cycles of ``wait``, ``warmup`` and ``active`` steps.

    ``repeat`` is the number of cycles, 0 for as many as there are.

    >>> plan = schedule(wait=1, warmup=1, active=2)
    >>> [plan(step).name for step in range(4)]
    ['NONE', 'WARMUP', 'RECORD', 'RECORD_AND_SAVE']
    """
    if min(wait, warmup, repeat, skip_first) < 0 or active < 1:
        raise ArgumentError(
            f"schedule: wait, warmup, repeat and skip_first must not be negative, active at least 1; got wait={wait}, "
            f"warmup={warmup}, active={active}, repeat={repeat}, skip_first={skip_first}"
        )
    cycle = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        step -= skip_first
        if step < 0 or (repeat and step >= repeat * cycle):
            return ProfilerAction.NONE
        at = step % cycle
        if at < wait:
            return ProfilerAction.NONE
        if at < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if at == cycle - 1 else ProfilerAction.RECORD

    return action
