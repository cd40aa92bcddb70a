"""A profile in the Trace Event Format, which chrome://tracing and https://ui.perfetto.dev show.

Source of the format: Google, *Trace Event Format* (2016).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dovetail.profiler.events import Event, Transfer
from dovetail.saving.atomic import replacing


def write(path: str | os.PathLike[str], events: Iterable[Event], transfers: Iterable[Transfer]) -> None:
    """Write the spans and transfers; an older file stays until the new one is whole."""
    document = {"traceEvents": [*_spans(events), *_instants(transfers)], "displayTimeUnit": "ms"}
    with replacing(Path(path)) as file:
        file.write(json.dumps(document).encode())


def _spans(events: Iterable[Event]) -> Iterator[dict[str, Any]]:
    for event in sorted(events, key=lambda e: (e.start, e.depth)):
        details: dict[str, Any] = {}
        if event.kind == "op":
            details = {"device": event.device, "runs": event.origin, "result bytes": event.bytes}
        if event.shapes:
            details["input shapes"] = [None if s is None else list(s) for s in event.shapes]
        yield {
            "ph": "X", "name": event.name, "cat": event.kind, "pid": os.getpid(), "tid": event.thread,
            "ts": event.start / 1000, "dur": event.total_time / 1000, "args": details,
        }  # fmt: skip


def _instants(transfers: Iterable[Transfer]) -> Iterator[dict[str, Any]]:
    for moved in transfers:
        yield {
            "ph": "i", "s": "p", "name": f"{moved.source} -> {moved.target}", "cat": "transfer", "pid": os.getpid(),
            "tid": 0, "ts": moved.time / 1000, "args": {"bytes": moved.bytes},
        }  # fmt: skip
