"""Versions of installed distributions, read from their metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires, version


def installed(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of those distributions that are installed."""
    found: dict[str, str] = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def listed(names: Iterable[str]) -> str:
    """Return names and versions of what is installed in one line."""
    return ", ".join(f"{name} {number}" for name, number in installed(names).items())


def own_requirements() -> list[str]:
    """Return the distributions that dovetail itself needs, as its metadata says; none without metadata."""
    try:
        lines = requires("dovetail") or []
    except PackageNotFoundError:
        return []
    return [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in lines if "extra ==" not in line]
