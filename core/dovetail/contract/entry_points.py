"""The entry points of installed distributions, read off their metadata.

``importlib.metadata`` gives the same answer and loads the email package for it, which takes longer than everything
else that a first tensor needs. It is still asked where a path entry is no folder, such as a zip file.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

Entry = tuple[str, str]
"""Name and value, as in ``acme = acme_backend.plugin``."""


def entries(group: str) -> list[Entry]:
    """Return the entries of a group, the first distribution on the path before later ones of the same name."""
    folders = [path or os.getcwd() for path in dict.fromkeys(sys.path)]
    if any(os.path.isfile(folder) for folder in folders):
        return _by_library(group)
    found: dict[Entry, None] = {}
    seen: set[str] = set()
    for folder in folders:
        for name, path in _distributions(folder):
            if name not in seen:
                seen.add(name)
                found.update(dict.fromkeys(_parsed(path, group)))
    return list(found)


def _by_library(group: str) -> list[Entry]:
    from importlib.metadata import entry_points

    return list(dict.fromkeys((e.name, e.value) for e in entry_points(group=group)))


def _distributions(folder: str) -> Iterator[tuple[str, str]]:
    """Name and folder of the metadata of each distribution that is installed in a folder."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        if name.endswith((".dist-info", ".egg-info")):
            project = name.rsplit(".", 1)[0].split("-")[0].lower().replace("_", "-")
            yield project, os.path.join(folder, name)


def _parsed(path: str, group: str) -> list[Entry]:
    """The entries of a group in a distribution's ``entry_points.txt``, an ini file without continued lines."""
    try:
        with open(os.path.join(path, "entry_points.txt"), encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    found: list[Entry] = []
    inside = False
    for line in lines:
        text = line.strip()
        if text.startswith("["):
            inside = text == f"[{group}]"
        elif inside and "=" in text and not text.startswith(("#", ";")):
            name, _, value = text.partition("=")
            found.append((name.strip(), value.split("[")[0].strip()))
    return found


def loader(value: str) -> Callable[[], Any]:
    """A function that imports what an entry names, ``module`` or ``module:attribute``."""
    module, _, attributes = value.partition(":")

    def load() -> Any:
        found: Any = importlib.import_module(module)
        for attribute in attributes.split(".") if attributes else ():
            found = getattr(found, attribute)
        return found

    return load
