"""Planted faults: the host's backend, or the core, wrong in one place each. A suite that passes one is no suite.

``FAULTS`` says for each which check must find it, and where. A fault of a kernel is a backend of its own; one of a
gradient rule or of the engine changes the core while its block runs. ``python -m dovetail_conformance.faults`` hunts
them all, runs the suite many times where there is none, and shows that no check can be left out.
"""

from __future__ import annotations

from typing import Final

from dovetail_conformance.faults import elementwise, gradients, reductions, system
from dovetail_conformance.faults.fault import Fault as Fault
from dovetail_conformance.faults.fault import replaced as replaced

FAULTS: Final[tuple[Fault, ...]] = tuple(
    sorted(
        (*elementwise.FAULTS, *reductions.FAULTS, *gradients.FAULTS, *system.FAULTS),
        key=lambda fault: fault.number,
    )
)
