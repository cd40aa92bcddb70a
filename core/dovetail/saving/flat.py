"""Checkpoints that are one table of tensors, as state dicts of models are: files in the safetensors format."""

from __future__ import annotations

import json
import os
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, Final

import numpy as np

from dovetail.saving import safetensors
from dovetail.saving.errors import SavedFileError, UnsavableError
from dovetail.saving.location import Placement
from dovetail.saving.plain_json import parsed
from dovetail.saving.safetensors import Entry, Header, mapped_values, read_values
from dovetail.saving.tensors import Row, TableWriter, are_bools, bytes_of, finished
from dovetail.saving.tree import Decoder, Encoder
from dovetail.tensor.tensor import Tensor

SUFFIX: Final = ".safetensors"
VERSION: Final = 1
WORTH_MAPPING: Final = 1 << 20
"""Bytes from which on a file without checksums is mapped into memory instead of read."""

_KEYS: Final = {
    "tensor": {"kind", "location", "requires_grad", "crc32"},
    "parameter": {"kind", "location", "requires_grad", "crc32"},
    "buffer": {"kind", "location", "requires_grad", "persistent", "crc32"},
}
_FOREIGN: Final[Row] = {"kind": "tensor", "location": "cpu", "requires_grad": False}
"""What is taken for granted of tensors that another program has written."""


# ---------------------------------------------------------------------------------------------------- writing


def why_not(obj: Any) -> str | None:
    """Return why an object cannot be a file of this format, None if it can."""
    if type(obj) not in (dict, OrderedDict):
        return f"it is a {type(obj).__name__}"
    if not obj:
        return "it is empty"
    for key, value in obj.items():
        if type(key) is not str or key == safetensors.METADATA or not _is_text(key):
            return f"{key!r} is no name of a tensor there"
        if not isinstance(value, Tensor):
            return f"[{key!r}] is a {type(value).__name__}, and the format has tensors alone"
        if value.dtype.name not in safetensors.CODES:
            return f"[{key!r}] has the dtype {value.dtype.name}, which the format lacks"
    return None


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


class FlatWriter:
    """A table of tensors that is to be written."""

    def __init__(self, obj: Mapping[str, Tensor]) -> None:
        self.obj = obj
        self.table = TableWriter()
        self.nodes = [self.table.leaf(value, f"state[{key!r}]") for key, value in obj.items()]

    @property
    def shares(self) -> bool:
        """Whether tensors look at one storage: the format has no form for that."""
        return len(self.table.values) < len(self.obj) or any("of" in row for row in self.table.rows())

    def parts(self) -> Iterator[bytes | memoryview]:
        """Yield the file in pieces: its head, then the values of one tensor after the other."""
        names = {name: (value.dtype.name, tuple(value.shape)) for name, value in self.obj.items()}
        # "pt" is what readers of other frameworks look for: rows and names are as PyTorch has them.
        metadata = {"format": "pt", safetensors.OWN: json.dumps(self._own(), separators=(",", ":"))}
        head, order = safetensors.layout(names, metadata)
        yield head
        for name in order:
            yield bytes_of(self.obj[name])

    def _own(self) -> dict[str, Any]:
        rows: dict[str, Row] = {}
        for name, tensor in self.obj.items():
            row = self.table.row_of(tensor)
            rows[name] = {key: value for key, value in row.items() if key not in ("dtype", "shape")}
            rows[name]["crc32"] = zlib.crc32(bytes_of(tensor))
        ordered = type(self.obj) is OrderedDict
        own: dict[str, Any] = {"version": VERSION, "container": "ordered_dict" if ordered else "dict", "tensors": rows}
        if ordered and hasattr(self.obj, "_metadata"):
            encoder = Encoder(lambda value, path: None)
            own["metadata"] = encoder.encode(self.obj._metadata, "state._metadata")
        return own


def writer_for(obj: Any, f: Any) -> FlatWriter | None:
    """Return what writes an object in this format, None where it is to be written in dovetail's own.

    Raises:
        UnsavableError: the name of the file asks for this format, and the object has no form in it.
    """
    asked = isinstance(f, str | os.PathLike) and os.fspath(f).endswith(SUFFIX)
    reason = why_not(obj)
    writer = None if reason is not None else FlatWriter(obj)
    if writer is not None and (asked or not writer.shares):
        return writer
    if asked:
        raise UnsavableError(
            f"{os.fspath(f)!r} asks for the safetensors format, which holds a dict of names to tensors: {reason}. Save "
            "model.state_dict(), or choose another name for a checkpoint with more in it"
        )
    return None


# ---------------------------------------------------------------------------------------------------- reading


class FlatFile:
    """A file of this format, whose header is checked; tensors are made when :meth:`tensor` is called.

    Args:
        file: at its beginning.
        size: bytes from there to its end.
        label: how errors call it.
        path: where it can be mapped into memory; None for files that have no name.
        mmap: whether to; None decides by size and checksums.
    """

    def __init__(self, file: IO[bytes], size: int, label: str, path: str | None, mmap: bool | None) -> None:
        self.file = file
        self.label = label
        self.header = Header(file, size, self.error)
        self.own = self._own()
        sums = self.own is not None
        wanted = (size >= WORTH_MAPPING and not sums) if mmap is None else mmap
        self.path = path if wanted and path is not None and self.header.begin == 0 else None

    def error(self, what: str) -> SavedFileError:
        """Return an error about this file."""
        return SavedFileError(f"{self.label} {what}")

    def _own(self) -> dict[str, Any] | None:
        text = self.header.metadata.get(safetensors.OWN)
        if text is None:
            return None
        own = parsed(text.encode(), self.error)
        if not isinstance(own, dict) or not {"version", "container", "tensors"} <= set(own):
            raise self.error("has notes of dovetail's that are not of this format")
        if own["version"] != VERSION or isinstance(own["version"], bool):
            raise self.error(f"has notes of version {own['version']!r}, and this dovetail reads version {VERSION}")
        if set(own) - {"version", "container", "tensors", "metadata"} or own["container"] not in (
            "dict",
            "ordered_dict",
        ):
            raise self.error("has notes of dovetail's with parts that this format does not have")
        rows = own["tensors"]
        if not isinstance(rows, dict) or set(rows) != set(self.header.entries):
            raise self.error("has notes about other tensors than it holds")
        for name, row in rows.items():
            self._check_row(self.header.entries[name], row)
        return own

    def _check_row(self, entry: Entry, row: Any) -> None:
        kind = row.get("kind") if isinstance(row, dict) else None
        if not isinstance(kind, str) or kind not in _KEYS or set(row) != _KEYS[kind]:
            raise self.error(f"has a note about tensor {entry.name!r} that is not of this format")
        flags = [row[key] for key in ("requires_grad", "persistent") if key in row]
        if not isinstance(row["location"], str) or any(not isinstance(flag, bool) for flag in flags):
            raise self.error(f"has a note about tensor {entry.name!r} with values of the wrong type")
        if row["requires_grad"] and not (entry.dtype.is_floating_point or entry.dtype.is_complex):
            raise self.error(f"says that tensor {entry.name!r} of dtype {entry.dtype.name} requires gradients")

    def values(self, name: str) -> np.ndarray[Any, Any]:
        """Return the values of a tensor, checked where there is a checksum."""
        entry = self.header.entries[name]
        if self.path is not None and entry.start % entry.dtype.itemsize == 0:
            array = mapped_values(self.path, entry)
        else:
            array = read_values(self.file, entry, self.error)
            if self.own is not None and zlib.crc32(array.reshape(-1).view(np.uint8).data) != self._row(name)["crc32"]:
                raise self.error(f"is damaged: the checksum of tensor {name!r} is wrong")
        if not are_bools(array):
            raise self.error(f"has a bool in tensor {name!r} that is neither 0 nor 1")
        return array

    def _row(self, name: str) -> Row:
        return _FOREIGN if self.own is None else self.own["tensors"][name]

    def tensor(self, name: str, array: np.ndarray[Any, Any], placement: Placement) -> Any:
        """Return the tensor of values."""
        row = self._row(name)
        return finished(placement.place(array, row["location"], mapped=self.path is not None), row)

    def load(self, placement: Placement) -> dict[str, Any]:
        """Return the whole table: first all values, then all tensors."""
        found = self.container()
        arrays = {name: self.values(name) for name in self.header.entries}
        for name in self.header.entries:
            found[name] = self.tensor(name, arrays.pop(name), placement)
        return found

    def container(self) -> dict[str, Any]:
        """Return an empty table of the kind that was saved."""
        own = self.own
        if own is None or own["container"] == "dict":
            return {}
        found: OrderedDict[str, Any] = OrderedDict()
        if "metadata" in own:
            notes = Decoder(self._no_tensor, self.error).decode(own["metadata"])
            found._metadata = notes  # type: ignore[attr-defined]  # as modules put it into their state dicts
        return found

    def _no_tensor(self, number: int) -> Any:
        raise self.error(f"has a tensor {number} in its notes, which hold none")


Opener = Callable[[str], FlatFile]
