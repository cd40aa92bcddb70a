"""Mistakes that only values show: an index out of range, an integer divided by zero.

On a synchronous device the check is read before the op. On an asynchronous one, and in a captured program, its flag is
kept and raised at the next read, with the op's name and place: never a read per op, and never in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from dovetail import callers
from dovetail.dispatch import state
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.dispatch.plan import Plan
    from dovetail.program.trace import Trace
    from dovetail.record.op import ValueCheck


class Pending:
    """A flag on a device that nobody has read yet, and the error that it would mean."""

    __slots__ = ("flag", "error", "place")

    def __init__(self, flag: Tensor, error: Any, place: str) -> None:
        self.flag = flag
        self.error = error
        self.place = place


MAX_PENDING: Final = 256
_pending: list[Pending] = []


def run(plan: Plan, inputs: Sequence[Any], trace: Trace | None) -> None:
    """Evaluate the checks of a plan."""
    arguments = plan.op.regroup(inputs, plan.layout)
    token = state.grad_enabled.set(False)
    state.enter()
    try:
        for check in plan.checks:
            _one(plan, check, arguments, trace)
    finally:
        state.leave()
        state.grad_enabled.reset(token)


def _one(plan: Plan, check: ValueCheck, arguments: Sequence[Any], trace: Trace | None) -> None:
    bad: Tensor = check.bad(*arguments, **plan.statics)
    if trace is not None:
        trace.add_check(bad, plan.op.name, callers.line())
        return
    runtime = plan.device.runtime
    if runtime.asynchronous(plan.device):
        kept = tuple(arguments)
        _pending.append(Pending(bad, lambda: check.error(*kept, **plan.statics), callers.line()))
        if len(_pending) >= MAX_PENDING:
            raise_pending()
        return
    if bool(runtime.to_host(bad._data)):
        error = check.error(*arguments, **plan.statics)
        assert error is not None, f"a check of {plan.op.name} found a mistake and cannot say which"
        raise error


def raise_pending() -> None:
    """Read every flag that is kept and raise the first error; called wherever values are read."""
    global _pending
    kept, _pending = _pending, []
    for pending in kept:
        flag = pending.flag
        if bool(flag._spec.device.runtime.to_host(flag._data)):
            error = pending.error()
            error.add_note(f"raised by a check on the device; the call was at {pending.place}")
            raise error


def any_pending() -> bool:
    """Tell whether flags are waiting to be read."""
    return bool(_pending)
