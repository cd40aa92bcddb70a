"""The rare states of the process, counted in one integer that the hot path looks at.

Zero: nobody is capturing, observing, or has switched gradients off anywhere, and no call looks further. Not zero: the
general path asks the state of its own task.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dovetail.contract.hookspecs import Observer
    from dovetail.program.trace import Trace

_lock: Final = threading.Lock()


class State:
    """The counter; one object, so that closures read it with two loads."""

    __slots__ = ("special",)

    def __init__(self) -> None:
        self.special = 0


state: Final = State()

grad_enabled: Final[ContextVar[bool]] = ContextVar("grad_enabled", default=True)
tracing: Final[ContextVar[Trace | None]] = ContextVar("tracing", default=None)
anomaly: Final[ContextVar[bool]] = ContextVar("anomaly", default=False)

observers: list[Observer] = []


def enter() -> None:
    """Count one more rare state. ``+=`` from two threads can lose an update, hence the lock."""
    with _lock:
        state.special += 1


def leave() -> None:
    """Count one rare state less."""
    with _lock:
        state.special -= 1


def add_observer(observer: Observer) -> Callable[[], None]:
    """Let ``observer(op name, input specs, output specs)`` see every op; returns a function that takes it out."""
    observers.append(observer)
    enter()

    def remove() -> None:
        if observer in observers:
            observers.remove(observer)
            leave()

    return remove
