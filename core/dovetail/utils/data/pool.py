"""The worker processes as the main process sees them: started, asked, watched, and gone without a trace."""

from __future__ import annotations

import os
import pickle
import secrets
import signal
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing import connection, resource_tracker
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any, Final

from dovetail.utils.data.errors import WorkerError
from dovetail.utils.data.progress import Position
from dovetail.utils.data.transport import INLINE, Inbox
from dovetail.utils.data.worker import Epoch, Failure, Job, Reply, Request, run

PATIENCE: Final = 2.0
"""Seconds for workers to end by themselves before they are terminated, and again before they are killed."""


_open: Final[list[list[Handle]]] = []
"""The workers of every pool of this process: a forked worker closes what it has inherited of all of them."""


class Handle:
    """One worker process, its pipe, and the slots that it was given."""

    def __init__(self, process: BaseProcess, conn: connection.Connection, inbox: Inbox) -> None:
        self.process = process
        self.conn = conn
        self.inbox = inbox
        self.free: list[int] = []
        self.slots = 0
        self.owed = 0

    def take_slot(self) -> int:
        """Return a slot that no batch is in."""
        if self.free:
            return self.free.pop()
        self.slots += 1
        return self.slots - 1


class WorkerPool:
    """Worker processes that all serve one loader.

    Every worker has a pipe of its own, so one that is killed cannot leave a lock behind that the others need.
    Whatever happens, :meth:`close` ends the processes and removes their shared memory; it is called when the
    pool is forgotten, and at exit.

    Args:
        context: how processes are started.
        job: what every worker is told, but for its number.
        positions: where each of them begins.
        depth: how many batches each worker may have under way.
        timeout: seconds to wait for a batch, 0 for ever.
    """

    def __init__(
        self, context: BaseContext, job: Job, positions: Sequence[Position], depth: int, timeout: float
    ) -> None:
        self.timeout = timeout
        self.handles: list[Handle] = []
        _open.append(self.handles)
        self._finalizer = weakref.finalize(self, close, self.handles, os.getpid())
        if os.name == "posix":
            # Started before the workers, so that they share it: the segments of all are in one book.
            resource_tracker.ensure_running()
        # Short, and another one for each pool of each process.
        token = f"dv{os.getpid():x}{secrets.token_hex(3)}"
        inline = min(2048, INLINE // depth)
        try:
            for number in range(job.workers):
                own = replace(
                    job, worker=number, prefix=f"{token}{number:x}", inline=inline, position=positions[number]
                )
                self._start(context, own)
        except BaseException:
            self.close()
            raise

    def _start(self, context: BaseContext, job: Job) -> None:
        ours, theirs = context.Pipe(duplex=True)
        forked = context.get_start_method() == "fork"
        others = [ours, *(handle.conn for handles in _open for handle in handles)] if forked else []
        process = context.Process(  # type: ignore[attr-defined]  # every concrete context has it
            target=run, args=(theirs, others, job), name=f"DataLoaderWorker-{job.worker}", daemon=True
        )
        try:
            with _quiet_start():
                process.start()
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self.handles.append(Handle(process, ours, Inbox(job.prefix)))

    def ask(self, worker: int, epoch: int, number: int, request: Any) -> None:
        """Send a request to a worker."""
        handle = self.handles[worker]
        slot = handle.take_slot()
        handle.owed += 1
        try:
            handle.conn.send(Request(epoch, number, request, slot))
        except (BrokenPipeError, ConnectionResetError):
            raise self._death(worker) from None

    def announce(self, epoch: int) -> None:
        """Tell every worker that another pass over the dataset begins."""
        for worker, handle in enumerate(self.handles):
            try:
                handle.conn.send(Epoch(epoch))
            except (BrokenPipeError, ConnectionResetError):
                raise self._death(worker) from None

    def receive(self) -> tuple[int, Reply]:
        """Return the next reply of any worker, and which worker it came from.

        Raises:
            WorkerError: a worker has died, or none has answered in time.
        """
        deadline = time.monotonic() + self.timeout if self.timeout > 0 else None
        by_end: dict[Any, int] = {}
        for worker, handle in enumerate(self.handles):
            by_end[handle.conn] = by_end[handle.process.sentinel] = worker
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = connection.wait(list(by_end), left)
            if not ready:
                raise self._overdue()
            for end in ready:
                # What a worker has sent counts, also when it died right after.
                worker = by_end[end]
                if (reply := self._read(worker)) is not None:
                    return worker, reply

    def _read(self, worker: int) -> Reply | None:
        handle = self.handles[worker]
        try:
            if not handle.conn.poll():
                if handle.process.is_alive():
                    return None
                raise self._death(worker)
            reply = handle.conn.recv()
        except (EOFError, ConnectionResetError, BrokenPipeError, pickle.UnpicklingError):
            raise self._death(worker) from None
        handle.owed -= 1
        return reply  # type: ignore[no-any-return]  # a worker sends nothing else

    def open(self, worker: int, reply: Reply) -> Any:
        """Return the batch inside a reply, or raise the worker's error, and free its slot."""
        handle = self.handles[worker]
        try:
            if isinstance(reply.result, Failure):
                raise revive(reply.result, worker)
            assert reply.result is not None, "the end of a stream has no batch"
            return handle.inbox.unpack(reply.result, reply.slot)
        finally:
            handle.free.append(reply.slot)

    def discard(self, worker: int, reply: Reply) -> None:
        """Free the slot of a reply that nobody wants any more."""
        handle = self.handles[worker]
        if reply.result is not None and not isinstance(reply.result, Failure):
            handle.inbox.skip(reply.result, reply.slot)
        handle.free.append(reply.slot)

    @property
    def closed(self) -> bool:
        """Whether the processes were ended."""
        return not self._finalizer.alive

    def close(self) -> None:
        """End the processes and remove what they left; safe to call again."""
        self._finalizer()

    def _death(self, worker: int) -> WorkerError:
        process = self.handles[worker].process
        process.join(PATIENCE)
        pid, code = process.pid, process.exitcode
        self.close()
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
            hint = _HINTS.get(name, "")
            return WorkerError(f"DataLoader worker {worker} (pid {pid}) is killed by signal: {name}.{hint}")
        return WorkerError(
            f"DataLoader worker {worker} (pid {pid}) exited unexpectedly with exit code {code}. What it "
            "wrote to "
            "stderr may say why; with num_workers=0 the same error is raised in the main process."
        )

    def _overdue(self) -> WorkerError:
        waiting = [worker for worker, handle in enumerate(self.handles) if handle.owed]
        pids = [self.handles[worker].process.pid for worker in waiting]
        self.close()
        return WorkerError(
            f"DataLoader timed out after {self.timeout} seconds: workers {waiting} (pids {pids}) still owe a "
            "batch. "
            "Raise timeout, or look for a sample that blocks."
        )


_HINTS: Final = {
    "SIGKILL": " Often the system had no memory left: use fewer workers, a smaller batch or prefetch_factor.",
    "SIGBUS": " Often shared memory is full: use fewer workers, or make /dev/shm larger.",
    "SIGSEGV": " A native library crashed: multiprocessing_context='spawn' starts workers from a clean state.",
}


def revive(found: Failure, worker: int) -> BaseException:
    """Return the worker's own exception, with its traceback as a note."""
    note = f"Caught {found.kind} in DataLoader worker process {worker}.\nOriginal {found.text}"
    if found.pickled is not None:
        with suppress(Exception):
            error = pickle.loads(found.pickled)
            if isinstance(error, BaseException):
                error.add_note(note)
                return error
    return WorkerError(note)


def close(handles: list[Handle], owner: int) -> None:
    """End the processes behind ``handles`` and remove their shared memory."""
    if os.getpid() != owner:
        return  # a forked child has inherited the list, not the processes
    _open[:] = [others for others in _open if others is not handles]
    for handle in handles:
        handle.conn.close()
    for step in (None, BaseProcess.terminate, BaseProcess.kill):
        _end(handles, step)
    for handle in handles:
        handle.inbox.close(handle.slots)
        with suppress(ValueError):  # still running: not even SIGKILL has ended it in time
            handle.process.close()
    handles.clear()


def _end(handles: list[Handle], step: Callable[[BaseProcess], None] | None) -> None:
    running = [handle.process for handle in handles if handle.process.is_alive()]
    if step is not None:
        for process in running:
            step(process)
    deadline = time.monotonic() + PATIENCE
    for process in running:
        process.join(max(0.0, deadline - time.monotonic()))


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Start a process without its being interrupted half way, nor warned of.

    Ctrl-C is held back until the worker ignores it. Array libraries and Python warn of forking a process with
    threads because the child might use what they guard: a worker uses none of it.
    """
    held = hasattr(signal, "pthread_sigmask") and threading.current_thread() is threading.main_thread()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if held else None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"(?s).*fork\(\)", category=RuntimeWarning)
            warnings.filterwarnings("ignore", message=r"(?s).*fork\(\)", category=DeprecationWarning)
            yield
    finally:
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


__all__ = ["WorkerPool", "revive"]
