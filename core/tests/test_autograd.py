"""The tape: lifetimes, orders of derivative, hooks, custom functions, errors in PyTorch's words."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.autograd import Function, grad, gradcheck, gradgradcheck
from dovetail.errors import AutogradError

BACKENDS = ["numpy", "jax"]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param != "numpy":
        pytest.importorskip(request.param, reason=f"the extra `{request.param}` is not installed")
    with dovetail.use_backend(request.param):
        yield request.param


# ------------------------------------------------------------------------------------------ lifetimes


def test_dropping_the_loss_frees_the_graph_without_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        x = dovetail.ones(2, 2, requires_grad=True)
        y = (x * 2).exp()
        z = y.view(4)[1:] * 3
        detached = z.detach()
        loss = z.sum() + detached.sum()
        seen = [weakref.ref(t) for t in (y, z, detached, loss)]
        seen += [weakref.ref(t.grad_fn) for t in (y, z, loss)]
        seen.append(weakref.ref(y._alias.cell))
        loss.backward()
        del y, z, detached, loss
        assert [s() for s in seen] == [None] * len(seen)
        leaf = weakref.ref(x)
        del x
        assert leaf() is None, "a parameter is no cycle with its node"
    finally:
        gc.enable()


def test_saved_values_are_freed_during_backward() -> None:
    x = dovetail.ones(3, requires_grad=True)
    y = x.exp()
    z = y * y
    node = z.grad_fn
    z.sum().backward()
    assert repr(node.saved) == "<freed>"


def test_a_chain_of_a_hundred_thousand_ops_neither_recurses_nor_lingers() -> None:
    x = dovetail.ones(2, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y * 1.0
    y.sum().backward()
    assert x.grad.tolist() == [1, 1]
    del y
    y = x
    for _ in range(100_000):
        y = y + x
    last = weakref.ref(y)
    del y
    assert last() is None


# ------------------------------------------------------------------------------------------ orders


def test_third_derivatives(backend: str) -> None:
    x = dovetail.tensor(2.0, requires_grad=True)
    (first,) = grad(x**4, x, create_graph=True)
    (second,) = grad(first, x, create_graph=True)
    (third,) = grad(second, x)
    assert [first.item(), second.item(), third.item()] == [32, 48, 48]


def test_derivatives_go_through_views_and_writes(backend: str) -> None:
    x = dovetail.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 1
    y.view(-1)[0] = x[1] * x[1]
    y[1:] *= x[:2]
    (first,) = grad((y * y).sum(), x, create_graph=True)
    (second,) = grad(first.sum(), x)
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    v = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    w = v * 1
    w.view(-1)[0] = v[1] * v[1]
    w[1:] *= v[:2]
    (theirs,) = torch.autograd.grad((w * w).sum(), v, create_graph=True)
    (twice,) = torch.autograd.grad(theirs.sum(), v)
    assert first.tolist() == theirs.tolist()
    assert second.tolist() == twice.tolist()


def test_a_saved_value_is_the_value_that_was_saved(backend: str) -> None:
    x = dovetail.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    z = y * y
    y.zero_()
    z.sum().backward()
    assert x.grad.tolist() == [2, 4], "where PyTorch refuses, the gradient is that of the value that was used"
    assert y._version == 1


def test_a_graph_crosses_backends() -> None:
    pytest.importorskip("jax", reason="the extra `jax` is not installed")
    x = dovetail.tensor([1.0, 2.0], device="numpy", requires_grad=True)
    y = (x * x).to("jax")
    (y * y).sum().backward()
    assert x.grad.device is x.device
    assert x.grad.tolist() == [4, 32]


# ------------------------------------------------------------------------------------------ accumulation


def test_gradients_accumulate_and_do_not_share_memory() -> None:
    a, b = dovetail.ones(2, requires_grad=True), dovetail.ones(2, requires_grad=True)
    (a + b).sum().backward()
    (a + b).sum().backward()
    assert a.grad.tolist() == [2, 2]
    a.grad.zero_()
    assert b.grad.tolist() == [2, 2], "one leaf's gradient is not another's"


def test_the_gradient_has_the_leafs_dtype_shape_and_device(backend: str) -> None:
    x = dovetail.ones(1, 3, dtype=dovetail.float32, requires_grad=True)
    y = dovetail.ones(2, 1, dtype=dovetail.float64, requires_grad=True)
    (x * y).sum().backward()
    assert (x.grad.dtype, x.grad.shape, x.grad.device) == (x.dtype, x.shape, x.device)
    assert (y.grad.dtype, y.grad.shape, y.grad.device) == (y.dtype, y.shape, y.device)


def test_modes() -> None:
    x = dovetail.ones(2, requires_grad=True)
    with dovetail.no_grad():
        assert not (x * 2).requires_grad
        with dovetail.enable_grad():
            assert (x * 2).requires_grad
    with dovetail.inference_mode():
        assert not (x * 2).requires_grad
    dovetail.set_grad_enabled(False)
    assert not (x * 2).requires_grad
    dovetail.set_grad_enabled(True)
    assert (x * 2).requires_grad

    @dovetail.no_grad()
    def double(t: Any) -> Any:
        return t * 2

    assert not double(x).requires_grad


# ------------------------------------------------------------------------------------------ hooks


def test_hooks_see_and_replace_gradients() -> None:
    x = dovetail.ones(2, requires_grad=True)
    y = x * 2
    seen: list[Any] = []
    handle = y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    y.retain_grad()
    y.sum().backward()
    assert seen == [[1, 1]]
    assert y.grad.tolist() == [10, 10]
    assert x.grad.tolist() == [20, 20]
    handle.remove()
    done: list[Any] = []
    x.register_post_accumulate_grad_hook(lambda t: done.append(t.grad.tolist()))
    (x * 2).sum().backward()
    assert done == [[22, 22]]
    assert len(seen) == 1


def test_a_hook_that_returns_another_shape_is_an_error() -> None:
    x = dovetail.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: g.sum())
    with pytest.raises(AutogradError, match="must keep shape"):
        y.sum().backward()


# ------------------------------------------------------------------------------------------ functions of one's own


class Cube(Function):
    """x^3 with a formula that can be differentiated again."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return 3 * g * x**2


class Wrong(Function):
    """A formula that is off by a tenth."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x * 3

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * 3.3


def test_custom_functions_are_checked_to_second_order(backend: str) -> None:
    x = dovetail.tensor([0.5, -1.5], dtype=dovetail.float64, requires_grad=True)
    assert gradcheck(Cube.apply, (x,))
    assert gradgradcheck(Cube.apply, (x,))
    assert not gradcheck(Wrong.apply, (x,), raise_exception=False)
    assert "CubeBackward" in repr(Cube.apply(x).grad_fn)


def test_the_legacy_instance_form_runs_with_a_note() -> None:
    class Clip(Function):
        def forward(self, x: Any) -> Any:  # type: ignore[override]
            self.save_for_backward(x)
            return x.clamp(min=0)

        def backward(self, g: Any) -> Any:  # type: ignore[override]
            (x,) = self.saved_tensors
            g = g.clone()
            g[x < 0] = 0
            return g

    x = dovetail.tensor([-1.0, 2.0], requires_grad=True)
    with pytest.warns(DeprecationWarning, match="legacy form"):
        Clip()(x).sum().backward()
    assert x.grad.tolist() == [0, 1]


def test_backward_gets_one_gradient_per_result() -> None:
    got: list[Any] = []

    class Several(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            best = x.argmax()
            still = x * 0
            ctx.mark_non_differentiable(best, still)
            return x * 2, best, still, x * 3

        @staticmethod
        def backward(ctx: Any, *g: Any) -> Any:
            got.extend(g)
            return g[0] * 2 + g[3] * 3

    x = dovetail.tensor([1.0, 4.0], requires_grad=True)
    double, best, still, _ = Several.apply(x)
    assert not best.requires_grad
    assert not still.requires_grad
    double.sum().backward()
    assert x.grad.tolist() == [2, 2]
    assert [g.tolist() for g in got] == [[1, 1], 0, [0, 0], [0, 0]]


def test_a_wrong_number_of_gradients_is_an_error() -> None:
    class Two(Function):
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            return x * y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g

    with pytest.raises(AutogradError, match="incorrect number of gradients"):
        Two.apply(dovetail.ones(1, requires_grad=True), dovetail.ones(1)).backward()


# ------------------------------------------------------------------------------------------ errors


def test_errors_in_the_words_that_users_search_for() -> None:
    x = dovetail.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"grad can be implicitly created only for scalar outputs.*\[2\]"):
        (x * 2).backward()
    loss = (x * x).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match=r"backward through the graph a second time.*retain_graph=True"):
        loss.backward()
    with pytest.raises(RuntimeError, match="does not require grad and does not have a grad_fn"):
        dovetail.ones(1).backward()
    with pytest.raises(RuntimeError, match="Only Tensors of floating point and complex dtype can require gradients"):
        dovetail.ones(1, dtype=dovetail.int64).requires_grad_()
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"):
        x.add_(1)
    with pytest.raises(RuntimeError, match=r"Use tensor.detach\(\).numpy\(\) instead"):
        x.numpy()
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph"):
        grad((x * 2).sum(), dovetail.ones(1, requires_grad=True))
    with pytest.raises(TypeError, match="the first argument must be a function"):
        dovetail.autograd.functional.jacobian(x * 2, x)


def test_anomaly_mode_names_the_forward_call() -> None:
    x = dovetail.tensor([0.0], requires_grad=True)
    with dovetail.autograd.detect_anomaly():
        y = (x.sqrt() * 0).sum()
        with pytest.raises(AutogradError, match=r"nan values[\s\S]*test_autograd.py"):
            y.backward()


def test_functional_products_agree_with_the_matrices() -> None:
    from dovetail.autograd import functional

    x = dovetail.tensor([0.5, 1.5], dtype=dovetail.float64)
    v = dovetail.tensor([2.0, -1.0], dtype=dovetail.float64)

    def f(a: Any) -> Any:
        return dovetail.stack([a[0] * a[1], a[0] ** 2, a[1].exp()])

    matrix = functional.jacobian(f, x)
    np.testing.assert_allclose((matrix @ v).numpy(), functional.jvp(f, x, v)[1].numpy(), rtol=1e-14)
    u = dovetail.tensor([1.0, 2.0, 3.0], dtype=dovetail.float64)
    np.testing.assert_allclose((u @ matrix).numpy(), functional.vjp(f, x, u)[1].numpy(), rtol=1e-14)
    second = functional.hessian(lambda a: f(a).sum(), x)
    np.testing.assert_allclose((second @ v).numpy(), functional.hvp(lambda a: f(a).sum(), x, v)[1].numpy(), rtol=1e-14)


def test_a_slice_changed_in_place_is_written_once_and_without_a_copy() -> None:
    with dovetail.use_backend("numpy"):
        x = dovetail.zeros(100)
        x[1:5] += 1
        before = id(x._alias.cell.base)
        for _ in range(3):
            x[1:5] *= 2
        assert id(x._alias.cell.base) == before
        assert x[:6].tolist() == [0, 8, 8, 8, 8, 0]
