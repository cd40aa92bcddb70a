"""One pass over a loader: what every iterator has, and the one that fetches in this process."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Any, cast

from dovetail.utils.data.fetch import Collate, Fetcher, make_fetcher
from dovetail.utils.data.progress import Progress


@dataclass
class Plan:
    """How a loader makes batches; its iterators share it.

    ``requests`` is what is asked for in turn: lists of positions, positions, or lists of nothing for a
    stream. ``announced`` is the number of batches that the loader has given as the length of a stream.
    """

    dataset: Any
    collate: Collate
    batched: bool
    drop_last: bool
    requests: Iterable[Any]
    announced: int | None = None


class LoaderIterator(Iterator[Any]):
    """One pass over a loader."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self.plan = plan
        self.progress = progress
        self.yielded = progress.batches

    def __iter__(self) -> LoaderIterator:
        return self

    def __next__(self) -> Any:
        try:
            batch = self.take()
        except StopIteration:
            self.progress.finished = True
            raise
        self.yielded += 1
        self.progress.batches = self.yielded
        announced = self.plan.announced
        if announced is not None and self.yielded == announced + 1:
            warnings.warn(
                f"Length of IterableDataset {type(self.plan.dataset).__name__} was reported to be "
                f"{announced} (when "
                "accessing len(dataloader)), but more samples have been fetched. With workers, each of them "
                "iterates "
                "over all of the dataset unless __iter__ splits it by get_worker_info().",
                stacklevel=2,
            )
        return batch

    def __len__(self) -> int:
        return len(cast(Sized, self.plan.requests))

    def take(self) -> Any:
        """Return the next batch; raises StopIteration after the last."""
        raise NotImplementedError


class SerialIterator(LoaderIterator):
    """Fetches every batch when it is asked for, in this process."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        super().__init__(plan, progress)
        self.position = progress.positions[0]
        self.fetcher: Fetcher | None = None
        if self.position.batches == 0:
            self._start()

    def _start(self) -> Fetcher:
        plan = self.plan
        self.fetcher = make_fetcher(plan.dataset, plan.collate, plan.batched, plan.drop_last, self.position.stream)
        return self.fetcher

    def take(self) -> Any:
        request = next(self.progress.requests)
        fetcher = self.fetcher
        if fetcher is None:
            fetcher = self._start()
            fetcher.skip(self.position.batches, request)
        self.progress.consumed += 1
        batch = fetcher.fetch(request)
        self.position.batches += 1
        self.position.stream = fetcher.state()
        return batch
