"""One run of the suite: every check on every op and dtype, cell by cell, in one process or in several."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import dovetail
from dovetail.backend.inspection import Op, forget_plans, host_fallback, record
from dovetail_conformance import tables
from dovetail_conformance.journal import Journal
from dovetail_conformance.lean import left_out
from dovetail_conformance.outcome import Row, merged
from dovetail_conformance.replay import Models
from dovetail_conformance.session import Session, dtypes_of, selected
from dovetail_conformance.tables import EACH as EACH
from dovetail_conformance.tables import ONCE as ONCE
from dovetail_conformance.tables import PARTS as PARTS
from dovetail_conformance.tables import WHOLE as WHOLE

KEPT: Final = 20
"""Ops after which compiled programs are dropped: a compiling backend would keep thousands of them."""

Progress = Callable[[str, int, int], None]
"""``progress(name, done, total)``, in cells."""


@dataclass(frozen=True)
class Cell:
    """One unit of the suite; the op, the dtype or both are empty where a check chooses them itself."""

    check: str
    op: str = ""
    dtype: str = ""
    seed: int = 0
    part: int = 0

    @property
    def key(self) -> str:
        """The name of the cell in the journal."""
        return f"{self.check}/{self.op}/{self.dtype}/{self.seed}/{self.part}"


@dataclass(frozen=True)
class Task:
    """Cells that one process does together, because they share plans and compiled programs: those of one op."""

    name: str
    cells: tuple[Cell, ...]


@dataclass
class Done:
    """What a task has found."""

    rows: list[tuple[Cell, list[Row]]] = field(default_factory=list)
    origin: str = ""


@dataclass(frozen=True)
class Settings:
    """What a run is: the same settings, versions and sources give the same cells."""

    device: str
    tier: str = "quick"
    seed: int = 0
    ops: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    fallback: bool = True
    against: str = ""

    @property
    def complete(self) -> bool:
        """Whether nothing was left out on request."""
        return not self.ops and not self.checks


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
    tier: str = "quick"
    against: str = ""
    jobs: int = 1
    cells: int = 0
    resumed: int = 0
    compiled: dict[str, int] = field(default_factory=dict)
    """Programs that were compiled, by check; empty where the backend counts none."""
    costs: dict[str, float] = field(default_factory=dict)
    """Seconds of all processes, by check."""
    hashes: dict[str, str] = field(default_factory=dict)

    @property
    def failures(self) -> list[Row]:
        """The rows that break conformance."""
        return [r for r in self.rows if r.failed]


def cells(op: Op, checks: Sequence[str] | None = None) -> Iterator[tuple[str, str]]:
    """Every (check, dtype) of an op; the dtype is empty where a check chooses it itself."""
    firsts: set[str] = set()
    for dtype in dtypes_of(op):
        category = "float" if "float" in dtype else "bool" if dtype == "bool" else "int"
        for name in EACH:
            if (name not in tables.FIRST or category not in firsts) and (checks is None or name in checks):
                yield name, dtype
        firsts.add(category)
    for name in ONCE:
        if checks is None or name in checks:
            yield name, ""


def cell(session: Session, op: Op, check: str, dtype: str) -> Row | None:
    """One cell; None where the check does not apply to the op, or where this tier leaves it out."""
    if dtype and not session.supports(dtype):
        return Row(op.name, dtype, check, "unsupported", reason="the backend has no such dtype")
    if left_out(session, op, check, dtype):
        return None
    return EACH[check](session, op, dtype) if dtype else ONCE[check](session, op)


def tasks(settings: Settings) -> list[Task]:
    """All that a run has to do. Errors: KeyError for a name that is no op."""
    full, wanted = settings.tier == "full", settings.checks
    checks = [c for c in (wanted or (*EACH, *ONCE)) if c != "against" or settings.against]
    found = []
    for op in selected(list(settings.ops) or None):
        pairs = list(cells(op, checks))
        made = [
            Cell(check, op.name, dtype, settings.seed + i)
            for check, dtype in pairs
            for i in range(tables.SEEDS.get(check, 1) if full else 1)
        ]
        if made:
            found.append(Task(op.name, tuple(made)))
    if not settings.ops:
        found += [Task(n, (Cell(n, seed=settings.seed),)) for n in WHOLE if not wanted or n in wanted]
    for name, parts in PARTS.items():
        if (full and not wanted) or name in wanted:
            found += [
                Task(f"{op}, every input, block {i + 1} of {parts.count}", (Cell(name, op, parts.dtype, part=i),))
                for op in parts.ops
                if not settings.ops or op in settings.ops
                for i in range(parts.count)
            ]
    return found


def perform(session: Session, task: Task, note: Callable[[Cell, list[Row]], None] | None = None) -> Done:
    """Do the cells of a task; ``note`` hears of each as soon as it is finished."""
    found, compilations = Done(), session.device.runtime.compilations
    if task.cells[0].op and task.cells[0].check not in PARTS:
        found.origin = session.known_origin(record(task.cells[0].op))
    for one in task.cells:
        begun, before = time.perf_counter(), compilations() or 0
        rows = _guarded(session.seeded(one.seed), one)
        for row in rows:
            row.origin, row.seed, row.part = found.origin, one.seed, one.part
            row.seconds = (time.perf_counter() - begun) / len(rows)
        if rows:
            rows[0].compiled = (compilations() or 0) - before
        found.rows.append((one, rows))
        if note is not None:
            note(one, rows)
    return found


def _guarded(session: Session, one: Cell) -> list[Row]:
    """The rows of a cell; a check that cannot even be carried out fails, and the run goes on."""
    try:
        return _rows(session, one)
    except Exception as error:  # whatever a backend raises, wherever a check did not expect it
        row = Row(one.op or one.check, one.dtype, one.check)
        frame = traceback.extract_tb(error.__traceback__)[-1]
        row.fail(f"the check ended with {type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})")
        return [row]


def _rows(session: Session, one: Cell) -> list[Row]:
    if one.check in WHOLE:
        return WHOLE[one.check](session)
    if one.check in PARTS:
        return [PARTS[one.check].function(session, record(one.op), one.dtype, one.part)]
    row = cell(session, record(one.op), one.check, one.dtype)
    return [] if row is None else [row]


def run(
    device: Any,
    *,
    ops: Sequence[str] | None = None,
    checks: Sequence[str] | None = None,
    seed: int = 0,
    fallback: bool = True,
    progress: Progress | None = None,
    tier: str = "quick",
    against: Any = None,
    jobs: int = 1,
    journal: Journal | None = None,
) -> Run:
    """Run the suite on a device, from where a journal stopped if there is one.

    ``jobs`` are the processes; ``against`` is a device to compare with, cell by cell.
    Errors: KeyError for a name that is no op.
    """
    settings = Settings(
        str(device), tier, seed, tuple(ops or ()), tuple(checks or ()), fallback, str(against) if against else ""
    )
    found = Run(device, seed, complete=settings.complete, tier=tier, against=settings.against, jobs=jobs)
    collected = _Collected(found, journal, progress, tasks(settings))
    with prepared(settings) as session:
        left = collected.left()
        if jobs > 1 and len(left) > 1:
            from dovetail_conformance.workers import spread  # only where there are several processes

            for task, done in spread(settings, left, jobs):
                collected.take(task, done)
        else:
            for number, task in enumerate(left):
                collected.begin(task)
                collected.end(task, perform(session, task, collected.note))
                if session.compiles and number % KEPT == KEPT - 1:
                    forget_plans()
        found.flushes = {d: session.flushes(d) for d in ("float32", "float64") if session.supports(d)}
        counts = session.device.runtime.compilations() is not None
    collected.finish(counts)
    return found


class _Collected:
    """The cells of a run as they come in: for the journal, the progress bar and the result."""

    def __init__(self, run: Run, journal: Journal | None, progress: Progress | None, tasks: Sequence[Task]) -> None:
        self.run, self.journal, self.progress, self.tasks = run, journal, progress, tasks
        self.rows: dict[str, list[Row]] = {}
        self.total = sum(len(t.cells) for t in tasks)
        if journal is not None:
            self._restore(journal.done)

    def _restore(self, done: Mapping[str, Any]) -> None:
        for key, value in done.items():
            if key.startswith("task:"):
                self._origin(key.removeprefix("task:"), value)
            elif key == "seconds":
                self.run.started -= value
            else:
                self.rows[key] = [Row.restored(v) for v in value]
        known = {one.key for task in self.tasks for one in task.cells}
        self.rows = {key: rows for key, rows in self.rows.items() if key in known}
        self.run.resumed = len(self.rows)

    def left(self) -> list[Task]:
        """What is still to be done."""
        rest = [Task(t.name, tuple(c for c in t.cells if c.key not in self.rows)) for t in self.tasks]
        return [t for t in rest if t.cells]

    def begin(self, task: Task) -> None:
        """Show the name of a task."""
        if self.progress is not None:
            self.progress(task.name, len(self.rows), self.total)

    def note(self, one: Cell, rows: list[Row]) -> None:
        """Keep a finished cell."""
        self.rows[one.key] = rows
        if self.journal is not None:
            self.journal.add(one.key, [row.stored() for row in rows])
        if self.progress is not None:
            self.progress(one.op or one.check, len(self.rows), self.total)

    def end(self, task: Task, done: Done) -> None:
        """Keep what is known of a finished task as a whole."""
        self._origin(task.name, done.origin)
        if self.journal is not None:
            self.journal.add(f"task:{task.name}", done.origin)
            self.journal.add("seconds", time.time() - self.run.started)

    def take(self, task: Task, done: Done) -> None:
        """Keep a task that another process has finished."""
        for one, rows in done.rows:
            self.note(one, rows)
        self.end(task, done)

    def _origin(self, name: str, origin: str) -> None:
        if origin:
            self.run.origins[name] = origin

    def finish(self, counts: bool) -> None:
        """Put the rows into the run, in the order of the tasks."""
        run = self.run
        flat = [row for task in self.tasks for one in task.cells for row in self.rows.get(one.key, [])]
        for row in flat:
            run.costs[row.check] = run.costs.get(row.check, 0.0) + row.seconds
            if counts:
                run.compiled[row.check] = run.compiled.get(row.check, 0) + row.compiled
        run.rows, run.cells = merged(flat), len(self.rows)
        run.hashes = tables.hashes(flat)
        run.origins = {t.name: run.origins[t.name] for t in self.tasks if t.name in run.origins}
        run.seconds = time.time() - run.started


@contextmanager
def prepared(settings: Settings) -> Iterator[Session]:
    """The session of a run, in this process."""
    device = dovetail.device(settings.device)
    other = dovetail.device(settings.against) if settings.against else None
    with falling_back("silent" if settings.fallback else "error"), Models() as models:
        yield Session(device, models, settings.seed, settings.fallback, settings.tier, other)


@contextmanager
def falling_back(mode: str) -> Iterator[None]:
    """What an op without kernel and decomposition does, while the block runs."""
    before = host_fallback()
    dovetail.set_host_fallback(mode)
    try:
        yield
    finally:
        dovetail.set_host_fallback(before)
