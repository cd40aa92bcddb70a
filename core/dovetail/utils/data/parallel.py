"""One pass over a loader whose batches are fetched by worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from dovetail.utils.data.errors import WorkerError
from dovetail.utils.data.iteration import LoaderIterator, Plan
from dovetail.utils.data.pool import WorkerPool
from dovetail.utils.data.progress import Progress
from dovetail.utils.data.worker import Reply

_END: Final = object()


class ParallelIterator(LoaderIterator):
    """Asks workers ahead of time and gives their batches in the order of the requests.

    Requests go round the workers. What comes next depends on the replies in their order alone, never on which
    worker was faster, so a stream that ends early in one worker gives the same batches every time. With
    ``in_order`` off a request goes to the worker that owes least, and batches are given as they come.

    Args:
        plan: how batches are made.
        progress: how far the pass is, from which it goes on.
        pool: the workers, which belong to this iterator.
        depth: how many batches each worker has under way.
        in_order: whether batches keep the order of their requests.
        persistent: whether the workers outlive the pass.
    """

    def __init__(
        self, plan: Plan, progress: Progress, pool: WorkerPool, depth: int, in_order: bool, persistent: bool
    ) -> None:
        super().__init__(plan, progress)
        self.pool = pool
        self.depth = depth
        self.in_order = in_order
        self.persistent = persistent
        self.workers = len(pool.handles)
        self.epoch = 0
        self.replies: dict[int, Reply] = {}
        self._begin()

    def _begin(self) -> None:
        self.requests: Iterator[Any] = self.progress.requests
        self.yielded = self.progress.batches
        self.queue = list(self.progress.queue)
        """Workers that the next requests go to, where a pass goes on: afterwards they go round again."""
        self.sent = 0
        self.owners: dict[int, int] = {}
        """Which worker has, or had, each request that was not taken yet."""
        self.failed: tuple[int, Exception] | None = None
        self.due = 0
        self.active = self.progress.active
        self.turn = self.progress.turn
        for _ in range(self.depth * self.workers):
            self._ask()
        self._note()

    @property
    def usable(self) -> bool:
        """Whether the workers are still there for another pass."""
        return not self.pool.closed

    def restart(self, plan: Plan, progress: Progress) -> None:
        """Begin another pass with the same workers; what is left of the last one is dropped."""
        self.plan, self.progress = plan, progress
        for number, reply in self.replies.items():
            self.pool.discard(self.owners[number], reply)
        self.replies.clear()
        self.epoch += 1
        self.pool.announce(self.epoch)
        self._begin()

    def take(self) -> Any:
        """Return the next batch.

        Raises:
            StopIteration: after the last.
            WorkerError: a worker died, or gave no answer in time.
        """
        if self.pool.closed:
            if self.due < self.sent:
                raise WorkerError("the workers of this pass have ended: iterate over the DataLoader again")
            raise StopIteration
        try:
            return self._take()
        except Exception:
            raise
        except BaseException:
            # Ctrl-C: leave nothing behind, also where the traceback keeps this iterator alive.
            self.pool.close()
            raise

    def _take(self) -> Any:
        while self.owners:
            number = self._arrived()
            self.due = max(self.due, number + 1)
            worker = self.owners.pop(number)
            if self.failed is not None and number == self.failed[0]:
                raise self.failed[1]
            reply = self.replies.pop(number)
            self.progress.consumed += 1
            if reply.result is None:
                self.active[worker] = False
                self.pool.discard(worker, reply)
                self._ask()
                continue
            position = self.progress.positions[worker]
            position.batches += 1
            position.random = reply.random or position.random
            position.stream = reply.stream
            try:
                return self.pool.open(worker, reply)
            finally:
                self._ask()
                self._note()
        if not self.persistent:
            self.pool.close()
        raise StopIteration

    def _arrived(self) -> int:
        """Return the number of the request that is to be taken now, once its reply is here."""
        wanted = next(iter(self.owners))
        while True:
            if self.failed is not None and wanted == self.failed[0]:
                return wanted
            if wanted in self.replies:
                return wanted
            if not self.in_order and self.replies:
                return next(iter(self.replies))
            worker, reply = self.pool.receive()
            if reply.epoch == self.epoch:
                self.replies[reply.number] = reply
            else:
                self.pool.discard(worker, reply)

    def _ask(self) -> None:
        """Send the next request to the worker whose turn it is, if there is one of either."""
        if self.failed is not None or (worker := self._next_worker()) is None:
            return
        try:
            request = next(self.requests, _END)
        except Exception as error:
            # The batches before it are good: it is raised when its turn comes.
            self.failed = self.sent, error
            self.owners[self.sent] = worker
            self.sent += 1
            return
        if request is _END:
            return
        self.pool.ask(worker, self.epoch, self.sent, request)
        self.owners[self.sent] = worker
        self.sent += 1

    def _note(self) -> None:
        """Tell the progress which worker the requests that are under way are with."""
        self.progress.queue = list(self.owners.values())
        self.progress.turn = self.turn

    def _next_worker(self) -> int | None:
        if self.queue:
            return self.queue.pop(0)
        if not any(self.active):
            return None
        if not self.in_order:
            return min(
                (worker for worker in range(self.workers) if self.active[worker]),
                key=lambda worker: self.pool.handles[worker].owed,
            )
        while not self.active[self.turn % self.workers]:
            self.turn += 1
        worker = self.turn % self.workers
        self.turn += 1
        return worker
