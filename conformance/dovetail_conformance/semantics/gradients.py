"""Gradients at the edges, and how gradients add up."""

from __future__ import annotations

from typing import Any, Final

from dovetail_conformance.semantics.case import Case, gradient

nan, inf = float("nan"), float("inf")


def _pair(name: str) -> Case:
    def program(t: Any) -> Any:
        a, b = t.tensor([1.0, 2.0], requires_grad=True), t.tensor([1.0, 1.0], requires_grad=True)
        getattr(t, name)(a, b).sum().backward()
        return [a.grad, b.grad]

    larger = [[0.5, 1.0], [0.5, 0.0]] if name == "maximum" else [[0.5, 0.0], [0.5, 1.0]]
    return Case("gradients", f"{name} of equal values", program, larger)


def _accumulated(t: Any) -> Any:
    x = t.tensor([2.0, 3.0], requires_grad=True)
    (x * x + x).sum().backward()
    first = x.grad.clone()
    (x * 10).sum().backward()
    return [first, x.grad]


def _unused_branch(t: Any) -> Any:
    x = t.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    chosen = t.where(x > 0, x, t.zeros(3))
    return t.autograd.grad(chosen, x, t.tensor([nan, inf, 3.0]))[0]


def _broadcast(t: Any) -> Any:
    x, y = t.ones(3, requires_grad=True), t.ones(2, 1, requires_grad=True)
    (x * y).sum().backward()
    return [list(x.grad.shape), x.grad, list(y.grad.shape), y.grad]


def _kept_type(t: Any) -> Any:
    x = t.ones(2, dtype=t.float16, requires_grad=True)
    (x * t.ones(2)).sum().backward()
    return x.grad.dtype


def _sorted(t: Any) -> Any:
    x = t.tensor([1.0, 1.0, 0.0], requires_grad=True)
    found, order = x.sort(stable=True)
    (found * t.tensor([10.0, 20.0, 30.0])).sum().backward()
    return [order, x.grad]


def _embedded(t: Any) -> Any:
    w = t.ones(3, 2, requires_grad=True)
    t.nn.functional.embedding(t.tensor([1, 1, 2]), w).sum().backward()
    return w.grad


def _scattered(t: Any) -> Any:
    s = t.tensor([1.0, 2.0, 3.0], requires_grad=True)
    out = t.zeros(2).scatter_add(0, t.tensor([0, 0, 1]), s)
    (out * t.tensor([2.0, 5.0])).sum().backward()
    return [out.detach(), s.grad]


CASES: Final[tuple[Case, ...]] = (
    gradient("abs at 0", lambda t: t.abs, [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]),
    gradient("relu at 0", lambda t: t.relu, [-1.0, 0.0, 1.0], [0.0, 0.0, 1.0]),
    gradient("relu6 at 0 and 6", lambda t: t.nn.functional.relu6, [0.0, 3.0, 6.0], [0.0, 1.0, 0.0]),
    gradient("hardtanh at its edges", lambda t: t.nn.functional.hardtanh, [-1.0, 0.5, 1.0], [0.0, 1.0, 0.0]),
    gradient(
        "hardsigmoid at its edges", lambda t: t.nn.functional.hardsigmoid, [-3.0, 0.0, 3.0], [0.0, 1 / 6, 0.0]
    ),
    gradient(
        "clamp at its edges", lambda t: lambda x: x.clamp(-1, 1), [-2.0, -1.0, 1.0, 2.0], [0.0, 1.0, 1.0, 0.0]
    ),
    gradient(
        "leaky_relu at 0", lambda t: lambda x: t.nn.functional.leaky_relu(x, 0.25), [0.0, 1.0], [0.25, 1.0]
    ),
    gradient("elu at 0", lambda t: t.nn.functional.elu, [0.0, 1.0], [1.0, 1.0]),
    _pair("maximum"),
    _pair("minimum"),
    gradient("amax of ties", lambda t: lambda x: x.amax(), [3.0, 1.0, 3.0], [0.5, 0.0, 0.5]),
    gradient("amin of ties", lambda t: lambda x: x.amin(), [1.0, 1.0, 3.0], [0.5, 0.5, 0.0]),
    gradient("max() of ties", lambda t: lambda x: x.max(), [3.0, 1.0, 3.0], [0.5, 0.0, 0.5]),
    gradient("max(dim) of ties", lambda t: lambda x: x.max(0)[0], [3.0, 1.0, 3.0], [1.0, 0.0, 0.0]),
    gradient("median() of ties", lambda t: lambda x: x.median(), [2.0, 2.0, 3.0], [0.5, 0.5, 0.0]),
    gradient("norm at 0", lambda t: lambda x: t.norm(x), [0.0, 0.0], [0.0, 0.0]),
    gradient("std of constants", lambda t: lambda x: x.std(), [2.0, 2.0], [0.0, 0.0]),
    gradient("x ** 0. at 0", lambda t: lambda x: x**0.0, [0.0], [0.0]),
    gradient("sqrt at 0", lambda t: t.sqrt, [0.0], [inf]),
    gradient("prod with one zero", lambda t: lambda x: x.prod(), [0.0, 2.0, 3.0], [6.0, 0.0, 0.0]),
    gradient("prod with two zeros", lambda t: lambda x: x.prod(), [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]),
    Case("gradients", "sort with ties follows its permutation", _sorted, [[2, 0, 1], [20.0, 30.0, 10.0]]),
    gradient(
        "index with repeated positions", lambda t: lambda x: x[t.tensor([0, 0, 1])], [1.0, 2.0], [2.0, 1.0]
    ),
    gradient(
        "gather with repeated positions",
        lambda t: lambda x: x.gather(0, t.tensor([1, 1, 0])),
        [1.0, 2.0],
        [1.0, 2.0],
    ),
    Case("gradients", "scatter_add with repeated positions", _scattered, [[3.0, 3.0], [2.0, 2.0, 5.0]]),
    Case("gradients", "embedding with repeated positions", _embedded, [[0.0, 0.0], [2.0, 2.0], [1.0, 1.0]]),
    Case(
        "gradients",
        "gradients of several uses and of several backward calls add up",
        _accumulated,
        [[5.0, 7.0], [15.0, 17.0]],
    ),
    Case("gradients", "the branch that where does not take", _unused_branch, [0.0, 0.0, 3.0]),
    Case(
        "gradients",
        "a broadcast operand's gradient has its shape",
        _broadcast,
        [[3], [2.0, 2.0, 2.0], [2, 1], [[3.0], [3.0]]],
    ),
    Case("gradients", "the gradient has the tensor's dtype", _kept_type, "float16"),
)
