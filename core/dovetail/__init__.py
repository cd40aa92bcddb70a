"""dovetail: PyTorch-shaped code on any array library."""

from __future__ import annotations

from dovetail import ops as _ops
from dovetail.dtypes import *
from dovetail.record import registry as _registry

for _op in _registry.ops():
    if not _op.internal:
        globals()[_op.name] = _op.call
for _front in _registry.fronts():
    globals()[_front.name] = _front.function
