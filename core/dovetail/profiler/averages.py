"""Spans added up: one line per op and device, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dovetail.errors import ArgumentError
from dovetail.profiler.events import Event, Transfer

SORTS: Final = {
    "self_cpu_time_total": "self_time", "cpu_time_total": "total_time", "self_device_time_total": "self_time",
    "device_time_total": "total_time", "cpu_time": "average", "count": "count", "name": "name",
    "self_time": "self_time", "total_time": "total_time", "bytes": "bytes",
}  # fmt: skip
"""PyTorch's words for what a table is sorted by, and dovetail's own."""


@dataclass(slots=True)
class Row:
    """All spans of one name on one device. Times are in nanoseconds."""

    name: str
    kind: str
    device: str
    origin: str
    shapes: tuple[Any, ...] = ()
    count: int = 0
    self_time: int = 0
    total_time: int = 0
    bytes: int = 0

    @property
    def key(self) -> str:
        """The name, under PyTorch's word for it."""
        return self.name

    @property
    def average(self) -> float:
        """Nanoseconds per call."""
        return self.total_time / self.count


class Averages(Sequence[Row]):
    """Rows of a profile, the one with the most time of its own first."""

    def __init__(self, events: Iterable[Event], transfers: Sequence[Transfer], *, by_shape: bool) -> None:
        rows: dict[tuple[Any, ...], Row] = {}
        for event in events:
            shapes = event.shapes if by_shape else ()
            key = (event.kind, event.name, event.device, event.origin, shapes)
            row = rows.get(key)
            if row is None:
                row = rows[key] = Row(event.name, event.kind, event.device, event.origin, shapes)
            row.count += 1
            row.self_time += event.self_time
            row.total_time += event.total_time
            row.bytes += event.bytes
        self._rows = sorted(rows.values(), key=lambda row: -row.self_time)
        self.transfers = transfers
        self._by_shape = by_shape

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return self._rows[index]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds of all spans, each moment counted once."""
        return sum(row.self_time for row in self._rows) / 1000

    def table(self, sort_by: str | None = None, row_limit: int = 100, max_name_column_width: int = 55) -> str:
        """Return the rows as text; ``sort_by`` is one of PyTorch's words such as ``"cpu_time_total"``."""
        rows = self._rows
        if sort_by is not None:
            if sort_by not in SORTS:
                raise ArgumentError(f"a profile can not be sorted by {sort_by!r}: choose one of {', '.join(SORTS)}")
            attribute = SORTS[sort_by]
            rows = sorted(rows, key=lambda row: getattr(row, attribute), reverse=attribute != "name")
        whole = sum(row.self_time for row in self._rows) or 1
        head = ["Name", "Device", "Runs", "Self %", "Self", "Total", "Average", "Calls", "Results"]
        body = [_cells(row, whole, max_name_column_width) for row in rows[: row_limit if row_limit > 0 else None]]
        if self._by_shape:
            head.append("Input shapes")
            for cells, row in zip(body, rows, strict=False):
                cells.append(", ".join("-" if s is None else str(list(s)) for s in row.shapes))
        lines = _aligned([head, *body], left=(0, 1, 2, 9))
        lines.append(f"Self time total: {duration(whole)}")
        lines += [f"{line}" for line in _moved(self.transfers)]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.table()


def _cells(row: Row, whole: int, width: int) -> list[str]:
    name = row.name if len(row.name) <= width else row.name[: width - 3] + "..."
    return [
        name,
        row.device or row.kind,
        row.origin,
        f"{100 * row.self_time / whole:.2f} %",
        duration(row.self_time),
        duration(row.total_time),
        duration(row.average),
        str(row.count),
        size(row.bytes) if row.kind == "op" else "",
    ]


def _moved(transfers: Sequence[Transfer]) -> Iterator[str]:
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for moved in transfers:
        times, total = sums.get((moved.source, moved.target), (0, 0))
        sums[moved.source, moved.target] = times + 1, total + moved.bytes
    for (source, target), (times, total) in sums.items():
        yield f"Transfers {source} -> {target}: {size(total)} in {times}"


def duration(nanoseconds: float) -> str:
    """Nanoseconds in a unit that people read.

    >>> duration(1500), duration(2.5e9)
    ('1.500us', '2.500s')
    """
    for unit, length in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= length:
            return f"{nanoseconds / length:.3f}{unit}"
    return f"{nanoseconds / 1e3:.3f}us"


def size(count: float) -> str:
    """Bytes in a unit that people read.

    >>> size(2048)
    '2.0 KB'
    """
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TB"


def _aligned(rows: Sequence[Sequence[str]], left: Sequence[int]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    rule = "  ".join("-" * width for width in widths)
    return [rule, lines[0].rstrip(), rule, *(line.rstrip() for line in lines[1:]), rule]
