"""Who wants to know when ops begin and end. While nobody does, a call costs one look at a list on the general path."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from dovetail.dispatch import state

if TYPE_CHECKING:
    from dovetail.dispatch.plan import Plan

R = TypeVar("R")

OP: Final = "op"
BACKWARD: Final = "backward"
RANGE: Final = "range"
"""What a span is: a call of an op, a node of the backward pass, or a block that the program has named."""


class Recorder(Protocol):
    """Is told of every span of every thread; a span ends before the one that it began in."""

    def begin(self, kind: str, name: str, plan: Plan | None) -> None:
        """A span begins."""

    def end(self, result: Any) -> None:
        """The span that began last in this thread ends, with the result of its function, None where it failed."""


recorders: Final[list[Recorder]] = []


def add(recorder: Recorder) -> Callable[[], None]:
    """Tell a recorder of every span from now on; returns a function that takes it out."""
    recorders.append(recorder)
    state.enter()  # so that every call takes the general path

    def remove() -> None:
        if recorder in recorders:
            recorders.remove(recorder)
            state.leave()

    return remove


def spanned(kind: str, name: str, plan: Plan | None, function: Callable[..., R], *args: Any, **params: Any) -> R:
    """Call a function inside a span."""
    told = list(recorders)
    for recorder in told:
        recorder.begin(kind, name, plan)
    result = None
    try:
        result = function(*args, **params)
        return result
    finally:
        for recorder in reversed(told):
            recorder.end(result)
