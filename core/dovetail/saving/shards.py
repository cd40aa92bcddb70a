"""Models in several files: an index says which tensor is in which, as Hugging Face writes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from dovetail.saving.errors import SavedFileError
from dovetail.saving.flat import SUFFIX, FlatFile
from dovetail.saving.location import Placement
from dovetail.saving.plain_json import parsed

INDEX_SUFFIX: Final = f"{SUFFIX}.index.json"
LARGEST_INDEX: Final = 100_000_000


def load_folder(path: str, placement: Placement, mmap: bool | None) -> dict[str, Any]:
    """Return the tensors of the model in a folder: of its index if there is one, else of its only file.

    Raises:
        SavedFileError: none of either, or several.
    """
    names = sorted(os.listdir(path))
    for suffix in (INDEX_SUFFIX, SUFFIX):
        found = [name for name in names if name.endswith(suffix)]
        preferred = f"model{suffix}"
        if preferred in found or len(found) == 1:
            chosen = os.path.join(path, preferred if preferred in found else found[0])
            return load_index(chosen, placement, mmap) if suffix == INDEX_SUFFIX else load_file(chosen, placement, mmap)
        if found:
            raise SavedFileError(f"folder {path!r} has several models, {found[:5]}: name one of the files")
    raise SavedFileError(f"folder {path!r} has no model: no *{INDEX_SUFFIX} and no *{SUFFIX}")


def load_file(path: str, placement: Placement, mmap: bool | None) -> dict[str, Any]:
    """Return the tensors of one file."""
    with opened(path, mmap) as found:
        return found.load(placement)


@contextmanager
def opened(path: str, mmap: bool | None) -> Iterator[FlatFile]:
    """Open a file with tensors and check its header."""
    with open(path, "rb") as file:
        yield FlatFile(file, os.fstat(file.fileno()).st_size, f"file {path!r}", path, mmap)


def load_index(path: str, placement: Placement, mmap: bool | None) -> dict[str, Any]:
    """Return the tensors that an index names, in its order.

    All headers are checked before the first tensor is made. Files are looked for beside the index and nowhere else.

    Raises:
        SavedFileError: an index that is damaged or points elsewhere, files that are missing or lack a tensor.
    """

    def error(what: str) -> SavedFileError:
        return SavedFileError(f"index {path!r} {what}")

    if os.path.getsize(path) > LARGEST_INDEX:
        raise error(f"has more than {LARGEST_INDEX} bytes")
    with open(path, "rb") as file:
        index = parsed(file.read(), error)
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise error("has no weight_map from names of tensors to names of files")
    folder = os.path.dirname(path)
    with ExitStack() as stack:
        shards: dict[str, FlatFile] = {}
        for name in dict.fromkeys(places.values()):
            shards[name] = stack.enter_context(opened(_place_of(folder, name, error), mmap))
        for tensor, name in places.items():
            if tensor not in shards[name].header.entries:
                raise error(f"says that tensor {tensor!r} is in {name!r}, which does not have it")
        arrays = {tensor: shards[name].values(tensor) for tensor, name in places.items()}
        return {tensor: shards[name].tensor(tensor, arrays.pop(tensor), placement) for tensor, name in places.items()}


def _place_of(folder: str, name: str, error: Callable[[str], SavedFileError]) -> str:
    """Return the path of a file that an index names; a name that leads out of the folder is not looked at."""
    if name in ("", ".", "..") or any(mark in name for mark in ("/", "\\", "\0", ":")):
        raise error(f"names the file {name!r}: files are beside their index, and a name has no path in it")
    path = os.path.join(folder, name)
    if not os.path.isfile(path):
        raise error(f"names the file {name!r}, which is not beside it")
    with open(path, "rb") as file:
        if file.read(2) in (b"PK", b"\x80\x02"):
            raise error(f"names {name!r}, a file of torch.save: load such files one by one, and join their dicts")
    return path


def is_index(path: str) -> bool:
    """Tell whether a path is that of an index."""
    return path.endswith(".index.json")
