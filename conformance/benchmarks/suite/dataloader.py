"""A shuffled pass over 20,000 images with the DataLoader, with no worker and with two: time for each sample."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import timing
from peers import dataloader as peers

import dovetail
from suite.outcome import Build, Counts, Goal, Outcome, compare, joined

MINE = "dovetail on numpy"
GOALS = (Goal(MINE, "torch eager", 1.0), Goal(MINE, "NumPy by hand"))
WORKERS = (0, 2)
SAMPLES_PER_PARAMETER = 500
"""20,000 images at the full size of the other benchmarks, and a few of them in a test."""


def loading(kind: str, samples: int, workers: int) -> timing.Step:
    """The peers' pass with dovetail's loader."""
    loader = dovetail.utils.data.DataLoader(
        peers.dataset(dovetail, kind, samples), peers.BATCH, shuffle=True, num_workers=workers,
        persistent_workers=workers > 0,
    )  # fmt: skip
    return lambda: peers.consumed(loader)


def contenders(kind: str, samples: int, workers: int) -> dict[str, Build]:
    """Who takes part; by hand there is one process."""
    found: dict[str, Build] = {MINE: partial(loading, kind, samples, workers)}
    if workers == 0:
        found["NumPy by hand"] = partial(peers.by_hand, samples)
    return {**found, "torch eager": partial(peers.with_torch, kind, samples, workers)}


@contextmanager
def several_cores() -> Iterator[None]:
    """Let this process, and the workers that it starts, use every core."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run(counts: Counts) -> Outcome:
    """Measure a pass over each kind of dataset."""
    samples = max(2 * peers.BATCH, counts.parameters // SAMPLES_PER_PARAMETER)
    outcomes = []
    for workers in WORKERS:
        for kind in peers.KINDS:
            title = f"DataLoader of {kind}, {workers} workers, a sample"
            with several_cores():
                outcomes.append(compare(title, contenders(kind, samples, workers), GOALS, counts, per=samples))
    return joined(outcomes)
