"""Tables and lines on the terminal: by rich where it is installed, in plain text otherwise, with the same content."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from typing import Any, Final

MARKS: Final = {"usable": "green", "not usable": "red", "kernel": "green", "decomposition": "cyan", "missing": "red"}
"""Words that are coloured where colours are shown; a fallback is yellow."""


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, plain: bool | None = None) -> None:
    """Print a table. ``plain`` None: plain when rich is missing or the output is no terminal."""
    console = _console() if plain is None else None if plain else _console(force=True)
    if console is None:
        sys.stdout.write(text(columns, rows))
        return
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell, style=_style(cell)) for cell in row))
    console.print(made)


def _style(cell: str) -> str:
    return "yellow" if cell.startswith("fallback") else MARKS.get(cell, "")


def text(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as plain text, each column as wide as its widest cell."""
    lines = [list(columns), *([*row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "".join(line.rstrip() + "\n" for line in padded)


def heading(words: str) -> None:
    """Print the heading of a section."""
    console = _console()
    if console is None:
        sys.stdout.write(f"{words}\n")
    else:
        console.print(words, style="bold", markup=False, highlight=False)


def item(name: str, words: str) -> None:
    """Print one line of a section: a name and what there is to say, folded under itself."""
    indent = " " * 24
    folded = textwrap.wrap(words, 86, break_long_words=False, break_on_hyphens=False) or [""]
    sys.stdout.write(f"  {name:<22}{folded[0]}\n")
    for line in folded[1:]:
        sys.stdout.write(f"{indent}{line}\n")


def _console(force: bool = False) -> Any:
    """The console of rich, None where plain text is right."""
    if not force and not sys.stdout.isatty():
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(force_terminal=force or None, width=None if not force else 200)
