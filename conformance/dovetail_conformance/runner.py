"""One run of the suite: every check on every op and dtype, row by row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import dovetail
from dovetail.backend.inspection import Op, forget_plans, host_fallback
from dovetail_conformance.checks import (
    derivatives,
    errors,
    forms,
    gradients,
    indexing,
    known,
    precision,
    promotion,
    semantics,
    shapes,
    system,
    values,
)
from dovetail_conformance.outcome import Row
from dovetail_conformance.replay import Models
from dovetail_conformance.session import Session, dtypes_of, quiet, selected

EACH: Final[dict[str, Callable[[Session, Op, str], Row | None]]] = {
    "values": values.values,
    "specials": values.specials,
    "sums": values.sums,
    "forms": forms.forms,
    "layouts": forms.layouts,
    "gradients": gradients.gradients,
    "programs": system.capturing,
    "shapes": shapes.shapes,
    "derivatives": derivatives.derivatives,
}
"""Checks of an op in a dtype."""

ONCE: Final[dict[str, Callable[[Session, Op], Row | None]]] = {
    "differences": gradients.differences,
    "second": gradients.second,
    "errors": errors.errors,
}
"""Checks of an op."""

WHOLE: Final[dict[str, Callable[[Session], list[Row]]]] = {
    "semantics": semantics.semantics,
    "aliasing": system.aliasing,
    "streams": system.streams,
    "transfer": system.transfer,
    "indexing": indexing.indexing,
    "promotion": promotion.promotion,
    "known": known.known,
    "precision": precision.precision,
}
"""Checks of the backend."""

FIRST: Final = frozenset(("layouts", "gradients", "programs", "shapes"))
"""Checks that look at the first dtype of each category: what they look for does not depend on its width."""

KEPT: Final = 20
"""Ops after which compiled programs are dropped: a compiling backend would keep thousands of them."""


@dataclass
class Run:
    """What a run has found."""

    device: Any
    seed: int
    rows: list[Row] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    flushes: dict[str, bool] = field(default_factory=dict)
    started: float = field(default_factory=time.time)
    seconds: float = 0.0
    complete: bool = True

    @property
    def failures(self) -> list[Row]:
        """The rows that break conformance."""
        return [r for r in self.rows if r.failed]


Progress = Callable[[str, int, int], None]


def cells(op: Op, checks: Sequence[str] | None = None) -> Iterator[tuple[str, str]]:
    """Every (check, dtype) of an op; the dtype is empty where a check chooses it itself."""
    firsts: set[str] = set()
    for dtype in dtypes_of(op):
        category = "float" if "float" in dtype else "bool" if dtype == "bool" else "int"
        for name in EACH:
            if (name not in FIRST or category not in firsts) and (checks is None or name in checks):
                yield name, dtype
        firsts.add(category)
    for name in ONCE:
        if checks is None or name in checks:
            yield name, ""


def cell(session: Session, op: Op, check: str, dtype: str) -> Row | None:
    """One cell; None where the check does not apply to the op."""
    if dtype and not session.supports(dtype):
        return Row(op.name, dtype, check, "unsupported", reason="the backend has no such dtype")
    return EACH[check](session, op, dtype) if dtype else ONCE[check](session, op)


def run(
    device: Any,
    *,
    ops: Sequence[str] | None = None,
    checks: Sequence[str] | None = None,
    seed: int = 0,
    fallback: bool = True,
    progress: Progress | None = None,
) -> Run:
    """Run the suite on a device.

    Errors: KeyError for a name that is no op.
    """
    chosen = selected(list(ops) if ops else None)
    found = Run(device, seed, complete=not ops and not checks)
    with falling_back("silent" if fallback else "error"), Models() as models:
        session = Session(device, models, seed, fallback)
        for number, op in enumerate(chosen):
            if progress is not None:
                progress(op.name, number, len(chosen) + len(WHOLE))
            found.rows += _rows_of(session, op, found, checks)
            if session.compiles and number % KEPT == KEPT - 1:
                forget_plans()
        for number, (name, check) in enumerate(WHOLE.items()):
            if (checks is None or name in checks) and not ops:
                if progress is not None:
                    progress(name, len(chosen) + number, len(chosen) + len(WHOLE))
                found.rows += check(session)
        found.flushes = {d: session.flushes(d) for d in ("float32", "float64") if session.supports(d)}
    found.seconds = time.time() - found.started
    return found


@contextmanager
def falling_back(mode: str) -> Iterator[None]:
    """What an op without kernel and decomposition does, while the block runs."""
    before = host_fallback()
    dovetail.set_host_fallback(mode)
    try:
        yield
    finally:
        dovetail.set_host_fallback(before)


def _rows_of(session: Session, op: Op, found: Run, checks: Sequence[str] | None) -> list[Row]:
    dtypes = [d for d in dtypes_of(op) if session.supports(d)]
    try:
        with quiet():
            origin = session.origin(op, dtypes[0]) if dtypes else ""
    except Exception as error:  # the checks will say so, with the call
        origin = f"none: {error}"
    if origin:
        found.origins[op.name] = origin
    rows = []
    for check, dtype in cells(op, checks):
        row = cell(session, op, check, dtype)
        if row is not None:
            row.origin = origin
            rows.append(row)
    return rows
