"""JSON as files hold it: no key twice, no NaN, nothing nested too deep."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from dovetail.saving.errors import SavedFileError


def parsed(data: bytes, error: Callable[[str], SavedFileError], encoding: str = "utf-8") -> Any:
    """Return the content of JSON text.

    Raises:
        SavedFileError: text that is no JSON, or says a key twice.
    """
    try:
        return json.loads(data.decode(encoding), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as problem:
        raise error(f"has a description that cannot be read ({problem})") from problem


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"a key comes twice among {[key for key, _ in pairs][:10]}")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
