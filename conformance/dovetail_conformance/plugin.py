"""The suite as a plugin: the command ``dovetail conformance``. Nothing of the suite is imported before it runs."""

from __future__ import annotations

import argparse

from dovetail.backend import hookimpl

_DESCRIPTION = """Checks every op on a backend: values, special values, dtypes, layouts, gradients, errors, shared
semantics, indexing, aliasing, random streams, transfer, determinism. The exit status is 1 when something fails.
`diff A.json B.json` compares two certificates (status 1 when verdicts, bounds or cells differ); `page A.json` writes
the page and the badge of a certificate anew."""


@hookimpl
def dovetail_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "conformance", help="check every op on a backend against exact results", description=_DESCRIPTION
    )
    parser.add_argument(
        "words",
        nargs="+",
        metavar="BACKEND[:KIND[:INDEX]]",
        help="the backend or device to check; or diff A.json B.json; or page A.json",
    )
    parser.add_argument(
        "--tier", choices=("quick", "full"), default="quick", help="quick: minutes (the default); full: hours"
    )
    parser.add_argument("--ops", metavar="A,B", help="check these ops only")
    parser.add_argument("--checks", metavar="A,B", help="run these checks only")
    parser.add_argument("--against", metavar="B", help="compare with another backend cell by cell, on the same inputs")
    parser.add_argument("--out", metavar="DIR", help="write the certificate, its page and the failures there")
    parser.add_argument("--no-fallback", action="store_true", help="an op that would run on the host fails")
    parser.add_argument(
        "--jobs", type=int, default=0, metavar="N", help="processes, where the device can be shared (as many as CPUs)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all that is drawn (0)")
    parser.add_argument("--restart", action="store_true", help="do not go on where a run was stopped")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from dovetail_conformance.command import run  # the suite is large, and other commands do not need it

    return run(args)
