from __future__ import annotations

import copy
import gc
from collections import namedtuple
from typing import Any

import pytest

import dovetail
from dovetail import nn


class Scale(nn.Module):
    def __init__(self, factor: float = 2.0) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Any, *, shift: float = 0.0) -> Any:
        return x * self.factor + shift


# ---------------------------------------------------------------------------------------------------- forward


def test_order_of_the_forward_hooks() -> None:
    order: list[str] = []
    module = Scale()
    module.register_forward_pre_hook(lambda m, args: order.append("pre 1"))
    module.register_forward_pre_hook(lambda m, args: order.append("pre 0"), prepend=True)
    module.register_forward_hook(lambda m, args, out: order.append("post 1"))
    module.register_forward_hook(lambda m, args, out: order.append("post 0"), prepend=True)
    module(dovetail.ones(1))
    assert order == ["pre 0", "pre 1", "post 0", "post 1"]


def test_hooks_replace_arguments_and_output() -> None:
    module = Scale()
    module.register_forward_pre_hook(lambda m, args: args[0] + 1)
    module.register_forward_hook(lambda m, args, out: out * 10)
    assert module(dovetail.ones(1)).tolist() == [40.0]


def test_a_pre_hook_may_return_all_arguments() -> None:
    class Sum(nn.Module):
        def forward(self, a: Any, b: Any = 0) -> Any:
            return a + b

    module = Sum()
    module.register_forward_pre_hook(lambda m, args: (args[0], 5))
    assert module(dovetail.ones(1)).tolist() == [6.0]


def test_hooks_with_kwargs() -> None:
    module = Scale()
    seen: list[Any] = []
    module.register_forward_pre_hook(lambda m, args, kwargs: (args, {"shift": 5.0}), with_kwargs=True)
    module.register_forward_hook(lambda m, args, kwargs, out: seen.append(kwargs), with_kwargs=True)
    assert module(dovetail.ones(1), shift=1.0).tolist() == [7.0]
    assert seen == [{"shift": 5.0}]
    module.register_forward_pre_hook(lambda m, args, kwargs: args, with_kwargs=True)
    with pytest.raises(RuntimeError, match="forward pre-hook must return None or a tuple"):
        module(dovetail.ones(1))


def test_handles() -> None:
    module = Scale()
    handle = module.register_forward_hook(lambda m, args, out: out * 10, always_call=True, with_kwargs=False)
    handle.remove()
    handle.remove()
    assert module(dovetail.ones(1)).tolist() == [2.0]
    assert not module._forward_hooks_always_called
    with module.register_forward_hook(lambda m, args, out: out * 10):
        assert module(dovetail.ones(1)).tolist() == [20.0]
    assert module(dovetail.ones(1)).tolist() == [2.0]
    handle = module.register_forward_hook(lambda m, args, out: None)
    del module
    gc.collect()
    handle.remove()


def test_always_call_runs_after_an_error() -> None:
    class Broken(nn.Module):
        def forward(self, x: Any) -> Any:
            raise ValueError("broken")

    seen: list[Any] = []
    module = Broken()
    module.register_forward_hook(lambda m, args, out: seen.append("plain"))
    module.register_forward_hook(lambda m, args, out: seen.append(("always", out)), always_call=True)
    with pytest.raises(ValueError, match="broken"):
        module(1)
    assert seen == [("always", None)]

    def fail(m: Any, args: Any, out: Any) -> None:
        raise KeyError("hook")

    module.register_forward_hook(fail, always_call=True)
    with (
        pytest.warns(UserWarning, match="raised an exception that was silenced"),
        pytest.raises(ValueError, match="broken"),
    ):
        module(1)


def test_always_call_runs_once_when_a_later_hook_raises() -> None:
    seen: list[int] = []
    module = Scale()
    module.register_forward_hook(lambda m, args, out: seen.append(1), always_call=True)

    def fail(m: Any, args: Any, out: Any) -> None:
        raise ValueError("later")

    module.register_forward_hook(fail)
    with pytest.raises(ValueError, match="later"):
        module(dovetail.ones(1))
    assert seen == [1]


def test_a_hook_may_remove_itself() -> None:
    module = Scale()
    handles: list[Any] = []

    def once(m: Any, args: Any, out: Any) -> Any:
        handles[0].remove()
        return out + 1

    handles.append(module.register_forward_hook(once))
    assert module(dovetail.ones(1)).tolist() == [3.0]
    assert module(dovetail.ones(1)).tolist() == [2.0]


def test_hooks_are_copied_with_the_module() -> None:
    module = Scale()
    handle = module.register_forward_hook(lambda m, args, out: out * 10)
    twin = copy.deepcopy(module)
    handle.remove()
    assert module(dovetail.ones(1)).tolist() == [2.0]
    assert twin(dovetail.ones(1)).tolist() == [20.0]


# --------------------------------------------------------------------------------------------------- backward


def test_a_backward_hook_sees_both_gradients() -> None:
    module = Scale(3.0)
    seen: list[Any] = []
    module.register_full_backward_hook(lambda m, gi, go: seen.append((m, gi, go)))
    x = dovetail.ones(2, requires_grad=True)
    (module(x) * 5).sum().backward()
    ((owner, grad_input, grad_output),) = seen
    assert owner is module
    assert grad_input[0].tolist() == [15.0, 15.0]
    assert grad_output[0].tolist() == [5.0, 5.0]
    assert x.grad is not None
    assert x.grad.tolist() == [15.0, 15.0]


def test_backward_hooks_replace_gradients_in_their_order() -> None:
    order: list[str] = []
    module = Scale(3.0)

    def hook(name: str, factor: float) -> Any:
        def change(m: Any, gi: Any, go: Any) -> Any:
            order.append(name)
            return (gi[0] * factor,)

        return change

    def before(m: Any, go: Any) -> Any:
        order.append("pre")
        return (go[0] * 100,)

    module.register_full_backward_hook(hook("second", 2.0))
    module.register_full_backward_hook(hook("first", 7.0), prepend=True)
    module.register_full_backward_pre_hook(before)
    x = dovetail.ones(1, requires_grad=True)
    module(x).sum().backward()
    assert order == ["pre", "first", "second"]
    assert x.grad is not None
    assert x.grad.tolist() == [3.0 * 100 * 14]


def test_inputs_that_are_no_tensors_or_need_no_gradient() -> None:
    class Two(nn.Module):
        def forward(self, a: Any, n: int, b: Any) -> Any:
            return a * n + b

    seen: list[Any] = []
    module = Two()
    module.register_full_backward_hook(lambda m, gi, go: seen.append(gi))
    a = dovetail.ones(1, requires_grad=True)
    module(a, 4, dovetail.ones(1)).sum().backward()
    module(dovetail.ones(1), 4, a).sum().backward()
    (first, second, third), (fourth, fifth, sixth) = seen
    assert first.tolist() == [4.0]
    assert second is third is None
    assert fourth is fifth is None
    assert sixth.tolist() == [1.0]


def test_outputs_that_are_constants_or_unused() -> None:
    class Mixed(nn.Module):
        def forward(self, x: Any) -> Any:
            return dovetail.ones(1), x * 2, x * 3

    seen: list[Any] = []
    module = Mixed()
    module.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    x = dovetail.ones(1, requires_grad=True)
    module(x)[1].sum().backward()
    ((grad_input, (first, second, third)),) = seen
    assert first is None
    assert second.tolist() == [1.0]
    assert third.tolist() == [0.0]
    assert grad_input[0].tolist() == [2.0]


def test_several_outputs() -> None:
    class Split(nn.Module):
        def forward(self, x: Any) -> Any:
            return x * 2, x * 3

    seen: list[Any] = []
    module = Split()
    module.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    x = dovetail.ones(1, requires_grad=True)
    a, b = module(x)
    (a + 10 * b).sum().backward()
    ((grad_input, grad_output),) = seen
    assert [g.tolist() for g in grad_output] == [[1.0], [10.0]]
    assert grad_input[0].tolist() == [32.0]


def test_a_named_tuple_stays_one() -> None:
    Pair = namedtuple("Pair", "a b")

    class Named(nn.Module):
        def forward(self, x: Any) -> Any:
            return Pair(x * 2, 3)

    module = Named()
    module.register_full_backward_hook(lambda m, gi, go: None)
    result = module(dovetail.ones(1, requires_grad=True))
    assert type(result) is Pair
    assert result.b == 3


def test_parameters_get_their_gradients_through_the_gates() -> None:
    module = nn.Linear(2, 1)
    seen: list[Any] = []
    module.register_full_backward_hook(lambda m, gi, go: seen.append(go))
    module(dovetail.ones(3, 2, requires_grad=True)).sum().backward()
    assert module.weight.grad is not None
    assert module.weight.grad.tolist() == [[3.0, 3.0]]
    assert len(seen) == 1


def test_without_an_input_that_needs_gradients_the_hook_comes_at_the_output() -> None:
    module = nn.Linear(2, 1)
    seen: list[Any] = []
    module.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].tolist())))
    result = module(dovetail.ones(1, 2)).sum()
    with pytest.warns(UserWarning, match="Full backward hook is firing"):
        result.backward()
    assert seen == [((None,), [[1.0]])]


def test_without_gradients_nothing_is_wrapped() -> None:
    module = Scale()
    module.register_full_backward_hook(lambda m, gi, go: pytest.fail("not to be called"))
    with dovetail.no_grad():
        assert not module(dovetail.ones(1, requires_grad=True)).requires_grad
    assert module(dovetail.ones(1)).tolist() == [2.0]


def test_second_derivatives_go_through_the_gates() -> None:
    class Cube(nn.Module):
        def forward(self, x: Any) -> Any:
            return x**3

    module = Cube()
    calls: list[Any] = []
    module.register_full_backward_hook(lambda m, gi, go: calls.append(gi))
    x = dovetail.tensor([2.0], requires_grad=True)
    (first,) = dovetail.autograd.grad(module(x).sum(), x, create_graph=True)
    (second,) = dovetail.autograd.grad(first.sum(), x)
    assert first.tolist() == [12.0]
    assert second.tolist() == [12.0]
    # The second pass comes to the input without passing the output.
    assert len(calls) == 1


def test_wrong_numbers_of_gradients_are_refused() -> None:
    module = Scale()
    module.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    with pytest.raises(RuntimeError, match="invalid number of grad_input, got 2, but expected 1"):
        module(dovetail.ones(1, requires_grad=True)).sum().backward()
    module = Scale()
    module.register_full_backward_pre_hook(lambda m, go: ())
    with pytest.raises(RuntimeError, match="invalid number of grad_output, got 0, but expected 1"):
        module(dovetail.ones(1, requires_grad=True)).sum().backward()


def test_a_dict_as_output_warns() -> None:
    class Dict(nn.Module):
        def forward(self, x: Any) -> Any:
            return {"x": x}

    module = Dict()
    module.register_full_backward_hook(lambda m, gi, go: None)
    with pytest.warns(UserWarning, match="module output should be a Tensor or a tuple of Tensors"):
        module(dovetail.ones(1, requires_grad=True))


def test_the_former_name_warns_and_works() -> None:
    module = Scale()
    seen: list[Any] = []
    with pytest.warns(FutureWarning, match="register_backward_hook is deprecated"):
        module.register_backward_hook(lambda m, gi, go: seen.append(go))
    module(dovetail.ones(1, requires_grad=True)).sum().backward()
    assert len(seen) == 1
