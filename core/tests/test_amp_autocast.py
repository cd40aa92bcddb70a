"""Autocast blocks: what they nest, cache, leave alone and give back; training under them against PyTorch's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.amp import GradScaler, autocast, custom_bwd, custom_fwd
from dovetail.dispatch import state

BF16, F16, F32, F64 = dovetail.bfloat16, dovetail.float16, dovetail.float32, dovetail.float64


@pytest.fixture(autouse=True)
def balanced() -> Iterator[None]:
    """Every test leaves the process as it found it: nothing is special any more, and calls are fast again."""
    before = state.state.special
    yield
    assert state.state.special == before


def casts(work: Any) -> int:
    """How many tensors a function converts."""
    seen: list[str] = []
    remove = state.add_observer(lambda name, ins, outs: seen.append(name))
    try:
        work()
    finally:
        remove()
    return seen.count("cast")


def product(dtype: Any = F32) -> Any:
    """The dtype of a product of two matrices."""
    x = dovetail.ones(2, 2, dtype=dtype)
    return (x @ x).dtype


# ---------------------------------------------------------------------------------------------------- blocks


def test_blocks_nest_and_end() -> None:
    with autocast("cpu"):
        assert product() is BF16
        with autocast("cpu", dtype=F16):
            assert product() is F16
            assert dovetail.get_autocast_dtype("cpu") is F16
            with autocast("cpu", enabled=False):
                assert product() is F32
                assert not dovetail.is_autocast_enabled("cpu")
            assert product() is F16
        assert product() is BF16
    assert product() is F32
    assert dovetail.get_autocast_dtype("cpu") is BF16


def test_an_error_ends_the_block() -> None:
    with pytest.raises(ValueError, match="stop"), autocast("cpu"):
        raise ValueError("stop")
    assert product() is F32


def test_one_block_object_is_used_again_inside_itself() -> None:
    block = autocast("cpu")
    with block:
        with block:
            assert product() is BF16
        assert product() is BF16
    assert product() is F32


def test_a_function_is_decorated() -> None:
    @autocast(device_type="cpu", dtype=F16)
    def work() -> Any:
        """Work."""
        return product()

    assert work() is F16
    assert work.__doc__ == "Work."
    assert product() is F32


def test_switches_work_without_a_block_and_are_undone_by_one() -> None:
    dovetail.set_autocast_enabled("cpu", True)
    dovetail.set_autocast_dtype("cpu", F16)
    try:
        assert product() is F16
        assert dovetail.is_autocast_cpu_enabled()
        with autocast("cpu"):
            dovetail.set_autocast_enabled("cpu", False)
            assert product() is F32
        assert product() is F16
    finally:
        dovetail.set_autocast_enabled("cpu", False)
        dovetail.set_autocast_dtype("cpu", BF16)
    with autocast("cpu", enabled=False):
        dovetail.set_autocast_cpu_enabled(True)
        assert product() is BF16
    assert product() is F32


def test_each_thread_has_its_own() -> None:
    found: list[Any] = []
    with autocast("cpu"):
        thread = threading.Thread(target=lambda: found.append(product()))
        thread.start()
        thread.join()
        assert product() is BF16
    assert found == [F32]


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="Expected `device_type` of type `str`"):
        autocast(3)  # type: ignore[arg-type]  # what is tested
    with pytest.raises(ValueError, match="type of a device"):
        autocast("cuda:0")
    with pytest.warns(UserWarning, match="target dtype float64 is not supported"), autocast("cpu", dtype=F64):
        assert product() is F32
    with pytest.warns(UserWarning, match="no such device here"), autocast("npu"):
        assert product() is F32


# ------------------------------------------------------------------------------------------- what is converted


def test_float64_and_integers_stay() -> None:
    with autocast("cpu"):
        assert product(F64) is F64
        assert product(dovetail.int64) is dovetail.int64


def test_in_place_methods_are_not_converted() -> None:
    x = dovetail.full((2, 2), 1 + 2.0**-12)
    with autocast("cpu"):
        x.addmm_(x, dovetail.eye(2))
        assert (dovetail.addmm(x, x, x)).dtype is BF16
    assert x.dtype is F32
    assert x[0, 0].item() == 2 + 2.0**-11


def test_a_parameter_is_converted_once_in_a_block() -> None:
    layer, x = dovetail.nn.Linear(3, 3, bias=False), dovetail.ones(1, 3, dtype=BF16)
    with autocast("cpu"):
        assert casts(lambda: [layer(x) for _ in range(3)]) == 1
        assert casts(lambda: layer(x)) == 0
        with autocast("cpu"):
            assert casts(lambda: layer(x)) == 0
        dovetail.clear_autocast_cache()
        assert casts(lambda: layer(x)) == 1
    with autocast("cpu", cache_enabled=False):
        assert not dovetail.is_autocast_cache_enabled()
        assert casts(lambda: [layer(x) for _ in range(3)]) == 3


def test_a_parameter_that_was_written_is_converted_again() -> None:
    layer, x = dovetail.nn.Linear(1, 1, bias=False), dovetail.ones(1, 1)
    with autocast("cpu"):
        layer(x)
        with dovetail.no_grad():
            layer.weight.fill_(3.0)
            assert layer(x).item() == 3.0
        layer.weight.data = dovetail.full((1, 1), 5.0)
        assert layer(x).item() == 5.0


def test_a_copy_made_without_a_graph_is_not_used_with_one() -> None:
    layer, x = dovetail.nn.Linear(2, 1, bias=False), dovetail.ones(1, 2)
    with autocast("cpu"):
        with dovetail.no_grad():
            layer(x)
        layer(x).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype is F32


def test_sums_inside_an_op_do_not_depend_on_the_block(ways: str) -> None:
    x = dovetail.randn(4, 6)
    for function in (dovetail.nn.functional.gelu, lambda v: dovetail.nn.functional.layer_norm(v, (6,)), dovetail.var):
        expected = function(x)
        with autocast("cpu"):
            assert (function(x) == expected).all()


# ---------------------------------------------------------------------------------------------- own functions


class Kept(dovetail.autograd.Function):
    """Exponential that asks for float32."""

    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=F32)
    def forward(ctx: Any, x: Any) -> Any:
        ctx.inside = product()
        ctx.save_for_backward(x.exp())
        seen.append((x.dtype, ctx.inside))
        return x.exp()

    @staticmethod
    @custom_bwd(device_type="cpu")
    def backward(ctx: Any, g: Any) -> Any:
        seen.append(product())
        (out,) = ctx.saved_tensors
        return g * out


class Followed(dovetail.autograd.Function):
    """Product that runs as the block says, backward too."""

    @staticmethod
    @custom_fwd(device_type="cpu")
    def forward(ctx: Any, x: Any) -> Any:
        return x @ x

    @staticmethod
    @custom_bwd(device_type="cpu")
    def backward(ctx: Any, g: Any) -> Any:
        seen.append(product())
        return g


seen: list[Any] = []


def test_functions_with_gradients_of_their_own() -> None:
    seen.clear()
    x = dovetail.ones(2, 2, dtype=BF16, requires_grad=True)
    with autocast("cpu"):
        y = Kept.apply(x)
    y.sum().backward()
    assert seen == [(F32, F32), F32]
    assert y.dtype is F32
    assert x.grad is not None
    assert x.grad.dtype is BF16
    seen.clear()
    with autocast("cpu"):
        y = Followed.apply(x)
    y.sum().backward()
    assert seen == [BF16]
    assert Kept.apply(x).dtype is BF16


# --------------------------------------------------------------------------------------------------- training


def network(framework: Any) -> Any:
    nn = framework.nn
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 16), nn.LayerNorm(16), nn.GELU(),
        nn.Linear(16, 3),
    )  # fmt: skip


def small(framework: Any) -> Any:
    """For JAX, where each op and shape compiles."""
    nn = framework.nn
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 3))


def trained(
    framework: Any, weights: dict[str, Any], steps: int, compiled: bool = False, make: Any = network
) -> tuple[list[float], Any]:
    """Losses of some steps under autocast, and the model."""
    rng = np.random.default_rng(0)
    model = make(framework)
    model.load_state_dict({k: framework.as_tensor(v.copy()) for k, v in weights.items()})
    optimizer = framework.optim.SGD(model.parameters(), lr=0.1)
    x = framework.as_tensor(rng.normal(size=(8, 1, 6, 6)).astype("float32"))
    y = framework.as_tensor(rng.integers(0, 3, 8))

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        with framework.autocast("cpu", dtype=framework.bfloat16):
            loss = framework.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = framework.compile(step) if compiled else step
    return [float(run(x, y).detach()) for _ in range(steps)], model


def weights(make: Any = network) -> dict[str, Any]:
    dovetail.manual_seed(0)
    return {k: v.numpy().copy() for k, v in make(dovetail).state_dict().items()}


@pytest.mark.oracle
def test_training_follows_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    start = weights()
    ours, model = trained(dovetail, start, 8)
    theirs, _ = trained(torch, start, 8)
    # Two roundings of bfloat16 apart at most, while the loss falls to a tenth.
    assert ours == pytest.approx(theirs, rel=0.05, abs=0.01)
    assert ours[-1] < 0.5 * ours[0]
    assert {p.dtype for p in model.parameters()} == {p.grad.dtype for p in model.parameters()} == {F32}


def test_training_on_jax_and_captured() -> None:
    pytest.importorskip("jax", reason="JAX is an extra")
    captured, _ = trained(dovetail, weights(), 3, compiled=True)
    assert captured == trained(dovetail, weights(), 3)[0]
    start = weights(small)
    eager, _ = trained(dovetail, start, 3, make=small)
    with dovetail.use_backend("jax"):
        on_jax, model = trained(dovetail, start, 3, compiled=True, make=small)
        assert {p.device.backend for p in model.parameters()} == {"jax"}
    assert on_jax == pytest.approx(eager, rel=0.02)


LAYERS: dict[str, tuple[Any, list[tuple[int, ...]]]] = {
    "Bilinear": (lambda n: n.Bilinear(4, 3, 2), [(5, 4), (5, 3)]),
    "ConvTranspose2d": (lambda n: n.ConvTranspose2d(2, 3, 3), [(1, 2, 5, 5)]),
    "GroupNorm": (lambda n: n.Sequential(n.Conv2d(1, 4, 3), n.GroupNorm(2, 4)), [(2, 1, 6, 6)]),
    "LSTM": (lambda n: n.LSTM(4, 3, batch_first=True), [(2, 5, 4)]),
    "GRU": (lambda n: n.GRU(4, 3, num_layers=2, bidirectional=True), [(5, 2, 4)]),
    "RNN": (lambda n: n.RNN(4, 3), [(5, 2, 4)]),
    "MultiheadAttention": (lambda n: n.MultiheadAttention(8, 2, batch_first=True), [(2, 5, 8)] * 3),
    "TransformerDecoderLayer": (lambda n: n.TransformerDecoderLayer(8, 2, 16), [(2, 5, 8), (4, 5, 8)]),
    "activations": (lambda n: n.Sequential(n.Linear(4, 4), n.GELU(), n.Dropout(0.5), n.PReLU()), [(2, 4)]),
    "pooling": (lambda n: n.Sequential(n.Conv2d(1, 2, 3), n.MaxPool2d(2), n.AdaptiveAvgPool2d(1)), [(2, 1, 8, 8)]),
    "padding": (lambda n: n.Sequential(n.Conv2d(1, 2, 3), n.ReflectionPad2d(1)), [(2, 1, 8, 8)]),
}


def dtypes_of(framework: Any, name: str) -> list[str]:
    """The dtypes of the results of a layer under autocast, and of its gradients."""
    make, shapes = LAYERS[name]
    layer = make(framework.nn)
    inputs = [framework.as_tensor(np.random.default_rng(1).normal(size=s).astype("float32")) for s in shapes]
    with framework.autocast("cpu", dtype=framework.bfloat16):
        results = layer(*inputs)
    flat, rest = [], [results]
    while rest:
        found = rest.pop(0)
        if isinstance(found, tuple):
            rest = [*found, *rest]
        else:
            flat.append(found)
    flat[0].float().sum().backward()
    return [str(t.dtype).rpartition(".")[2] for t in (*flat, *(p.grad for p in layer.parameters()))]


@pytest.mark.oracle
@pytest.mark.parametrize("name", LAYERS)
def test_layers_have_the_dtypes_of_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    assert dtypes_of(dovetail, name) == dtypes_of(torch, name)


def test_a_compiled_function_is_captured_again_when_the_block_changes() -> None:
    x = dovetail.ones(2, 2)
    double = dovetail.compile(lambda v: v @ v)
    for _ in range(3):
        assert double(x).dtype is F32
    with autocast("cpu"):
        for _ in range(3):
            assert double(x).dtype is BF16
    assert double(x).dtype is F32


def test_names_of_pytorch_are_there() -> None:
    assert dovetail.amp.autocast is dovetail.autocast is autocast
    assert dovetail.amp.GradScaler is GradScaler
    assert dovetail.is_autocast_available("cpu")
    assert dovetail.get_autocast_gpu_dtype() is F16
    assert dovetail.get_autocast_cpu_dtype() is BF16
