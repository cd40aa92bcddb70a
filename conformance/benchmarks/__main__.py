"""Measure dovetail beside its peers: `./dev bench [NAME ...] [--quick] [--out FILE.json]`.

Contenders take turns in one process, a step has finished when it returns, and what counts is the ratio of two
within a round. Everything runs on one core and one thread.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import timing

if TYPE_CHECKING:
    from suite.outcome import Outcome, Row

NAMES = ("overhead", "two_layer", "cnn", "lstm", "gpt", "optimizers", "dataloader", "chains", "imports")
COLUMNS = ("what", "contender", "against", "median", "target", "")


def cells(row: Row) -> tuple[str, ...]:
    """Return a row as the table shows it."""
    target = "" if row.limit is None else f"<= {row.limit:g} {row.unit}"
    return row.what, row.mine, row.peer, f"{row.value:.2f} {row.unit}", target, row.verdict


def show(outcomes: Mapping[str, Outcome]) -> None:
    """Print the table, by rich where it is installed and the output is a terminal, and the notes."""
    rows = [cells(row) for outcome in outcomes.values() for row in outcome.rows]
    console = _console()
    if console is None:
        print("\n".join(timing.aligned([COLUMNS, *rows])))
    else:
        from rich.table import Table

        table = Table(*COLUMNS)
        for row in rows:
            table.add_row(*row, style={"met": "green", "missed": "red"}.get(row[-1]))
        console.print(table)
    for note in dict.fromkeys(note for outcome in outcomes.values() for note in outcome.notes):
        print(f"NOTE: {note}")


def _console() -> Any:
    if not sys.stdout.isatty():
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console()


def figures(outcomes: Mapping[str, Outcome]) -> dict[str, object]:
    """Return everything that was found, with the machine it was measured on."""
    return {
        "machine": platform.machine(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "cores": timing.cores(),
        "load_after": timing.load(),
        "benchmarks": {
            name: {
                "rows": [row.as_dict() for row in outcome.rows],
                "notes": outcome.notes,
                "figures": outcome.figures,
            }
            for name, outcome in outcomes.items()
        },
    }


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./dev bench", description="Measure dovetail beside its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter samples: a look, not a result")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write all figures there")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks asked for, print the table and write the figures; 1 where a benchmark failed."""
    options = options_of(arguments)
    # Before NumPy, PyTorch or JAX is loaded: one thread for all of them, and no accelerator for one of them.
    timing.limit_threads(1)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    from suite.outcome import FULL, QUICK, Outcome

    failed = False
    outcomes: dict[str, Outcome] = {}
    for name in options.names or NAMES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            outcomes[name] = importlib.import_module(f"suite.{name}").run(QUICK if options.quick else FULL)
        except Exception as error:  # the others took minutes, and their figures are good
            failed = True
            traceback.print_exc()
            outcomes[name] = Outcome(notes=[f"{name} failed: {type(error).__name__}; the traceback is above"])
    show(outcomes)
    if options.out is not None:
        options.out.write_text(json.dumps(figures(outcomes), indent=1) + "\n", encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
