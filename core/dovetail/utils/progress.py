"""How far a loop has come: a bar on a terminal, one line at the end where the output goes to a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import Any, Generic, TypeVar

from dovetail.errors import ArgumentError
from dovetail.tensor.tensor import Tensor

T = TypeVar("T")


class track(Generic[T]):
    """Iterate over something and show how far it is, how long it will take, and the figures that the loop reports.

    ``total`` is taken from ``len`` where the iterable has one. On a terminal with rich installed it is a bar that
    moves; without rich a line that is rewritten; elsewhere one line when the loop ends. Figures that are tensors are
    read when the line is drawn and not before: a device need not wait for them at every step.

    >>> from dovetail.utils.progress import track
    >>> for batch in (bar := track([1, 2, 3], "epoch 1")):  # doctest: +SKIP
    ...     bar.show(loss=0.5)
    """

    def __init__(self, iterable: Iterable[T], description: str = "", total: int | None = None) -> None:
        if total is not None and total < 0:
            raise ArgumentError(f"track: total must not be negative, got {total}")
        self.iterable = iterable
        self.description = description
        self.total = len(iterable) if total is None and isinstance(iterable, Sized) else total
        self.done = 0
        self._figures: dict[str, Any] = {}
        self._started = time.monotonic()

    def show(self, **figures: Any) -> None:
        """Set the figures behind the bar: numbers, texts, or tensors of one element."""
        self._figures.update(figures)

    def figures(self) -> str:
        """Return the figures as they are shown."""
        return "  ".join(f"{name} {_said(value)}" for name, value in self._figures.items())

    def line(self) -> str:
        """Return the line that stands for the loop so far."""
        count = f"{self.done}/{self.total}" if self.total is not None else str(self.done)
        parts = (self.description, count, f"{time.monotonic() - self._started:.1f}s", self.figures())
        return "  ".join(part for part in parts if part)

    def __len__(self) -> int:
        if self.total is None:
            raise TypeError("the length of this loop is not known: give total=")
        return self.total

    def __iter__(self) -> Iterator[T]:
        self.done = 0
        self._started = time.monotonic()
        display = _display(self)
        display.start()
        try:
            for item in self.iterable:
                yield item
                self.done += 1
                display.moved()
        finally:
            display.stop()


def _said(value: Any) -> str:
    if isinstance(value, Tensor):
        value = value.item()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class _Line:
    """Plain text: rewritten in place on a terminal, written once at the end elsewhere."""

    interval = 0.1

    def __init__(self, loop: track[Any], stream: Any) -> None:
        self._loop = loop
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._drawn = 0.0
        self._width = 0

    def start(self) -> None:
        """Draw nothing yet."""

    def moved(self) -> None:
        """Draw again, if the last time is long enough ago."""
        now = time.monotonic()
        if self._is_terminal and now - self._drawn >= self.interval:
            self._drawn = now
            self._write("\r", "")

    def stop(self) -> None:
        """Draw for the last time."""
        self._write("\r" if self._is_terminal else "", "\n")

    def _write(self, before: str, after: str) -> None:
        text = self._loop.line()
        padding = " " * max(self._width - len(text), 0)
        self._width = len(text)
        self._stream.write(f"{before}{text}{padding}{after}" if self._is_terminal else f"{text}{after}")
        self._stream.flush()


class _Bar:
    """The bar of rich."""

    interval = 0.1

    def __init__(self, loop: track[Any], progress: Any) -> None:
        self._loop = loop
        self._progress = progress
        self._task = progress.add_task(loop.description or "", total=loop.total, figures="")
        self._drawn = 0.0

    def start(self) -> None:
        """Show the bar."""
        self._progress.start()

    def moved(self) -> None:
        """Move the bar; figures are read a few times a second only."""
        now = time.monotonic()
        if now - self._drawn >= self.interval:
            self._drawn = now
            self._progress.update(self._task, completed=self._loop.done, figures=self._loop.figures())

    def stop(self) -> None:
        """Leave the bar where it ended."""
        self._progress.update(self._task, completed=self._loop.done, figures=self._loop.figures())
        self._progress.stop()


def _display(loop: track[Any]) -> _Line | _Bar:
    stream = sys.stderr
    if not stream.isatty():
        return _Line(loop, stream)
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        return _Line(loop, stream)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )  # fmt: skip
    return _Bar(loop, Progress(*columns, console=Console(file=stream)))
