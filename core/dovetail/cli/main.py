"""``dovetail COMMAND``: finds the command, runs it, and says errors in one line.

A command is a module with ``add(subparsers)``, which makes a parser and sets ``run=function(args) -> int`` on it.
Plugins add theirs by the hook ``dovetail_commands``.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import warnings
from collections.abc import Sequence
from typing import Final

from dovetail.contract import discovery
from dovetail.errors import DovetailError, PluginWarning

COMMANDS: Final = (
    "dovetail.cli.backends",
    "dovetail.cli.doctor",
    "dovetail.cli.demo",
    "dovetail.cli.new_backend",
)
"""The modules of the built-in commands."""

FAILED: Final = 2
"""The exit status of a command that ended with an error; 1 means that it ran and found something wrong."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name and return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        args = parser().parse_args([word for word in words if word != "--debug"])
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except DovetailError as error:
        if debug:
            raise
        sys.stderr.write(f"dovetail: {_line(error)}\n")
        return FAILED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()  # or Python complains about the same once more when it ends
        return 0
    except KeyboardInterrupt:
        return 130  # what a shell says of a program that was interrupted


def _line(error: DovetailError) -> str:
    notes: list[str] = getattr(error, "__notes__", [])
    return " ".join(" ".join([str(error), *(f"({note})" for note in notes)]).split())


def parser() -> argparse.ArgumentParser:
    """Return the parser with all commands."""
    from dovetail import __version__  # the package is complete by now

    made = argparse.ArgumentParser(prog="dovetail", description="PyTorch-shaped code on any array library.")
    made.add_argument("--version", action="version", version=f"dovetail {__version__}")
    made.add_argument("--debug", action="store_true", help="show where an error was raised")
    subparsers = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        importlib.import_module(module).add(subparsers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)  # `dovetail doctor` says more
        discovery.discover()
    for name, error in add_plugin_commands(subparsers):
        sys.stderr.write(f"dovetail: the commands of the plugin {name!r} are left out: {error}\n")
    return made


def add_plugin_commands(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser],
) -> list[tuple[str, Exception]]:
    """Let every plugin add its commands; return the plugins that failed, and how."""
    failed: list[tuple[str, Exception]] = []
    for implementation in discovery.manager().hook.dovetail_commands.get_hookimpls():
        try:
            implementation.function(subparsers)
        except Exception as error:  # a stranger's command must not take the others along
            failed.append((implementation.plugin_name, error))
            discovery.failures[implementation.plugin_name] = error
    return failed


if __name__ == "__main__":
    sys.exit(main())
