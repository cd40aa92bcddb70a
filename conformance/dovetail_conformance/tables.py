"""All checks by name: those of an op in a dtype, of an op, of the whole backend, and those that run in parts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dovetail.backend.inspection import Op
from dovetail_conformance.checks import (
    against,
    arithmetic,
    batches,
    derivatives,
    determinism,
    enumeration,
    errors,
    forms,
    gradients,
    indexing,
    known,
    large,
    precision,
    promotion,
    semantics,
    shapes,
    system,
    training,
    transfers,
    values,
)
from dovetail_conformance.outcome import Row
from dovetail_conformance.session import Session

EACH: Final[dict[str, Callable[[Session, Op, str], Row | None]]] = {
    "values": values.values,
    "specials": values.specials,
    "exhaustive": enumeration.sixteen,
    "sums": values.sums,
    "forms": forms.forms,
    "layouts": forms.layouts,
    "gradients": gradients.gradients,
    "programs": system.capturing,
    "shapes": shapes.shapes,
    "derivatives": derivatives.derivatives,
    "against": against.against,
}
"""Checks of an op in a dtype."""

ONCE: Final[dict[str, Callable[[Session, Op], Row | None]]] = {
    "differences": gradients.differences,
    "second": gradients.second,
    "errors": errors.errors,
    "large": large.large,
}
"""Checks of an op."""

WHOLE: Final[dict[str, Callable[[Session], list[Row]]]] = {
    "semantics": semantics.semantics,
    "promotion": promotion.promotion,
    "indexing": indexing.indexing,
    "aliasing": system.aliasing,
    "streams": system.streams,
    "known": known.known,
    "transfer": transfers.transfer,
    "saving": transfers.saving,
    "precision": precision.precision,
    "arithmetic": arithmetic.arithmetic,
    "repeats": determinism.repeats,
    "processes": determinism.processes,
    "batches": batches.batches,
    "training": training.training,
}
"""Checks of the backend."""


@dataclass(frozen=True)
class Parts:
    """A check that takes minutes for an op, in parts that are finished one by one."""

    function: Callable[[Session, Op, str, int], Row]
    ops: tuple[str, ...]
    dtype: str
    count: int


PARTS: Final[dict[str, Parts]] = {
    "every": Parts(enumeration.every, tuple(enumeration.REFERENCES), enumeration.DTYPE, enumeration.BLOCKS),
}
"""Checks of the full tier alone."""

FIRST: Final = frozenset(("layouts", "gradients", "programs", "shapes"))
"""Checks that look at the first dtype of each category: what they look for does not depend on its width."""

SEEDS: Final[Mapping[str, int]] = {"values": 4, "specials": 16, "layouts": 2, "gradients": 4, "differences": 2}
"""Draws of the full tier; the quick one draws once."""


def hashes(rows: Sequence[Row]) -> dict[str, str]:
    """The hash of all results of a function, from those of its parts in order, where all parts are there."""
    found: dict[str, str] = {}
    for name, parts in PARTS.items():
        for op in parts.ops:
            mine = {r.part: r.facts.get("sha256", "") for r in rows if (r.check, r.op) == (name, op)}
            if len(mine) == parts.count and all(mine.values()):
                whole = "".join(mine[i] for i in range(parts.count))
                found[op] = hashlib.sha256(whole.encode()).hexdigest()
    return found
