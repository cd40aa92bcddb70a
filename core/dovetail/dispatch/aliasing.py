"""Views and writes: how a stale alias gets its value back, and where every in-place op ends.

A write deletes the ``_data`` of everybody who looks at the storage. The hot path pays nothing for that: whoever reads
a deleted slot lands in :func:`fresh`, which regenerates value and graph edge and goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

from dovetail.dispatch import state
from dovetail.dispatch.ownership import owns
from dovetail.dispatch.plan import lookup
from dovetail.dispatch.recording import record
from dovetail.errors import InPlaceError
from dovetail.record import registry
from dovetail.tensor.node import Leaf, Node
from dovetail.tensor.storage import Alias, Cell, contiguous_strides
from dovetail.tensor.tensor import Tensor, new

if TYPE_CHECKING:
    from dovetail.dispatch.plan import Plan

Step = tuple["Plan", tuple[Any, ...]]
"""A view op's plan and the live parameters (positions) of the call."""


def raw(t: Tensor) -> Any:
    """Return a tensor's array, regenerated if a write has made it stale."""
    try:
        return t._data
    except AttributeError:
        return fresh(t)


Tensor.refresh = staticmethod(raw)


def fresh(t: Tensor) -> Any:
    """Regenerate the value of a stale alias, and for a view its graph edge too."""
    alias = t._alias
    assert alias is not None, "only aliases become stale"
    if alias.root is None:
        trace = state.tracing.get() if state.state.special else None
        if trace is not None:
            trace.adopt_cell(alias.cell)
        t._data = replay(alias.cell.base, alias.steps)
        return t._data
    root = alias.root
    if not hasattr(root, "_data"):
        fresh(root)
    if root._node is None:
        t._data, t._node = replay(root._data, alias.rsteps), None
        return t._data
    state.enter()
    token = state.grad_enabled.set(True)
    try:
        value = root
        for plan, live in alias.rsteps:
            value = plan.op.call(value, *live, **plan.statics)
        t._data, t._node = raw(value), value._node
    finally:
        state.grad_enabled.reset(token)
        state.leave()
    return t._data


def replay(array: Any, steps: Sequence[Step]) -> Any:
    """Apply view kernels to an array; in a trace they are recorded like any call."""
    trace = state.tracing.get() if state.state.special else None
    for plan, live in steps:
        array = plan.kernel(array, *live) if trace is None else trace.replay(plan, array, live)
    return array


# ------------------------------------------------------------------------------------------ making aliases


def cell_of(t: Tensor) -> Cell:
    """Return the storage of a tensor, made on its first view."""
    alias = t._alias
    if alias is None:
        cell = Cell(raw(t), t._spec, t._version)
        cell.join(t)
        t._alias = Alias(cell, (), None, (), contiguous_strides(t._spec.dims))
        return cell
    return alias.cell


def make_view(base: Tensor, plan: Plan, live: tuple[Any, ...], data: Any, node: Node | None) -> Tensor:
    """Make the tensor of a view op: it shares storage and graph with ``base``."""
    alias = base._alias
    if alias is None:
        cell_of(base)
        alias = base._alias
        assert alias is not None, "cell_of has made it"
    cell = alias.cell
    strides = plan.layouts.get(alias.strides)
    if strides is None:
        strides = plan.layouts[alias.strides] = plan.op.view(plan, alias.strides, 0, live)[0]  # type: ignore[misc]
    step = ((plan, live),)
    made = new(Alias)
    made.cell = cell
    made.strides = strides
    if alias.root is None:
        made.steps = alias.steps + step if alias.steps else step
        made.root = base
        made.rsteps = step
    else:
        made.steps = alias.steps + step
        made.root = alias.root
        made.rsteps = alias.rsteps + step
    t = new(Tensor)
    t._data = data
    t._spec = plan.out
    t._node = node
    t._alias = made
    members = cell.members
    members.append(ref(t))
    if len(members) > cell.limit:
        cell.prune()
    return t


def make_detached(base: Tensor) -> Tensor:
    """Make a tensor that shares storage with ``base`` and no graph."""
    data = raw(base)
    cell = cell_of(base)
    alias = base._alias
    assert alias is not None, "cell_of has made it"
    t = new(Tensor)
    t._data = data
    t._spec = base._spec
    t._node = None
    t._alias = Alias(cell, alias.steps, None, (), alias.strides)
    cell.join(t)
    return t


# ------------------------------------------------------------------------------------------ writing


def check_writable(t: Tensor, recording: bool, *, one_value: bool = False) -> None:
    """Raise PyTorch's errors for writes that the graph or the layout does not allow.

    An expanded view may be written when all its elements get ``one_value``.
    """
    if recording and type(t._node) is Leaf and (t._alias is None or t._alias.root is None):
        raise InPlaceError(
            "a leaf Variable that requires grad is being used in an in-place operation. "
            f"(shape {list(t.shape)}; write under `with no_grad():`, or to a clone: x = x.clone())"
        )
    alias = t._alias
    if alias is None:
        return
    if recording and alias.root is not None and type(alias.root._node) is Leaf:
        raise InPlaceError(
            "a view of a leaf Variable that requires grad is being used in an in-place operation. "
            f"(shape {list(t.shape)}; write under `with no_grad():`, or to a view of a clone)"
        )
    if not one_value and overlaps(t):
        raise InPlaceError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory "
            f"location. Please clone() the tensor before performing the operation. (shape {list(t.shape)}, strides "
            f"{list(alias.strides)})"
        )


def overlaps(t: Tensor) -> bool:
    """Tell whether two elements of a view are the same element of its storage (an expanded view)."""
    alias = t._alias
    if alias is None or not t._spec.size:
        return False
    return any(stride == 0 and size > 1 for size, stride in zip(t._spec.shape, alias.strides, strict=True))


def assign(t: Tensor, value: Tensor, recording: bool) -> None:
    """Give ``t`` the value (same spec) that an in-place op has computed, and tell everybody who shares its storage."""
    alias = t._alias
    if alias is None:
        t._data = value._data
        if recording:
            t._node = value._node
        t._writes = t._version + 1
        return
    cell = alias.cell
    data = value._data
    if recording and alias.root is not None:
        _record_write(alias.root, alias.rsteps, value)
    elif recording:
        t._node = value._node
    stale(cell)
    cell.version += 1
    cell.base = write(cell, alias.steps, data)


def stale(cell: Cell) -> None:
    """Delete the value of everybody who looks at a storage: it is regenerated when it is asked for."""
    for member in cell.members:
        t = member()
        if t is not None and hasattr(t, "_data"):
            del t._data


def _record_write(root: Tensor, steps: Sequence[Step], value: Tensor) -> None:
    """The root's new edge: its old value with the view replaced. Only the edge; the value comes from the cell."""
    raw(root)
    if root._node is None and value._node is None:
        return
    op = registry.get("view_scatter")
    statics = {"steps": tuple(plan for plan, _ in steps)}
    plan = lookup(op, (root._spec, value._spec, statics["steps"]), (root._spec, value._spec, None), (), statics)
    live = tuple(positions for _, positions in steps)
    root._node = record(plan, (root, value, live), (None, None, live), (None,))


def write(cell: Cell, steps: Sequence[Step], data: Any) -> Any:
    """Return the storage's array with ``data`` written through a chain of views: in place if nobody else holds it."""
    if not steps:
        return data
    if state.state.special and (active := state.tracing.get()) is not None:
        active.adopt_cell(cell)
    runtime = cell.spec.device.runtime
    trace = state.tracing.get() if state.state.special else None
    if trace is None and runtime.writes_in_place:
        box = [cell.base]
        cell.base = None
        if not owns(box, runtime):
            box[0] = runtime.copy(box[0])
        cell.base = box[0]
        if runtime.write(box[0], replay(box[0], steps), data):
            return box[0]
    return scattered(cell, steps, data)


def scattered(cell: Cell, steps: Sequence[Step], data: Any) -> Any:
    """The same as a new array, by the op that has a rule for it."""
    base, value = new(Tensor), new(Tensor)
    base._data, base._spec, base._node, base._alias = cell.base, cell.spec, None, None
    value._data, value._spec, value._node, value._alias = data, steps[-1][0].out, None, None
    live = tuple(positions for _, positions in steps)
    plans = tuple(plan for plan, _ in steps)
    result = registry.get("view_scatter").call(base, value, live, steps=plans)
    return raw(result)
