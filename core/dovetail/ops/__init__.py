"""The catalogue: importing it defines every built-in op. One op is one definition, in the file of its family."""

from __future__ import annotations

from typing import Any

from dovetail.contract import discovery
from dovetail.ops import (
    activation,
    aggregation,
    aliases,
    arithmetic,
    attention,
    average_pooling,
    batch_normalization,
    casting,
    classification,
    comparison,
    contraction,
    convolution,
    convolution_derived,
    counting,
    creation,
    diagonal,
    dlpack,
    dropout,
    einsum,
    embedding,
    exponential,
    gathering,
    indexing,
    information,
    joining,
    layer_normalization,
    linear,
    losses,
    matrices,
    max_pooling,
    median,
    numeric,
    optimizer_steps,
    padding,
    placing,
    random,
    rearrangement,
    rectifier,
    reduction,
    rounding,
    scan,
    shape,
    softmax,
    sorting,
    special,
    splitting,
    statistics,
    trigonometric,
    values,
    writing,
)
from dovetail.record import registry

for _op in registry.ops():
    globals()[_op.name] = _op.call
for _front in registry.fronts():
    globals()[_front.name] = _front.function


def __getattr__(name: str) -> Any:
    """Find an op that a plugin has defined since."""
    if not name.startswith("_"):
        discovery.discover()
        found = registry.function(name, public=False)
        if found is not None:
            return found
    raise AttributeError(f"module {__name__!r} has no op {name!r}")
