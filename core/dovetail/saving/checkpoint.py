"""``save`` and ``load``."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from typing import IO, Any, Final

from dovetail.errors import ArgumentTypeError
from dovetail.saving import archive, pytorch, shards
from dovetail.saving.atomic import replacing
from dovetail.saving.errors import SavedFileError
from dovetail.saving.flat import FlatFile, writer_for
from dovetail.saving.location import MapLocation, Placement
from dovetail.saving.plain_json import parsed
from dovetail.saving.safetensors import is_safetensors
from dovetail.saving.tensors import TableReader, TableWriter, entry_name
from dovetail.saving.tree import Decoder, Encoder

FORMAT: Final = "dovetail checkpoint"
VERSION: Final = 1
DESCRIPTION: Final = "dovetail.json"

_PLACEHOLDER: Final = object()
"""What stands for a tensor while a description is only checked."""

File = str | os.PathLike[str] | IO[bytes]


def save(obj: Any, f: File) -> None:
    """Write an object to a file that any dovetail on any backend can load.

    A dict of names to tensors, as the state dict of a model is, becomes a file in the safetensors format, which
    programs of other frameworks read too; everything else a zip of one description and the raw values. A name that
    ends in ".safetensors" asks for the former.

    The object is made of dicts, lists, tuples, strings, bytes, numbers, None, tensors, parameters, dtypes,
    devices and NumPy arrays, as state dicts of modules and optimizers are. Nothing in the file is code, and
    the same object gives the same bytes. A path is replaced as a whole: a save that fails or is killed leaves
    the old file. Tensors that are one object, or whose elements lie in one storage, share it again after
    loading.

    Args:
        obj: what to save.
        f: a path, or a file that is open for writing bytes.

    Raises:
        UnsavableError: something that has no form in a file; the message has its path inside the object.

    >>> import io, dovetail
    >>> file = io.BytesIO()
    >>> save({"step": 3, "weight": dovetail.ones(2)}, file)
    >>> load(io.BytesIO(file.getvalue()))
    {'step': 3, 'weight': tensor([1., 1.])}
    """
    flat = writer_for(obj, f)
    if flat is not None:
        _write(f, lambda file: archive.put_all(file, flat.parts()))
        return
    table = TableWriter()
    root = Encoder(table.leaf).encode(obj, "state")
    description = {"format": FORMAT, "version": VERSION, "tensors": table.rows(), "root": root}
    text = json.dumps(description, separators=(",", ":"), allow_nan=False).encode("ascii")

    def entries() -> Iterator[tuple[str, bytes | memoryview]]:
        yield DESCRIPTION, text
        yield from table.entries()

    _write(f, lambda file: archive.write(file, entries()))


def _write(f: File, write: Callable[[IO[bytes]], None]) -> None:
    """Let ``write`` fill a path, which is replaced as a whole, or a file that is open."""
    if isinstance(f, str | os.PathLike):
        with replacing(f) as file:
            write(file)
    elif hasattr(f, "write") and not _is_text(f):
        write(f)
    else:
        raise ArgumentTypeError(f"save needs a path or a file open for writing bytes, got {type(f).__name__}")


def load(
    f: File,
    map_location: MapLocation = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
) -> Any:
    """Read what :func:`save` has written, safetensors files of others, or the weights in a file of PyTorch's.

    A model in several files is read by the path of its index (``model.safetensors.index.json``) or of its folder.
    Everything is checked before anything is built: the archive, its checksums, and the description. Nothing
    that a file holds is ever executed.

    Args:
        f: a path, a folder with one model, or a file that is open for reading bytes.
        map_location: where tensors go: a device or its name for all, a dict from the places in the file
            ("cpu", "cuda:0") to others, or a function of a tensor on the CPU and its place that returns the
            tensor. Left out, each goes to where it was saved from, or to the default device where there is no
            such hardware.
        weights_only: accepted for programs written for PyTorch; False is refused.
        mmap: whether the values of a safetensors file stay in it until they are used: True for any path, without a
            look at checksums; left out, for files that have none and are large. Other formats are read in any case.

    Raises:
        SavedFileError: a file that is damaged, cut short, of another format or version, or hostile.
        RefusedGlobalError: a PyTorch file that holds more than tensors and plain data; the message names it.
    """
    if weights_only is False:
        raise ArgumentTypeError(
            "weights_only=False asks to execute what the file contains, which dovetail never does: load the "
            "weights, and build the objects around them in code"
        )
    placement = Placement(map_location)
    if isinstance(f, str | os.PathLike):
        path = os.path.abspath(os.fspath(f))
        if os.path.isdir(path):
            return shards.load_folder(path, placement, mmap)
        if shards.is_index(path):
            return shards.load_index(path, placement, mmap)
        with open(f, "rb") as file:
            return _load(file, placement, archive.label_of(f), path, mmap)
    if not hasattr(f, "read") or _is_text(f):
        raise ArgumentTypeError(f"load needs a path or a file open for reading bytes, got {type(f).__name__}")
    return _load(archive.seekable(f), placement, archive.label_of(f), None, mmap)


def _is_text(file: object) -> bool:
    return isinstance(file, io.TextIOBase)


def _load(file: IO[bytes], placement: Placement, label: str, path: str | None, mmap: bool | None) -> Any:
    begin = file.tell()
    head = file.read(9)
    size = file.seek(0, io.SEEK_END) - begin
    file.seek(begin)
    if not head:
        raise SavedFileError(f"{label} is empty")
    if is_safetensors(head):
        return FlatFile(file, size, label, path, mmap).load(placement)
    if not head.startswith(b"PK"):
        return pytorch.load_legacy(file, placement, label)
    found = archive.Archive(file, label)
    if DESCRIPTION in found.entries:
        return Reader(found).load(placement)
    return pytorch.load_zip(found, placement)


class Reader:
    """A checkpoint that is being read."""

    def __init__(self, found: archive.Archive) -> None:
        self.archive = found
        self.error = found.error
        self.description = parsed(found.read(DESCRIPTION).tobytes(), self.error, "ascii")
        self._check_version()

    def _check_version(self) -> None:
        description = self.description
        if not isinstance(description, dict) or description.get("format") != FORMAT:
            raise self.error("is a zip, but not a dovetail checkpoint")
        version = description.get("version")
        if version != VERSION or isinstance(version, bool):
            raise self.error(
                f"is of format version {version!r}, and this dovetail reads version {VERSION}: it was "
                "written "
                "by another release, load it with that one or upgrade"
            )
        if set(description) != {"format", "version", "tensors", "root"}:
            raise self.error(f"has a description with the parts {sorted(description)}")

    def load(self, placement: Placement) -> Any:
        """Return the object: first all checks, then all bytes, then all tensors."""
        table = TableReader(self.description["tensors"], self.archive, self.error)
        self._check_names(table)
        self._decode(self._checked_number(len(table.rows)))
        tensors = table.build(table.read(), placement)
        return self._decode(tensors.__getitem__)

    def _decode(self, leaf: Callable[[int], Any]) -> Any:
        return Decoder(leaf, self.error).decode(self.description["root"])

    def _checked_number(self, count: int) -> Callable[[int], object]:
        def check(number: int) -> object:
            if not 0 <= number < count:
                raise self.error(f"speaks of tensor {number} and describes {count}")
            return _PLACEHOLDER

        return check

    def _check_names(self, table: TableReader) -> None:
        wanted = {DESCRIPTION, *(entry_name(i) for i, row in enumerate(table.rows) if "of" not in row)}
        strange = sorted(set(self.archive.entries) - wanted)
        if strange:
            raise self.error(f"has entries that do not belong into it: {strange[:5]}")


__all__ = ["load", "save"]
