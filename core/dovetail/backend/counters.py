"""What a program did: ops by device, fallbacks to the host, transfers with their bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dovetail.contract import traffic
from dovetail.dispatch import fallback, state
from dovetail.ops.casting import copy_to


class Moved(NamedTuple):
    """How often something went from one place to another, and how many bytes altogether."""

    times: int
    bytes: int


@dataclass
class Counts:
    """What was counted since a block began; it may be looked at while the block lasts.

    ``ops`` is by (op, device); ``transfers`` by (source, target), where "host" is the memory of the process: a tensor
    made of host data, one whose values are read, and both ways of a fallback.
    """

    ops: Counter[tuple[str, str]] = field(default_factory=Counter)
    transfers: dict[tuple[str, str], Moved] = field(default_factory=dict)
    _before: Counter[tuple[str, str]] = field(default_factory=fallback.counts.copy, repr=False)
    _after: Counter[tuple[str, str]] | None = field(default=None, repr=False)

    @property
    def fallbacks(self) -> Counter[tuple[str, str]]:
        """Calls that ran on the host since the block began, by (op, backend)."""
        return (fallback.counts if self._after is None else self._after) - self._before

    def __str__(self) -> str:
        return "\n".join(self._lines()) or "nothing ran"

    def _lines(self) -> Iterator[str]:
        for (op, device), times in self.ops.most_common():
            yield f"{op} on {device}: {times}"
        for (op, backend), times in self.fallbacks.most_common():
            yield f"{op} of {backend} on the host: {times}"
        for (source, target), moved in self.transfers.items():
            yield f"{source} -> {target}: {moved.bytes} bytes in {moved.times}"

    def _moved(self, source: str, target: str, size: int) -> None:
        before = self.transfers.get((source, target), Moved(0, 0))
        self.transfers[source, target] = Moved(before.times + 1, before.bytes + size)

    def _ran(self, op: str, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        place = next((s.device for s in (*inputs, *outputs) if s is not None), None)
        self.ops[op, str(place)] += 1
        if op == copy_to.record.name:
            self._moved(str(place), str(outputs[0].device), traffic.bytes_of(outputs[0]))


@contextmanager
def counters() -> Iterator[Counts]:
    """Count ops, fallbacks and transfers of the whole process while the block runs.

    Outside of such a block nothing is counted, and an op costs what it costs without counters; inside, every op takes
    the general path. Backward passes are counted like everything else. The steps of a compiled program are one
    program to its backend, and are not told apart; nor are the numbers that it reads anew at each run.

    >>> import dovetail
    >>> from dovetail.backend import counters
    >>> with counters() as found:
    ...     total = (dovetail.ones(1000, device="numpy") * 2).sum().item()
    >>> found.ops["mul", "numpy:cpu:0"], found.fallbacks.total()
    (1, 0)
    >>> found.transfers["numpy:cpu:0", "host"]
    Moved(times=1, bytes=4)
    """
    counts = Counts()
    remove = state.add_observer(counts._ran)
    traffic.listeners.append(counts._moved)
    try:
        yield counts
    finally:
        counts._after = fallback.counts.copy()
        traffic.listeners.remove(counts._moved)
        remove()
