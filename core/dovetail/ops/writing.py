"""Writing through a chain of views: the op that an in-place write to a view becomes in the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail.ops.creation import arange
from dovetail.ops.definition import Live, op
from dovetail.ops.gathering import scatter
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.tensor.tensor import Tensor


@op(
    shape=rules.like_first,
    dtype=rules.same,
    internal=True,
    agree=Agree.exact(),
    backward_name="CopySlices",
)
def view_scatter(input: Tensor, value: Tensor, live: Live, *, steps: Sequence[Any]) -> Tensor:
    """A copy of a storage in which the view that ``steps`` lead to has a new value."""
    if all(plan.op.unview is not None for plan in steps):
        return _unview(input, value, live, steps)
    return _by_index_map(input, value, live, steps)


view_scatter.vjp(
    input=lambda g, live, *, specs, steps: view_scatter(g, g.new_zeros(()).expand(specs[1].shape), live, steps=steps),
    value=lambda g, live, *, steps: follow(g, live, steps),
)


def follow(base: Tensor, live: Sequence[Any], steps: Sequence[Any]) -> Tensor:
    """Apply the view ops of a chain to a tensor."""
    for plan, positions in zip(steps, live, strict=True):
        base = plan.op.call(base, *positions, **plan.statics)
    return base


def _unview(base: Tensor, value: Tensor, live: Sequence[Any], steps: Sequence[Any]) -> Tensor:
    if not steps:
        return value
    first, positions = steps[0], live[0]
    inner = first.op.call(base, *positions, **first.statics)
    changed = _unview(inner, value, live[1:], steps[1:])
    return first.op.unview(base, changed, positions, **first.statics)  # type: ignore[no-any-return]


def _by_index_map(base: Tensor, value: Tensor, live: Sequence[Any], steps: Sequence[Any]) -> Tensor:
    """Where a chain has an expanded view: the positions that it leads to, found by sending numbers through it."""
    positions = follow(arange(base.numel(), device=base.device).reshape(base.shape), live, steps)
    flat = scatter(base.reshape(-1), 0, positions.reshape(-1), value.reshape(-1))
    return flat.reshape(base.shape)


@op(shape=rules.like_first, dtype=rules.same, internal=True, agree=Agree.exact(), backward_name="CopyBackwards")
def overwrite(input: Tensor, value: Tensor) -> Tensor:
    """``value`` in place of ``input``: what ``copy_`` and ``fill_`` are in the graph, where both stay connected."""
    return value


overwrite.vjp(input=lambda g, *, specs: g.new_zeros(specs[0].shape), value=lambda g: g)
