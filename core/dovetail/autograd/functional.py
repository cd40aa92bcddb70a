"""Jacobians, Hessians and products with them, of functions of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dovetail.autograd.backward import grad
from dovetail.autograd.mode import enable_grad
from dovetail.errors import ArgumentTypeError, AutogradError, ShapeError
from dovetail.tensor.tensor import Tensor

Fn = Callable[..., Any]


def _tuple(value: Any, name: str) -> tuple[tuple[Tensor, ...], bool]:
    """The tensors as a tuple, and whether there was one."""
    several = isinstance(value, tuple | list)
    values = tuple(value) if several else (value,)
    for v in values:
        if not isinstance(v, Tensor):
            raise ArgumentTypeError(f"{name} must be a tensor or a tuple of tensors, got {type(v).__name__}")
    return values, several


def _check_function(func: Any, name: str) -> None:
    if isinstance(func, Tensor) or not callable(func):
        raise ArgumentTypeError(
            f"{name}: the first argument must be a function, got {type(func).__name__}: {name}(lambda x: (x ** "
            f"2).sum(), x)"
        )


def _fresh(inputs: tuple[Tensor, ...], create_graph: bool) -> tuple[Tensor, ...]:
    """Inputs that the derivative is taken with respect to: of the same graph if it is to be kept, else leaves."""
    if create_graph:
        return tuple(x.view_as(x) if x.requires_grad else x.detach().requires_grad_() for x in inputs)
    return tuple(x.detach().clone().requires_grad_() for x in inputs)


def _shaped(values: Any, several: bool) -> Any:
    return tuple(values) if several else values[0]


def _evaluate(func: Fn, inputs: Any, create_graph: bool, name: str) -> Any:
    _check_function(func, name)
    given, several_in = _tuple(inputs, "inputs")
    with enable_grad():
        sources = _fresh(given, create_graph)
        outputs, several_out = _tuple(func(*sources), "the result of func")
    return sources, several_in, outputs, several_out


def _gradient(outputs: Any, sources: Any, v: Any, create_graph: bool, strict: bool) -> list[Tensor]:
    """Gradients with zeros where an input has no part in the result (an error with ``strict``)."""
    used = [(o, w) for o, w in zip(outputs, v, strict=True) if o.requires_grad]
    if not used:
        if strict:
            raise AutogradError("the result does not depend on any input (strict=True)")
        return [x.new_zeros(x.shape) for x in sources]
    with enable_grad():
        found = grad(
            [o for o, _ in used], sources, [w for _, w in used], retain_graph=True, create_graph=create_graph,
            allow_unused=True,
        )  # fmt: skip
    if strict and any(g is None for g in found):
        raise AutogradError("the result does not depend on one of the inputs (strict=True)")
    return [x.new_zeros(x.shape) if g is None else g for x, g in zip(sources, found, strict=True)]


def vjp(func: Fn, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """Return ``func(*inputs)`` and the product of ``v`` (one for a scalar result) with the Jacobian.

    >>> import dovetail
    >>> dovetail.autograd.functional.vjp(lambda x: (x * x).sum(), dovetail.tensor([1.0, 2.0]))[1]
    tensor([2., 4.])
    """
    sources, several_in, outputs, several_out = _evaluate(func, inputs, create_graph, "vjp")
    weights = _weights(v, outputs, "v", "the result of func")
    found = _gradient(outputs, sources, weights, create_graph, strict)
    results = outputs if create_graph else [o.detach() for o in outputs]
    return _shaped(results, several_out), _shaped(found, several_in)


def _weights(v: Any, like: tuple[Tensor, ...], name: str, what: str) -> tuple[Tensor, ...]:
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise AutogradError(f"{name} is needed: {what} is not a single scalar")
        return (like[0].new_ones(like[0].shape),)
    given, _ = _tuple(v, name)
    for g, x in zip(given, like, strict=True):
        if g.shape != x.shape:
            raise ShapeError(f"{name} has shape {list(g.shape)}, {what} has {list(x.shape)}")
    return given


def jvp(func: Fn, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """Return ``func(*inputs)`` and the product of the Jacobian with ``v``, by two reverse passes.

    The first gives ``u -> u J``, linear in ``u``; the gradient of that in ``u`` along ``v`` is ``J v``.
    """
    sources, _, outputs, several_out = _evaluate(func, inputs, create_graph, "jvp")
    weights = _weights(v, sources, "v", "the input")
    with enable_grad():
        probes = tuple(o.new_zeros(o.shape).requires_grad_() for o in outputs)
        pulled = _gradient(outputs, sources, probes, True, strict)
    found = _gradient(pulled, probes, weights, create_graph, False)
    results = outputs if create_graph else [o.detach() for o in outputs]
    return _shaped(results, several_out), _shaped(found, several_out)


def jacobian(
    func: Fn, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """Return the Jacobian: shape of the result, then shape of the input; nested tuples for several of either.

    >>> import dovetail
    >>> dovetail.autograd.functional.jacobian(lambda x: x * x, dovetail.tensor([1.0, 3.0]))
    tensor([[2., 0.],
            [0., 6.]])
    """
    _check_function(func, "jacobian")
    sources, several_in, outputs, several_out = _evaluate(func, inputs, create_graph, "jacobian")
    rows = [_jacobian_of(o, sources, create_graph, strict) for o in outputs]
    shaped = [_shaped(r, several_in) for r in rows]
    return _shaped(shaped, several_out)


def _jacobian_of(output: Tensor, sources: tuple[Tensor, ...], create_graph: bool, strict: bool) -> list[Tensor]:
    flat = output.reshape(-1)
    found: list[list[Tensor]] = [[] for _ in sources]
    for i in range(flat.shape[0]):
        gradients = _gradient((flat[i],), sources, (flat.new_ones(()),), create_graph, strict)
        for rows, g in zip(found, gradients, strict=True):
            rows.append(g)
    return [_stacked(rows, output, x) for rows, x in zip(found, sources, strict=True)]


def _stacked(rows: list[Tensor], output: Tensor, x: Tensor) -> Tensor:
    shape = (*output.shape, *x.shape)
    if not rows:
        return x.new_zeros(shape)
    whole = x.new_zeros((len(rows), x.numel()))
    for i, row in enumerate(rows):
        whole[i] = row.reshape(-1)
    return whole.reshape(shape)


def hessian(
    func: Fn, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """Return the second derivatives of a scalar function: shape of one input, then of the other.

    >>> import dovetail
    >>> dovetail.autograd.functional.hessian(lambda x: (x**3).sum(), dovetail.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    _check_function(func, "hessian")
    given, several = _tuple(inputs, "inputs")

    def gradient(*xs: Tensor) -> tuple[Tensor, ...]:
        value = func(*xs)
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise AutogradError("hessian: the function must return a single scalar")
        return tuple(_gradient((value,), xs, (value.new_ones(value.shape),), True, strict))

    found = jacobian(gradient, given, create_graph, strict)
    return found if several else found[0][0]


def vhp(func: Fn, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """Return ``func(*inputs)`` and the product of ``v`` with the Hessian of a scalar function."""
    sources, several_in, outputs, _ = _evaluate(func, inputs, True, "vhp")
    if len(outputs) != 1 or outputs[0].numel() != 1:
        raise AutogradError("the function must return a single scalar")
    weights = _weights(v, sources, "v", "the input")
    first = _gradient(outputs, sources, (outputs[0].new_ones(outputs[0].shape),), True, strict)
    found = _gradient(first, sources, weights, create_graph, strict)
    value = outputs[0] if create_graph else outputs[0].detach()
    return value, _shaped(found, several_in)


def hvp(func: Fn, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """Return ``func(*inputs)`` and the Hessian times ``v``; it is symmetric, so the same as :func:`vhp`."""
    return vhp(func, inputs, v, create_graph, strict)
