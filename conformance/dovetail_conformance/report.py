"""What a run has found, for people on the terminal, and the files of its certificate."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dovetail_conformance.certificate import certificate, name_of, verdict
from dovetail_conformance.outcome import Row
from dovetail_conformance.runner import Run

SHOWN: Final = 12
"""Failures that are printed in full; the files have them all."""
STATUSES: Final = ("pass", "fail", "deviation", "stale", "unsupported")


def write(found: Run, folder: Path) -> Path:
    """Write the certificate, its page and badge, and a program for every failure; return the certificate's path.

    Without jinja2 there is no page and no badge.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = certificate(found)
    name = name_of(made)
    path = folder / f"{name}.json"
    _replace(path, text_of(made))
    for number, row in enumerate(r for r in found.failures if r.snippet):
        text = "".join(f"# {line}\n" for line in row.message.splitlines()[:3])
        _replace(folder / f"{name}-failure-{number}.py", text + row.snippet + "\n")
    try:
        from dovetail_conformance import page
    except ImportError:
        sys.stderr.write("dovetail: the page and the badge need jinja2: pip install 'dovetail[conformance]'\n")
        return path
    _replace(folder / f"{name}.html", page.render(made))
    _replace(folder / f"{name}.svg", page.badge(made))
    return path


def text_of(made: Mapping[str, Any]) -> str:
    """A certificate as JSON with a line for every cell, so that two of them can be compared by eye."""
    parts = []
    for key, value in made.items():
        if isinstance(value, list) and value:
            inner = ",\n  ".join(json.dumps(v) for v in value)
            parts.append(f" {json.dumps(key)}: [\n  {inner}\n ]")
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _replace(path: Path, text: str) -> None:
    """Write a file in one step, so that no reader sees half of it."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def summary(found: Run) -> tuple[list[str], list[list[str]]]:
    """The table: a line per check."""
    counts: dict[str, Counter[str]] = {}
    tested: Counter[str] = Counter()
    for row in found.rows:
        counts.setdefault(row.check, Counter())[row.status] += 1
        tested[row.check] += row.tested
    rows = [
        [check, *(str(c[s]) if c[s] else "" for s in STATUSES), str(tested[check]), f"{found.costs.get(check, 0):.1f}"]
        for check, c in counts.items()
    ]
    return ["check", *STATUSES, "elements", "seconds"], rows


def show(found: Run) -> None:
    """Print the table, what ran, what was declared, what is reported, and the failures."""
    columns, rows = summary(found)
    _table(columns, rows)
    out = sys.stdout.write
    origins = Counter(found.origins.values())
    out("\nops by what runs: " + ", ".join(f"{k} {n}" for k, n in sorted(origins.items())) + "\n")
    fallbacks = sorted(name for name, origin in found.origins.items() if origin == "fallback")
    if fallbacks:
        out(f"on the host: {', '.join(fallbacks)}\n")
    if found.compiled:
        out(f"programs compiled: {sum(found.compiled.values())}\n")
    for line in _reported(found.rows):
        out(f"{line}\n")
    for row in [r for r in found.rows if r.status == "deviation"]:
        figures = f"{row.figure:.4g} {row.unit} of {row.bound:g}"
        out(f"declared: {row.op} {row.dtype} {row.check}: {figures}, {row.reason}\n")
    _failures(found.failures)
    cells = f"{found.cells} cells on {found.device} in {found.seconds:.0f} s"
    again = f", {found.resumed} of them from the run before" if found.resumed else ""
    out(f"\n{verdict(found)} ({found.tier}): {cells}{again}, {len(found.failures)} fail\n")


def _failures(failures: Sequence[Row]) -> None:
    out = sys.stdout.write
    for row in failures[:SHOWN]:
        text = row.message if len(row.message) < 1500 else f"{row.message[:1500]} ..."
        out(f"\n{row.status.upper()} {row.op} {row.dtype} ({row.check}, {row.origin or row.kind}): {text}\n")
        if row.snippet and row.snippet.splitlines()[-1] not in row.message and len(row.snippet) < 1500:
            out("  to see it:\n" + "".join(f"    {line}\n" for line in row.snippet.splitlines()))
    if len(failures) > SHOWN:
        names = Counter(f"{r.op} ({r.check})" for r in failures[SHOWN:])
        out(f"\nand {len(failures) - SHOWN} more: {', '.join(f'{n} x{c}' if c > 1 else n for n, c in names.items())}\n")


def _reported(rows: Sequence[Row]) -> list[str]:
    """What is measured and judged by nothing."""
    lines = []
    varying = [r.op for r in rows if r.check == "batches" and r.facts.get("identical") != r.facts.get("rows")]
    if varying:
        lines.append(f"other bits alone than in a batch: {', '.join(varying)}")
    threads = [r.op for r in rows if r.check == "processes" and r.facts.get("differs_with_threads")]
    if threads:
        lines.append(f"other bits with another number of threads: {', '.join(threads)}")
    for row in rows:
        if row.check == "training" and row.op == "losses" and row.facts:
            apart = row.facts["relative_difference_by_step"]
            words = ", ".join(f"{v:.1e} after {k}" for k, v in apart.items())
            lines.append(f"training parts from the second backend's losses by {words} steps")
    against = [r for r in rows if r.check == "against" and r.facts]
    if against:
        same = sum(r.facts["identical"] for r in against)
        total = sum(r.tested for r in against)
        worst = sorted(against, key=lambda r: -r.figure)[:5]
        words = ", ".join(f"{r.op} {r.dtype} {r.figure:.3g}" for r in worst if r.figure)
        lines.append(f"the same bits on both: {same} of {total} elements; furthest apart, in ULP: {words or 'nothing'}")
    return lines


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """By rich on a terminal where it is installed, else in plain text."""
    if sys.stdout.isatty():
        try:
            from rich.console import Console
            from rich.table import Table
        except ImportError:
            pass
        else:
            made = Table(box=None, pad_edge=False, header_style="bold")
            for column in columns:
                made.add_column(column, justify="left" if column == "check" else "right")
            for row in rows:
                made.add_row(*row, style="red" if row[2] or row[4] else "")
            Console().print(made)
            return
    lines = [list(columns), *([*row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        sys.stdout.write("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() + "\n")
