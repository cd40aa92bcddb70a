"""The zip around a checkpoint: written without compression and always the same bytes, read with suspicion.

The layout is that of PKWARE's APPNOTE.TXT 6.3: a local header before each entry, the central directory at the
end, with the zip64 fields where a number has outgrown 32 bits. Every entry begins on a multiple of 64 bytes,
by an extra field of its local header, so that an array can be mapped into memory where it lies.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any, Final, cast

import numpy as np

from dovetail.errors import SavedFileError

ALIGNMENT: Final = 64
PADDING_FIELD: Final = 0x4D64
"""Id of the extra field that pads a local header; its content is zeros."""

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
_END64: Final = struct.Struct("<4sQ2H2I4Q")
_LOCATOR: Final = struct.Struct("<4sIQI")
_LIMIT32: Final = 0xFFFFFFFF
_LIMIT16: Final = 0xFFFF
_DATE: Final = (0, 0x0021)  # midnight, 1980-01-01: the first moment that zip knows
_UNIX: Final = 3 << 8
_MODE: Final = 0o100644 << 16

Buffer = bytes | memoryview


@dataclass(frozen=True)
class Entry:
    """An entry of an archive: where its bytes are, how many, and their CRC-32."""

    name: str
    start: int
    size: int
    crc: int
    header: int


# ---------------------------------------------------------------------------------------------------- writing


def write(file: IO[bytes], entries: Iterable[tuple[str, Buffer]]) -> None:
    """Write an archive of named buffers, front to back, so that a pipe will do."""
    written: list[Entry] = []
    place = 0
    for name, data in entries:
        size = memoryview(data).nbytes
        entry = Entry(name, 0, size, zlib.crc32(data), place)
        header = _local_header(entry)
        _put(file, header)
        _put(file, data)
        written.append(entry)
        place += len(header) + size
    directory = b"".join(_central_header(entry) for entry in written)
    _put(file, directory)
    _put(file, _end(len(written), place, len(directory)))


def put_all(file: IO[bytes], parts: Iterable[Buffer]) -> None:
    """Write buffers one after the other."""
    for data in parts:
        _put(file, data)


def _put(file: IO[bytes], data: Buffer) -> None:
    """Write all of a buffer: a raw file may take less at a time."""
    view = memoryview(data).cast("B") if memoryview(data).nbytes else memoryview(b"")
    while view:
        taken = cast("int | None", file.write(view))  # a file of the user's may not say
        if taken is None or taken >= len(view):
            return
        view = view[taken:]


def _version(large: bool) -> int:
    return 45 if large else 20


def _local_header(entry: Entry) -> bytes:
    large = entry.size >= _LIMIT32
    size = _LIMIT32 if large else entry.size
    extra = struct.pack("<2H2Q", 1, 16, entry.size, entry.size) if large else b""
    name = entry.name.encode("ascii")
    begin = entry.header + _LOCAL.size + len(name) + len(extra) + 4
    padding = -begin % ALIGNMENT
    extra += struct.pack("<2H", PADDING_FIELD, padding) + bytes(padding)
    fields = (b"PK\3\4", _version(large), 0, 0, *_DATE, entry.crc, size, size, len(name), len(extra))
    return _LOCAL.pack(*fields) + name + extra


def _central_header(entry: Entry) -> bytes:
    large, far = entry.size >= _LIMIT32, entry.header >= _LIMIT32
    numbers = ([entry.size, entry.size] if large else []) + ([entry.header] if far else [])
    extra = struct.pack(f"<2H{len(numbers)}Q", 1, 8 * len(numbers), *numbers) if numbers else b""
    size = _LIMIT32 if large else entry.size
    version = _version(large or far)
    name = entry.name.encode("ascii")
    fields = (b"PK\1\2", version | _UNIX, version, 0, 0, *_DATE, entry.crc, size, size, len(name), len(extra))
    return _CENTRAL.pack(*fields, 0, 0, 0, _MODE, _LIMIT32 if far else entry.header) + name + extra


def _end(count: int, start: int, size: int) -> bytes:
    record = b""
    if count >= _LIMIT16 or start >= _LIMIT32 or size >= _LIMIT32:
        record = _END64.pack(b"PK\6\6", 44, 45 | _UNIX, 45, 0, 0, count, count, size, start)
        record += _LOCATOR.pack(b"PK\6\7", 0, start + size, 1)
    short = min(count, _LIMIT16)
    return record + _END.pack(b"PK\5\6", 0, 0, short, short, min(size, _LIMIT32), min(start, _LIMIT32), 0)


# ---------------------------------------------------------------------------------------------------- reading


class Archive:
    """The entries of a zip file, each checked against the bytes that are really there.

    Only stored entries are read: a file cannot unfold into more than its own size. Entries that overlap, come
    twice, or reach outside the file are errors, as is anything that zip itself cannot make sense of.

    Args:
        file: a file that can seek, at the beginning of the archive.
        label: how errors call it.
    """

    def __init__(self, file: IO[bytes], label: str) -> None:
        self.file = file
        self.label = label
        self.entries: dict[str, Entry] = {}
        self._end = file.tell()
        """Where the entries that were added so far end."""
        self._size = file.seek(0, io.SEEK_END)
        try:
            with zipfile.ZipFile(file) as directory:
                found = directory.infolist()
        except Exception as error:  # whatever a broken archive runs into
            raise self.error(f"is damaged or cut short ({error})") from error
        for info in sorted(found, key=lambda info: info.header_offset):
            self._add(info)

    def _add(self, info: zipfile.ZipInfo) -> None:
        name = info.orig_filename
        if name in self.entries:
            raise self.error(f"has two entries called {name!r}")
        if info.flag_bits & 0x1:
            raise self.error(f"has an encrypted entry {name!r}")
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise self.error(
                f"has a compressed entry {name!r} ({info.compress_size} bytes that claim to unfold into "
                f"{info.file_size}); entries are always stored as they are"
            )
        start = self._start_of(info)
        if info.header_offset < self._end:
            raise self.error(f"has an entry {name!r} that overlaps another or lies outside the archive")
        if start + info.file_size > self._size:
            raise self.error(f"is cut short: entry {name!r} needs {info.file_size} bytes from {start} on")
        self.entries[name] = Entry(name, start, info.file_size, info.CRC, info.header_offset)
        self._end = start + info.file_size

    def _start_of(self, info: zipfile.ZipInfo) -> int:
        """Return where the bytes of an entry begin, which only its local header knows."""
        self.file.seek(max(info.header_offset, 0))
        header = self.file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or not header.startswith(b"PK\3\4"):
            raise self.error(f"is damaged: entry {info.orig_filename!r} has no header where it should be")
        fields = _LOCAL.unpack(header)
        name = self.file.read(fields[9])
        if name.decode("utf-8", "replace") != info.orig_filename or fields[3] != info.compress_type:
            raise self.error(f"is damaged: the two headers of entry {info.orig_filename!r} differ")
        return int(info.header_offset + _LOCAL.size + fields[9] + fields[10])

    def read(self, name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Return the bytes of an entry, in memory of their own, after checking their CRC-32."""
        data = np.empty(self.entries[name].size, np.uint8)
        self.read_into(name, data)
        return data

    def read_into(self, name: str, array: np.ndarray[Any, Any]) -> None:
        """Fill a contiguous array of the right size with the bytes of an entry, and check their CRC-32."""
        entry = self.entries[name]
        data = view = array.reshape(-1).view(np.uint8).data
        self.file.seek(entry.start)
        while len(view):
            count = self._fill(view)
            if not count:
                raise self.error(f"is cut short in entry {name!r}")
            view = view[count:]
        if zlib.crc32(data) != entry.crc:
            raise self.error(f"is damaged: the checksum of entry {name!r} is wrong")

    def _fill(self, view: memoryview) -> int:
        """Read into the beginning of a buffer; return how much came."""
        readinto = getattr(self.file, "readinto", None)
        if readinto is not None:
            return int(readinto(view))
        part = self.file.read(min(len(view), 1 << 24))
        view[: len(part)] = part
        return len(part)

    def error(self, what: str) -> SavedFileError:
        """Return an error about this file."""
        return SavedFileError(f"{self.label} {what}")


def seekable(file: IO[bytes]) -> IO[bytes]:
    """Return the file itself, or its rest in memory where it cannot seek."""
    try:
        if file.seekable():
            return file
    except AttributeError:
        pass
    return io.BytesIO(file.read())


def label_of(file: object) -> str:
    """Return how errors call a file."""
    if isinstance(file, str | os.PathLike):
        return f"file {os.fspath(file)!r}"
    name = getattr(file, "name", None)
    return f"file {name!r}" if isinstance(name, str) else "the file"
