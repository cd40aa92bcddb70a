"""The hot paths: one factory per form of call, each a shortcut of the general path in ``call``.

A shortcut is taken only when nothing rare is going on: the plan exists and needs no casts, no value is stale, and no
task captures, observes or has switched gradients off. Whatever else comes up leads to the general path, which gives
the same result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dovetail.dispatch.call import call, execute, prepare
from dovetail.dispatch.constants import constant, dtype_of_number
from dovetail.dispatch.plan import Plan, remember
from dovetail.dispatch.recording import new_node
from dovetail.dispatch.state import state
from dovetail.record.signature import STATIC, TENSOR
from dovetail.tensor.node import Node, next_seq
from dovetail.tensor.tensor import Tensor, new

if TYPE_CHECKING:
    from dovetail.record.op import Op

Function = Callable[..., Any]


def function_of(op: Op) -> Function:
    """Return the function that users call: the hot path of the op's form, or the general path."""
    kinds = [p.kind for p in op.signature.parameters]
    if op.shape is None or op.view is not None or op.checks:
        return general(op)
    if kinds == [TENSOR, TENSOR]:
        return binary(op)
    if kinds == [TENSOR]:
        return unary(op)
    if kinds[0] == TENSOR and set(kinds[1:]) == {STATIC} and _plain(op):
        return parametrized(op)
    return general(op)


def _plain(op: Op) -> bool:
    """Whether equal parameters mean the same call: not so for numbers, where 1, 1.0 and True differ."""
    return not any("Number" in str(op.signature.python.parameters[p.name].annotation) or
                   "float" in str(op.signature.python.parameters[p.name].annotation) for p in op.signature.statics)


def general(op: Op) -> Function:
    """Calls of any other form."""

    def function(*args: Any, **params: Any) -> Any:
        return call(op, args, params)

    return function


def binary(op: Op) -> Function:
    """Two tensors and nothing else; a number on the right becomes a cached constant."""
    plans: dict[Any, Plan] = op.plans

    def function(x: Any = None, y: Any = None, /, *rest: Any, **params: Any) -> Any:
        if not isinstance(y, Tensor):
            if rest or params or not (type(y) is float or type(y) is int) or not isinstance(x, Tensor):
                return call(op, _given(x, y, rest, params), params)
            y = constant(y, dtype_of_number(y, x._spec.dtype), x._spec.device)
        try:
            sx = x._spec
            sy = y._spec
            p = plans[sx] if sx is sy else plans[sx, sy]
            a = x._data
            b = y._data
        except (KeyError, AttributeError):
            return call(op, (x, y, *rest), params)
        if state.special or p.slow or rest or params:
            return call(op, (x, y, *rest), params)
        try:
            o = p.kernel(a, b)
        except Exception:
            return call(op, (x, y), params)
        t = new(Tensor)
        t._data = o
        t._spec = p.out
        t._alias = None
        ex = x._node
        ey = y._node
        if (ex is None and ey is None) or not p.differentiable:
            t._node = None
            return t
        n = t._node = new_node(Node)
        v = n.variant = p.variants[(ex is not None) + 2 * (ey is not None)]
        n.edges = (ex, ey)
        n.seq = next_seq()
        n.saved = v.save(a, b, o)
        return t

    return function


def unary(op: Op) -> Function:
    """One tensor and nothing else."""
    plans: dict[Any, Plan] = op.plans

    def function(x: Any = None, /, *rest: Any, **params: Any) -> Any:
        try:
            p = plans[x._spec]
            a = x._data
        except (KeyError, AttributeError):
            return call(op, _given(x, None, rest, params), params)
        if state.special or p.slow or rest or params:
            return call(op, (x, *rest), params)
        try:
            o = p.kernel(a)
        except Exception:
            return call(op, (x,), params)
        t = new(Tensor)
        t._data = o
        t._spec = p.out
        t._alias = None
        e = x._node
        if e is None or not p.differentiable:
            t._node = None
            return t
        n = t._node = new_node(Node)
        v = n.variant = p.variants[1]
        n.edges = (e,)
        n.seq = next_seq()
        n.saved = v.save(a, o)
        return t

    return function


def parametrized(op: Op) -> Function:
    """One tensor and parameters, looked up as they were written."""
    plans: dict[Any, Plan] = op.plans

    def function(x: Any = None, /, *args: Any, **params: Any) -> Any:
        try:
            key = (x._spec, args, *params.items()) if params else (x._spec, args)
            p = plans[key]
            a = x._data
        except (KeyError, AttributeError, TypeError):
            return _first_time(op, x, args, params)
        if state.special or p.slow:
            return execute(p, (x,))
        o = p.kernel(a)
        t = new(Tensor)
        t._data = o
        t._spec = p.out
        t._alias = None
        e = x._node
        if e is None or not p.differentiable:
            t._node = None
            return t
        n = t._node = new_node(Node)
        v = n.variant = p.variants[1]
        n.edges = (e,)
        n.seq = next_seq()
        n.saved = v.save(a, o)
        return t

    return function


def _first_time(op: Op, x: Any, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
    plan, inputs = prepare(op, _given(x, None, args, params), params)
    result = execute(plan, inputs)
    if isinstance(x, Tensor) and len(inputs) == 1 and inputs[0] is x:
        key = (x._spec, args, *params.items()) if params else (x._spec, args)
        try:
            remember(op, key, plan)
        except TypeError:
            pass  # a list among the parameters: found by the general path each time
    return result


def _given(x: Any, y: Any, rest: tuple[Any, ...], params: dict[str, Any]) -> tuple[Any, ...]:
    """The positional arguments as they were given: absent ones stand as None in the hot paths' signatures."""
    if x is None:
        return rest
    return (x, *rest) if y is None else (x, y, *rest)

