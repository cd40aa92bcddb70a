"""Fair timing on a machine that does other things too: interleaved rounds, medians, ratios, and a warning.

Contenders take turns in every round, in rotating order, so that a slow moment of the machine hits all of them.
What is reported of a contender is the median over the rounds; what is reported of two is the median of their
ratios within rounds, which drifts less than the ratio of their medians. A fixed loop of pure Python runs in every
round as well: where its time varies, the machine was busy, and the table says so.

    limit_threads(2)                       # before NumPy, PyTorch or JAX is imported
    result = measure({"NumPy": step_a, "torch": step_b}, rounds=15)
    print(result.table(reference="torch"))
"""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Step = Callable[[], object]

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_THREADED = ("numpy", "torch", "jax")
# The fixed loop takes this much longer than at best in a round that counts as disturbed.
_DISTURBED = 1.15
# Above this load, in runnable processes per core, a measurement is not worth quoting.
_BUSY = 0.5


def limit_threads(count: int) -> None:
    """Let NumPy, PyTorch and JAX use ``count`` cores, the same ones for all of them.

    BLAS and OpenMP read their variables when they are loaded: RuntimeError where one of the libraries is loaded
    already. JAX has no such variable: the process is also bound to that many cores, where the system can.
    """
    loaded = [name for name in _THREADED if name in sys.modules]
    if loaded:
        raise RuntimeError(f"limit_threads must run before the import of {', '.join(loaded)}")
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = str(count)
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[:count]
        os.sched_setaffinity(0, cores)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float | None:
    """Return the runnable processes per core over the last minute, None where the system does not tell."""
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except (AttributeError, OSError):
        return None


def resident_bytes() -> int | None:
    """Return the memory that this process holds now, None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _spin() -> float:
    """Time a fixed loop of pure Python, about a millisecond."""
    start = time.perf_counter()
    total = 0
    for number in range(20_000):
        total += number & 7
    return time.perf_counter() - start


def _calls_for(step: Step, seconds: float) -> int:
    """Return how many calls fill a sample; one call where it is longer than that."""
    start = time.perf_counter()
    step()
    once = time.perf_counter() - start
    return max(1, round(seconds / max(once, 1e-9)))


def _sample(step: Step, calls: int) -> float:
    """Return the seconds per call over some calls."""
    start = time.perf_counter()
    for _ in range(calls):
        step()
    return (time.perf_counter() - start) / calls


@dataclass
class Result:
    """The samples of all contenders: seconds per call, one for each round."""

    samples: dict[str, list[float]]
    spins: list[float] = field(default_factory=list)
    load_before: float | None = None
    units: Mapping[str, float] = field(default_factory=dict)
    """By what a contender's time is divided, such as the ops of a chain; 1 where it is not named."""

    def median(self, name: str) -> float:
        """Return a contender's median time in seconds, per unit."""
        return statistics.median(self.samples[name]) / self.units.get(name, 1)

    def ratio(self, name: str, reference: str) -> float:
        """Return the median over the rounds of one contender's time over another's, per unit."""
        pairs = zip(self.samples[name], self.samples[reference])
        unit = self.units.get(name, 1) / self.units.get(reference, 1)
        return statistics.median(mine / other for mine, other in pairs) / unit

    def spread(self, name: str) -> float:
        """Return the distance of the quartiles over the median: what a rerun may change."""
        if len(self.samples[name]) < 2:
            return 0.0
        low, middle, high = statistics.quantiles(self.samples[name], n=4)
        return (high - low) / middle

    def warnings(self) -> list[str]:
        """Return what makes these figures unfit for quoting."""
        notes = []
        if self.load_before is not None and self.load_before > _BUSY:
            notes.append(f"the machine was busy before: {self.load_before:.1f} runnable processes per core")
        if self.spins:
            best = min(self.spins)
            disturbed = sum(spin > _DISTURBED * best for spin in self.spins)
            if disturbed * 4 > len(self.spins):
                notes.append(f"{disturbed} of {len(self.spins)} rounds were disturbed: a fixed loop took longer")
        return notes

    def table(self, reference: str | None = None) -> str:
        """Return a table in Markdown, with ratios to ``reference`` (to the fastest where it is None)."""
        base = reference if reference is not None else min(self.samples, key=self.median)
        rows = [["", "median", f"ratio to {base}", "spread"]]
        for name in self.samples:
            times = f"{self.ratio(name, base):.2f}"
            rows.append([name, human(self.median(name)), times, f"{100 * self.spread(name):.0f} %"])
        lines = aligned(rows)
        return "\n".join([*lines, *(f"WARNING: {note}" for note in self.warnings())])

    def as_json(self) -> str:
        """Return everything, with the machine it was measured on."""
        return json.dumps(
            {
                "machine": platform.machine(),
                "python": platform.python_version(),
                "cores": cores(),
                "load_before": self.load_before,
                "warnings": self.warnings(),
                "seconds_per_call": self.samples,
                "units": dict(self.units),
            }
        )


def human(seconds: float) -> str:
    """Write a time with three digits and a unit."""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out rows of cells as a Markdown table; the first row is the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return lines


def measure(
    contenders: Mapping[str, Step],
    *,
    rounds: int = 15,
    warm_up: int = 3,
    sample_seconds: float = 0.02,
    units: Mapping[str, float] | None = None,
) -> Result:
    """Time all contenders in turns; ``step()`` must have finished its work when it returns.

    Garbage is collected before every sample, so that nobody pays for somebody else's; within a sample the
    collector runs as it always does.
    """
    result = Result({name: [] for name in contenders}, load_before=load(), units=dict(units or {}))
    for step in contenders.values():
        for _ in range(warm_up):
            step()
    calls = {name: _calls_for(step, sample_seconds) for name, step in contenders.items()}
    names = list(contenders)
    for turn in range(rounds):
        result.spins.append(_spin())
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            gc.collect()
            result.samples[name].append(_sample(contenders[name], calls[name]))
    return result


def measure_processes(programs: Mapping[str, str], *, rounds: int = 7) -> Result:
    """Time ``python -c program`` in fresh processes, in turns: what an import costs a user.

    CalledProcessError where a program fails. The first run of each, which may write byte code, is not counted.
    """

    def run(program: str) -> Step:
        command = [sys.executable, "-c", program]
        return lambda: subprocess.run(command, check=True, capture_output=True)

    contenders = {name: run(program) for name, program in programs.items()}
    return measure(contenders, rounds=rounds, warm_up=1, sample_seconds=0)


def memory_per_unit(build: Callable[[], object], units: float) -> float | None:
    """Return the bytes that a built object holds per unit, such as per op of a graph; None where unknown.

    To be called in a fresh process: one that has freed as much before gives it out again without growing.
    """
    gc.collect()
    before = resident_bytes()
    held = build()
    after = resident_bytes()
    del held
    return None if before is None or after is None else (after - before) / units
