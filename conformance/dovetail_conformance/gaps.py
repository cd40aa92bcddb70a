"""What a backend cannot do yet, as strict expected failures: the op, why, and until when.

They stand beside deviations in the plugin's ``conformance.toml``:

    [[gap]]
    op = "cumsum"
    dtype = "float64"        # or "*": in every dtype
    check = "gradients"      # left out: whatever fails of the op
    reason = "the compiler has no scan yet, see https://..."
    until = 2027-06-30       # or "0.4": the version of the plugin's distribution that closes it

What fails is counted as unsupported, with the reason, for as long as the entry lasts. One that is past its end fails
the run, and so does one whose op passes: without ``check`` that is when its values are right.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from dovetail.backend.inspection import announced, record
from dovetail.errors import ArgumentError
from dovetail_conformance.outcome import Row

EVERY: Final = "*"
ANCHOR: Final = "values"
"""The check that tells whether an op is there at all."""
_WORDS: Final = {"op": str, "reason": str, "until": (datetime.date, str)}


@dataclass(frozen=True)
class Gap:
    """One declared gap."""

    op: str
    reason: str
    until: datetime.date | str
    dtype: str = EVERY
    check: str = EVERY
    plugin: str = ""
    """The version of the plugin that declares it."""

    def covers(self, row: Row) -> bool:
        """Whether a row is about what is declared."""
        return row.op == self.op and self.dtype in (EVERY, row.dtype) and self.check in (EVERY, row.check)

    def tells(self, row: Row) -> bool:
        """Whether the gap is closed when this row passes."""
        return row.check == (ANCHOR if self.check == EVERY else self.check)

    def expired(self, day: datetime.date) -> bool:
        """Whether the entry is past its date, or the plugin has the version that was to close it."""
        if isinstance(self.until, str):
            return _numbers(self.plugin) >= _numbers(self.until)
        return day > self.until


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text.partition("+")[0])))


def entry(words: dict[str, Any], path: Path, plugin: str = "") -> Gap:
    """A gap as the file has it. Errors: ArgumentError for one that is incomplete or names no op."""
    for name, kind in _WORDS.items():
        if not isinstance(words.get(name), kind):  # type: ignore[arg-type]  # a type or a tuple of types
            raise ArgumentError(f"{path}: every [[gap]] needs {', '.join(_WORDS)}; {name} is wrong in {words}")
    if unknown := set(words) - {*_WORDS, "dtype", "check"}:
        raise ArgumentError(f"{path}: a [[gap]] has no {', '.join(sorted(unknown))}: {words}")
    if not words["reason"].strip():
        raise ArgumentError(f"{path}: a gap without a reason: {words}")
    if isinstance(words["until"], str) and not _numbers(words["until"]):
        raise ArgumentError(f"{path}: `until` is a date or a version such as '0.4', got {words['until']!r}")
    try:
        record(words["op"])
    except KeyError:
        raise ArgumentError(f"{path}: no op is named {words['op']!r}") from None
    return Gap(**words, plugin=plugin)


def version_of(backend: str) -> str:
    """The version of the distribution that brings a backend, which its spec requires first; empty without one."""
    spec = announced().get(backend)
    try:
        return version(spec.requires[0]) if spec is not None and spec.requires else ""
    except PackageNotFoundError:
        return ""


def mark(rows: Sequence[Row], gap: Gap, today: datetime.date | None = None) -> None:
    """Mark what a gap accounts for, and the gap itself where it is closed or past its end."""
    expired = gap.expired(today or datetime.date.today())
    for row in rows:
        if not gap.covers(row):
            continue
        if row.status == "fail" and not expired:
            row.status, row.reason = "unsupported", f"{gap.reason} (until {gap.until})"
        elif row.status == "fail":
            row.message = f"declared as a gap until {gap.until}, which is past: {row.message}"
        elif row.status == "pass" and gap.tells(row):
            row.status, row.reason = "stale", gap.reason
            row.message = f"{row.op} {row.dtype} {row.check}: declared as a gap and passes: remove the entry"
