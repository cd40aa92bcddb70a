"""What has changed between two certificates: verdicts, bounds, cells that came or went, and figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dovetail_conformance.certificate import SECTIONS

Key = tuple[str, str, str]
Entry = Mapping[str, Any]

SHOWN: Final = 40
"""Lines of one kind that are printed; the count says how many there are."""
MOVED: Final = 0.05
"""Share of a bound by which a figure must have moved to be worth a line."""


@dataclass
class Changes:
    """Lines by kind. ``figures`` are information: they alone make no difference."""

    verdict: list[str] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    bounds: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)

    @property
    def any(self) -> bool:
        """Whether the certificates differ in verdicts, bounds or cells."""
        return any((self.verdict, self.statuses, self.bounds, self.new, self.removed))


def cells_of(made: Mapping[str, Any]) -> dict[Key, Entry]:
    """All cells of a certificate by op, dtype and check."""
    return {(e["op"], e["dtype"], e["check"]): e for e in _entries(made)}


def _entries(made: Mapping[str, Any]) -> Iterator[Entry]:
    for section in SECTIONS:
        yield from made.get(section, [])
    yield from made.get("identity", {}).get("cells", [])


def figure(entry: Entry) -> float:
    """The worst that was measured in a cell."""
    return float(entry.get("max_ulp", entry.get("figure", 0.0)))


def bound(entry: Entry) -> float:
    """What is allowed in a cell."""
    return float(entry.get("bound_ulp", entry.get("bound", 0.0)))


def compare(a: Mapping[str, Any], b: Mapping[str, Any]) -> Changes:
    """The changes from certificate ``a`` to ``b``."""
    found = Changes()
    for word in ("verdict", "mode", "complete"):
        if a[word] != b[word]:
            found.verdict.append(f"{word}: {a[word]} -> {b[word]}")
    first, second = cells_of(a), cells_of(b)
    found.removed = [_name(key) for key in first if key not in second]
    found.new = [f"{_name(key)}: {entry['status']}" for key, entry in second.items() if key not in first]
    for key in (k for k in first if k in second):
        _cell(found, _name(key), first[key], second[key])
    return found


def _cell(found: Changes, name: str, a: Entry, b: Entry) -> None:
    if a["status"] != b["status"]:
        found.statuses.append(f"{name}: {a['status']} -> {b['status']}")
    # The bound of a sum depends on how many terms it has, and the worst element decides which; a class has one bound.
    if a.get("class") in ("U", "CR", "E") and bound(a) != bound(b) and figure(a) and figure(b):
        found.bounds.append(f"{name}: {bound(a):g} -> {bound(b):g}")
    if a.get("class") != b.get("class"):
        found.bounds.append(f"{name}: class {a.get('class')} -> {b.get('class')}")
    limit = max(bound(a), bound(b))
    if limit and abs(figure(a) - figure(b)) > MOVED * limit:
        found.figures.append(f"{name}: {figure(a):.4g} -> {figure(b):.4g} {b.get('unit', '')} of {limit:g}")


def _name(key: Key) -> str:
    return " ".join(word for word in key if word)


def text(changes: Changes) -> str:
    """The changes for the terminal."""
    words = {
        "verdict": "verdict",
        "statuses": "cells with another status",
        "bounds": "cells with another bound",
        "new": "new cells",
        "removed": "cells that are gone",
        "figures": "figures that moved, which makes no difference",
    }
    lines = []
    for name, title in words.items():
        entries: list[str] = getattr(changes, name)
        if entries:
            lines += [f"{title} ({len(entries)}):", *(f"  {e}" for e in entries[:SHOWN])]
            if len(entries) > SHOWN:
                lines.append(f"  and {len(entries) - SHOWN} more")
    if not changes.any:
        lines.append("the same verdicts, bounds and cells")
    return "\n".join(lines) + "\n"
