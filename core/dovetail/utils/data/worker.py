"""What runs in a worker process of a DataLoader: take a request, fetch the batch, send it back."""

from __future__ import annotations

import os
import pickle
import random
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import connection, parent_process
from typing import Any, Final

import numpy as np

from dovetail.random.generator import default_generator, manual_seed
from dovetail.utils.data import host
from dovetail.utils.data.draws import put_words, words_of
from dovetail.utils.data.fetch import Collate, Fetcher, make_fetcher
from dovetail.utils.data.progress import Position
from dovetail.utils.data.transport import Outbox, Parcel
from dovetail.utils.data.worker_info import WorkerInfo, set_worker_info

WATCH_SECONDS: Final = 5.0
"""How often an idle worker looks whether its parent is still there, beside being told by the system."""


@dataclass
class Job:
    """What a worker is told when it starts."""

    dataset: Any
    collate: Collate
    batched: bool
    drop_last: bool
    worker: int
    workers: int
    base_seed: int
    init: Callable[[int], None] | None
    prefix: str
    inline: int
    settings: host.WorkerSettings
    position: Position = field(default_factory=Position)
    """Where this worker goes on."""

    @property
    def seed(self) -> int:
        """The seed of this worker alone."""
        return self.base_seed + self.worker


@dataclass
class Request:
    """One batch to fetch: ``request`` is what the sampler gave, the result goes into ``slot``."""

    epoch: int
    number: int
    request: Any
    slot: int


@dataclass
class Epoch:
    """A new pass over the dataset by workers that persist."""

    epoch: int


@dataclass
class Failure:
    """An exception, pickled where it can be, and its traceback as text."""

    pickled: bytes | None
    text: str
    kind: str


@dataclass
class Reply:
    """The answer to a request; ``result`` is None where the stream of this worker has ended."""

    epoch: int
    number: int
    slot: int
    result: Parcel | Failure | None
    random: dict[str, Any] | None = None
    """Where the random numbers of the worker are after this batch, if it has drawn some."""
    stream: Any = None
    """The state of its stream, if that has one."""


def random_state() -> dict[str, Any]:
    """Return where the generators of this process are: Python's, NumPy's and the framework's, as plain data."""
    return {
        "python": random.getstate(),
        "np": np.random.get_state(legacy=False),
        "dovetail": words_of(default_generator),
    }


def put_random_state(found: dict[str, Any]) -> None:
    """Put the generators of this process where :func:`random_state` has found them."""
    random.setstate(found["python"])
    np.random.set_state(found["np"])
    put_words(default_generator, found["dovetail"])


def _same(a: Any, b: Any) -> bool:
    """Equality through dicts with arrays in them."""
    if isinstance(a, dict):
        return all(_same(value, b[key]) for key, value in a.items())
    return bool(np.array_equal(a, b)) if isinstance(a, np.ndarray) else a == b


def failure(error: BaseException) -> Failure:
    """Return what the main process needs to raise the same error."""
    text = "".join(traceback.format_exception(error))
    try:
        pickled = pickle.dumps(error)
        pickle.loads(pickled)  # some exceptions pickle and cannot be made again
    except Exception:
        return Failure(None, text, type(error).__name__)
    return Failure(pickled, text, type(error).__name__)


def run(conn: connection.Connection, others: list[connection.Connection], job: Job) -> None:
    """Serve requests until the main process closes the pipe or is gone.

    ``others`` are the main process's ends that a forked worker has inherited: left open here, they would keep
    other workers from seeing that the main process is gone.
    """
    for other in others:
        other.close()
    # Ctrl-C reaches the whole group: the main process alone decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # held back while the process was started
    outbox = Outbox(job.prefix, job.inline)
    try:
        serve(conn, Worker(job, outbox))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the main process has let go of this worker
    finally:
        outbox.close()


def serve(conn: connection.Connection, worker: Worker) -> None:
    """Answer each request in turn; returns when the parent process is gone."""
    parent = parent_process()
    parent_pid = os.getppid()
    watched: list[Any] = [conn] if parent is None else [conn, parent.sentinel]
    while True:
        ready = connection.wait(watched, WATCH_SECONDS)
        if conn in ready:
            message = conn.recv()
            if isinstance(message, Epoch):
                worker.restart()
            else:
                conn.send(worker.answer(message))
        elif ready or os.getppid() != parent_pid:
            return


class Worker:
    """The state of a worker process: its copy of the dataset and, for streams, how far it is."""

    def __init__(self, job: Job, outbox: Outbox) -> None:
        self.job = job
        self.outbox = outbox
        self.fetcher: Fetcher | None = None
        self.ended = False
        self.position = job.position
        self.broken: Failure | None = None
        try:
            self._prepare()
        except Exception as error:
            self.broken = failure(error)

    def _prepare(self) -> None:
        job = self.job
        host.prepare_worker(job.settings)
        random.seed(job.seed)
        np.random.seed(np.random.SeedSequence([job.base_seed, job.worker]).generate_state(4))
        manual_seed(job.seed)
        set_worker_info(WorkerInfo(job.worker, job.workers, job.seed, job.dataset))
        if job.init is not None:
            job.init(job.worker)
        self.random = random_state()
        if job.position.random is not None:
            self.random = job.position.random
            put_random_state(self.random)

    def restart(self) -> None:
        """Begin another pass over the dataset."""
        self.fetcher = None
        self.ended = False
        self.position = Position()

    def answer(self, request: Request) -> Reply:
        """Return the batch that was asked for, or why there is none."""
        result = self._result(request)
        reply = Reply(request.epoch, request.number, request.slot, result)
        if isinstance(result, Parcel):
            now = random_state()
            if not _same(now, self.random):
                reply.random = self.random = now
            reply.stream = self.fetcher.state() if self.fetcher is not None else None
        return reply

    def _result(self, request: Request) -> Parcel | Failure | None:
        if self.broken is not None:
            return self.broken
        if self.ended:
            return None
        try:
            return self.outbox.pack(self._fetch(request.request), request.slot)
        except StopIteration:
            self.ended = True
            return None
        except Exception as error:
            return failure(error)

    def _fetch(self, request: Any) -> Any:
        if self.fetcher is None:
            job, position = self.job, self.position
            self.fetcher = make_fetcher(job.dataset, job.collate, job.batched, job.drop_last, position.stream)
            if position.batches:
                # Running through a stream again may draw numbers, which were drawn already.
                before = random_state()
                self.fetcher.skip(position.batches, request)
                put_random_state(before)
        return self.fetcher.fetch(request)
