"""The suite as a plugin: the command ``dovetail conformance``. Nothing of the suite is imported before it runs."""

from __future__ import annotations

import argparse

from dovetail.backend import hookimpl


@hookimpl
def dovetail_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "conformance",
        help="check every op on a backend against exact results",
        description="Checks every op on a backend: values, special values, dtypes, layouts, gradients, errors, shared "
        "semantics, aliasing, random streams. The exit status is 1 when something fails.",
    )
    parser.add_argument("backend", metavar="BACKEND[:KIND[:INDEX]]", help="the backend or device to check")
    parser.add_argument("--ops", metavar="A,B", help="check these ops only")
    parser.add_argument("--checks", metavar="A,B", help="run these checks only")
    parser.add_argument("--no-fallback", action="store_true", help="an op that would run on the host fails")
    parser.add_argument("--out", metavar="DIR", help="write the certificate and the failures there")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all that is drawn (0)")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from dovetail_conformance.command import run  # the suite is large, and other commands do not need it

    return run(args)
