"""Programs: a step of work captured once as a graph over op records, then run or compiled."""

from __future__ import annotations

from dovetail.program import composite as composite
from dovetail.program.program import Program as Program
from dovetail.program.program import capture as capture
