"""Spans as they are recorded: nested per thread, with the time that each spent outside of its children."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from dovetail.contract import traffic
from dovetail.dispatch import spans
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from dovetail.dispatch.plan import Plan


@dataclass(slots=True)
class Event:
    """One span. Times are in nanoseconds since the profile began."""

    kind: str
    """``op``, ``backward`` (a node of the graph) or ``range`` (a block that the program has named)."""
    name: str
    device: str
    """Where an op ran, empty for the rest."""
    origin: str
    """What ran: ``kernel``, ``decomposition``, ``compiled decomposition`` or ``fallback``; empty for the rest."""
    thread: int
    depth: int
    start: int
    end: int = 0
    inner: int = 0
    """Time spent in the spans directly inside."""
    shapes: tuple[tuple[int, ...] | None, ...] = ()
    """Shapes of the inputs, with ``record_shapes=True``."""
    bytes: int = 0
    """What the results take."""

    @property
    def total_time(self) -> int:
        """Nanoseconds from begin to end."""
        return self.end - self.start

    @property
    def self_time(self) -> int:
        """Nanoseconds outside of the spans inside."""
        return self.total_time - self.inner


class Transfer(NamedTuple):
    """Bytes that went from one device to another, or from or to the host."""

    source: str
    target: str
    bytes: int
    time: int
    """Nanoseconds since the profile began."""


@dataclass
class Recording:
    """Spans and transfers of all threads while it is switched on."""

    record_shapes: bool = False
    blocking: bool = True
    """Whether a span lasts until its results are there, on backends that compute while the caller goes on."""
    events: list[Event] = field(default_factory=list)
    """Every span that has ended, in the order of their ends."""
    transfers: list[Transfer] = field(default_factory=list)
    zero: int = field(default_factory=time.perf_counter_ns)
    _open: threading.local = field(default_factory=threading.local, repr=False)
    _undo: Callable[[], None] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Begin to listen."""
        self._undo = spans.add(self)
        traffic.listeners.append(self._moved)

    def stop(self) -> None:
        """Listen no longer."""
        if self._undo is not None:
            self._undo()
            traffic.listeners.remove(self._moved)
            self._undo = None

    def begin(self, kind: str, name: str, plan: Plan | None) -> None:
        """Note the begin of a span of this thread."""
        stack = self._stack()
        event = Event(kind, name, "", "", threading.get_ident(), len(stack), 0)
        if plan is not None:
            event.device, event.origin = str(plan.device), plan.origin
            event.bytes = sum(traffic.bytes_of(s) for s in plan.outs)
            if self.record_shapes:
                event.shapes = tuple(None if s is None else tuple(s.shape) for s in plan.ins)
        stack.append((event, plan))
        event.start = time.perf_counter_ns() - self.zero

    def end(self, result: Any) -> None:
        """Note the end of this thread's innermost span."""
        stack = self._stack()
        if not stack:
            return  # it began before the recording did
        event, plan = stack.pop()
        if self.blocking and plan is not None:
            _wait(plan, result)
        event.end = time.perf_counter_ns() - self.zero
        if stack:
            stack[-1][0].inner += event.total_time
        self.events.append(event)

    def _stack(self) -> list[tuple[Event, Plan | None]]:
        try:
            return self._open.stack  # type: ignore[no-any-return]  # what is put there below
        except AttributeError:
            self._open.stack = []
            return self._open.stack  # type: ignore[no-any-return]

    def _moved(self, source: str, target: str, size: int) -> None:
        self.transfers.append(Transfer(source, target, size, time.perf_counter_ns() - self.zero))


def _wait(plan: Plan, result: Any) -> None:
    runtime = plan.device.runtime
    for value in result if isinstance(result, tuple) else (result,):
        array = value._data if isinstance(value, Tensor) else value
        if array is not None and runtime.is_array(array):  # a captured call has none
            runtime.wait(array)
