"""What a check found: one row per op, dtype and check, with the message and the program of a failure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final, Literal

from dovetail_conformance.judge import Verdict

Status = Literal["pass", "fail", "deviation", "stale", "unsupported"]
"""``deviation``: a failure that the backend has declared; ``stale``: a declared failure that does not occur."""

INNER: Final = ("seconds", "compiled", "seed", "part")
"""What a row carries for the run, and no certificate shows for each cell."""


@dataclass
class Row:
    """One cell of the suite.

    ``figure`` of ``bound`` in ``unit`` is the worst that was measured; ``origin`` says what ran: kernel, decomposition
    or fallback; ``at`` has the bits of the worst input, ``snippet`` a program that shows the failure. ``facts`` are
    figures that are reported and judged by nothing.
    """

    op: str
    dtype: str
    check: str
    status: Status = "pass"
    message: str = ""
    kind: str = ""
    unit: str = ""
    figure: float = 0.0
    bound: float = 0.0
    tested: int = 0
    special_failures: int = 0
    rounded: float | None = None
    origin: str = ""
    at: dict[str, str] = field(default_factory=dict)
    expected: str = ""
    got: str = ""
    snippet: str = ""
    reason: str = ""
    cases: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    compiled: int = 0
    seed: int = 0
    part: int = 0

    @property
    def failed(self) -> bool:
        """Whether the row breaks conformance."""
        return self.status in ("fail", "stale")

    @property
    def ratio(self) -> float:
        """How much of the bound was used: 1 is all of it."""
        return self.figure / self.bound if self.bound else (0.0 if self.figure == 0 else math.inf)

    def fail(self, message: str, *, expected: Any = "", got: Any = "", snippet: str = "") -> None:
        """Note a failure that has no measure, so that no declared figure covers it; the first one is kept."""
        self.figure = math.inf
        if self.status != "fail":
            self.status = "fail"
            self.message, self.expected, self.got, self.snippet = message, str(expected), str(got), snippet

    def take(self, verdict: Verdict) -> None:
        """Add a judgement on one call: the worst of all stays."""
        self.cases += 1
        self.tested += verdict.tested
        self.special_failures += verdict.special_failures
        if verdict.correctly_rounded is not None and verdict.tested:
            before = self.tested - verdict.tested
            total = (self.rounded or 0.0) * before + verdict.correctly_rounded * verdict.tested
            self.rounded = total / self.tested
        worse = verdict.ratio > self.ratio or not verdict.ok
        if self.status == "fail" and (verdict.ok or verdict.ratio <= self.ratio):
            return
        if worse or not self.kind:
            self.kind, self.unit = verdict.kind, verdict.unit
            self.figure, self.bound = verdict.worst, verdict.bound
            self.at = dict(verdict.at)
        if not verdict.ok:
            self.status = "fail"
            self.message, self.expected, self.got = verdict.message, verdict.expected, verdict.got
            self.snippet = verdict.snippet()

    def entry(self) -> dict[str, Any]:
        """The row as plain values for JSON; no number that JSON lacks."""
        made = {
            k: v
            for k, v in vars(self).items()
            if k not in INNER and (v not in ("", None, {}) or k in ("op", "dtype", "check"))
        }
        return _finite(made)

    def stored(self) -> dict[str, Any]:
        """All of the row as plain values, for :meth:`restored`."""
        return _finite(asdict(self))

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> Row:
        """The row that :meth:`stored` gave the values of. Errors: TypeError for fields that there are not."""
        given = dict(values)
        for name in ("figure", "bound"):
            given[name] = float(given.get(name, 0.0))
        return cls(**given)


def _finite(made: dict[str, Any]) -> dict[str, Any]:
    for name in ("figure", "bound"):
        value = made.get(name)
        if isinstance(value, float) and not math.isfinite(value):
            made[name] = str(value)
    return made


def merged(rows: Iterable[Row]) -> list[Row]:
    """One row per op, dtype and check, in order of appearance: the worst of several seeds or parts, and all counts."""
    found: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        key = (row.op, row.dtype, row.check)
        found[key] = _worse(found[key], row) if key in found else row
    return list(found.values())


def _worse(a: Row, b: Row) -> Row:
    """The worse of two rows on the same cell, with what both have counted."""
    rank = {"unsupported": 0, "pass": 1, "deviation": 2, "stale": 3, "fail": 4}
    first, other = (a, b) if (rank[a.status], a.ratio) >= (rank[b.status], b.ratio) else (b, a)
    shares = [(r.rounded, r.tested) for r in (a, b) if r.rounded is not None]
    weight = sum(n for _, n in shares)
    return replace(
        first,
        tested=a.tested + b.tested,
        cases=a.cases + b.cases,
        special_failures=a.special_failures + b.special_failures,
        rounded=sum(share * n for share, n in shares) / weight if weight else first.rounded,
        facts={**other.facts, **first.facts},
        seconds=a.seconds + b.seconds,
        compiled=a.compiled + b.compiled,
    )


FIELDS: Final = frozenset(f.name for f in fields(Row))
"""The names of a row's fields."""
