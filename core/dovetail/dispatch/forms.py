"""The hot paths: one factory per form of call, each a shortcut of the general path in ``call``.

A shortcut is taken only when nothing rare is going on: the plan exists and needs no casts, no value is stale, and no
task captures, observes or has switched gradients off. Whatever else comes up leads to the general path, which gives
the same result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from dovetail.dispatch.aliasing import make_view
from dovetail.dispatch.binding import prepare
from dovetail.dispatch.call import call, execute
from dovetail.dispatch.constants import constant, dtype_of_number, is_operand
from dovetail.dispatch.lane import seek
from dovetail.dispatch.plan import Plan, remember
from dovetail.dispatch.state import state
from dovetail.record.signature import STATIC, TENSOR
from dovetail.tensor.node import Node, next_seq
from dovetail.tensor.tensor import Tensor, new

if TYPE_CHECKING:
    from dovetail.record.op import Op

Function = Callable[..., Any]

NO_POSITIONS: Final[tuple[Any, ...]] = ()
NOTHING: Final[dict[str, Any]] = {}
"""No keyword arguments."""


def functions_of(op: Op) -> tuple[Function, Function]:
    """Return the function that users call, and the leaner one for operators, which never pass keywords."""
    kinds = [p.kind for p in op.signature.parameters]
    if op.view is not None and op.shape is not None and not op.checks:
        function = viewing(op)
    elif op.shape is None or op.checks:
        function = general(op)
    elif kinds == [TENSOR, TENSOR]:
        return tolerant(op, binary(op), 2), binary(op, _first_operands)
    elif kinds == [TENSOR]:
        hot = unary(op)
        return tolerant(op, hot, 1), hot
    elif kinds[0] == TENSOR and set(kinds[1:]) == {STATIC} and _plain(op):
        function = parametrized(op)
    else:
        function = general(op)
    return function, polite(function) if len(op.signature.inputs) == 2 else function


def _plain(op: Op) -> bool:
    """Whether equal parameters mean the same call: not so for numbers, where 1, 1.0 and True differ."""
    notes = (op.signature.annotations.get(p.name, "") for p in op.signature.statics)
    return not any("Number" in note or "float" in note for note in notes)


def general(op: Op) -> Function:
    """Calls of any other form, found by the way they are written."""
    if op.signature.live or op.sugar:

        def plain(*args: Any, **params: Any) -> Any:
            return call(op, args, params)

        return plain

    def function(*args: Any, **params: Any) -> Any:
        if state.special:
            return call(op, args, params)
        p, inputs = seek(op, args, params)
        kernel = p.hot
        if kernel is None:
            return execute(p, inputs)
        try:
            arrays = [x if x is None else x._data for x in inputs]
            o = kernel(*arrays)
        except Exception:
            return execute(p, inputs)  # a stale value, or an error that the general path explains
        t = new(Tensor)
        t._data = o
        t._spec = p.out
        t._alias = None
        if p.differentiable:
            edges = tuple([x if x is None else x._node for x in inputs])
            mask = 0
            bit = 1
            for e in edges:
                if e is not None:
                    mask |= bit
                bit += bit
            if mask:
                n = t._node = Node()
                v = n.variant = p.variants[mask]
                n.edges = edges
                n.seq = next_seq()
                save = v.save
                n.saved = save(*arrays, o) if save is not None else ()
                return t
        t._node = None
        return t

    return function


def binary(op: Op, first: Callable[[Op, Any, Any], Any] | None = None) -> Function:
    """Two tensors, or a tensor and a number, whose constant is found together with the plan.

    ``first`` runs the pairs that have no plan yet.
    """
    unplanned = first or _first_pair
    plans: dict[Any, Any] = op.plans

    def function(x: Any, y: Any) -> Any:
        try:
            sx = x._spec
            if isinstance(y, Tensor):
                sy = y._spec
                p = plans[sx] if sx is sy else plans[sx, sy]
                b = y._data
                ey = y._node
            else:
                p, b = plans[sx, y, type(y)]
                ey = None
            a = x._data
        except (KeyError, AttributeError, TypeError):
            return unplanned(op, x, y)
        kernel = p.hot
        if state.special or kernel is None:
            return call(op, (x, y), NOTHING)
        try:
            o = kernel(a, b)
        except Exception:
            return call(op, (x, y), NOTHING)  # the general path says what went wrong
        t = new(Tensor)
        t._data = o
        t._spec = p.out
        t._alias = None
        ex = x._node
        if ex is None:
            if ey is None or not p.differentiable:
                t._node = None
                return t
            v = p.right or p.variant(2)
        elif not p.differentiable:
            t._node = None
            return t
        elif ey is None:
            v = p.left or p.variant(1)
        else:
            v = p.both or p.variant(3)
        n = t._node = Node()
        n.variant = v
        n.edges = (ex, ey)
        n.seq = next_seq()
        save = v.save
        n.saved = save(a, b, o) if save is not None else ()
        return t

    return function


def _first_pair(op: Op, x: Any, y: Any) -> Any:
    """A pair without a plan, a stale alias, or a number that has not been seen beside this spec."""
    result = call(op, (x, y), NOTHING)
    if isinstance(x, Tensor) and type(y) in (float, int) and (y or type(y) is int):
        number = constant(y, dtype_of_number(y, x._spec.dtype), x._spec.device)
        plan = op.plans.get(x._spec if number._spec is x._spec else (x._spec, number._spec))
        if plan is not None:
            remember(op, (x._spec, y, type(y)), (plan, number._data))
    return result


def _first_operands(op: Op, x: Any, y: Any) -> Any:
    """As :func:`_first_pair`, for an operator: what is no operand is left to Python, which asks the other side."""
    return _first_pair(op, x, y) if is_operand(x) and is_operand(y) else NotImplemented


def polite(function: Function) -> Function:
    """The operator of an op of two operands that takes the general path."""

    def operator(x: Any, y: Any) -> Any:
        return function(x, y) if is_operand(x) and is_operand(y) else NotImplemented

    return operator


def unary(op: Op) -> Function:
    """One tensor and nothing else."""
    plans: dict[Any, Plan] = op.plans

    def function(x: Any) -> Any:
        try:
            p = plans[x._spec]
            a = x._data
        except (KeyError, AttributeError):
            return call(op, (x,), NOTHING)
        kernel = p.hot
        if state.special or kernel is None:
            return call(op, (x,), NOTHING)
        try:
            o = kernel(a)
        except Exception:
            return call(op, (x,), NOTHING)  # the general path says what went wrong
        t = new(Tensor)
        t._data = o
        t._spec = p.out
        t._alias = None
        e = x._node
        if e is None or not p.differentiable:
            t._node = None
            return t
        n = t._node = Node()
        v = n.variant = p.left or p.variant(1)
        n.edges = (e,)
        n.seq = next_seq()
        save = v.save
        n.saved = save(a, o) if save is not None else ()
        return t

    return function


def tolerant(op: Op, hot: Function, arity: int) -> Function:
    """The public function around a hot path: keywords and extra arguments go to the general path."""

    def function(*args: Any, **params: Any) -> Any:
        if params or len(args) != arity:
            return call(op, args, params)
        return hot(*args)

    return function


def parametrized(op: Op) -> Function:
    """One tensor and parameters, looked up as they were written."""
    plans: dict[Any, Plan] = op.plans

    def function(x: Any = None, /, *args: Any, **params: Any) -> Any:
        try:
            spec = x._spec
            if params:
                p = plans[spec, args, *params.items()]
            else:
                p = plans[spec, args] if args else plans[spec]
            a = x._data
        except (KeyError, AttributeError, TypeError):
            return _first_time(op, x, args, params)
        if state.special:
            return call(op, (x, *args), params) if op.autocast else execute(p, (x,))
        kernel = p.hot
        if kernel is None:
            return execute(p, (x,))
        try:
            o = kernel(a)
        except Exception:
            return execute(p, (x,))  # the general path says what went wrong
        t = new(Tensor)
        t._data = o
        t._spec = p.out
        t._alias = None
        e = x._node
        if e is None or not p.differentiable:
            t._node = None
            return t
        n = t._node = Node()
        v = n.variant = p.left or p.variant(1)
        n.edges = (e,)
        n.seq = next_seq()
        save = v.save
        n.saved = save(a, o) if save is not None else ()
        return t

    return function


def viewing(op: Op) -> Function:
    """A view: one tensor, perhaps live positions, and parameters; the result is an alias."""
    plans: dict[Any, Plan] = op.plans
    lives = len(op.signature.live)

    def function(x: Any = None, /, *args: Any, **params: Any) -> Any:
        try:
            live = args[:lives] if lives else NO_POSITIONS
            key = (x._spec, args[lives:], *params.items()) if params else (x._spec, args)
            p = plans[key]
            a = x._data
        except (KeyError, AttributeError, TypeError):
            return _first_time(op, x, args, params)
        if state.special or not p.quick:
            return call(op, (x, *args), params)
        o = p.kernel(a, *live)
        e = x._node
        if e is None:
            return make_view(x, p, live, o, None)
        n = Node()
        v = n.variant = p.left or p.variant(1)
        n.edges = (e, *p.no_edges)
        n.seq = next_seq()
        save = v.save
        n.saved = save(a, *live, o) if save is not None else ()
        return make_view(x, p, live, o, n)

    return function


def _first_time(op: Op, x: Any, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
    if state.special and op.autocast:
        return call(op, _given(x, args), params)
    plan, inputs = prepare(op, _given(x, args), params)
    result = execute(plan, inputs)
    lives = len(op.signature.live)
    if isinstance(x, Tensor) and len(inputs) == 1 + lives and inputs[0] is x:
        key = (x._spec, args[lives:], *params.items()) if params else (x._spec, args)
        try:
            remember(op, key if params or args or op.view is not None else x._spec, plan)
        except TypeError:
            pass  # a list among the parameters: found by the general path each time
    return result


def _given(x: Any, rest: tuple[Any, ...]) -> tuple[Any, ...]:
    """The positional arguments as they were given: an absent first one stands as None in the hot path's signature."""
    return rest if x is None else (x, *rest)
