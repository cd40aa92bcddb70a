"""List the backends: versions, devices, which can be used and why others cannot; with --ops how each op runs."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from dovetail.cli import show, support
from dovetail.cli.versions import listed
from dovetail.contract import discovery, versions
from dovetail.contract.backend import BackendSpec
from dovetail.errors import DovetailError


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser("backends", help="list the backends and their state", description=__doc__)
    parser.add_argument(
        "--ops", action="store_true", help="how every op runs on every usable backend (loads their libraries)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the list, and the matrix when it is asked for."""
    specs = sorted((r.spec for r in discovery.registrations.values()), key=lambda s: -s.priority)
    show.table(
        ("backend", "state", "devices", "versions", "by", "where from"),
        [_row(spec) for spec in specs],
    )
    for spec in specs:
        for line in reasons(spec):
            sys.stdout.write(f"{line}\n")
    for name, error in discovery.failures.items():
        sys.stdout.write(f"plugin {name} could not be loaded: {type(error).__name__}: {error}\n")
    return _print_ops(specs) if args.ops else 0


def _row(spec: BackendSpec) -> Sequence[str]:
    return (
        spec.name,
        "usable" if discovery.reason(spec.name) is None else "not usable",
        ", ".join(f"{spec.name}:{kind}" for kind in spec.kinds if discovery.reason(spec.name, kind) is None) or "-",
        listed(spec.requires) or "not installed",
        f"{spec.vendor} {spec.url}".strip(),
        discovery.registrations[spec.name].source,
    )


def reasons(spec: BackendSpec) -> list[str]:
    """Return a line for every kind of device that cannot be used, how to change that, and what will end."""
    found: dict[str, list[str]] = {}
    for kind in spec.kinds:
        why = discovery.reason(spec.name, kind)
        if why is not None:
            found.setdefault(why, []).append(f"{spec.name}:{kind}")
    line = discovery.install_line(spec) if discovery.reason(spec.name) is not None else ""
    install = f" (install with: {line})" if line else ""
    lines = [f"{', '.join(devices)} cannot be used: {why}{install}" for why, devices in found.items()]
    deprecated = versions.deprecation(spec)
    return [*lines, f"{spec.name}: {deprecated}"] if deprecated else lines


def _print_ops(specs: Sequence[BackendSpec]) -> int:
    names: list[str] = []
    for spec in specs:
        if discovery.reason(spec.name) is None:
            try:
                discovery.load(spec.name)
            except DovetailError as error:
                sys.stdout.write(f"{spec.name} is left out: {error}\n")
            else:
                names.append(spec.name)
    rows = support.matrix(names)
    sys.stdout.write("\n")
    show.table(
        ("op", "is", *names),
        [(row.op, "primitive" if row.primitive else "derived", *row.by_backend.values()) for row in rows],
    )
    sys.stdout.write("\n")
    for name in names:
        count = Counter(row.by_backend[name] for row in rows)
        sys.stdout.write(f"{name}: {', '.join(f'{n} by {way}' for way, n in count.most_common())}\n")
    return 0
