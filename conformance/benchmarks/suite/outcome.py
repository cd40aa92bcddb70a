"""Rows of the report, and the comparison of contenders that makes them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import timing

Build = Callable[[], timing.Step]

LIBRARIES = ("torch", "jax")
"""What a contender may need, told by its name; NumPy is always there."""


@dataclass(frozen=True)
class Counts:
    """How much is measured."""

    rounds: int = 15
    warm_up: int = 3
    """Calls before the first sample; a compiled step runs eagerly in the first and is captured in the second."""
    sample_seconds: float = 0.02
    processes: int = 9
    """Rounds of fresh processes."""
    lengths: tuple[int, ...] = (1_000, 10_000, 100_000)
    """Ops of the chains, the shortest first."""
    chain_rounds: int = 5
    parameters: int = 10_000_000
    """What an optimizer updates."""


FULL = Counts()
QUICK = Counts(rounds=5, sample_seconds=0.005, processes=3, chain_rounds=3)
TINY = Counts(
    rounds=1, warm_up=2, sample_seconds=0.0, processes=1, lengths=(10, 20, 40), chain_rounds=1, parameters=1000
)


@dataclass(frozen=True)
class Goal:
    """One line that is asked for: a contender against another, and the most that it may cost."""

    mine: str
    peer: str
    limit: float | None = None
    """None: for information."""


@dataclass(frozen=True)
class Row:
    """One line of the report."""

    what: str
    value: float
    unit: str = "x"
    limit: float | None = None
    mine: str = ""
    peer: str = ""

    @property
    def verdict(self) -> str:
        """Whether the target is met; empty where there is none."""
        if self.limit is None:
            return ""
        return "met" if self.value <= self.limit else "missed"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields and the verdict for JSON."""
        return {**asdict(self), "verdict": self.verdict}


@dataclass
class Outcome:
    """What one benchmark found."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    """By the title of a comparison: the samples of all contenders and their medians."""

    def add(self, title: str, result: timing.Result, goals: Iterable[Goal]) -> None:
        """Put in a result, with a row for each goal whose two contenders have run."""
        medians = {name: result.median(name) for name in result.samples}
        self.figures[title] = {**json.loads(result.as_json()), "median_seconds_per_unit": medians}
        for goal in goals:
            if goal.mine in medians and goal.peer in medians:
                ratio = result.ratio(goal.mine, goal.peer)
                times = (timing.human(medians[name]) for name in (goal.mine, goal.peer))
                mine, peer = (f"{name}: {time}" for name, time in zip((goal.mine, goal.peer), times))
                self.rows.append(Row(title, ratio, limit=goal.limit, mine=mine, peer=peer))
        self.notes += [f"{title}: {warning}" for warning in result.warnings()]


def missing(name: str) -> str | None:
    """Return the library that a contender of this name needs and that is not installed."""
    for library in LIBRARIES:
        if library in name and importlib.util.find_spec(library) is None:
            return library
    return None


def built(contenders: Mapping[str, Build], notes: list[str]) -> dict[str, timing.Step]:
    """Build the steps of all contenders whose libraries are installed, and note the others."""
    steps = {}
    for name, build in contenders.items():
        library = missing(name)
        if library is not None:
            notes.append(f"{name} is left out: {library} is not installed")
            continue
        steps[name] = build()
    return steps


def compare(
    title: str,
    contenders: Mapping[str, Build],
    goals: Iterable[Goal],
    counts: Counts,
    *,
    per: int = 1,
) -> Outcome:
    """Measure all contenders in turns; times are divided by ``per``."""
    outcome = Outcome()
    steps = built(contenders, outcome.notes)
    result = timing.measure(
        steps,
        rounds=counts.rounds,
        warm_up=counts.warm_up,
        sample_seconds=counts.sample_seconds,
        units=dict.fromkeys(steps, float(per)),
    )
    outcome.add(title, result, goals)
    return outcome


def joined(outcomes: Iterable[Outcome]) -> Outcome:
    """Return one outcome with everything of several."""
    whole = Outcome()
    for outcome in outcomes:
        whole.rows += outcome.rows
        whole.notes += [note for note in outcome.notes if note not in whole.notes]
        whole.figures |= outcome.figures
    return whole
