"""The graph: a node per recorded call, whose edges are the nodes that made its inputs. Never a tensor."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

if TYPE_CHECKING:
    from dovetail.tensor.spec import Spec
    from dovetail.tensor.tensor import Tensor

next_seq: Final = count(1).__next__
"""Numbers nodes in the order of creation: an edge is always older than its node, in-place writes included."""


class _Freed:
    """What ``saved`` is after a backward pass that did not retain the graph."""

    def __repr__(self) -> str:
        return "<freed>"


FREED: Final[Any] = _Freed()


class Node:
    """One recorded call.

    ``variant`` knows the plan and the gradient formulas for the inputs that need one; ``edges`` has one node (or
    None) per input; ``saved`` the raw arrays that the formulas name.
    """

    __slots__ = ("variant", "edges", "saved", "seq", "title", "__weakref__")

    variant: Any
    title: str
    """Set on the last node of a decomposition, which goes by the name of the op that the user called."""
    edges: tuple[Node | None, ...]
    saved: Any
    seq: int

    def name(self) -> str:
        """The name that PyTorch would print, such as ``MulBackward0``."""
        try:
            return self.title
        except AttributeError:
            return self.variant.plan.backward_name  # type: ignore[no-any-return]

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """The nodes of the inputs, each with the number of the output that was used."""
        return tuple((e.node, e.index) if isinstance(e, Pick) else (e, 0) for e in self.edges)

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"


class Pick(Node):
    """One output of a call with several: a node between the call's node and whoever uses that output."""

    __slots__ = ("node", "index", "count")

    node: Node
    index: int
    count: int

    def __init__(self, node: Node, index: int, outputs: int) -> None:
        self.node = node
        self.index = index
        self.count = outputs
        self.edges = (node,)
        self.saved = ()
        self.seq = next_seq()

    def name(self) -> str:
        return self.node.name()


class Leaf(Node):
    """Where a gradient ends: holds its tensor weakly, or every parameter would be a reference cycle."""

    __slots__ = ("tensor",)

    tensor: ref[Tensor]

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = ref(tensor)
        self.edges = ()
        self.saved = ()
        self.seq = next_seq()

    @property
    def variable(self) -> Tensor | None:
        """The tensor whose ``grad`` is filled, None when it is gone."""
        return self.tensor()

    def name(self) -> str:
        return "AccumulateGrad"


def spec_of_edge(node: Node) -> Spec | None:
    """The spec that a gradient arriving at the node must have, where it is known."""
    if type(node) is Leaf:
        tensor = node.tensor()
        return None if tensor is None else tensor._spec
    if type(node) is Pick:
        return node.node.variant.plan.outs[node.index]  # type: ignore[no-any-return]
    return node.variant.plan.out  # type: ignore[no-any-return]
