"""The catalogue: importing it defines every built-in op. One op is one definition, in the file of its family."""

from __future__ import annotations

from dovetail.ops import (
    activation,
    aggregation,
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
    dropout,
    einsum,
    embedding,
    exponential,
    gathering,
    indexing,
    joining,
    layer_normalization,
    linear,
    losses,
    matrices,
    max_pooling,
    optimizer_steps,
    padding,
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
