"""Blocks that a program names, so that a profile shows them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, TypeVar

from dovetail.dispatch import spans

P = ParamSpec("P")
R = TypeVar("R")


class record_function:
    """Give a block of the program, or a function that is decorated, a line of its own in a profile.

    Without a profile around it, it costs next to nothing.

    >>> import dovetail
    >>> with dovetail.profiler.profile() as prof:
    ...     with dovetail.profiler.record_function("load"):
    ...         x = dovetail.zeros(3)
    >>> prof.events()[-1].name
    'load'
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name if args is None else f"{name} {args}"
        self._told: list[spans.Recorder] = []

    def __enter__(self) -> record_function:
        self._told = list(spans.recorders)
        for recorder in self._told:
            recorder.begin(spans.RANGE, self.name, None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for recorder in reversed(self._told):
            recorder.end(None)
        self._told = []

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapped(*args: P.args, **params: P.kwargs) -> R:
            with record_function(self.name):
                return function(*args, **params)

        return wrapped
