"""Making the node of a recorded call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dovetail.dispatch import forward_stack
from dovetail.dispatch.state import state
from dovetail.tensor.node import Node, next_seq
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.dispatch.plan import Plan


def record(plan: Plan, inputs: Sequence[Any], arrays: Sequence[Any], outputs: Sequence[Any]) -> Node | None:
    """Return the node of a call, None when no input needs a gradient."""
    edges = tuple(x._node if isinstance(x, Tensor) else None for x in inputs)
    mask = 0
    for i, edge in enumerate(edges):
        if edge is not None:
            mask |= 1 << i
    if not mask:
        return None
    node = Node()
    variant = node.variant = plan.variants[mask]
    node.edges = edges
    node.seq = next_seq()
    save = variant.save
    node.saved = save(*arrays, *outputs) if save is not None else ()
    if state.special:
        forward_stack.remember(node)
    return node
