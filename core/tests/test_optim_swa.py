"""Averages of weights against PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dovetail

BATCHES = np.random.default_rng(0).normal(size=(6, 8, 3)).astype(np.float32)


def model_of(xp: Any) -> Any:
    """A small net with batch norm, its weights drawn by NumPy."""
    net = xp.nn.Sequential(xp.nn.Linear(3, 4), xp.nn.BatchNorm1d(4), xp.nn.Linear(4, 1))
    rng = np.random.default_rng(1)
    with xp.no_grad():
        for p in net.parameters():
            p.copy_(xp.tensor(rng.normal(size=tuple(p.shape)).astype(np.float32)))
    return net


def averages(xp: Any, form: str, use_buffers: bool) -> tuple[dict[str, Any], Any]:
    """The state of the average after some steps of training, and after batch norm was run anew."""
    utils = xp.optim.swa_utils
    functions = {
        "mean": {},
        "mean of lists": {"multi_avg_fn": utils.get_swa_multi_avg_fn()},
        "mean by function": {"avg_fn": utils.get_swa_avg_fn()},
        "ema": {"avg_fn": utils.get_ema_avg_fn(0.7)},
        "ema of lists": {"multi_avg_fn": utils.get_ema_multi_avg_fn(0.7)},
        "own": {"avg_fn": lambda average, new, count: average * 0.25 + new * 0.75 + count},
    }
    net = model_of(xp)
    average = utils.AveragedModel(net, use_buffers=use_buffers, **functions[form])
    optimizer = xp.optim.SGD(net.parameters(), lr=0.1)
    schedule = utils.SWALR(optimizer, swa_lr=0.05, anneal_epochs=3)
    for batch in BATCHES:
        optimizer.zero_grad()
        (net(xp.tensor(batch)) ** 2).mean().backward()
        optimizer.step()
        schedule.step()
        average.update_parameters(net)
    state = {name: np.array(value.numpy()) for name, value in average.state_dict().items()}
    average.eval()
    utils.update_bn([(xp.tensor(b), None) for b in BATCHES], average)
    assert not average.training
    state["mean"] = np.array(average.module[1].running_mean.numpy())
    state["variance"] = np.array(average.module[1].running_var.numpy())
    state["output"] = average(xp.tensor(BATCHES[0])).detach().numpy()
    return state, average.module[1].momentum


@pytest.mark.oracle
@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("form", ["mean", "mean of lists", "mean by function", "ema", "ema of lists", "own"])
def test_averages_are_pytorchs(form: str, use_buffers: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    __import__("torch.optim.swa_utils")
    if form == "mean of lists" and use_buffers:
        pytest.skip("PyTorch's own function refuses the integer count of batches")
    theirs, momentum = averages(torch, form, use_buffers)
    ours, own = averages(dovetail, form, use_buffers)
    assert own == momentum
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert ours[name].dtype == value.dtype
        np.testing.assert_allclose(ours[name], value, rtol=2e-4, atol=2e-5, err_msg=name)
    assert ours["n_averaged"] == len(BATCHES)


def test_an_average_on_jax() -> None:
    pytest.importorskip("jax", reason="the extra `jax` is not installed")
    found = []
    for backend in ("numpy", "jax"):
        with dovetail.use_backend(backend):
            found.append(averages(dovetail, "ema", False)[0])
    for name, value in found[0].items():
        np.testing.assert_allclose(found[1][name], value, rtol=2e-4, atol=2e-5, err_msg=name)


def test_an_average_is_independent_of_its_model_and_saves_like_it() -> None:
    net = model_of(dovetail)
    average = dovetail.optim.swa_utils.AveragedModel(net)
    average.update_parameters(net)
    before = average.module[0].weight.tolist()
    with dovetail.no_grad():
        net[0].weight.zero_()
    assert average.module[0].weight.tolist() == before
    second = dovetail.optim.swa_utils.AveragedModel(model_of(dovetail))
    second.load_state_dict(average.state_dict())
    assert second.n_averaged.item() == 1
    second.update_parameters(net)
    expected = np.array(before) / 2
    np.testing.assert_allclose(second.module[0].weight.detach().numpy(), expected, rtol=1e-6)


def test_integer_buffers_are_averaged_too() -> None:
    """The count of batches: PyTorch's lists round it down."""
    utils = dovetail.optim.swa_utils
    average, new = dovetail.tensor([4, 8]), dovetail.tensor([8, 9])
    utils.get_ema_multi_avg_fn(0.5)([average], [new], 1)
    assert average.tolist() == [6, 8]
    utils.get_swa_multi_avg_fn()([average], [new], 1)
    assert average.tolist() == [7, 8]
    with pytest.raises(ValueError, match=r"Invalid decay value 1\.5"):
        utils.get_ema_avg_fn(1.5)
    with pytest.raises(ValueError, match="Invalid decay value -1"):
        utils.get_ema_multi_avg_fn(-1)
    with pytest.raises(AssertionError, match="Only one of"):
        utils.AveragedModel(
            model_of(dovetail), avg_fn=utils.get_swa_avg_fn(), multi_avg_fn=utils.get_swa_multi_avg_fn()
        )


def test_a_model_without_batch_norm_is_not_run() -> None:
    def refuse() -> Any:
        raise AssertionError("the data is read for nothing")
        yield

    dovetail.optim.swa_utils.update_bn(refuse(), dovetail.nn.Linear(1, 1))


def test_swalr_refuses_mistakes() -> None:
    optimizer = dovetail.optim.SGD([dovetail.ones(1, requires_grad=True)], lr=0.1)
    with pytest.raises(ValueError, match="anneal_strategy"):
        dovetail.optim.swa_utils.SWALR(optimizer, 0.1, anneal_strategy="square")
    with pytest.raises(ValueError, match="anneal_epochs"):
        dovetail.optim.swa_utils.SWALR(optimizer, 0.1, anneal_epochs=-1)
    with pytest.raises(ValueError, match="same length"):
        dovetail.optim.swa_utils.SWALR(optimizer, [0.1, 0.2])


@pytest.mark.parametrize("form", ["mean", "ema", "ema of lists"])
@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_an_average_inside_a_compiled_step(backend: str, form: str) -> None:
    """The first point is taken as it is, also by a program that was captured before it."""
    if backend == "jax":
        pytest.importorskip("jax", reason="the extra `jax` is not installed")
    utils = dovetail.optim.swa_utils
    options = {
        "mean": {},
        "ema": {"avg_fn": utils.get_ema_avg_fn(0.5)},
        "ema of lists": {"multi_avg_fn": utils.get_ema_multi_avg_fn(0.5)},
    }[form]
    with dovetail.use_backend(backend):
        model = dovetail.nn.Linear(1, 1, bias=False)
        average = utils.AveragedModel(model, **options)
        with dovetail.no_grad():
            average.module.weight.fill_(100.0)

        @dovetail.no_grad()
        def step(value: dovetail.Tensor) -> dovetail.Tensor:
            model.weight.copy_(value.reshape(1, 1))
            average.update_parameters(model)
            return value

        program = dovetail.program.capture(step, dovetail.tensor(0.0))
        for value in (1.0, 2.0, 6.0):
            program(dovetail.tensor(value))
        assert average.n_averaged.item() == 3
        assert average.module.weight.item() == pytest.approx(3.0 if form == "mean" else 3.75)
