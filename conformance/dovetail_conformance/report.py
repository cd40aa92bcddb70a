"""What a run has found, for people on the terminal and for machines as a certificate."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import dovetail
from dovetail.backend.inspection import announced
from dovetail_conformance.deviations import MOST
from dovetail_conformance.outcome import Row
from dovetail_conformance.runner import Run

SCHEMA: Final = "dovetail.certificate/1"
SHOWN: Final = 12
"""Failures that are printed in full; the files have them all."""
STATUSES: Final = ("pass", "fail", "deviation", "stale", "unsupported")


def verdict(found: Run) -> str:
    """A run of the quick suite alone never makes a backend conformant."""
    declared = sum(r.status == "deviation" for r in found.rows)
    return "not-conformant" if found.failures or declared > MOST else "quick-only"


def certificate(found: Run) -> dict[str, Any]:
    """The certificate: only what this run has measured; parts that it did not run are not in it."""
    groups: dict[str, list[Row]] = {}
    for row in found.rows:
        groups.setdefault(row.check, []).append(row)
    streams = groups.get("streams", [])
    made = {
        "schema": SCHEMA,
        "verdict": verdict(found),
        "mode": "quick",
        "complete": found.complete,
        "subject": _subject(found),
        "suite": {
            "version": dovetail.__version__,
            "seed": found.seed,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(found.started)),
            "seconds": round(found.seconds, 1),
        },
        "arithmetic": {"subnormals": {d: "flush" if f else "gradual" for d, f in found.flushes.items()}},
        "ops": [
            _op(r)
            for check in ("values", "specials")
            for r in groups.get(check, [])
            if r.status != "unsupported"
        ],
        "reductions": [_op(r) for r in groups.get("sums", []) if r.status != "unsupported"],
        "gradients": [
            _op(r) | {"order": 2 if check == "second" else 1}
            for check in ("gradients", "differences", "second")
            for r in groups.get(check, [])
            if r.status != "unsupported"
        ],
        "checks": [
            r.entry()
            for check, rows in groups.items()
            if check not in ("values", "specials", "sums", "gradients", "differences", "second")
            for r in rows
        ],
        "coverage": found.origins,
        "deviations": [r.entry() for r in found.rows if r.status == "deviation"],
        "unsupported": [r.entry() for r in found.rows if r.status == "unsupported"],
    }
    if streams:
        made["rng"] = {
            "stream": "philox4x64-10",
            "values_compared": sum(r.tested for r in streams),
            "differences": sum(r.failed for r in streams),
        }
    return made


def _op(row: Row) -> dict[str, Any]:
    entry = row.entry()
    entry["mode"], entry["class"] = "native", entry.pop("kind", "")
    entry["inputs_tested"], entry["exhaustive"] = entry.pop("tested", 0), False
    entry["special_failures"] = row.special_failures
    if row.rounded is not None:
        entry["correctly_rounded_fraction"] = entry.pop("rounded", row.rounded)
    if row.unit == "ULP":
        entry["max_ulp"], entry["bound_ulp"] = entry.pop("figure", 0.0), entry.pop("bound", 0.0)
    return entry


def _subject(found: Run) -> dict[str, Any]:
    device = found.device
    spec = announced()[device.backend]
    versions = {name: _version(name) for name in spec.requires}
    return {
        "backend": device.backend,
        "device": str(device),
        "device_model": device.runtime.describe(device),
        "versions": versions,
        "contract": spec.contract,
        "os": platform.platform(),
        "python": platform.python_version(),
        "flags": {
            k: os.environ[k] for k in ("XLA_FLAGS", "OMP_NUM_THREADS", "OPENBLAS_CORETYPE") if k in os.environ
        },
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def write(found: Run, folder: Path) -> Path:
    """Write the certificate and a program for every failure that has one; return the certificate's path."""
    folder.mkdir(parents=True, exist_ok=True)
    name = str(found.device).replace(":", "-")
    path = folder / f"{name}.json"
    path.write_text(json.dumps(certificate(found), indent=1, default=str) + "\n", encoding="utf-8")
    for number, row in enumerate(r for r in found.failures if r.snippet):
        text = "".join(f"# {line}\n" for line in row.message.splitlines()[:3])
        (folder / f"{name}-failure-{number}.py").write_text(text + row.snippet + "\n", encoding="utf-8")
    return path


def summary(found: Run) -> tuple[list[str], list[list[str]]]:
    """The table: a line per check."""
    counts: dict[str, Counter[str]] = {}
    tested: Counter[str] = Counter()
    for row in found.rows:
        counts.setdefault(row.check, Counter())[row.status] += 1
        tested[row.check] += row.tested
    rows = [
        [check, *(str(c[s]) if c[s] else "" for s in STATUSES), str(tested[check])]
        for check, c in counts.items()
    ]
    return ["check", *STATUSES, "elements"], rows


def show(found: Run) -> None:
    """Print the table, what ran, and the failures."""
    columns, rows = summary(found)
    _table(columns, rows)
    origins = Counter(found.origins.values())
    out = sys.stdout.write
    out("\nops by what runs: " + ", ".join(f"{k} {n}" for k, n in sorted(origins.items())) + "\n")
    fallbacks = sorted(name for name, origin in found.origins.items() if origin == "fallback")
    if fallbacks:
        out(f"on the host: {', '.join(fallbacks)}\n")
    for row in [r for r in found.rows if r.status == "deviation"]:
        out(
            f"declared: {row.op} {row.dtype} {row.check}: {row.figure:.4g} {row.unit} of {row.bound:g}, {row.reason}\n"
        )
    failures = found.failures
    for row in failures[:SHOWN]:
        out(
            f"\n{row.status.upper()} {row.op} {row.dtype} ({row.check}, {row.origin or row.kind}): {_shortened(row)}\n"
        )
    if len(failures) > SHOWN:
        names = Counter(f"{r.op} ({r.check})" for r in failures[SHOWN:])
        out(f"\nand {len(failures) - SHOWN} more: {', '.join(names)}\n")
    cells = f"{len(found.rows)} cells on {found.device} in {found.seconds:.0f} s"
    out(f"\n{verdict(found)}: {cells}, {len(failures)} fail\n")


def _shortened(row: Row) -> str:
    return row.message if len(row.message) < 1500 else f"{row.message[:1500]} ..."


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
