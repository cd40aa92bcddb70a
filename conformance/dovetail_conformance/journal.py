"""The journal of a run: what is finished, line by line on the disk, so that a run that was killed goes on there.

The first line says what the run is: versions, sources, seed, device. A journal of another run is begun anew. Each
further line is one finished record, written by one call, so that only the last line can be torn; a torn one is cut off.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

SYNCED: Final = 2.0
"""Seconds after which lines are forced to the disk; a killed process loses none of them anyway."""


class Journal:
    """Finished records by key, on the disk; ``with`` closes it. Errors: BlockingIOError while another run has it."""

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self.path = path
        self.done: dict[str, Any] = {}
        self.resumed = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            _lock(self._file)
            self._begin(json.dumps(identity, sort_keys=True))
        except BaseException:
            os.close(self._file)
            raise
        self._synced = time.monotonic()

    def _begin(self, identity: str) -> None:
        text = self.path.read_bytes()
        head, _, body = text.partition(b"\n")
        if head.decode(errors="replace") != identity or not text:
            os.ftruncate(self._file, 0)
            os.write(self._file, f"{identity}\n".encode())
            return
        good = len(head) + 1
        for line in body.splitlines(keepends=True):
            try:
                key, value = json.loads(line)
            except ValueError:
                break
            if not line.endswith(b"\n"):
                break
            self.done[key] = value
            good += len(line)
        os.ftruncate(self._file, good)
        self.resumed = bool(self.done)

    def add(self, key: str, value: Any) -> None:
        """Note that a record is finished."""
        self.done[key] = value
        os.write(self._file, f"{json.dumps([key, value], default=str)}\n".encode())
        if time.monotonic() - self._synced > SYNCED:
            os.fsync(self._file)
            self._synced = time.monotonic()

    def remove(self) -> None:
        """Delete the file: the run is complete."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file, which stays."""
        os.close(self._file)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _lock(file: int) -> None:
    """Keep other runs off the file until it is closed. Errors: BlockingIOError where one has it."""
    try:
        import fcntl
    except ImportError:  # Windows: two runs at once are then the caller's affair
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def folder() -> Path:
    """Where journals lie when the command names no place: the user's folder for what may be deleted."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "dovetail" / "conformance"


def digest(*packages: str) -> str:
    """A hash of the sources of some packages, by which a changed suite, core or backend is told from the same one."""
    from importlib.util import find_spec

    found = hashlib.sha256()
    for name in sorted(set(packages)):
        spec = find_spec(name)
        for place in (spec.submodule_search_locations or ()) if spec is not None else ():
            root = Path(place)
            for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".toml", ".j2") and p.is_file()):
                found.update(f"{name}/{path.relative_to(root).as_posix()}\n".encode())
                found.update(path.read_bytes())
    return found.hexdigest()
