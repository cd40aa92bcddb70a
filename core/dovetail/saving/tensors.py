"""Tensors and arrays as rows of a table: what each one is, and which bytes of the file are its values."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeGuard

import numpy as np

import dovetail
from dovetail import dtypes
from dovetail.saving.archive import Archive
from dovetail.saving.errors import SavedFileError, UnsavableError
from dovetail.saving.location import Placement, tag_of
from dovetail.tensor.tensor import Tensor

Row = dict[str, Any]
"""One line of the table, as JSON has it."""

LARGEST: Final = 2**63 - 1


def entry_name(number: int) -> str:
    """Return the name of the entry with the values of row ``number``."""
    return f"tensors/{number}"


# ---------------------------------------------------------------------------------------------------- writing


class TableWriter:
    """Collects the tensors and arrays of an object; the same object twice is one row."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[int, int] = {}

    def leaf(self, value: Any, path: str) -> dict[str, int] | None:
        """Return the node of a tensor or array, None for anything else; ``path`` is where it was met."""
        if not isinstance(value, Tensor | np.ndarray):
            return None
        number = self._numbers.get(id(value))
        if number is None:
            kind_of(value, path)
            number = self._numbers[id(value)] = len(self.values)
            self.values.append(value)
        return {"tensor": number}

    def rows(self) -> list[Row]:
        """Return the table."""
        owners = self._owners()
        return [self._row(number, value, owners.get(number)) for number, value in enumerate(self.values)]

    def row_of(self, value: Any) -> Row:
        """Return the row of a value by itself."""
        return self._row(0, value, None)

    def _row(self, number: int, value: Any, owner: int | None) -> Row:
        kind = kind_of(value)
        row: Row = {
            "kind": kind,
            "dtype": _dtype_of(value).name,
            "shape": [int(size) for size in value.shape],
        }
        if kind == "array":
            return row
        row["location"] = tag_of(value.device)
        row["requires_grad"] = bool(value.requires_grad)
        if kind == "buffer":
            row["persistent"] = bool(value.persistent)
        if owner is not None and owner != number:
            row["of"] = owner
            row["offset"] = value.storage_offset() - self.values[owner].storage_offset()
        return row

    def _owners(self) -> dict[int, int]:
        """Return, for tensors that look at one storage, which one the values are taken from.

        That is the largest one whose elements lie in a row; others that lie in a row inside it are views of
        it again after loading. What lies otherwise is saved by its values.
        """
        owners: dict[int, int] = {}
        for numbers in self._groups():
            largest = max(numbers, key=lambda number: self.values[number].numel())
            begin = self.values[largest].storage_offset()
            end = begin + self.values[largest].numel()
            for number in numbers:
                tensor = self.values[number]
                inside = begin <= tensor.storage_offset() and tensor.storage_offset() + tensor.numel() <= end
                if inside and tensor.dtype is self.values[largest].dtype:
                    owners[number] = largest
        return owners

    def _groups(self) -> Iterator[list[int]]:
        """The contiguous tensors by storage, in the order in which they were met."""
        groups: dict[int, list[int]] = {}
        for number, value in enumerate(self.values):
            if isinstance(value, Tensor) and value._alias is not None and value.is_contiguous() and value.numel():
                groups.setdefault(id(value._alias.cell), []).append(number)
        yield from groups.values()

    def entries(self) -> Iterator[tuple[str, memoryview]]:
        """Yield the name and the bytes of every row that has some, one at a time."""
        owners = self._owners()
        for number, value in enumerate(self.values):
            if owners.get(number, number) == number:
                yield entry_name(number), bytes_of(value)


def kind_of(value: Any, path: str = "it") -> str:
    """Return the kind of row for a tensor or array.

    Raises:
        UnsavableError: a subclass that a file cannot say.
    """
    cls = type(value)
    if cls is Tensor:
        return "tensor"
    if isinstance(value, Tensor):
        if cls is dovetail.nn.Parameter:
            return "parameter"
        if cls is dovetail.nn.Buffer:
            return "buffer"
        raise UnsavableError(
            f"{path} is a {cls.__module__}.{cls.__qualname__}, a tensor class that a file has no form for"
        )
    if cls not in (np.ndarray, np.memmap):
        raise UnsavableError(
            f"{path} is a {cls.__module__}.{cls.__qualname__}, an array class that a file has no form for"
        )
    try:
        dtypes.from_host(value.dtype.newbyteorder("="))
    except TypeError:
        raise UnsavableError(f"{path} is a NumPy array of type {value.dtype}, which has no form in a file") from None
    return "array"


def _dtype_of(value: Any) -> dtypes.dtype:
    if isinstance(value, Tensor):
        return value.dtype
    return dtypes.from_host(value.dtype.newbyteorder("="))


def bytes_of(value: Any) -> memoryview:
    """Return the values, row-major and little-endian."""
    array = value.detach().numpy() if isinstance(value, Tensor) else value
    array = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    return array.reshape(-1).view(np.uint8).data


# ---------------------------------------------------------------------------------------------------- reading


class TableReader:
    """The table of a file: checked first as a whole, then read, then built.

    Args:
        rows: what the description has.
        archive: where the bytes are.
        error: makes the error for a table that is wrong.
    """

    def __init__(self, rows: Any, archive: Archive, error: Callable[[str], SavedFileError]) -> None:
        self.archive = archive
        self.error = error
        if not isinstance(rows, list):
            raise error("has a table of tensors that is not a list")
        self.rows: list[Row] = rows
        for number, row in enumerate(rows):
            self._check(number, row)

    def _check(self, number: int, row: Any) -> None:
        if not _is_row(row):
            raise self.error(f"describes tensor {number} in a way that is not of this format")
        keys = _KEYS[row["kind"]] | ({"of", "offset"} if "of" in row and row["kind"] != "array" else set())
        if set(row) != keys:
            raise self.error(f"describes tensor {number} by {sorted(row)}, where {sorted(keys)} are needed")
        flags = [row[key] for key in ("requires_grad", "persistent") if key in row]
        if not isinstance(row.get("location", ""), str) or any(not isinstance(flag, bool) for flag in flags):
            raise self.error(f"describes tensor {number} with values of the wrong type")
        shape = row["shape"]
        if not isinstance(shape, list) or len(shape) > 64 or not all(_is_size(size) for size in shape):
            raise self.error(f"gives tensor {number} the shape {shape!r}")
        if math.prod(size for size in shape if size) > LARGEST:
            raise self.error(f"gives tensor {number} the shape {shape}, which no memory holds")
        try:
            dtype = dtypes.by_name(row["dtype"])
        except (KeyError, TypeError):
            raise self.error(f"gives tensor {number} the unknown dtype {row['dtype']!r}") from None
        if row.get("requires_grad") and not (dtype.is_floating_point or dtype.is_complex):
            raise self.error(f"says that tensor {number} of dtype {dtype.name} requires gradients")
        if "of" in row:
            self._check_view(number, row)
        else:
            self._check_entry(number, row, dtype)

    def _check_entry(self, number: int, row: Row, dtype: dtypes.dtype) -> None:
        entry = self.archive.entries.get(entry_name(number))
        needed = math.prod(row["shape"]) * dtype.itemsize
        if entry is None:
            raise self.error(f"lacks the entry {entry_name(number)!r}")
        if entry.size != needed:
            raise self.error(
                f"has {entry.size} bytes for tensor {number}, whose shape {row['shape']} and dtype "
                f"{dtype.name} need {needed}"
            )

    def _check_view(self, number: int, row: Row) -> None:
        of, offset = row["of"], row["offset"]
        owner = self.rows[of] if _is_size(of) and of < len(self.rows) else None
        if not _is_row(owner) or "of" in owner or owner["kind"] == "array":
            raise self.error(f"says that tensor {number} looks into {of!r}, which is no tensor with values of its own")
        same = all(owner.get(key) == row[key] for key in ("dtype", "location"))
        shape = owner.get("shape")
        room = math.prod(shape) if isinstance(shape, list) and all(_is_size(size) for size in shape) else -1
        if not same or not _is_size(offset) or offset + math.prod(row["shape"]) > room:
            raise self.error(f"says that tensor {number} looks into tensor {of}, where it does not fit")

    def read(self) -> list[np.ndarray[Any, Any] | None]:
        """Return the values of every row that has some; all checksums are right when this returns."""
        return [None if "of" in row else self._array(number, row) for number, row in enumerate(self.rows)]

    def _array(self, number: int, row: Row) -> np.ndarray[Any, Any]:
        array = np.empty(row["shape"], dtypes.by_name(row["dtype"]).host)
        self.archive.read_into(entry_name(number), array)
        if sys.byteorder == "big":
            array.byteswap(inplace=True)
        if not are_bools(array):
            raise self.error(f"has a bool in tensor {number} that is neither 0 nor 1")
        return array

    def build(self, arrays: list[np.ndarray[Any, Any] | None], placement: Placement) -> list[Any]:
        """Return the tensor or array of every row; ``arrays`` is emptied on the way."""
        made: list[Any] = [None] * len(self.rows)
        for number, row in enumerate(self.rows):
            # Taken out of the list, so that host and device never hold everything twice.
            array, arrays[number] = arrays[number], None
            if array is not None:
                placed = array if row["kind"] == "array" else placement.place(array, row["location"])
                made[number] = finished(placed, row)
        for number, row in enumerate(self.rows):
            if "of" in row:
                made[number] = finished(view_of(made[row["of"]], row["offset"], row["shape"]), row)
        return made


_KEYS: Final = {
    "array": {"kind", "dtype", "shape"},
    "tensor": {"kind", "dtype", "shape", "location", "requires_grad"},
    "parameter": {"kind", "dtype", "shape", "location", "requires_grad"},
    "buffer": {"kind", "dtype", "shape", "location", "requires_grad", "persistent"},
}


def _is_row(value: Any) -> TypeGuard[Row]:
    return isinstance(value, dict) and isinstance(value.get("kind"), str) and value["kind"] in _KEYS


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def are_bools(array: np.ndarray[Any, Any]) -> bool:
    """Tell whether the bytes of an array of bools are all 0 or 1; true for every other dtype."""
    return array.dtype != np.bool_ or array.size == 0 or int(array.view(np.uint8).max()) <= 1


def view_of(owner: Tensor, offset: int, shape: Sequence[int]) -> Tensor:
    """Return a tensor that looks at some elements of another one, in a row from ``offset`` on."""
    base = owner.detach()
    if tuple(base.shape) == tuple(shape):
        return base
    return base.reshape(-1)[offset : offset + math.prod(shape)].view(tuple(shape))


def finished(value: Any, row: Row) -> Any:
    """Return a tensor as what its row says: with its class, and whether it collects gradients."""
    if row["kind"] == "parameter":
        return dovetail.nn.Parameter(value, requires_grad=row["requires_grad"])
    if row["kind"] == "array":
        return value
    if row["kind"] == "buffer":
        value = dovetail.nn.Buffer(value, persistent=row["persistent"])
    return value.requires_grad_(True) if row["requires_grad"] else value
