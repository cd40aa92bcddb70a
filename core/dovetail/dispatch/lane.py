"""Calls found by the way they were written: what binding, lifting and looking up gave the first time, kept.

The key of a call has the spec of every tensor and every other argument with its type, in the order in which they were
written; equal keys mean the same plan, the same constants and the same order of inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dovetail.dispatch.binding import prepare
from dovetail.dispatch.constants import Constant
from dovetail.dispatch.plan import MAX_PLANS
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.dispatch.plan import Plan
    from dovetail.record.op import Op

PLAIN = frozenset({int, str, type(None)})
"""Types whose equal values are the same argument."""


class Lane:
    """A plan, and its inputs as numbers of the call's tensors or as what stands there every time."""

    __slots__ = ("plan", "order")

    def __init__(self, plan: Plan, order: tuple[Any, ...] | None) -> None:
        self.plan = plan
        self.order = order
        """None where the inputs are the call's tensors as they come."""


def seek(op: Op, args: Sequence[Any], params: Mapping[str, Any]) -> tuple[Plan, Sequence[Any]]:
    """Return the plan of a call and its inputs, as :func:`dovetail.dispatch.binding.prepare` does."""
    if op.signature.live:
        return prepare(op, args, params)
    key: list[Any] = []
    tensors: list[Any] = []
    try:
        for value in args:
            if isinstance(value, Tensor):
                key.append(value._spec)
                tensors.append(value)
            elif type(value) in PLAIN:
                key.append(value)
            else:
                _describe(value, key, tensors)
        for name, value in params.items():
            key.append(name)
            _describe(value, key, tensors)
        written = tuple(key)
        lane = op.lanes[written]
    except KeyError:
        return _first(op, args, params, written, tensors)
    except TypeError:
        return prepare(op, args, params)  # an argument that has no hash, such as an array
    order = lane.order
    if order is None:
        return lane.plan, tensors
    return lane.plan, [tensors[x] if type(x) is int else x for x in order]


def _describe(value: Any, key: list[Any], tensors: list[Any]) -> None:
    """Add an argument to the key of its call."""
    kind = type(value)
    if isinstance(value, Tensor):
        key.append(value._spec)
        tensors.append(value)
    elif kind is list or kind is tuple:
        key += (kind, len(value))
        for item in value:
            _describe(item, key, tensors)
    elif isinstance(value, np.generic):
        raise TypeError  # a NumPy number equals Python's of another type
    elif kind is float and not value:
        key += (kind, repr(value))  # 0.0 equals -0.0
    else:
        key += (kind, value)


def _first(
    op: Op, args: Sequence[Any], params: Mapping[str, Any], written: tuple[Any, ...], tensors: Sequence[Any]
) -> tuple[Plan, Sequence[Any]]:
    """Prepare a call and remember how it was written, where everything but its tensors is the same the next time."""
    plan, inputs = prepare(op, args, params)
    order = _order(inputs, tensors, params)
    if order is not None and tensors:
        if len(op.lanes) >= MAX_PLANS:
            op.lanes.clear()
        op.lanes[written] = Lane(plan, None if order == list(range(len(tensors))) else tuple(order))
    return plan, inputs


def _order(inputs: Sequence[Any], tensors: Sequence[Any], params: Mapping[str, Any]) -> list[Any] | None:
    """Where each input comes from: the number of a tensor of the call, or itself; None where that is not certain."""
    numbers = {id(t): i for i, t in enumerate(tensors)}
    if len(numbers) < len(tensors):
        if params or len(inputs) != len(tensors) or any(x is not t for x, t in zip(inputs, tensors, strict=True)):
            return None  # a tensor that was given twice does not say which of the two places it stands for
        return list(range(len(tensors)))
    order: list[Any] = []
    for x in inputs:
        number = numbers.get(id(x))
        if number is None and x is not None and type(x) is not Constant:
            return None  # an operand made of a list
        order.append(x if number is None else number)
    return order if sum(type(x) is int for x in order) == len(tensors) else None
