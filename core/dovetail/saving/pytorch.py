"""Weights out of files that PyTorch has written, without PyTorch and without executing what they contain.

Both forms of ``torch.save`` are read: the zip of ``data.pkl`` and one entry per storage, and the older
sequence of pickles with the storages after it. Their layout is that of ``torch/serialization.py``.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, Final

import numpy as np

import dovetail
from dovetail.saving import pytorch_names
from dovetail.saving.archive import Archive
from dovetail.saving.errors import RefusedGlobalError, SavedFileError
from dovetail.saving.location import Placement
from dovetail.saving.pytorch_names import FILLERS, Storage, TensorParts
from dovetail.saving.tensors import are_bools, view_of
from dovetail.saving.unpickle import Machine
from dovetail.tensor.storage import is_contiguous
from dovetail.tensor.tensor import Tensor

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Error = Callable[[str], SavedFileError]

LEGACY_MAGIC: Final = 0x1950A86A20F9469CFC6C
LEGACY_VERSION: Final = 1001
"""Both from torch/serialization.py."""
LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"
"""What a repository has in place of a large file that was not fetched."""

EXPANSION: Final = 1 << 30
"""Bytes that expanded tensors may take beyond what the file holds: strides of 0 can claim any size."""


def load_zip(archive: Archive, placement: Placement) -> Any:
    """Return the object in a zip that ``torch.save`` has written.

    Raises:
        SavedFileError: another kind of zip, or one that is damaged.
        RefusedGlobalError: names that are not allowed.
    """
    pickles = [name for name in archive.entries if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise archive.error(
            "is a zip, but neither a dovetail checkpoint nor a file of torch.save: "
            f"it holds {sorted(archive.entries)[:5]}"
        )
    folder = pickles[0].removesuffix("/data.pkl")
    if f"{folder}/constants.pkl" in archive.entries:
        raise archive.error("is a TorchScript program, not a file of weights: save model.state_dict() with torch.save")
    marked = f"{folder}/byteorder" in archive.entries  # since PyTorch 2.1
    order = archive.read(f"{folder}/byteorder").tobytes() if marked else b"little"
    if order not in (b"little", b"big"):
        raise archive.error(f"has the unknown byte order {order[:20]!r}")
    stored = archive.read(pickles[0]).tobytes()

    def read(storage: Storage) -> Bytes:
        name = f"{folder}/data/{storage.key}"
        if name not in archive.entries:
            raise archive.error(f"lacks the entry {name!r}")
        return archive.read(name)

    loading = Loading(placement, archive.error, big=order == b"big")
    loading.scan(io.BytesIO(stored))
    loading.take(read)
    return loading.build(io.BytesIO(stored))


def load_legacy(file: IO[bytes], placement: Placement, label: str) -> Any:
    """Return the object in a file of the older form of ``torch.save``; errors as of :func:`load_zip`."""

    def error(what: str) -> SavedFileError:
        return SavedFileError(f"{label} {what}")

    stream = io.BytesIO(file.read())
    loading = Loading(placement, error, big=False)
    if not _is_legacy(stream, error):
        if stream.getvalue().startswith(LFS_POINTER):
            raise error("is a pointer of Git LFS and not the file that it stands for: fetch that by `git lfs pull`")
        raise error("is neither a dovetail checkpoint, nor a safetensors file, nor a file of torch.save")
    info = loading.plain(stream)
    loading.big = isinstance(info, dict) and info.get("little_endian") is False
    begin = stream.tell()
    loading.scan(stream)
    keys = loading.plain(stream)
    if not isinstance(keys, list) or any(not isinstance(key, str) for key in keys):
        raise error("has a list of storages that cannot be read")
    found = _legacy_storages(stream, keys, loading, error)

    def read(storage: Storage) -> Bytes:
        if storage.key not in found:
            raise error(f"lacks the storage {storage.key!r}")
        return found[storage.key]

    loading.take(read)
    stream.seek(begin)
    return loading.build(stream)


def _is_legacy(stream: io.BytesIO, error: Error) -> bool:
    if stream.getvalue()[:1] != b"\x80":
        return False
    plain = Machine(stream, {}, _no_storage, error)
    return bool(plain.load() == LEGACY_MAGIC and plain.load() == LEGACY_VERSION)


def _no_storage(found: Any) -> Any:
    raise ValueError("a storage where none can be")


def _legacy_storages(stream: io.BytesIO, keys: list[str], loading: Loading, error: Error) -> dict[str, Bytes]:
    """Return the bytes of each storage: a count of elements, then the elements."""
    found: dict[str, Bytes] = {}
    for key in keys:
        head = stream.read(8)
        if len(head) < 8 or key not in loading.storages:
            raise error(f"is cut short or damaged before storage {key!r}")
        (count,) = struct.unpack(">q" if loading.big else "<q", head)
        size = count * loading.storages[key].itemsize
        data = stream.read(size) if 0 <= size <= len(stream.getbuffer()) else b""
        if len(data) != size:
            raise error(f"is cut short in storage {key!r}")
        found[key] = np.frombuffer(data, np.uint8)
    return found


@dataclass
class Placed:
    """A tensor of the file in the order of the pickle: what it is, and which one it looks into."""

    parts: TensorParts
    owner: int | None = None


class Loading:
    """A PyTorch file that is being read: a first pass over its pickle finds everything, a second one builds.

    Args:
        placement: where tensors go.
        error: makes errors about this file.
        big: whether numbers are stored big end first.
    """

    def __init__(self, placement: Placement, error: Error, big: bool) -> None:
        self.placement = placement
        self.error = error
        self.big = big
        self.storages: dict[str, Storage] = {}
        self.bytes: dict[str, Bytes] = {}
        self.found: list[Placed] = []
        self.made: dict[int, Tensor] = {}
        self.next = 0

    # ----------------------------------------------------------------------------------------- the two passes

    def plain(self, stream: io.BytesIO) -> Any:
        """Return the next pickle, which has no names in it."""
        machine = Machine(stream, {}, _no_storage, self.error)
        value = machine.load()
        self._check_refused(machine)
        return value

    def scan(self, stream: io.BytesIO) -> None:
        """Read the pickle for its tensors and names, building nothing."""
        machine = Machine(stream, pytorch_names.table(self._note, _same), self._storage, self.error, FILLERS)
        machine.load()
        self._check_refused(machine)
        self._find_owners()

    def take(self, read: Callable[[Storage], Bytes]) -> None:
        """Read the bytes of every storage, and check that the tensors fit into them."""
        for storage in self.storages.values():
            data = read(storage)
            if len(data) != storage.size:
                raise self.error(f"has {len(data)} bytes for storage {storage.key!r}, which needs {storage.size}")
            self.bytes[storage.key] = data
        total = sum(placed.parts.numel * placed.parts.dtype.itemsize for placed in self.found)
        if total > sum(storage.size for storage in self.storages.values()) * 16 + EXPANSION:
            raise self.error(f"has tensors that unfold into {total} bytes, far more than it holds")

    def build(self, stream: io.BytesIO) -> Any:
        """Read the pickle again, now with tensors."""
        table = pytorch_names.table(self._tensor, _parameter)
        return Machine(stream, table, self._storage, self.error, FILLERS).load()

    def _check_refused(self, machine: Machine) -> None:
        if machine.refused:
            error = self.error(
                "holds more than weights. It names functions or classes which are never called: "
                f"{', '.join(machine.refused)}. With PyTorch, save the state dict alone: "
                "torch.save(model.state_dict(), path)"
            )
            raise RefusedGlobalError(str(error))

    # ---------------------------------------------------------------------------------- what the pickle calls

    def _storage(self, found: Any) -> Storage:
        storage = Storage.of_persistent_id(found)
        known = self.storages.setdefault(storage.key, storage)
        if known != storage:
            raise ValueError(f"the storage {storage.key!r} has two descriptions")
        return storage

    def _note(self, parts: TensorParts) -> TensorParts:
        parts.check()
        self.found.append(Placed(parts))
        return parts

    def _tensor(self, parts: TensorParts) -> Tensor:
        number = self.next
        self.next += 1
        tensor = self._make(number)
        return tensor.requires_grad_(True) if parts.requires_grad else tensor

    # ------------------------------------------------------------------------------------------------ tensors

    def _find_owners(self) -> None:
        """Decide which tensors of one storage are views: contiguous ones inside the largest such one."""
        groups: dict[str, list[int]] = {}
        for number, placed in enumerate(self.found):
            if is_contiguous(placed.parts.shape, placed.parts.strides) and placed.parts.numel:
                groups.setdefault(placed.parts.storage.key, []).append(number)
        for numbers in groups.values():
            largest = max(numbers, key=lambda number: self.found[number].parts.numel)
            whole = self.found[largest].parts
            for number in numbers:
                parts = self.found[number].parts
                inside = whole.offset <= parts.offset and parts.offset + parts.numel <= whole.offset + whole.numel
                if number != largest and inside and parts.dtype is whole.dtype:
                    self.found[number].owner = largest

    def _make(self, number: int) -> Tensor:
        if number not in self.made:
            placed = self.found[number]
            if placed.owner is None:
                tag = placed.parts.storage.location
                self.made[number] = self.placement.place(self._values(placed.parts), tag)
            else:
                offset = placed.parts.offset - self.found[placed.owner].parts.offset
                self.made[number] = view_of(self._make(placed.owner), offset, placed.parts.shape)
        return self.made[number]

    def _values(self, parts: TensorParts) -> np.ndarray[Any, Any]:
        host = parts.dtype.host
        data = self.bytes[parts.storage.key]
        stored = data.view(host.newbyteorder(">" if self.big else "<")).astype(host, copy=False)
        if not are_bools(stored):
            raise self.error(f"has a bool in storage {parts.storage.key!r} that is neither 0 nor 1")
        if parts.numel == 0:
            return np.empty(parts.shape, host)
        if is_contiguous(parts.shape, parts.strides):
            return stored[parts.offset : parts.offset + parts.numel].reshape(parts.shape)
        strides = [stride * host.itemsize for stride in parts.strides]
        # Inside the storage: parts.check() has seen to that.
        return np.lib.stride_tricks.as_strided(stored[parts.offset :], parts.shape, strides)


def _same(parts: Any, requires_grad: bool) -> TensorParts:
    if not isinstance(parts, TensorParts):
        raise ValueError(f"a parameter of a {type(parts).__name__}")
    return parts


def _parameter(tensor: Any, requires_grad: bool) -> Any:
    return dovetail.nn.Parameter(tensor.detach(), requires_grad=requires_grad)
