"""Functions with a gradient of the user's own: forward, backward, and a context that carries values between them."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from dovetail.autograd.mode import no_grad
from dovetail.dispatch import forward_stack, state
from dovetail.dispatch.aliasing import raw
from dovetail.dispatch.constants import constant
from dovetail.errors import ArgumentTypeError, AutogradError
from dovetail.tensor.node import FREED, Node, Pick, next_seq
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor, wrap


class FunctionCtx:
    """What ``forward`` leaves for ``backward``: saved tensors, and any attribute that is set on it."""

    needs_input_grad: tuple[bool, ...] = ()
    materialize_grads: bool = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for ``backward``, which finds them in ``saved_tensors``."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise ArgumentTypeError(
                    f"save_for_backward can only save variables, but got an object of type {type(t).__name__}; set "
                    "other values as attributes, as in ctx.n = n"
                )
        self._to_save: tuple[Tensor | None, ...] = tensors

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """The tensors that ``forward`` has saved."""
        values = self.__dict__.get("_values")
        if values is None:
            raise AutogradError(
                "saved_tensors is available inside backward() only (Trying to backward through the graph a second time "
                "after they have been freed? Specify retain_graph=True)"
            )
        return values  # type: ignore[no-any-return]  # set by _unpack

    def mark_dirty(self, *args: Tensor) -> None:
        """Say which inputs ``forward`` has written in place (they must be among its results)."""
        self._dirty: tuple[Tensor, ...] = args

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Say which results have no gradient."""
        self._constant: tuple[Tensor, ...] = args

    def set_materialize_grads(self, value: bool) -> None:
        """With False, ``backward`` gets None in place of zeros for results that were not used."""
        self.materialize_grads = value


class _Plan:
    """What the engine asks of any node's plan."""

    __slots__ = ("ins", "outs", "out", "backward_name", "single")

    def __init__(self, name: str, ins: Sequence[Spec | None], outs: Sequence[Spec]) -> None:
        self.ins = tuple(ins)
        self.outs = tuple(outs)
        self.out = outs[0]
        self.backward_name = name
        self.single = len(outs) == 1


class _Rule:
    """A variant whose formula is a user's ``backward``."""

    __slots__ = ("plan", "ctx", "backward", "where", "arity", "places")

    def __init__(
        self,
        plan: _Plan,
        ctx: Any,
        backward: Callable[..., Any],
        where: Sequence[Any],
        arity: int,
        places: Sequence[int | Spec | None],
    ) -> None:
        self.plan = plan
        self.places = tuple(places)
        self.ctx = ctx
        self.backward = backward
        self.where = tuple(where)
        self.arity = arity

    def gradients(self, node: Node, g: Any, graph: bool) -> list[tuple[int, Tensor]]:
        """Run the user's formula and check what it returns."""
        if node.saved is FREED:
            raise AutogradError(
                "Trying to backward through the graph a second time (or directly access saved tensors after they have "
                "already been freed). Specify retain_graph=True if you need to backward through the graph a second "
                f"time. (in {node.name()})"
            )
        incoming = [g] if self.plan.single else g
        if self.ctx.materialize_grads:
            incoming = [
                _zeros(spec) if value is None else value for value, spec in zip(incoming, self.plan.outs, strict=True)
            ]
        self.ctx._values = self._unpack(node)
        try:
            returned = self._call([self._slot(place, incoming) for place in self.places], graph)
        finally:
            self.ctx._values = None
        return self._checked(returned if isinstance(returned, tuple | list) else (returned,), node)

    def _slot(self, place: int | Spec | None, incoming: Sequence[Any]) -> Any:
        """What ``backward`` gets for one result: its gradient, zeros where it has none, None where it is no tensor."""
        if isinstance(place, int):
            return incoming[place]
        return _zeros(place) if place is not None and self.ctx.materialize_grads else None

    def _call(self, incoming: Sequence[Any], graph: bool) -> Any:
        if graph:
            return self.backward(self.ctx, *incoming)
        with no_grad():  # the saved tensors may be leaves: nothing of a first-order pass is recorded
            return self.backward(self.ctx, *incoming)

    def _unpack(self, node: Node) -> tuple[Tensor | None, ...]:
        found: list[Tensor | None] = []
        for array, place in zip(node.saved, self.where, strict=True):
            if place is None:
                found.append(None)
                continue
            spec, edge, output = place
            if output is not None:
                edge = node if self.plan.single else Pick(node, output, len(self.plan.outs))
            found.append(wrap(array, spec, edge))
        return tuple(found)

    def _checked(self, returned: Sequence[Any], node: Node) -> list[tuple[int, Tensor]]:
        extra = returned[self.arity :]
        if len(returned) < self.arity or any(g is not None for g in extra):
            raise AutogradError(
                f"function {node.name()} returned an incorrect number of gradients (expected {self.arity}, got "
                f"{len(returned)}): one per argument of forward, None for those without"
            )
        results = []
        for i, (g, edge) in enumerate(zip(returned, node.edges, strict=False)):
            if g is None or edge is None:
                continue
            if not isinstance(g, Tensor):
                raise AutogradError(f"{node.name()}: gradient {i} is no tensor but {type(g).__name__}")
            raw(g)
            results.append((i, g))
        return results


def _zeros(spec: Spec) -> Tensor:
    zero = constant(0.0, spec.dtype, spec.device)
    return zero.expand(spec.shape) if spec.shape else zero


class _FunctionMeta(type):
    """Names the nodes of a Function class as PyTorch does: ``Square`` gives ``SquareBackward``."""

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        cls.node_name = f"{name}Backward"


class Function(FunctionCtx, metaclass=_FunctionMeta):
    """Base of functions with a gradient of their own.

    A subclass defines the static methods ``forward(ctx, *args)`` and ``backward(ctx, *grad_outputs)``, or
    ``forward(*args)`` with ``setup_context(ctx, inputs, output)``, and is called through ``apply``. ``backward``
    returns one gradient per argument, written in dovetail's functions if it is to be differentiated again.

    >>> import dovetail
    >>> class Square(dovetail.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 2 * x
    >>> x = dovetail.tensor(3.0, requires_grad=True)
    >>> Square.apply(x).backward()
    >>> x.grad
    tensor(6.)
    """

    node_name: str

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the results; define it in the subclass."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Compute the gradients; define it in the subclass."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Fill the context from inputs and results, where ``forward`` does not take one."""
        raise NotImplementedError("setup_context is not implemented.")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run ``forward`` and connect its results to the graph."""
        if not isinstance(inspect.getattr_static(cls, "forward"), staticmethod):
            raise AutogradError(
                f"Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd "
                f"function with static forward method: put @staticmethod above {cls.__name__}.forward and take "
                f"`ctx` in "
                "place of `self`, or call the instance form"
            )
        ctx = FunctionCtx()
        if cls.setup_context is Function.setup_context:
            return _run(cls.node_name, ctx, functools.partial(cls.forward, ctx), cls.backward, args, kwargs)

        def forward(*values: Any, **params: Any) -> Any:
            output = cls.forward(*values, **params)
            cls.setup_context(ctx, values, output)
            return output

        return _run(cls.node_name, ctx, forward, cls.backward, args, kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the legacy instance form, whose methods take ``self`` in place of a context."""
        cls = type(self)
        if isinstance(inspect.getattr_static(cls, "forward"), staticmethod):
            raise AutogradError(f"{cls.__name__} has static methods: call {cls.__name__}.apply(...), not an instance")
        warnings.warn(
            f"{cls.__name__}()(...) is the legacy form of a Function: make forward and backward static methods "
            f"that take "
            f"`ctx`, and call {cls.__name__}.apply(...)",
            DeprecationWarning,
            stacklevel=2,
        )
        return _run(cls.node_name, self, self.forward, lambda ctx, *g: ctx.backward(*g), args, kwargs)


def _run(name: str, ctx: Any, forward: Callable[..., Any], backward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
    recording = any(ctx.needs_input_grad) and state.grad_enabled.get()
    edges = tuple(a._node if isinstance(a, Tensor) and a.requires_grad else None for a in args)
    ins = tuple(a._spec if isinstance(a, Tensor) else None for a in args)
    with no_grad():
        output = forward(*args, **kwargs)
    if not recording:
        ctx.__dict__.pop("_to_save", None)
        return output
    several = isinstance(output, tuple | list)
    outputs = list(output) if several else [output]
    connected = _connect(name, ctx, backward, args, ins, edges, outputs)
    return type(output)(connected) if several else connected[0]


def _connect(
    name: str, ctx: Any, backward: Callable[..., Any], args: Any, ins: Any, edges: Any, outputs: list[Any]
) -> list[Any]:
    """Make the node, and the results as tensors that lead to it."""
    constants = {id(t) for t in ctx.__dict__.pop("_constant", ())}
    graded = [
        isinstance(o, Tensor) and id(o) not in constants and (o.is_floating_point() or o.is_complex()) for o in outputs
    ]
    if not any(graded):
        return outputs
    specs = [o._spec for o, yes in zip(outputs, graded, strict=True) if yes]
    node = Node()
    node.edges = edges
    node.seq = next_seq()
    saved, where = _pack(ctx, args, [o for o, yes in zip(outputs, graded, strict=True) if yes])
    node.saved = saved
    numbers = iter(range(len(specs)))
    places = [
        next(numbers) if yes else o._spec if isinstance(o, Tensor) else None
        for o, yes in zip(outputs, graded, strict=True)
    ]
    node.variant = _Rule(_Plan(name, ins, specs), ctx, backward, where, len(args), places)
    if state.state.special:
        forward_stack.remember(node)
    dirty = {id(t) for t in ctx.__dict__.pop("_dirty", ())}
    result: list[Any] = []
    at = 0
    for output, yes in zip(outputs, graded, strict=True):
        if not yes:
            result.append(output)
            continue
        edge = node if len(specs) == 1 else Pick(node, at, len(specs))
        at += 1
        if id(output) in dirty:
            output._node = edge
            result.append(output)
        else:
            result.append(wrap(raw(output), output._spec, edge))
    return result


def _pack(ctx: Any, args: Any, outputs: Sequence[Tensor]) -> tuple[tuple[Any, ...], list[Any]]:
    """The raw arrays to save, and where each comes from: an edge, or the number of an output (or there is a cycle)."""
    arrays: list[Any] = []
    where: list[Any] = []
    for t in ctx.__dict__.pop("_to_save", ()):
        if t is None:
            arrays.append(None)
            where.append(None)
            continue
        number = next((i for i, o in enumerate(outputs) if o is t), None)
        is_input = any(a is t for a in args)
        arrays.append(raw(t))
        where.append((t._spec, t._node if is_input or number is None else None, None if is_input else number))
    return tuple(arrays), where


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a ``backward`` that cannot be differentiated again: asking for that is an error, not a wrong result."""

    @functools.wraps(backward)
    def wrapped(ctx: Any, *grads: Any) -> Any:
        recorded = state.grad_enabled.get()
        with no_grad():
            results = backward(ctx, *grads)
        if not recorded:
            return results
        listed = results if isinstance(results, tuple) else (results,)
        refused = tuple(_Refused.apply(r) if isinstance(r, Tensor) else r for r in _requiring(listed, grads, ctx))
        return refused if isinstance(results, tuple) else refused[0]

    return wrapped


def _requiring(results: Sequence[Any], grads: Sequence[Any], ctx: Any) -> list[Any]:
    return [r.detach().requires_grad_() if isinstance(r, Tensor) else r for r in results]


class _Refused(Function):
    """Identity whose gradient is an error."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        raise AutogradError("trying to differentiate twice a function that was marked with @once_differentiable")
