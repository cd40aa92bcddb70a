"""What an import costs a user: processor time of fresh processes, with compiled byte code at hand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import timing

from suite.outcome import Counts, Goal, Outcome, missing

PROGRAMS: Mapping[str, str] = {
    "import numpy": "import numpy",
    "import dovetail": "import dovetail",
    "import dovetail; ones(2) + 1": "import dovetail; dovetail.ones(2) + 1",
    "import torch": "import torch",
    "import jax": "import jax",
}
GOALS = (
    Goal("import dovetail", "import numpy", 1.5),
    Goal("import dovetail; ones(2) + 1", "import numpy", 1.8),
    Goal("import torch", "import numpy"),
    Goal("import jax", "import numpy"),
)


def processor_seconds(program: str) -> float:
    """Return the user and system time of ``python -c program``; CalledProcessError where it fails."""
    # Without its caches Python compiles all modules anew, which no user sees but on the first day.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen([sys.executable, "-c", program], env=environ)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return usage.ru_utime + usage.ru_stime


def run(counts: Counts) -> Outcome:
    """Run the programs in turns; the first turn, which may write byte code, is not counted."""
    outcome = Outcome()
    if not hasattr(os, "wait4"):
        outcome.notes.append("import is left out: this system does not tell the processor time of one process")
        return outcome
    programs = {}
    for name, program in PROGRAMS.items():
        absent = missing(name)
        if absent is None:
            programs[name] = program
        else:
            outcome.notes.append(f"{name} is left out: {absent} is not installed")
    result = timing.Result({name: [] for name in programs}, load_before=timing.load())
    for turn in range(counts.processes + 1):
        for name, program in programs.items():
            seconds = processor_seconds(program)
            if turn:
                result.samples[name].append(seconds)
    outcome.add("import, processor time", result, GOALS)
    return outcome
