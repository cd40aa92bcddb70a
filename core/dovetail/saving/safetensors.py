"""The safetensors format: a header in JSON, then the values of each tensor, one after the other.

    8 bytes    length of the header, an unsigned int, little end first
    header     {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, "__metadata__": {...}}
    values     row-major, little-endian; offsets count from here, without holes or overlaps

It is that of Hugging Face (https://github.com/huggingface/safetensors, format section of its README). Reading and
writing take a page of code, so there is no dependency: the values can be mapped into memory where they lie, and types
that NumPy lacks are no obstacle.

What dovetail knows beyond names, shapes and values stands in the metadata under "dovetail", as text that other readers
pass over: kinds, places, checksums. See docs/file_format.md.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final

import numpy as np

from dovetail import dtypes
from dovetail.saving.errors import SavedFileError
from dovetail.saving.plain_json import parsed

LARGEST_HEADER: Final = 100_000_000
"""Bytes; the limit of the format's own library."""
METADATA: Final = "__metadata__"
OWN: Final = "dovetail"
LENGTH: Final = struct.Struct("<Q")

CODES: Final = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "uint16": "U16", "int32": "I32", "uint32": "U32",
    "int64": "I64", "uint64": "U64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
    "complex64": "C64",
}  # fmt: skip
"""What the format calls each dtype."""
DTYPES: Final = {code: dtypes.by_name(name) for name, code in CODES.items()}
MISSING: Final = ("F4", "F6_E2M3", "F6_E3M2", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ")
"""Types of the format that no backend of dovetail has."""

Error = Callable[[str], SavedFileError]


@dataclass(frozen=True)
class Entry:
    """One tensor of a file: where its bytes are, counted from the beginning of the file."""

    name: str
    dtype: dtypes.dtype
    shape: tuple[int, ...]
    start: int
    size: int


# ---------------------------------------------------------------------------------------------------- writing


def layout(tensors: Mapping[str, tuple[str, tuple[int, ...]]], metadata: Mapping[str, str]) -> tuple[bytes, list[str]]:
    """Return the head of a file, and the names in the order in which their values follow.

    Args:
        tensors: dtype name and shape of each.
        metadata: texts.
    """
    order = sorted(tensors, key=lambda name: -dtypes.by_name(tensors[name][0]).itemsize)  # so that all are aligned
    offsets: dict[str, list[int]] = {}
    end = 0
    for name in order:
        dtype, shape = tensors[name]
        begin, end = end, end + math.prod(shape) * dtypes.by_name(dtype).itemsize
        offsets[name] = [begin, end]
    header: dict[str, Any] = {METADATA: dict(metadata)} if metadata else {}
    for name, (dtype, shape) in tensors.items():
        header[name] = {"dtype": CODES[dtype], "shape": list(shape), "data_offsets": offsets[name]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return LENGTH.pack(len(text)) + text, order


# ---------------------------------------------------------------------------------------------------- reading


def is_safetensors(head: bytes) -> bool:
    """Tell whether a file that begins like this can be one: a length below 2^32 and an opening brace."""
    return len(head) >= 9 and head[4:8] == b"\0\0\0\0" and head[8:9] == b"{"


class Header:
    """The header of a file, checked as a whole: names, types, shapes, and that the values fill the rest exactly.

    Args:
        file: at the beginning of the format.
        size: bytes from there to the end of the file.
        error: makes errors about this file.
    """

    def __init__(self, file: IO[bytes], size: int, error: Error) -> None:
        self.error = error
        self.begin = file.tell()
        head = file.read(LENGTH.size)
        length = LENGTH.unpack(head)[0] if len(head) == LENGTH.size else 0
        if length > LARGEST_HEADER:
            raise error(f"claims a header of {length} bytes, more than the {LARGEST_HEADER} that the format allows")
        if length < 2 or length > size - LENGTH.size:
            raise error(f"is cut short or damaged: its header of {length} bytes does not fit into {size} bytes")
        header = parsed(file.read(length), error)
        if not isinstance(header, dict):
            raise error("has a header that is not a JSON object")
        self.metadata = self._texts(header.pop(METADATA, {}))
        self.start = self.begin + LENGTH.size + length
        self.entries = {name: self._entry(name, row) for name, row in header.items()}
        self._check_places(size - LENGTH.size - length)

    def _texts(self, found: Any) -> dict[str, str]:
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise self.error(f"has a {METADATA} that is not a table of texts")
        return found

    def _entry(self, name: str, row: Any) -> Entry:
        if not isinstance(row, dict) or set(row) != {"dtype", "shape", "data_offsets"}:
            raise self.error(f"describes tensor {name!r} in a way that is not of the format")
        code, shape, offsets = row["dtype"], row["shape"], row["data_offsets"]
        if code in MISSING:
            raise self.error(
                f"has tensor {name!r} of type {code}, which no backend of dovetail has: convert it with the program "
                "that made the file, to bfloat16 for example"
            )
        dtype = DTYPES.get(code) if isinstance(code, str) else None
        if dtype is None:
            raise self.error(f"has tensor {name!r} of the unknown type {code!r}")
        if not isinstance(shape, list) or len(shape) > 64 or not all(_is_count(size) for size in shape):
            raise self.error(f"gives tensor {name!r} the shape {shape!r}")
        if not isinstance(offsets, list) or len(offsets) != 2 or not all(_is_count(offset) for offset in offsets):
            raise self.error(f"gives tensor {name!r} the offsets {offsets!r}")
        needed = math.prod(shape) * dtype.itemsize
        if offsets[1] - offsets[0] != needed:
            raise self.error(
                f"has {offsets[1] - offsets[0]} bytes for tensor {name!r}, whose shape {shape} and type {code} need "
                f"{needed}"
            )
        return Entry(name, dtype, tuple(shape), self.start + offsets[0], needed)

    def _check_places(self, room: int) -> None:
        """The values must lie one after the other and end where the file ends: nothing overlaps, hides or is cut."""
        end = self.start
        for entry in sorted(self.entries.values(), key=lambda entry: (entry.start, entry.size)):
            if entry.start != end:
                what = "overlaps another one" if entry.start < end else "leaves a hole before it"
                raise self.error(f"has tensor {entry.name!r} at a place that {what}")
            end = entry.start + entry.size
        if end - self.start != room:
            what = "is cut short" if end - self.start > room else "goes on after its last tensor"
            raise self.error(f"{what}: it has {room} bytes of values and describes {end - self.start}")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def read_values(file: IO[bytes], entry: Entry, error: Error) -> np.ndarray[Any, Any]:
    """Return the values of a tensor, in memory of their own."""
    array = np.empty(entry.shape, entry.dtype.host)
    view = array.reshape(-1).view(np.uint8).data
    file.seek(entry.start)
    while len(view):
        part = file.read(min(len(view), 1 << 24))
        if not part:
            raise error(f"is cut short in tensor {entry.name!r}")
        view[: len(part)] = part
        view = view[len(part) :]
    return array


def mapped_values(path: str, entry: Entry) -> np.ndarray[Any, Any]:
    """Return the values of a tensor where they lie in the file, read when they are used and written to memory only."""
    if not entry.size:
        return np.empty(entry.shape, entry.dtype.host)
    # Offsets of a mapping are multiples of the page; NumPy sees to that.
    return np.asarray(np.memmap(path, entry.dtype.host, "c", entry.start, entry.shape or (1,))).reshape(entry.shape)
