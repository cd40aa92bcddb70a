"""ArrayAPIBackend beyond the samples: gradients, programs, wrong kernels, devices, transfer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.backend import ArrayAPIBackend, KernelTable, dtypes, ops
from dovetail.record import registry
from dovetail_conformance import programs

strict = pytest.importorskip("array_api_strict", reason="array-api-strict is in the extra `test`")

Host = np.ndarray[Any, Any]


class Strict(ArrayAPIBackend):
    """The standard on three devices, as a machine with accelerators has them."""

    kinds = ("cpu", "npu")

    def load_namespace(self) -> Any:
        return strict

    def places(self) -> Any:
        return [("cpu", None), ("npu", strict.Device("device1")), ("npu", strict.Device("device2"))]


@pytest.fixture(scope="module")
def backend(register: Any) -> Iterator[str]:
    name = register("standard", Strict, kinds=("cpu", "npu"))
    dovetail.set_host_fallback("error")
    yield name
    dovetail.set_host_fallback("warn")


SMOOTH = [op for op in registry.ops() if op.samples and op.nondifferentiable is None and "float" in op.samples.dtypes]


@pytest.mark.parametrize("op", SMOOTH, ids=lambda op: op.name)
def test_gradients_agree_with_numpy(op: Any, agreement: Any, backend: str) -> None:
    agreement.check_gradients(op, backend)


def test_random_programs_agree_with_numpy(backend: str) -> None:
    compared = 0
    for seed in range(150):
        outcomes = []
        for name in (backend, "numpy"):
            with dovetail.use_backend(name):
                outcomes.append(programs.run(dovetail, seed, second=seed % 5 == 0))
        ours, theirs = outcomes
        assert ours.backward_error == theirs.backward_error, f"seed {seed}"
        assert programs.differences(ours, theirs) == [], f"seed {seed}"
        compared += bool(theirs.grads)
    assert compared > 100, "most programs must have gradients"


def test_a_training_step_agrees_with_numpy(backend: str) -> None:
    def losses() -> list[float]:
        dovetail.manual_seed(1)
        net = dovetail.nn.Sequential(
            dovetail.nn.Conv2d(1, 4, 3), dovetail.nn.BatchNorm2d(4), dovetail.nn.ReLU(),
            dovetail.nn.MaxPool2d(2), dovetail.nn.Flatten(), dovetail.nn.Dropout(0.2),
            dovetail.nn.Linear(36, 5),
        )  # fmt: skip
        optimizer = dovetail.optim.Adam(net.parameters(), lr=0.01)
        x, y = dovetail.randn(8, 1, 8, 8), dovetail.randint(0, 5, (8,))
        found = []
        for _ in range(3):
            optimizer.zero_grad()
            loss = dovetail.nn.functional.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        return found

    with dovetail.use_backend(backend):
        mine = losses()
    with dovetail.use_backend("numpy"):
        yours = losses()
    assert mine == pytest.approx(yours, rel=1e-5)
    assert mine[-1] < mine[0]


def plant(op: Any, kernel: Any, *, binder: bool = False) -> type[ArrayAPIBackend]:
    """A backend with one wrong kernel."""

    class Wrong(Strict):
        def extend(self, table: KernelTable) -> None:
            (table.binder if binder else table)(op)(kernel)

    return Wrong


def _without_nan(call: Any) -> Any:
    axis = call.statics["dim"] if call.inputs[0].ndim else None
    keep = call.statics["keepdim"]

    def kernel(x: Any) -> Any:
        real = strict.astype(x, strict.float64)
        clean = strict.where(strict.isnan(real), strict.full_like(real, -np.inf), real)
        return strict.astype(strict.max(clean, axis=axis, keepdims=keep), x.dtype)

    return kernel


FAULTS = {
    "exp, two ULP off": (
        ops.exp,
        lambda x: strict.exp(x) * (1 + 4 * strict.finfo(x.dtype).eps),
        False,
        False,
    ),
    "log1p as log(1 + x)": (ops.log1p, lambda x: strict.log(1.0 + x), False, True),
    "amax that drops NaN": (ops.amax, _without_nan, True, True),
    "sign that keeps NaN": (ops.sign, lambda x: x if x.dtype == strict.bool else strict.sign(x), False, True),
    "argsort that turns ties round": (
        ops.argsort,
        lambda x, dim, descending, stable: (
            strict.argsort(x, axis=dim, descending=not descending) if x.ndim else strict.zeros((), dtype=strict.int64)
        ),
        False,
        False,
    ),
    "scatter_add that overwrites": (
        ops.scatter_add_elements,
        lambda x, index, src, dim: x if not x.ndim else strict.asarray(x, copy=True),
        False,
        False,
    ),
    "a result in float64": (ops.sin, lambda x: strict.sin(strict.astype(x, strict.float64)), False, False),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_kernel_is_found(fault: str, agreement: Any, register: Any) -> None:
    op, kernel, binder, special = FAULTS[fault]
    record = op.record
    name = register(f"wrong_{record.name}", plant(op, kernel, binder=binder), kinds=("cpu", "npu"))
    with pytest.raises(AssertionError, match=record.name):
        agreement.check_all(record, "float32", name, special=special)


def test_every_kind_and_number_of_device_is_reached(backend: str) -> None:
    x = dovetail.randn(2, 3, device="standard:npu:1", requires_grad=True)
    assert str(x.device) == "standard:npu:1"
    assert x._data.device == strict.Device("device2")
    y = x.softmax(1).sort(1).values.cumsum(1)[:, ::2].to("standard:npu:0")
    assert y._data.device == strict.Device("device1")
    (y * 2).sum().backward()
    assert x.grad is not None
    assert x.grad.device == x.device
    assert x.cpu().device.type == "cpu"
    with dovetail.use_backend("numpy"):
        same = dovetail.tensor(x.detach().numpy(), requires_grad=True)
        (same.softmax(1).sort(1).values.cumsum(1)[:, ::2] * 2).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), same.grad.numpy(), rtol=1e-6, atol=1e-7)
    with pytest.raises(dovetail.errors.DeviceError, match=r"standard:npu:7 does not exist, there are 2"):
        dovetail.ones(1, device="standard:npu:7")


@pytest.mark.parametrize("dtype", [d for d in dtypes.ALL if not d.is_complex], ids=lambda d: d.name)
@pytest.mark.parametrize("device", ["standard:cpu", "standard:npu:1"])
def test_a_round_trip_keeps_every_bit(backend: str, dtype: Any, device: str) -> None:
    rng = np.random.default_rng(1)
    host = rng.integers(0, 256, 64 * dtype.itemsize, dtype=np.uint8).view(dtype.host)
    if dtype is dtypes.bool_:
        host = rng.integers(0, 2, 64).astype(bool)
    if dtype.is_floating_point:
        host = np.where(np.isnan(host), np.ones_like(host), host)
    runtime = dovetail.device(device).runtime
    made = runtime.from_host(host, dovetail.device(device))
    assert runtime.is_array(made)
    assert runtime.spec_of(made) == ((64,), dtype.name)
    back = runtime.to_host(made)
    assert (back.dtype, back.tobytes()) == (host.dtype, host.tobytes())


def test_later_writes_to_the_host_array_are_not_seen(backend: str) -> None:
    host = np.zeros(3, np.float32)
    made = dovetail.device(backend).runtime.from_host(host, dovetail.device(backend))
    host[:] = 7
    assert float(made[0]) == 0
