"""What a dataset may ask about the worker process that it runs in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WorkerInfo:
    """One worker process: its number, how many there are, its seed, and its copy of the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_current: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Return what is known of the worker process that this is called in, None in the main process.

    An :class:`IterableDataset` uses it to give each worker another part of its samples.

    >>> get_worker_info() is None
    True
    """
    return _current


def set_worker_info(info: WorkerInfo) -> None:
    """Make this process a worker; called once, when it starts."""
    global _current
    _current = info


__all__ = ["WorkerInfo", "get_worker_info"]
