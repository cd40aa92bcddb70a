"""``dovetail conformance``: the suite on one device, with a table and a certificate; and two certificates compared."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dovetail
from dovetail.errors import ArgumentError
from dovetail_conformance import certificate, deviations, report
from dovetail_conformance.deviations import Deviation
from dovetail_conformance.gaps import Gap
from dovetail_conformance.journal import Journal, folder
from dovetail_conformance.progress import bar
from dovetail_conformance.runner import EACH, ONCE, PARTS, WHOLE, Run, Settings, tasks
from dovetail_conformance.runner import run as run_suite
from dovetail_conformance.workers import processes


def run(args: argparse.Namespace) -> int:
    """Run the command; the exit status is 1 when something fails, or when two certificates differ."""
    first, *rest = args.words
    if first == "diff":
        return _diff(rest)
    if first == "page":
        return _page(rest)
    if rest:
        raise ArgumentError(f"one backend at a time, got {' '.join(args.words)}; --against compares with a second one")
    return _suite(args, first)


def _suite(args: argparse.Namespace, backend: str) -> int:
    device = dovetail.device(backend)
    against = dovetail.device(args.against) if args.against else None
    ops, checks = _list(args.ops), _list(args.checks)
    unknown = [c for c in checks if c not in (*EACH, *ONCE, *WHOLE, *PARTS)]
    if unknown:
        known = ", ".join((*EACH, *ONCE, *WHOLE, *PARTS))
        raise ArgumentError(f"unknown checks {unknown}: there are {known}")
    declared = deviations.declared(device.backend)
    settings = Settings(
        str(device), args.tier, args.seed, ops, checks, not args.no_fallback, str(against) if against else ""
    )
    try:
        jobs = processes(device, len(tasks(settings)), args.jobs)
    except KeyError as error:
        raise ArgumentError(f"no op is named {error}") from error
    with _journal(args, settings, device) as journal, bar() as progress:
        try:
            found = run_suite(
                device,
                ops=ops,
                checks=checks,
                seed=args.seed,
                fallback=not args.no_fallback,
                progress=progress,
                tier=args.tier,
                against=against,
                jobs=jobs,
                journal=journal,
            )
        except KeyboardInterrupt:
            if journal is not None:
                sys.stderr.write(f"\nstopped: the same command goes on after {len(journal.done)} finished records\n")
            raise
        if journal is not None:
            journal.remove()
    return _told(args, found, declared)


def _told(args: argparse.Namespace, found: Run, declared: Sequence[Deviation | Gap]) -> int:
    deviations.apply(found.rows, declared)
    report.show(found)
    if args.out:
        sys.stdout.write(f"certificate: {report.write(found, Path(args.out))}\n")
    return 1 if certificate.verdict(found) == "not-conformant" else 0


def _list(text: str | None) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word) if text else ()


@contextmanager
def _journal(args: argparse.Namespace, settings: Settings, device: Any) -> Iterator[Journal | None]:
    """The journal of this run; None where another run of the same kind is at work, which then has it."""
    place = Path(args.out) if args.out else folder()
    part = "" if settings.complete else "-part"
    path = place / f"{settings.device.replace(':', '-')}-{settings.tier}{part}.journal"
    if args.restart:
        path.unlink(missing_ok=True)
    identity = {**vars(settings), **certificate.identity(device)}
    try:
        journal = Journal(path, identity)
    except BlockingIOError:
        sys.stderr.write(f"dovetail: another run has {path.name}, so this one cannot be resumed\n")
        yield None
        return
    except OSError as error:
        sys.stderr.write(f"dovetail: no journal, so this run cannot be resumed: {error}\n")
        yield None
        return
    with journal:
        if journal.resumed:
            sys.stderr.write(f"dovetail: going on after {len(journal.done)} finished records (--restart begins anew)\n")
        yield journal


def _diff(paths: list[str]) -> int:
    from dovetail_conformance import difference

    if len(paths) != 2:
        raise ArgumentError("dovetail conformance diff A.json B.json: two certificates")
    a, b = (certificate.read(Path(p)) for p in paths)
    changes = difference.compare(a, b)
    sys.stdout.write(difference.text(changes))
    return 1 if changes.any else 0


def _page(paths: list[str]) -> int:
    """Write page and badge of certificates beside them."""
    if not paths:
        raise ArgumentError("dovetail conformance page A.json ...: one certificate or several")
    try:
        from dovetail_conformance import page
    except ImportError as error:
        raise ArgumentError("the page needs jinja2: pip install 'dovetail[conformance]'") from error
    for path in map(Path, paths):
        made = certificate.read(path)
        path.with_suffix(".html").write_text(page.render(made), encoding="utf-8")
        path.with_suffix(".svg").write_text(page.badge(made), encoding="utf-8")
        sys.stdout.write(f"{path.with_suffix('.html')}\n")
    return 0
