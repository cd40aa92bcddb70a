"""What a check found: one row per op, dtype and check, with the message and the program of a failure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from dovetail_conformance.judge import Verdict

Status = Literal["pass", "fail", "deviation", "stale", "unsupported"]
"""``deviation``: a failure that the backend has declared; ``stale``: a declared failure that does not occur."""


@dataclass
class Row:
    """One cell of the suite.

    ``figure`` of ``bound`` in ``unit`` is the worst that was measured; ``origin`` says what ran: kernel, decomposition
    or fallback; ``at`` has the bits of the worst input, ``snippet`` a program that shows the failure.
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

    @property
    def failed(self) -> bool:
        """Whether the row breaks conformance."""
        return self.status in ("fail", "stale")

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
        worse = verdict.ratio > self._ratio() or not verdict.ok
        if self.status == "fail" and (verdict.ok or verdict.ratio <= self._ratio()):
            return
        if worse or not self.kind:
            self.kind, self.unit = verdict.kind, verdict.unit
            self.figure, self.bound = verdict.worst, verdict.bound
            self.at = dict(verdict.at)
        if not verdict.ok:
            self.status = "fail"
            self.message, self.expected, self.got = verdict.message, verdict.expected, verdict.got
            self.snippet = verdict.snippet()

    def _ratio(self) -> float:
        return self.figure / self.bound if self.bound else (0.0 if self.figure == 0 else math.inf)

    def entry(self) -> dict[str, Any]:
        """The row as plain values for JSON; no number that JSON lacks."""
        made = {
            k: v for k, v in vars(self).items() if v not in ("", None, {}) or k in ("op", "dtype", "check")
        }
        for name in ("figure", "bound"):
            value = made.get(name)
            if isinstance(value, float) and not math.isfinite(value):
                made[name] = str(value)
        return made
