"""The engine: walks a graph from the newest node to the oldest and adds up gradients. Iterative, in one pass.

An edge is always older than its node, also after in-place writes, so a heap on the sequence numbers visits every node
after all of its users. Gradient formulas are public ops: with ``create_graph`` they are recorded like any call, and
any order of derivative comes free.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from dovetail.autograd import hooks
from dovetail.dispatch import forward_stack, spans, state
from dovetail.dispatch.aliasing import raw
from dovetail.errors import AutogradError
from dovetail.tensor.node import FREED, Leaf, Node, Pick
from dovetail.tensor.tensor import Tensor, wrap

if TYPE_CHECKING:
    from dovetail.tensor.spec import Spec


def run(  # noqa: C901  # one loop, read in one sitting: a call more per node would cost as much as the node
    roots: Sequence[tuple[Node, Tensor]],
    *,
    retain_graph: bool,
    create_graph: bool,
    wanted: dict[Node, Any] | None = None,
    leaves: set[Node] | None = None,
) -> None:
    """Propagate gradients from ``roots``.

    With ``wanted`` the gradients that arrive at those nodes are stored there and nothing is accumulated into leaves;
    without it they go into the ``grad`` of the leaves (of ``leaves`` only, when given).
    """
    pending: dict[Node, Any] = {}
    heap: list[tuple[int, Node]] = []
    for node, gradient in roots:
        _add(pending, heap, node, gradient)
    relevant = _ancestors_of(wanted, [n for n, _ in roots]) if wanted is not None else None
    special = bool(state.state.special)
    watch = hooks.watch
    while heap:
        node = heappop(heap)[1]
        gradient = pending.pop(node)
        if watch.on:
            gradient = hooks.before(node, gradient)
        if wanted is not None and node in wanted:
            wanted[node] = gradient
        kind = type(node)
        if kind is Leaf:
            if wanted is None and (leaves is None or node in leaves):
                accumulate(node, gradient)  # type: ignore[arg-type]  # its type was just looked at
            continue
        if relevant is not None and node not in relevant:
            continue
        if kind is Pick:
            _add_output(pending, heap, node, gradient)  # type: ignore[arg-type]  # its type was just looked at
            continue
        if special:
            _check_trace(node)
        variant = node.variant
        edges = node.edges
        ins = variant.plan.ins
        if spans.recorders:
            results = spans.spanned(spans.BACKWARD, node.name(), None, variant.gradients, node, gradient, create_graph)
        else:
            results = variant.gradients(node, gradient, create_graph)
        if watch.on:
            results = hooks.after(node, _fitted(results, node), gradient)
        for i, gi in results:
            edge = edges[i]
            if edge is None or (relevant is not None and edge not in relevant):
                continue
            if gi._spec is not ins[i]:
                gi = fit(gi, ins[i], node)
            if edge in pending:
                pending[edge] = _sum(pending[edge], gi)
            else:
                pending[edge] = gi
                heappush(heap, (-edge.seq, edge))
        if special and state.anomaly.get():
            _check_nan(node, pending)
        if not retain_graph and node.saved:
            node.saved = FREED


def _fitted(results: Sequence[tuple[int, Tensor]], node: Node) -> list[tuple[int, Tensor]]:
    """The gradients that a hook gets to see: of inputs that need one, in the input's shape, dtype and device."""
    ins = node.variant.plan.ins
    return [(i, gi if gi._spec is ins[i] else fit(gi, ins[i], node)) for i, gi in results if node.edges[i] is not None]


def _check_trace(node: Node) -> None:
    trace = state.tracing.get()
    if trace is not None and node.seq < trace.start:
        trace.refuse_old_graph(node.name())


def _add(pending: dict[Node, Any], heap: list[tuple[int, Node]], node: Node, gradient: Any) -> None:
    if node in pending:
        pending[node] = _sum(pending[node], gradient)
    else:
        pending[node] = gradient
        heappush(heap, (-node.seq, node))


def _sum(a: Any, b: Any) -> Any:
    return b if a is None else a + b


def _add_output(pending: dict[Node, Any], heap: list[tuple[int, Node]], pick: Pick, gradient: Any) -> None:
    """Enter the gradient of one of several outputs."""
    node = pick.node
    if node not in pending:
        pending[node] = [None] * pick.count
        heappush(heap, (-node.seq, node))
    slots = pending[node]
    slots[pick.index] = _sum(slots[pick.index], gradient)


def fit(gradient: Tensor, spec: Spec, node: Node) -> Tensor:
    """Give a gradient the shape, dtype and device of the value that it belongs to."""
    if gradient._spec.device is not spec.device:
        gradient = gradient.to(spec.device)
    if gradient._spec.shape != spec.shape:
        gradient = gradient.sum_to_size(spec.shape)
    if gradient._spec.dtype is not spec.dtype:
        gradient = gradient.to(spec.dtype)
    return gradient


def accumulate(leaf: Leaf, gradient: Tensor) -> None:
    """Add a gradient to the ``grad`` of a leaf."""
    tensor = leaf.tensor()
    if tensor is None:
        return
    if gradient._spec is not tensor._spec:
        gradient = fit(gradient, tensor._spec, leaf)
    old = tensor.grad
    if old is None:
        # a tensor of its own: the same gradient may arrive at several leaves
        tensor.grad = wrap(raw(gradient), gradient._spec, gradient._node)
    elif gradient._node is None and old._node is None:
        old.add_(gradient)
    else:
        tensor.grad = old + gradient
    if hooks.watch.on:
        hooks.accumulated(leaf, tensor)


def _ancestors_of(wanted: dict[Node, Any], roots: Sequence[Node]) -> set[Node]:
    """Every node on a path from a root to a wanted node: nothing else is worth a gradient."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        order.append(node)
        stack.extend(_parents(node))
    order.sort(key=lambda n: n.seq)
    relevant = set(wanted)
    for node in order:
        if any(e in relevant for e in _parents(node)):
            relevant.add(node)
    return relevant


def _parents(node: Node) -> list[Node]:
    return [e for e in node.edges if e is not None]


def _check_nan(node: Node, pending: dict[Node, Any]) -> None:
    for i, edge in enumerate(node.edges):
        found = pending.get(edge) if edge is not None else None
        if isinstance(found, Tensor) and found.is_floating_point() and bool(found.isnan().any()):
            stack = forward_stack.of(node)
            where = f" The forward call was:\n{stack}" if stack else ""
            raise AutogradError(f"Function '{node.name()}' returned nan values in its {i}th output.{where}")
