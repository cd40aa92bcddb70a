"""Several processes on one run: each has a session of its own and is given one task after another."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from importlib.metadata import entry_points
from multiprocessing import get_context, parent_process
from typing import Any, Final

from dovetail.backend.inspection import forget_plans
from dovetail.errors import BackendError
from dovetail_conformance.runner import KEPT, Done, Settings, Task, perform, prepared
from dovetail_conformance.session import Session

MOST: Final = 8
"""Processes that a run takes without being asked for a number."""
WORTH: Final = 40
"""Tasks from which on the start of further processes pays."""

_stack: Final = ExitStack()
_sessions: Final[list[Session]] = []
_count: Final = [0]


def processes(device: Any, tasks: int, asked: int = 0) -> int:
    """How many processes a run takes: one where the backend says that a device is not to be shared.

    One as well for a backend that was announced in this process alone, where another would not find it.
    """
    if not device.runtime.shareable(device) or not found_elsewhere(device.backend):
        return 1
    if asked:
        return asked
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST) if tasks >= WORTH else 1


def found_elsewhere(backend: str) -> bool:
    """Whether an installed plugin announces a backend, so that every process finds it."""
    for entry in entry_points(group="dovetail"):
        try:
            announce = getattr(entry.load(), "dovetail_backends", None)
            names = [spec.name for spec in announce()] if announce is not None else []
        except Exception:  # a plugin that is broken announces nothing
            continue
        if backend in names:
            return True
    return False


def spread(settings: Settings, tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, Done]]:
    """Every task with what it found, as they are finished.

    Errors: BackendError when a process ends before its task does.
    """
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin, initargs=(settings,))
    waiting = list(reversed(tasks))
    running: dict[Future[Done], Task] = {}
    try:
        while waiting or running:
            # Few at a time, so that an interrupt has little to wait for.
            while waiting and len(running) < 2 * jobs:
                task = waiting.pop()
                running[pool.submit(_do, task)] = task
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BrokenProcessPool as error:
        names = ", ".join(task.name for task in running.values())
        raise BackendError(
            f"a process of the suite ended by itself, during one of {names}: out of memory, or a crash of the backend. "
            "Run the command again: it goes on there. With --jobs 1 the crash shows where it is"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin(settings: Settings) -> None:
    """Prepare a process."""
    threading.Thread(target=_follow, daemon=True).start()
    _sessions.append(_stack.enter_context(prepared(settings)))


def _follow() -> None:
    """End with the process that began this one: it may be killed without a word, and the queue would wait for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(task: Task) -> Done:
    session = _sessions[0]
    _count[0] += 1
    if session.compiles and _count[0] % KEPT == 0:
        forget_plans()
    return perform(session, task)
