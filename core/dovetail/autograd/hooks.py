"""Hooks on gradients: a side table by node, looked at only while it has entries."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary, ref

from dovetail.errors import AutogradError
from dovetail.tensor.node import Leaf, Node
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.tensor.spec import Spec

Hook = Callable[..., Any]
_ids: Final = count()


class Hooks:
    """The hooks of one node: ``pre`` see the gradient of its result, ``post`` those of its inputs."""

    __slots__ = ("pre", "post", "retain", "accumulated")

    def __init__(self) -> None:
        self.pre: OrderedDict[int, Hook] = OrderedDict()
        self.post: OrderedDict[int, Hook] = OrderedDict()
        self.retain: ref[Tensor] | None = None
        self.accumulated: OrderedDict[int, Hook] = OrderedDict()


table: Final[WeakKeyDictionary[Node, Hooks]] = WeakKeyDictionary()


class Watch:
    """Whether any node has ever had hooks: one load for the engine where nobody uses them."""

    __slots__ = ("on",)

    def __init__(self) -> None:
        self.on = False


watch: Final = Watch()


class RemovableHandle:
    """Takes a hook out again: ``handle.remove()``, or as a context manager."""

    def __init__(self, hooks: OrderedDict[int, Hook], hook: Hook) -> None:
        self.id = next(_ids)
        self._hooks = hooks
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook out; a second time does nothing."""
        self._hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def of(node: Node) -> Hooks:
    """Return the hooks of a node, made if there are none."""
    found = table.get(node)
    if found is None:
        found = table[node] = Hooks()
        watch.on = True
    return found


def before(node: Node, gradient: Any) -> Any:
    """Run the hooks that see the gradient of a node's result, and keep it where ``retain_grad`` asked."""
    hooks = table.get(node)
    if hooks is None:
        return gradient
    for hook in list(hooks.pre.values()):
        result = hook(gradient)
        if result is not None:
            gradient = _checked(result, gradient)
    tensor = hooks.retain() if hooks.retain is not None else None
    if tensor is not None:
        tensor.grad = gradient if tensor.grad is None else tensor.grad + gradient
    return gradient


def after(node: Node, results: Sequence[tuple[int, Tensor]], gradient: Any) -> Sequence[tuple[int, Tensor]]:
    """Run the hooks that see (and may replace) the gradients of a node's inputs."""
    hooks = table.get(node)
    if hooks is None or not hooks.post:
        return results
    inputs: list[Tensor | None] = [None] * len(node.edges)
    for i, gi in results:
        inputs[i] = gi if inputs[i] is None else inputs[i] + gi  # type: ignore[operator]  # both are tensors
    for hook in list(hooks.post.values()):
        replaced = hook(tuple(inputs), (gradient,))
        if replaced is not None:
            inputs = list(replaced) if isinstance(replaced, tuple | list) else [replaced]
    return [(i, gi) for i, gi in enumerate(inputs) if gi is not None and node.edges[i] is not None]


def accumulated(leaf: Leaf, tensor: Tensor) -> None:
    """Run the hooks that wait for a leaf's gradient to be in place."""
    hooks = table.get(leaf)
    if hooks is not None:
        for hook in list(hooks.accumulated.values()):
            hook(tensor)


def _checked(result: Any, gradient: Any) -> Any:
    if not isinstance(result, Tensor):
        raise AutogradError(f"a gradient hook must return a tensor or None, got {type(result).__name__}")
    want: Spec | None = gradient._spec if isinstance(gradient, Tensor) else None
    if want is not None and result._spec is not want:
        raise AutogradError(f"a gradient hook must keep shape, dtype and device: {want} became {result._spec}")
    return result
