"""The quick tier where every shape is compiled: which cells it leaves to the full one, to compile 3,000 at most.

A derived op is a composition of primitives. These are looked at in every dtype and by every check; of a derived op it
is the values in a captured program and the errors, in one dtype. Gradients of derived ops are rules in public ops, the
same on every device: the host's quick tier and the device's full one judge them.
"""

from __future__ import annotations

from typing import Final

from dovetail.backend.inspection import Op
from dovetail_conformance.session import Session, dtypes_of
from dovetail_conformance.tables import FIRST

MOST: Final = 3000
"""Programs that a quick run compiles at most."""
OF_PRIMITIVES: Final = frozenset(("layouts", "shapes", "large", "gradients", "differences", "second"))
EAGER: Final = frozenset(("values", "forms"))
NARROW: Final = frozenset(("int32", "uint8", "float16"))
"""Dtypes that special values need no look at: int64 and bfloat16 go the same ways, and the full tier has them all."""


def left_out(session: Session, op: Op, check: str, dtype: str) -> bool:
    """Whether a cell is none of this run's."""
    if not session.lean:
        return False
    further = bool(dtype) and dtype != dtypes_of(op)[0]
    if op.primitive:
        return (further and check in FIRST) or (check == "specials" and dtype in NARROW)
    if further or check in OF_PRIMITIVES:
        return True
    if check == "specials":
        return op.agree is None or op.agree.kind not in ("U", "CR")
    # Captured it is one program; call by call each primitive, and each test of its arguments, is one more.
    return (check in EAGER and not op.internal) or (check == "programs" and op.internal)
