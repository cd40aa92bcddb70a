"""``dovetail conformance``: the suite on one device, with a table and a certificate."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dovetail
from dovetail.errors import ArgumentError
from dovetail_conformance import deviations, report
from dovetail_conformance.runner import EACH, ONCE, WHOLE, Progress
from dovetail_conformance.runner import run as run_suite


def run(args: argparse.Namespace) -> int:
    """Run the command; the exit status is 1 when something fails."""
    device = dovetail.device(args.backend)
    ops = args.ops.split(",") if args.ops else None
    checks = args.checks.split(",") if args.checks else None
    unknown = [c for c in checks or () if c not in (*EACH, *ONCE, *WHOLE)]
    if unknown:
        raise ArgumentError(f"unknown checks {unknown}: there are {', '.join((*EACH, *ONCE, *WHOLE))}")
    declared = deviations.declared(device.backend)
    try:
        with _bar() as progress:
            found = run_suite(
                device,
                ops=ops,
                checks=checks,
                seed=args.seed,
                fallback=not args.no_fallback,
                progress=progress,
            )
    except KeyError as error:
        raise ArgumentError(f"no op is named {error}") from error
    deviations.apply(found.rows, declared)
    report.show(found)
    if args.out:
        sys.stdout.write(f"certificate: {report.write(found, Path(args.out))}\n")
    return 1 if report.verdict(found) == "not-conformant" else 0


@contextmanager
def _bar() -> Iterator[Progress | None]:
    """A progress bar on a terminal that rich can draw on; none elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar
    except ImportError:
        yield None
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda name, done, total: bar.update(task, description=name, completed=done, total=total)
