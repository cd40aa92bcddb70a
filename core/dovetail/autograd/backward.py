"""``backward`` and ``grad``: from tensors to the engine and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from dovetail.autograd import engine, hooks
from dovetail.autograd.hooks import RemovableHandle
from dovetail.dispatch import state
from dovetail.dispatch.aliasing import raw
from dovetail.dispatch.constants import constant
from dovetail.errors import ArgumentTypeError, AutogradError, ShapeError
from dovetail.tensor.node import Leaf, Node
from dovetail.tensor.tensor import Tensor

Tensors: TypeAlias = Tensor | Sequence[Tensor]


def _listed(value: Any) -> list[Any]:
    return [value] if value is None or isinstance(value, Tensor) else list(value)


def _root(t: Tensor) -> Node:
    if not isinstance(t, Tensor):
        raise ArgumentTypeError(f"expected a tensor to differentiate, got {type(t).__name__}")
    raw(t)
    if t._node is None:
        raise AutogradError(
            "element 0 of tensors does not require grad and does not have a grad_fn (shape "
            f"{list(t.shape)}, {t.dtype.name}). Was it computed under no_grad, detached, or from tensors without "
            "requires_grad=True?"
        )
    return t._node


def _start(t: Tensor, gradient: Any, graph: bool) -> Tensor:
    """The gradient that enters at a root: ones for a scalar, else what was given, checked."""
    if gradient is None:
        if t.numel() != 1:
            raise AutogradError(
                f"grad can be implicitly created only for scalar outputs, but this one has shape {list(t.shape)} "
                "(reduce it first, as in loss.mean().backward(), or pass gradient=)"
            )
        one = constant(1.0, t.dtype, t.device)
        return one if not t._spec.shape else one.expand(t._spec.shape)
    if not isinstance(gradient, Tensor):
        raise ArgumentTypeError(f"gradients can be either Tensors or None, but got {type(gradient).__name__}")
    if gradient.shape != t.shape:
        raise ShapeError(
            f"Mismatch in shape: grad_output[0] has a shape of {gradient.shape} and output[0] has a shape of {t.shape}."
        )
    raw(gradient)
    if gradient._spec is not t._spec:
        gradient = gradient.to(device=t.device, dtype=t.dtype)
    return gradient if graph else gradient.detach()  # type: ignore[no-any-return]


def backward(
    tensors: Tensors,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensors | None = None,
) -> None:
    """Add the gradient of ``tensors`` to the ``grad`` of every leaf that they were computed from.

    ``grad_tensors`` are the gradients to start from (ones for scalars), ``inputs`` restricts the leaves.

    >>> import dovetail
    >>> x = dovetail.tensor(3.0, requires_grad=True)
    >>> (x * x).backward()
    >>> x.grad
    tensor(6.)
    """
    outputs = _listed(tensors)
    given = _listed(grad_tensors) if grad_tensors is not None else [None] * len(outputs)
    if len(given) != len(outputs):
        raise AutogradError(f"got {len(outputs)} tensors and {len(given)} gradients")
    roots = [(_root(t), _start(t, g, create_graph)) for t, g in zip(outputs, given, strict=True)]
    chosen = None
    if inputs is not None:
        if not _listed(inputs):
            raise AutogradError("`inputs` argument to `backward` cannot be empty.")
        chosen = {_root(t) for t in _listed(inputs)}
    _run(roots, retain_graph, create_graph, leaves=chosen)


def _run(roots: Any, retain_graph: bool | None, create_graph: bool, **rest: Any) -> None:
    """Start the engine in the right mode: recorded when a graph of the backward pass is wanted."""
    retain = create_graph if retain_graph is None else retain_graph
    if not create_graph and not state.state.special:
        engine.run(roots, retain_graph=retain, create_graph=False, **rest)
        return
    token = state.grad_enabled.set(create_graph)
    state.enter()
    try:
        engine.run(roots, retain_graph=retain, create_graph=create_graph, **rest)
    finally:
        state.leave()
        state.grad_enabled.reset(token)


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """Return the gradients of ``outputs`` with respect to ``inputs``; ``grad`` of no tensor changes.

    With ``create_graph`` the result can be differentiated again. An input that the outputs do not depend on is an
    error, None with ``allow_unused``, zeros with ``materialize_grads``.

    >>> import dovetail
    >>> x = dovetail.tensor(2.0, requires_grad=True)
    >>> (first,) = dovetail.autograd.grad(x**3, x, create_graph=True)
    >>> dovetail.autograd.grad(first, x)
    (tensor(12.),)
    """
    results, sources = _listed(outputs), _listed(inputs)
    given = _listed(grad_outputs) if grad_outputs is not None else [None] * len(results)
    for t in sources:
        raw(t)
        if t._node is None:
            raise AutogradError("One of the differentiated Tensors does not require grad")
    roots = [(_root(t), _start(t, g, create_graph)) for t, g in zip(results, given, strict=True)]
    wanted: dict[Node, Any] = {t._node: None for t in sources}
    _run(roots, retain_graph, create_graph, wanted=wanted)
    found = [wanted[t._node] for t in sources]
    if materialize_grads:
        found = [t.new_zeros(t.shape) if g is None else g for t, g in zip(sources, found, strict=True)]
    elif not allow_unused and any(g is None for g in found):
        raise AutogradError(
            "One of the differentiated Tensors appears to not have been used in the graph. Set allow_unused=True if "
            "this is the desired behavior."
        )
    return tuple(g if g is None or create_graph else g.detach() for g in found)


# ------------------------------------------------------------------------------------------ methods of Tensor


def tensor_backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensors | None = None,
) -> None:
    """Add the gradient of this tensor to the ``grad`` of every leaf that it was computed from."""
    backward(self, gradient, retain_graph, create_graph, inputs)


def retain_grad(self: Tensor) -> None:
    """Keep the gradient of this tensor in ``grad`` during backward, though it is no leaf."""
    import weakref

    node = _root(self)
    if type(node) is not Leaf:
        hooks.of(node).retain = weakref.ref(self)


def register_hook(self: Tensor, hook: hooks.Hook) -> RemovableHandle:
    """Call ``hook(grad)`` when the gradient of this tensor is known; a tensor it returns takes its place."""
    if self._node is None:
        raise AutogradError("cannot register a hook on a tensor that doesn't require gradient")
    return RemovableHandle(hooks.of(_root(self)).pre, hook)


def register_post_accumulate_grad_hook(self: Tensor, hook: hooks.Hook) -> RemovableHandle:
    """Call ``hook(tensor)`` after a gradient was added to ``grad`` of this leaf."""
    if type(self._node) is not Leaf:
        raise AutogradError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    return RemovableHandle(hooks.of(self._node).accumulated, hook)


def node_register_hook(self: Node, hook: hooks.Hook) -> RemovableHandle:
    """Call ``hook(grad_inputs, grad_outputs)`` after the node's formulas have run."""
    return RemovableHandle(hooks.of(self).post, hook)


def node_register_prehook(self: Node, hook: hooks.Hook) -> RemovableHandle:
    """Call ``hook(grad_output)`` before the node's formulas run."""
    return RemovableHandle(hooks.of(self).pre, hook)


def get_grad(self: Tensor) -> Tensor | None:
    """The gradient that backward has added up."""
    try:
        return self._grad
    except AttributeError:
        return None


def set_grad(self: Tensor, value: Tensor | None) -> None:
    """Set or clear the gradient; its shape, dtype and device must be the tensor's."""
    if value is not None:
        if not isinstance(value, Tensor):
            raise ArgumentTypeError(f"assigned grad expected to be a Tensor or None but got grad of type {type(value)}")
        if value._spec is not self._spec:
            raise ShapeError(
                f"assigned grad has data of {value._spec}, but the tensor is {self._spec}: shape, dtype and "
                f"device must "
                "be the same"
            )
    if state.state.special:
        trace = state.tracing.get()
        if trace is not None:
            trace.set_grad(self, value)
    self._grad = value
