"""A progress bar: by rich on a terminal where it is installed, else in plain text; in a log a line now and then."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

Progress = Callable[[str, int, int], None]

SILENCE: Final = 30.0
"""Seconds between two lines in a log."""
WIDTH: Final = 28


@contextmanager
def bar(stream: TextIO | None = None, *, plain: bool = False) -> Iterator[Progress]:
    """A function that shows how far a run is, while the block runs. ``plain`` does without rich."""
    out = stream or sys.stderr
    if not out.isatty():
        yield _Log(out)
        return
    if not plain:
        try:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar
        except ImportError:
            pass
        else:
            columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
            with Bar(*columns, TextColumn("{task.description}"), console=Console(file=out), transient=True) as shown:
                task = shown.add_task("", total=None)
                yield lambda name, done, total: shown.update(task, description=name, completed=done, total=total)
            return
    line = _Line(out)
    try:
        yield line
    finally:
        line.clear()


class _Line:
    """One line that is written anew."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.begun = time.monotonic()
        self.shown = 0.0

    def __call__(self, name: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self.shown < 0.1 and done < total:
            return
        self.shown = now
        filled = WIDTH * done // max(total, 1)
        text = f"[{'#' * filled}{'.' * (WIDTH - filled)}] {done}/{total} {_clock(now - self.begun)} {name}"
        self.out.write("\r" + text[: shutil.get_terminal_size().columns - 1].ljust(len(text) and 79))
        self.out.flush()

    def clear(self) -> None:
        """Leave nothing behind."""
        self.out.write("\r" + " " * 79 + "\r")
        self.out.flush()


class _Log:
    """A line after a while of silence: what a log of a long run needs to show that it goes on."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.begun = self.said = time.monotonic()

    def __call__(self, name: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self.said < SILENCE:
            return
        self.said = now
        share, after = 100 * done / max(total, 1), _clock(now - self.begun)
        self.out.write(f"conformance: {done} of {total} cells ({share:.0f} %) after {after}, at {name}\n")
        self.out.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
