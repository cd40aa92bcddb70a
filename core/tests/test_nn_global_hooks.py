"""Hooks of all modules, PyTorch's paths to the classes, and requests that are accepted."""

from __future__ import annotations

from typing import Any

import pytest

import dovetail
from dovetail import nn
from dovetail.nn.modules import module as hooks


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 2), nn.ReLU())


def test_forward_hooks_of_all_modules_come_before_the_modules_own() -> None:
    model = net()
    seen: list[str] = []
    model[1].register_forward_hook(lambda m, args, out: seen.append("own"))
    handles = [
        hooks.register_module_forward_pre_hook(lambda m, args: seen.append(f"before {type(m).__name__}")),
        hooks.register_module_forward_hook(lambda m, args, out: seen.append(f"after {type(m).__name__}")),
    ]
    model(dovetail.ones(1, 2))
    for handle in handles:
        handle.remove()
    assert seen == [
        "before Sequential", "before Linear", "after Linear", "before ReLU", "after ReLU", "own", "after Sequential",
    ]  # fmt: skip
    seen.clear()
    model(dovetail.ones(1, 2))
    assert seen == ["own"]


def test_they_may_change_what_goes_by() -> None:
    layer = nn.Identity()
    with hooks.register_module_forward_pre_hook(lambda m, args: (args[0] + 1,)):
        assert layer(dovetail.zeros(1)).tolist() == [1.0]

    def scaled(m: Any, args: Any, kwargs: Any, out: Any) -> Any:
        assert kwargs == {"input": args[0]} if args else {"input"} == set(kwargs)
        return out * 5

    with hooks.register_module_forward_hook(scaled, with_kwargs=True):
        assert layer(input=dovetail.ones(1)).tolist() == [5.0]


def test_always_called_after_an_error() -> None:
    seen: list[Any] = []
    with (
        hooks.register_module_forward_hook(lambda m, args, out: seen.append(out), always_call=True),
        pytest.raises(RuntimeError),
    ):
        nn.Linear(2, 2)(dovetail.ones(3))
    assert seen == [None]


def test_backward_hooks_of_all_modules() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False))
    x = dovetail.ones(1, 2, requires_grad=True)
    seen: list[str] = []
    with (
        hooks.register_module_full_backward_pre_hook(lambda m, out: seen.append(f"to {type(m).__name__}")),
        hooks.register_module_full_backward_hook(lambda m, inp, out: (inp[0] * 2,)),
    ):
        model(x).sum().backward()
    assert seen == ["to Sequential", "to Linear", "to Linear"]
    expected = (model[1].weight @ model[0].weight) * 8  # doubled by each of the three
    assert dovetail.allclose(x.grad, expected)
    with pytest.warns(FutureWarning, match="register_module_backward_hook is deprecated"):
        hooks.register_module_backward_hook(lambda *_: None).remove()


def test_registration_hooks() -> None:
    names: list[str] = []
    with (
        hooks.register_module_parameter_registration_hook(lambda m, name, p: names.append(name)),
        hooks.register_module_buffer_registration_hook(lambda m, name, b: b if b is None else b + 1),
        hooks.register_module_module_registration_hook(
            lambda m, name, child: nn.Identity() if isinstance(child, nn.ReLU) else None
        ),
    ):
        model = net()
        norm = nn.BatchNorm1d(2)
    assert [type(m) for m in model] == [nn.Linear, nn.Identity]
    assert names == ["weight", "bias", "weight", "bias"]
    assert norm.num_batches_tracked.item() == 0  # reset after it was registered as 1


def test_an_attribute_is_a_registration_too() -> None:
    model = nn.Module()
    with hooks.register_module_module_registration_hook(lambda m, name, child: nn.Tanh()):
        model.layer = nn.ReLU()
    assert isinstance(model.layer, nn.Tanh)


def test_pytorchs_paths() -> None:
    modules = nn.modules
    assert isinstance(nn.SyncBatchNorm(2), modules.batchnorm._BatchNorm)
    assert not isinstance(nn.InstanceNorm1d(2), modules.batchnorm._BatchNorm)
    assert isinstance(nn.InstanceNorm1d(2), modules.batchnorm._NormBase)
    assert isinstance(nn.ConvTranspose1d(1, 1, 1), modules.conv._ConvNd)
    assert isinstance(nn.CTCLoss(), modules.loss._Loss)
    assert modules.Linear is nn.Linear
    assert modules.container.Sequential is nn.Sequential
    assert modules.utils._pair(3) == (3, 3)
    assert modules.utils._triple([1, 2, 3]) == (1, 2, 3)
    with pytest.raises(AttributeError, match="has no attribute 'Missing'"):
        _ = modules.Missing


def test_requests_that_are_accepted() -> None:
    model = net()
    assert model.compile() is None
    assert model.share_memory() is model
    x = dovetail.ones(2)
    assert x.pin_memory() is x
    assert not x.is_pinned()
    assert not x.is_shared()
    wrapped = nn.DataParallel(model)
    assert list(wrapped.state_dict()) == ["module.0.weight", "module.0.bias"]
    y = dovetail.ones(1, 2)
    assert dovetail.equal(wrapped(y), model(y))
    with pytest.warns(FutureWarning, match=r"nn\.Container is deprecated"):
        assert [name for name, _ in nn.Container(a=nn.ReLU()).named_children()] == ["a"]
