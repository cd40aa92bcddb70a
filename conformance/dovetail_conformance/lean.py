"""The quick tier where every shape is compiled: which cells it leaves to the full one, to compile 3,000 at most.

A derived op is a composition of primitives. These are looked at in every dtype and by every check; of a derived op it
is the values, alone or captured, and the errors in one dtype, and the gradient where it has a rule of its own.
"""

from __future__ import annotations

from typing import Final

from dovetail.backend.inspection import Op
from dovetail_conformance.session import Session, dtypes_of
from dovetail_conformance.tables import FIRST

MOST: Final = 3000
"""Programs that a quick run compiles at most."""
OF_PRIMITIVES: Final = frozenset(("layouts", "shapes", "large"))
OF_RULES: Final = frozenset(("gradients", "differences", "second"))
"""Checks of gradients: the chain of an op without a rule is made of the rules of its primitives."""
EAGER: Final = frozenset(("values", "forms"))
NARROW: Final = frozenset(("int32", "uint8"))
"""Integers that special values need no look at: int64 has the same edges."""


def left_out(session: Session, op: Op, check: str, dtype: str) -> bool:
    """Whether a cell is none of this run's."""
    if not session.lean:
        return False
    further = bool(dtype) and dtype != dtypes_of(op)[0]
    if op.primitive:
        return (further and check in FIRST) or (check == "specials" and dtype in NARROW)
    if further or check in OF_PRIMITIVES:
        return True
    if check in OF_RULES:
        return not (op.rules or op.joint)
    if check == "specials":
        return op.agree is None or op.agree.kind not in ("U", "CR")
    if not op.internal and (check in EAGER or check == "programs"):
        # A decomposition that runs call by call compiles each of them: captured, it is one program.
        return (check in EAGER) == (session.known_origin(op) == "decomposition")
    return False
