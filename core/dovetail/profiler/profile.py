"""The profile as a block, whole or by a schedule of steps."""

from __future__ import annotations

import functools
import os
import socket
import time
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any

from dovetail.errors import ArgumentError, UnsupportedError
from dovetail.profiler import trace
from dovetail.profiler.averages import Averages
from dovetail.profiler.events import Event, Recording, Transfer
from dovetail.profiler.schedule import ProfilerAction


class ProfilerActivity(Enum):
    """What PyTorch's profiles are restricted to; here a profile shows every backend in the same table."""

    CPU = 0
    CUDA = 1
    XPU = 2


class profile:
    """Record what runs inside the block: every op with its backend and time, transfers, fallbacks, named blocks.

    ``record_shapes`` keeps the shapes of inputs, ``schedule`` says which steps of a loop count (call :meth:`step` after
    each), ``on_trace_ready`` gets the profile at the end of every cycle or of the block. With ``blocking`` (the
    default) an op lasts until its results are there; without, only until it has been started, and the program runs as
    it would without a profile. Ops of a program that is compiled as a whole are one line of their backend.

    While it records, calls take a longer path: compare times within a profile, not with those outside.

    >>> import dovetail
    >>> x = dovetail.ones(8, 8, requires_grad=True)
    >>> with dovetail.profiler.profile(record_shapes=True) as prof:
    ...     (x @ x).sum().backward()
    >>> sorted({event.name for event in prof.events() if event.kind == "backward"})
    ['MmBackward0', 'SumBackward0']
    """

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[profile], Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        blocking: bool = True,
    ) -> None:
        if with_stack:
            raise UnsupportedError("profile(with_stack=True) is not supported: name blocks by record_function instead")
        for activity in activities or ():
            if not isinstance(activity, ProfilerActivity):
                raise ArgumentError(f"profile: activities must be of ProfilerActivity, got {activity!r}")
        self.profile_memory = profile_memory  # the bytes of results are always counted
        self.step_num = 0
        self._schedule = schedule
        self._on_trace_ready = on_trace_ready
        self._new = functools.partial(Recording, record_shapes=record_shapes, blocking=blocking)
        self._action = ProfilerAction.NONE
        self._recording = self._new()
        self._step_started = 0

    # ------------------------------------------------------------------------------------------ running

    def start(self) -> None:
        """Begin, as entering the block does."""
        self._change(self._schedule(0) if self._schedule is not None else ProfilerAction.RECORD_AND_SAVE)

    def stop(self) -> None:
        """End, as leaving the block does."""
        self._end_step()
        self._recording.stop()
        saves = self._action in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
        self._action = ProfilerAction.NONE
        if saves and self._on_trace_ready is not None:
            self._on_trace_ready(self)

    def step(self) -> None:
        """Say that a step of the loop is over."""
        self._end_step()
        self.step_num += 1
        if self._schedule is None:
            self._begin_step()
            return
        if self._action is ProfilerAction.RECORD_AND_SAVE:
            self._recording.stop()
            self._action = ProfilerAction.NONE
            if self._on_trace_ready is not None:
                self._on_trace_ready(self)
        self._change(self._schedule(self.step_num))

    def _change(self, action: ProfilerAction) -> None:
        """Go over to what the schedule wants of the next step; recording starts anew after a pause or a warm-up."""
        kept = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
        continues = action in kept and self._action in kept
        if not continues and action is not ProfilerAction.NONE:
            self._recording.stop()
            self._recording = self._new()
            self._recording.start()
        elif action is ProfilerAction.NONE:
            self._recording.stop()
        self._action = action
        self._begin_step()

    def _begin_step(self) -> None:
        self._step_started = time.perf_counter_ns() - self._recording.zero

    def _end_step(self) -> None:
        if self._schedule is not None and self._action is not ProfilerAction.NONE:
            end = time.perf_counter_ns() - self._recording.zero
            event = Event("range", f"ProfilerStep#{self.step_num}", "", "", 0, 0, self._step_started, end)
            event.inner = sum(e.total_time for e in self._recording.events if e.depth == 0 and e.start >= event.start)
            self._recording.events.append(event)

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # ------------------------------------------------------------------------------------------ results

    def events(self) -> list[Event]:
        """Return every span that was recorded, in the order of their ends."""
        return list(self._recording.events)

    def transfers(self) -> list[Transfer]:
        """Return every transfer between devices and from or to the host."""
        return list(self._recording.transfers)

    def key_averages(self, group_by_input_shape: bool = False) -> Averages:
        """Return the spans added up by name and device, with ``group_by_input_shape`` by shapes too."""
        return Averages(self._recording.events, self._recording.transfers, by_shape=group_by_input_shape)

    def export_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Write the profile for chrome://tracing or https://ui.perfetto.dev."""
        trace.write(path, self._recording.events, self._recording.transfers)


def tensorboard_trace_handler(dir_name: str | os.PathLike[str], worker_name: str | None = None) -> Callable[..., None]:
    """Return a function for ``on_trace_ready`` that writes a trace file of its own for every cycle into a folder."""
    name = worker_name or f"{socket.gethostname()}_{os.getpid()}"

    def handler(prof: profile) -> None:
        folder = Path(dir_name)
        folder.mkdir(parents=True, exist_ok=True)
        prof.export_chrome_trace(folder / f"{name}.{time.time_ns()}.pt.trace.json")

    return handler
