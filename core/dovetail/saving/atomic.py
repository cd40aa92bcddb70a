"""Files that are replaced as a whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of ``path`` when the block has succeeded.

    It is written in the same folder, brought to the disk, and renamed: whoever reads ``path`` sees the old
    file or the new one, also when the process is killed or the power fails. An error in the block leaves the
    old file as it was. A symbolic link stays one, and what is no ordinary file (a device, a pipe) is written
    to directly.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        with open(target, "wb") as file:
            yield file
        return
    folder = os.path.dirname(target)
    handle, temporary = tempfile.mkstemp(prefix=".dovetail-", suffix=".tmp", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode(target))
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _bring_to_disk(folder)


def _mode(target: str) -> int:
    """The permissions of the old file, or those that ``open`` would give to a new one."""
    with suppress(FileNotFoundError):
        return stat.S_IMODE(os.stat(target).st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _bring_to_disk(folder: str) -> None:
    """Make the new name itself durable, where the system opens folders."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
