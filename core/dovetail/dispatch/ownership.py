"""Whether an array may be written in place: only when nobody else holds it.

A value that the tape saved, a view that a kernel kept, an array handed to the user: all of them show in the reference
count. The count is calibrated through the very function that is used; where it cannot be trusted (no difference with
one more holder, or a build without the GIL) nothing is ever written in place.
"""

from __future__ import annotations

import sys
import sysconfig
from sys import getrefcount
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dovetail.contract.backend import Backend


def _count(box: list[Any]) -> int:
    return getrefcount(box[0])


def _calibrate() -> int:
    """The count of an object that only a one-element list holds; -1 where counting does not work."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return -1
    box = [bytearray(1)]
    alone = _count(box)
    holder = box[0]
    together = _count(box)
    del holder
    return alone if together == alone + 1 and _count(box) == alone else -1


ALONE: Final = _calibrate()


def owns(box: list[Any], runtime: Backend, holders: int = 0) -> bool:
    """Tell whether the array in the one-element list is held by nobody else and may be written.

    The caller has deleted every slot and local that named the array, but for ``holders`` that it knows of.
    """
    return getrefcount(box[0]) == ALONE + holders and runtime.writeable(box[0])
