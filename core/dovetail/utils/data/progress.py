"""How far a pass over a loader is: what a checkpoint holds of it, and how another process goes on from there.

A pass is replayed and not stored: its requests are drawn again from where the generators were when it began, and those
whose batches were given are passed over without being fetched. Only what cannot be drawn again is kept as it is: the
random numbers of workers, and the state of a stream that has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Final

from dovetail.errors import ArgumentError
from dovetail.random.generator import Generator, default_generator
from dovetail.utils.data.draws import put_words, words_of
from dovetail.utils.data.errors import LoaderStateError

VERSION: Final = 1
KEYS: Final = frozenset({"version", "running", "batches", "requests", "base_seed", "start", "now", "workers"})

State = dict[str, Any]


@dataclass
class Position:
    """How far one fetcher is: batches that were given, its random numbers, and the state of its stream if it has one.

    ``random`` is None until a batch has drawn a number; ``stream`` is None for streams that are run through again.
    """

    batches: int = 0
    random: State | None = None
    stream: Any = None

    def as_state(self) -> State:
        """Return plain data."""
        return {"batches": self.batches, "random": self.random, "stream": self.stream}


def sampler_state(requests: Any) -> Any:
    """Return the state of the sampler, or of the one inside it; None for samplers without."""
    if hasattr(requests, "state_dict"):
        return requests.state_dict()
    inner = getattr(requests, "sampler", None)
    return None if inner is None else sampler_state(inner)


def put_sampler_state(requests: Any, state: Any) -> None:
    """Put back what :func:`sampler_state` has given."""
    if state is None:
        return
    if hasattr(requests, "load_state_dict"):
        requests.load_state_dict(state)
    elif (inner := getattr(requests, "sampler", None)) is not None:
        put_sampler_state(inner, state)


@dataclass
class Sources:
    """Where the requests of a loader come from, and the generator that the seeds of its workers come from."""

    requests: Iterable[Any]
    generator: Generator | None

    def state(self) -> State:
        """Return where sampler and generator are now."""
        generator = None if self.generator is None else words_of(self.generator)
        return {"sampler": sampler_state(self.requests), "generator": generator}

    def restore(self, state: State) -> None:
        """Put sampler and generator back."""
        put_sampler_state(self.requests, state["sampler"])
        if self.generator is not None and state["generator"] is not None:
            put_words(self.generator, state["generator"])


class Requests(Iterator[Any]):
    """The requests of a pass, from its beginning or from where another one stopped.

    Nothing is drawn before the first is asked for.
    """

    def __init__(self, sources: Sources, resume: State | None) -> None:
        self.sources = sources
        self.resume = resume
        self.start: State | None = None
        self._inner: Iterator[Any] | None = None

    def __next__(self) -> Any:
        if self._inner is None:
            self._inner = self._begin()
        return next(self._inner)

    def _begin(self) -> Iterator[Any]:
        if self.resume is None:
            self.start = {**self.sources.state(), "default": words_of(default_generator)}
            return iter(self.sources.requests)
        here = words_of(default_generator)
        self.start = self.resume["start"]
        assert self.start is not None, "checked when the state was loaded"
        try:
            self.sources.restore(self.start)
            put_words(default_generator, self.start["default"])
            inner = iter(self.sources.requests)
            for _ in islice(inner, self.resume["requests"]):
                pass
            # Those that were asked for ahead of time were drawn before the state was taken.
            ahead = list(islice(inner, len(self.resume["workers"]["queue"])))
        finally:
            put_words(default_generator, here)
        self.sources.restore(self.resume["now"])
        return chain(ahead, inner)


@dataclass
class Progress:
    """How far a pass is; its iterator keeps it up to date, and it outlives the iterator."""

    sources: Sources
    base_seed: int | None
    """None before the first pass."""
    workers: int
    resume: State | None = None
    batches: int = 0
    """Batches that were given."""
    consumed: int = 0
    """Requests whose turn has come, those of ended streams among them."""
    finished: bool = False
    positions: list[Position] = field(default_factory=list)
    queue: list[int] = field(default_factory=list)
    """The workers that the next requests are with already, in their order."""
    active: list[bool] = field(default_factory=list)
    turn: int = 0
    in_order: bool = True

    def __post_init__(self) -> None:
        self.requests = Requests(self.sources, self.resume)
        self.active = [True] * self.workers
        count = max(1, self.workers)
        self.positions = [Position() for _ in range(count)]
        resume = self.resume
        if resume is None:
            return
        self.batches, self.consumed = resume["batches"], resume["requests"]
        kept = resume["workers"]
        if len(kept["positions"]) == count and kept["count"] == self.workers:
            self.positions = [Position(**position) for position in kept["positions"]]
            self.queue, self.active, self.turn = list(kept["queue"]), list(kept["active"]), kept["turn"]
        else:
            self.turn = self.consumed

    def state_dict(self) -> State:
        """Return plain data for a checkpoint.

        Raises:
            LoaderStateError: batches that come as they are ready have no position.
        """
        if not self.in_order:
            raise LoaderStateError(
                "a DataLoader with in_order=False has no position: which batches come next depends on which worker is "
                "faster. Use in_order=True."
            )
        running = self.requests.start is not None and not self.finished
        return {
            "version": VERSION,
            "running": running,
            "batches": self.batches if running else 0,
            "requests": self.consumed if running else 0,
            "base_seed": self.base_seed,
            "start": self.requests.start if running else None,
            "now": self.sources.state(),
            "workers": {
                "count": self.workers,
                "positions": [position.as_state() for position in self.positions],
                "queue": list(self.queue),
                "active": list(self.active),
                "turn": self.turn,
            },
        }


def checked(state: Any, workers: int, stream: bool) -> State:
    """Return a state that a loader of so many workers can go on from.

    Raises:
        ArgumentError: something else, of another version, or of another number of workers where it matters.
    """
    if not isinstance(state, dict) or set(state) != KEYS:
        raise ArgumentError("load_state_dict needs what the state_dict of a DataLoader has given")
    if state["version"] != VERSION:
        raise ArgumentError(f"the state of a DataLoader has version {state['version']}, this dovetail reads {VERSION}")
    count = state["workers"]["count"]
    if stream and state["running"] and count != workers:
        raise ArgumentError(
            f"the position in a stream belongs to {count} workers, and this DataLoader has {workers}: each worker has "
            f"a part of its own, so go on with num_workers={count}"
        )
    return state
