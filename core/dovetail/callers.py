"""Where dovetail was called from: the innermost line that is not its own, for warnings and errors that come later."""

from __future__ import annotations

import linecache
import os
import sys
from types import FrameType
from typing import Final

FOLDER: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep


def _outside(depth: int) -> tuple[FrameType | None, int]:
    frame: FrameType | None = sys._getframe(depth + 1)
    level = 1
    while frame is not None and frame.f_code.co_filename.startswith(FOLDER):
        frame, level = frame.f_back, level + 1
    return frame, level


def level() -> int:
    """Return the ``stacklevel`` with which a warning of the calling function shows the line outside."""
    return _outside(1)[1]


def line() -> str:
    """Return file and number of the line outside, and what it says if it can be read."""
    frame, _ = _outside(1)
    if frame is None:
        return "an unknown line"
    file, number = frame.f_code.co_filename, frame.f_lineno
    said = linecache.getline(file, number).strip()
    return f"{file}:{number}: {said}" if said else f"{file}:{number}"
