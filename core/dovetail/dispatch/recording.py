"""Making the node of a recorded call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dovetail.dispatch import forward_stack
from dovetail.dispatch.state import state
from dovetail.tensor.node import Node, next_seq
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from dovetail.dispatch.plan import Plan

new_node: Callable[[type[Node]], Node] = object.__new__


def record(plan: Plan, inputs: Sequence[Any], arrays: Sequence[Any], outputs: Sequence[Any]) -> Node | None:
    """Return the node of a call, None when no input needs a gradient."""
    edges = tuple(x._node if isinstance(x, Tensor) else None for x in inputs)
    mask = 0
    for i, edge in enumerate(edges):
        if edge is not None:
            mask |= 1 << i
    if not mask:
        return None
    node = new_node(Node)
    variant = node.variant = plan.variants[mask]
    node.edges = edges
    node.seq = next_seq()
    node.saved = variant.save(*arrays, *outputs)
    if state.special:
        forward_stack.remember(node)
    return node
