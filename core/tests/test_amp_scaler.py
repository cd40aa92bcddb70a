"""GradScaler against PyTorch's, its mistakes, its state, and steps that are captured."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.amp import GradScaler

SHAPE = (2, 3)


def run(framework: Any, scaler: Any, factors: list[float], optimizer: str = "SGD") -> tuple[list[float], Any, Any]:
    """Steps on a weight; each loss is multiplied by a factor, infinite or NaN ones among them."""
    w = framework.ones(SHAPE, requires_grad=True)
    chosen = getattr(framework.optim, optimizer)([w], lr=0.1)
    scales = []
    for factor in factors:
        chosen.zero_grad()
        loss = (w * w).sum() * factor
        scaler.scale(loss).backward()
        scaler.unscale_(chosen)
        framework.nn.utils.clip_grad_norm_([w], 1.0)
        scaler.step(chosen)
        scaler.update()
        scales.append(scaler.get_scale())
    return scales, w, chosen


FACTORS = [1.0, float("inf"), 1.0, 1.0, 1.0, float("nan"), 1e38, 0.5, 1.0, 1.0, 1.0, 1.0]


@pytest.mark.oracle
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_scale_and_parameters_follow_pytorchs(optimizer: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    options = {"init_scale": 300.0, "growth_factor": 3.0, "backoff_factor": 0.25, "growth_interval": 2}
    ours, theirs = GradScaler("cpu", **options), torch.amp.GradScaler("cpu", **options)
    found, w, _ = run(dovetail, ours, FACTORS, optimizer)
    expected, v, _ = run(torch, theirs, FACTORS, optimizer)
    assert found == expected
    assert len(set(found)) > 4
    np.testing.assert_allclose(w.detach().numpy(), v.detach().numpy(), rtol=1e-5)
    assert ours.state_dict() == theirs.state_dict()


def test_a_bad_step_changes_nothing() -> None:
    scaler = GradScaler("cpu", init_scale=8.0)
    _, w, _ = run(dovetail, scaler, [float("inf"), float("nan")])
    assert (w == 1).all()
    assert scaler.get_scale() == 2.0


def test_the_scale_does_not_grow_to_infinity() -> None:
    scaler = GradScaler("cpu", init_scale=2.0**127, growth_interval=1)
    run(dovetail, scaler, [0.0])
    assert scaler.get_scale() == 2.0**127


def test_containers_are_scaled() -> None:
    scaler, x = GradScaler("cpu", init_scale=4.0), dovetail.ones(2)
    assert [t.tolist() for t in scaler.scale([x, (x,)][:1])] == [[4.0, 4.0]]
    assert scaler.scale((x, [x]))[1][0].tolist() == [4.0, 4.0]
    assert [t.tolist() for t in scaler.scale(t for t in (x,))] == [[4.0, 4.0]]
    with pytest.raises(ValueError, match="must be a Tensor or an iterable of Tensors"):
        scaler.scale(3)


def test_the_order_of_calls_is_checked() -> None:
    w = dovetail.ones(2, requires_grad=True)
    optimizer, scaler = dovetail.optim.SGD([w], lr=0.1), GradScaler("cpu")
    for call in (lambda: scaler.step(optimizer), lambda: scaler.unscale_(optimizer), scaler.update):
        with pytest.raises(RuntimeError, match="the scale does not exist yet"):
            call()
    loss = scaler.scale(w.sum())
    with pytest.raises(RuntimeError, match="No inf checks were recorded prior to update"):
        scaler.update()
    with pytest.raises(RuntimeError, match="No inf checks were recorded for this optimizer"):
        scaler.step(optimizer)
    scaler.update(4.0)
    loss.backward()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="already been called on this optimizer"):
        scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="Closure use"):
        scaler.step(optimizer, closure=lambda: None)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match=r"unscale_\(\) is being called after step"):
        scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match=r"step\(\) has already been called"):
        scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="may only be pickled at the beginning"):
        pickle.dumps(scaler)
    scaler.update()


def test_half_gradients_and_wrong_factors_are_refused() -> None:
    w = dovetail.ones(2, dtype=dovetail.float16, requires_grad=True)
    optimizer, scaler = dovetail.optim.SGD([w], lr=0.1), GradScaler("cpu")
    scaler.scale(w.float().sum()).backward()
    with pytest.raises(ValueError, match="Attempting to unscale FP16 gradients"):
        scaler.step(optimizer)
    for wrong in ({"growth_factor": 1.0}, {"backoff_factor": 1.0}):
        with pytest.raises(ValueError, match=r"factor must be"):
            GradScaler("cpu", **wrong)
    with pytest.raises(TypeError, match="a tensor of one element"):
        scaler.update(dovetail.ones(2))


def test_state_goes_into_another_scaler() -> None:
    scaler = GradScaler("cpu", init_scale=16.0, growth_interval=3)
    run(dovetail, scaler, [1.0, 1.0])
    for other in (GradScaler("cpu"), pickle.loads(pickle.dumps(scaler))):
        other.load_state_dict(scaler.state_dict())
        assert other.state_dict() == scaler.state_dict()
        run(dovetail, other, [1.0])
        assert other.get_scale() == 32.0
    with pytest.raises(RuntimeError, match="source state dict is empty"):
        scaler.load_state_dict({})


def test_a_disabled_scaler_is_not_there() -> None:
    scaler = GradScaler("cpu", enabled=False)
    scales, w, _ = run(dovetail, scaler, [1.0])
    assert scales == [1.0]
    assert not scaler.is_enabled()
    assert scaler.state_dict() == {}
    assert (w < 1).all()
    with pytest.warns(UserWarning, match="no such device here. Disabling"):
        assert not GradScaler("npu").is_enabled()


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("first", [1.0, float("inf")], ids=["good first", "bad first"])
def test_a_captured_step_is_the_eager_one(backend: str, first: float) -> None:
    if backend == "jax":
        pytest.importorskip("jax", reason="JAX is an extra")
    factors = [first, 1.0, float("inf"), 1.0, 1.0, 1.0]
    found = []
    with dovetail.use_backend(backend):
        for compiled in (False, True):
            w = dovetail.ones(SHAPE, requires_grad=True)
            optimizer = dovetail.optim.Adam([w], lr=0.1)
            scaler = GradScaler("cpu", init_scale=8.0, growth_interval=2)

            def step(factor: Any, w: Any = w, optimizer: Any = optimizer, scaler: Any = scaler) -> Any:
                optimizer.zero_grad()
                loss = (w * w).sum() * factor
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
                return loss

            run = dovetail.compile(lambda f, step=step: step(f)) if compiled else step
            for factor in factors:
                run(dovetail.tensor(factor))
            state = optimizer.state[w]
            found.append((scaler.get_scale(), w.detach().numpy(), float(state["step"]), state["exp_avg"].numpy()))
    eager, captured = found
    assert captured[0] == eager[0]
    assert captured[2] == eager[2] == factors.count(1.0)
    np.testing.assert_allclose(captured[1], eager[1], rtol=1e-6)
    np.testing.assert_allclose(captured[3], eager[3], rtol=1e-6)


def test_the_older_names_do_nothing_without_cuda() -> None:
    if dovetail.cuda.is_available():
        pytest.skip("there is CUDA here")
    with pytest.warns(UserWarning, match="no such device here"):
        assert not dovetail.cuda.amp.GradScaler().is_enabled()
    with pytest.warns(UserWarning, match="no such device here"), dovetail.cuda.amp.autocast():
        assert (dovetail.ones(1, 1) @ dovetail.ones(1, 1)).dtype is dovetail.float32
    assert not dovetail.cuda.amp.autocast(enabled=False)._enabled
