"""The catalogue: importing it defines every built-in op. One op is one definition, in the file of its family."""

from __future__ import annotations

from dovetail.ops import (
    activation,
    arithmetic,
    attention,
    casting,
    classification,
    comparison,
    contraction,
    convolution,
    creation,
    dropout,
    embedding,
    exponential,
    gathering,
    indexing,
    joining,
    losses,
    normalization,
    pooling,
    padding,
    random,
    rearrangement,
    rectifier,
    reduction,
    rounding,
    shape,
    softmax,
    special,
    trigonometric,
    values,
    writing,
)
from dovetail.record import registry

for _op in registry.ops():
    globals()[_op.name] = _op.call
for _front in registry.fronts():
    globals()[_front.name] = _front.function
