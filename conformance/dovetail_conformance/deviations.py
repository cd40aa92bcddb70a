"""Deviations that a backend declares: the op, the figure that was measured, why, and until when. They are strict.

A file ``conformance.toml`` in the package of the backend's runtime holds them:

    [[deviation]]
    op = "exp"
    dtype = "float32"
    check = "specials"
    figure = 4.3
    special = false
    reason = "the library's own kernel near underflow"
    expires = 2027-06-30

A failure within the figure becomes a declared deviation. A declared one that does not occur any more fails, and so does
one that is past its date. ``special`` lets special values be wrong as well. What a backend cannot do at all is a gap,
in the same file.
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from dovetail.backend.inspection import announced, host_device
from dovetail.errors import ArgumentError
from dovetail_conformance import gaps
from dovetail_conformance.gaps import Gap
from dovetail_conformance.outcome import Row

FILE: Final = "conformance.toml"
MOST: Final = 10
"""Deviations that a conformant backend may declare."""
LARGEST: Final = 64.0
"""No declared deviation may be larger, in ULP or in its bound's unit."""


@dataclass(frozen=True)
class Deviation:
    """One declared gap."""

    op: str
    dtype: str
    check: str
    figure: float
    reason: str
    expires: datetime.date
    special: bool = False

    def covers(self, row: Row) -> bool:
        """Whether a failed row is within what was declared."""
        return row.figure <= self.figure and (self.special or row.special_failures == 0)


def file_of(backend: str) -> Path | None:
    """The file beside a backend's runtime, None without one."""
    spec = announced().get(backend)
    module = find_spec(spec.runtime.partition(":")[0]) if spec is not None else None
    if module is None or module.origin is None:
        return None
    path = Path(module.origin).parent / FILE
    return path if path.is_file() else None


def declared(backend: str) -> list[Deviation | Gap]:
    """What a backend declares.

    Errors: ArgumentError for an entry that is incomplete, and for one that excuses float32 on the host: what others are
    compared with keeps every bound there.
    """
    path = file_of(backend)
    found = read(path, gaps.version_of(backend)) if path is not None else []
    place = host_device()
    if place is not None and place.backend == backend:
        refuse_float32(found)
    return found


def refuse_float32(found: Iterable[Deviation | Gap]) -> None:
    """Errors: ArgumentError for a deviation of float32."""
    for entry in found:
        if isinstance(entry, Deviation) and entry.dtype == "float32":
            raise ArgumentError(f"{entry.op}: the host's backend has no deviation in float32; repair the kernel")


def read(path: Path, plugin: str = "") -> list[Deviation | Gap]:
    """The entries of the file of a plugin in that version. Errors: ArgumentError for one that is incomplete."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    found = [_entry(e, path) for e in tables.get("deviation", [])]
    return [*found, *(gaps.entry(e, path, plugin) for e in tables.get("gap", []))]


def _entry(entry: dict[str, Any], path: Path) -> Deviation:
    words = {
        "op": str,
        "dtype": str,
        "check": str,
        "figure": (int, float),
        "reason": str,
        "expires": datetime.date,
    }
    for name, kind in words.items():
        if not isinstance(entry.get(name), kind):  # type: ignore[arg-type]  # a type or a tuple of types
            raise ArgumentError(f"{path}: every [[deviation]] needs {', '.join(words)}; {name} is wrong in {entry}")
    if not entry["reason"].strip() or not 0 < entry["figure"] <= LARGEST:
        raise ArgumentError(f"{path}: a deviation has a reason and a figure of at most {LARGEST:g}: {entry}")
    return Deviation(**entry)


def apply(rows: Sequence[Row], deviations: Iterable[Deviation | Gap], today: datetime.date | None = None) -> None:
    """Mark failures that are declared, and declarations that are stale."""
    day = today or datetime.date.today()
    for deviation in deviations:
        if isinstance(deviation, Gap):
            gaps.mark(rows, deviation, day)
            continue
        for row in rows:
            if (row.op, row.dtype, row.check) == (deviation.op, deviation.dtype, deviation.check):
                _mark(row, deviation, day)


def _mark(row: Row, deviation: Deviation, day: datetime.date) -> None:
    row.reason = deviation.reason
    if row.status == "pass":
        row.status = "stale"
        row.message = (
            f"{row.op} {row.dtype} {row.check}: declared to be off by {deviation.figure:g} and is within its bound: "
            f"remove the entry from {FILE}"
        )
    elif row.status == "fail" and day > deviation.expires:
        row.message = f"declared until {deviation.expires}, which is past: {row.message}"
    elif row.status == "fail" and deviation.covers(row):
        row.status = "deviation"
