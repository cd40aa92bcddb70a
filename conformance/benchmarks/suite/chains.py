"""Long chains of ops, forward and backward: does the cost per op grow with the length, and what does a graph hold?

Every library runs in processes of its own, since the garbage collector pays for whatever else is loaded, and once
more with ``gc.freeze()`` after the imports. `python -m suite.chains JOB` is such a process; it prints JSON.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import timing
from peers import chains as peers

import dovetail
from suite.outcome import Counts, Goal, Outcome, Row, missing

LONGER = 1.3
"""The most that an op of the longest chain may take, relative to one of the shortest."""
KILOBYTES = 1.5
"""The most that a graph may hold per op."""


def graph(length: int) -> Callable[[], Any]:
    """Return what builds the graph and holds it: the leaf and the result."""
    start, *others = peers.problem()
    x = dovetail.tensor(start, device="numpy", requires_grad=True)
    factor, addend = (dovetail.tensor(array, device="numpy") for array in others)
    return lambda: (x, peers.chain(x, factor, addend, length))


def eager(length: int) -> timing.Step:
    """Forward and backward on tensors."""
    build = graph(length)

    def step() -> object:
        x, total = build()
        total.backward()
        x.grad = None
        return total.item()

    return step


MINE: Mapping[str, Callable[[int], timing.Step]] = {"dovetail": eager}
STEPS: Mapping[str, Callable[[int], timing.Step]] = {"dovetail": eager, "torch": peers.torch_eager}
GRAPHS: Mapping[str, Callable[[int], Callable[[], Any]]] = {"dovetail": graph, "torch": peers.torch_graph}


def _name(library: str, length: int) -> str:
    return f"{library}, {length} ops"


def time_lengths(library: str, frozen: bool, counts: Mapping[str, Any]) -> dict[str, Any]:
    """Measure all lengths in turns, in this process."""
    lengths = counts["lengths"]
    steps = {_name(library, length): STEPS[library](length) for length in lengths}
    steps[_name(library, lengths[0])]()
    if frozen:
        gc.freeze()
    units = {_name(library, length): float(length) for length in lengths}
    result = timing.measure(
        steps, rounds=counts["rounds"], warm_up=1, sample_seconds=counts["sample_seconds"], units=units
    )
    told: dict[str, Any] = json.loads(result.as_json())
    return told | {"spins": result.spins}


def hold(library: str, length: int) -> float | None:
    """Return the bytes per op of a graph; the first, short one loads what is loaded lazily."""
    STEPS[library](100)()
    return timing.memory_per_unit(GRAPHS[library](length), length)


def _fresh(job: Mapping[str, Any]) -> Any:
    command = [sys.executable, "-m", "suite.chains", json.dumps(job)]
    folder = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the process of {job} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def _times(library: str, frozen: bool, counts: Counts, outcome: Outcome) -> None:
    details = {
        "lengths": counts.lengths,
        "rounds": counts.chain_rounds,
        "sample_seconds": counts.sample_seconds,
    }
    told = _fresh({"job": "times", "library": library, "frozen": frozen, "counts": details})
    result = timing.Result(told["seconds_per_call"], told["spins"], told["load_before"], told["units"])
    shortest = _name(library, counts.lengths[0])
    limit = LONGER if library in MINE else None
    longer = counts.lengths[1:]
    goals = [Goal(_name(library, n), shortest, limit if n == longer[-1] else None) for n in longer]
    outcome.add(f"chain, time per op, gc.freeze() {'on' if frozen else 'off'}, {library}", result, goals)


def _memory(library: str, counts: Counts, outcome: Outcome) -> None:
    length = counts.lengths[-1]
    held = _fresh({"job": "memory", "library": library, "length": length})
    outcome.figures[f"chain, bytes per op, {library}"] = held
    if held is None:
        outcome.notes.append("the memory of a graph is left out: this system does not tell what a process holds")
        return
    limit = KILOBYTES if library in MINE else None
    outcome.rows.append(Row("chain, memory per op", held / 1024, "KB", limit, _name(library, length)))


def run(counts: Counts) -> Outcome:
    """Measure time and memory per op over the lengths, with and without ``gc.freeze()``."""
    outcome = Outcome()
    for library in STEPS:
        absent = missing(library)
        if absent is not None:
            outcome.notes.append(f"chains of {library} are left out: {absent} is not installed")
            continue
        for frozen in (False, True):
            _times(library, frozen, counts, outcome)
        _memory(library, counts, outcome)
    return outcome


def _main(job: Mapping[str, Any]) -> None:
    found: Any
    if job["job"] == "times":
        found = time_lengths(job["library"], job["frozen"], job["counts"])
    else:
        found = hold(job["library"], job["length"])
    print(json.dumps(found))


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
