"""The quick tier where every shape is compiled: which cells it leaves to the full one, to compile 3,000 at most.

A derived op is a composition of primitives. These are looked at in every dtype and by every check; of a derived op it
is the values, the form, the gradient and the errors in one dtype. Differences are for ops with a rule of their own.
"""

from __future__ import annotations

from typing import Final

from dovetail.backend.inspection import Op
from dovetail_conformance.session import Session, dtypes_of
from dovetail_conformance.tables import FIRST

MOST: Final = 3000
"""Programs that a quick run compiles at most."""
OF_PRIMITIVES: Final = frozenset(("layouts", "shapes", "programs", "large"))
OF_RULES: Final = frozenset(("differences", "second"))
NARROW: Final = frozenset(("int32", "uint8"))
"""Integers that special values need no look at: int64 has the same edges."""


def left_out(session: Session, op: Op, check: str, dtype: str) -> bool:
    """Whether a cell is none of this run's."""
    if not session.lean:
        return False
    further = bool(dtype) and dtype != dtypes_of(op)[0]
    if op.primitive:
        return (further and check in FIRST) or (check == "specials" and dtype in NARROW)
    bounded = op.agree is not None and op.agree.kind in ("U", "CR")
    if check == "specials":
        return further or not bounded
    return further or check in OF_PRIMITIVES or (check in OF_RULES and not (op.rules or op.joint))
