"""The hooks of dovetail. pluggy registers and never dispatches: every answer is read once and kept in a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import pluggy

from dovetail.contract.discovery import PROJECT

if TYPE_CHECKING:
    import argparse

    from dovetail.contract.backend import BackendSpec
    from dovetail.contract.kernels import KernelTable

Observer = Callable[[str, tuple[Any, ...], tuple[Any, ...]], None]
"""``observer(op name, input specs, output specs)``: told of every op that runs."""

hookspec: Final = pluggy.HookspecMarker(PROJECT)
hookimpl: Final = pluggy.HookimplMarker(PROJECT)


@hookspec
def dovetail_backends() -> Iterable[BackendSpec]:
    """Announce backends. Must not import an array library: the spec names the module that does."""
    raise NotImplementedError


@hookspec
def dovetail_kernels(backend: str, table: KernelTable) -> None:
    """Add or replace kernels of somebody else's backend; called once, when that backend's table is made."""


@hookspec
def dovetail_ops() -> None:
    """Define ops of one's own with ``@dovetail.ops.definition.op``; called once, after the built-in ops exist.

    They become functions of the top package and methods of tensors like the built-in ones.
    """


@hookspec
def dovetail_observers() -> Iterable[Observer]:
    """Give functions ``observer(op name, input specs, output specs)`` that see every op of the process."""
    raise NotImplementedError


@hookspec
def dovetail_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add subcommands to the ``dovetail`` command line; a subcommand sets ``run=function(args) -> int``."""
