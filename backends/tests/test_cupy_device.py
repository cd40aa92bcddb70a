"""The CuPy backend on a real CUDA device: what only a device can show. Elsewhere these tests say why they skip."""

from __future__ import annotations

import multiprocessing
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.record import registry
from dovetail_cupy import plugin

WHY_NOT = plugin.probe("cuda")
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(WHY_NOT is not None, reason=f"no CUDA device that CuPy can use: {WHY_NOT}"),
]

DTYPES = {"float": ("float32", "float64", "float16", "bfloat16"), "int": ("int64", "int32", "uint8"), "bool": ("bool",)}
SAMPLED = [op for op in registry.ops() if op.samples is not None]
SMOOTH = [op for op in SAMPLED if op.samples and op.nondifferentiable is None and "float" in op.samples.dtypes]


def on(*arrays: Any) -> list[Any]:
    return [dovetail.tensor(a, device="cupy:cuda") for a in arrays]


def failures(check: Any, ops: list[Any]) -> list[str]:
    """What is wrong with which op: one test for all of them, because without a device there are none."""
    found = []
    for op in ops:
        try:
            check(op)
        except Exception as error:
            found.append(f"{op.name}: {type(error).__name__}: {error}")
    return found


def test_samples_agree_with_numpy(agreement: Any) -> None:
    def check(op: Any) -> None:
        for kind in op.samples.dtypes:
            for dtype in DTYPES.get(kind, ()):
                agreement.check_all(op, dtype, "cupy")
        if op.samples.special and "float" in op.samples.dtypes:
            agreement.check_all(op, "float32", "cupy", special=True)

    assert failures(check, SAMPLED) == []


def test_gradients_agree_with_numpy(agreement: Any) -> None:
    assert failures(lambda op: agreement.check_gradients(op, "cupy"), SMOOTH) == []


def test_random_numbers_are_those_of_numpy() -> None:
    def draws(device: str) -> list[Any]:
        dovetail.manual_seed(11)
        n = 10_000_000
        return [
            dovetail.rand(n, device=device).numpy(),
            dovetail.randn(n, device=device).numpy(),
            dovetail.randint(-5, 1000, (n,), device=device).numpy(),
            dovetail.randperm(100_000, device=device).numpy(),
        ]

    for mine, yours in zip(draws("cupy:cuda"), draws("numpy:cpu"), strict=True):
        assert mine.tobytes() == yours.tobytes()


def test_three_runs_give_the_same_bits() -> None:
    rng = np.random.default_rng(1)
    x, w = on(
        rng.standard_normal((8, 16, 30, 30)).astype(np.float32), rng.standard_normal((32, 16, 3, 3)).astype(np.float32)
    )
    rows, index = on(rng.standard_normal((50_000, 8)).astype(np.float32), rng.integers(0, 50, 50_000))

    def run() -> list[bytes]:
        zeros = dovetail.zeros(50, 8, device=x.device)
        results = [
            dovetail.conv2d(x, w, padding=1), zeros.index_add(0, index, rows), rows.sum(0), rows.T @ rows,
            rows.softmax(0), rows.cumsum(0),
        ]  # fmt: skip
        return [r.numpy().tobytes() for r in results]

    first = run()
    assert all(run() == first for _ in range(2))


def test_matrix_products_keep_all_bits_of_float32() -> None:
    """TF32 keeps 11 bits of each factor: a factor of 1 + 2^-11 would be 1."""
    host = np.full((64, 64), 1 + 2.0**-11, np.float32)
    (a,) = on(host)
    np.testing.assert_allclose((a @ a).numpy(), host.astype(np.float64) @ host, rtol=1e-6)


def test_long_sums_keep_their_bound() -> None:
    for dtype in (np.float32, np.float64):
        host = np.full((1_000_000, 3), 0.1, dtype)
        exact = host[0].astype(np.longdouble) * len(host)
        unit = np.finfo(dtype).eps / 2
        (x,) = on(host)
        assert (np.abs(x.sum(0).numpy() - exact) <= 52 * unit * exact).all()
        assert (np.abs(x.T.contiguous().sum(1).numpy() - exact) <= 52 * unit * exact).all()


def test_writes_happen_in_place() -> None:
    x = dovetail.zeros(1000, device="cupy:cuda")
    x[0] = 1.0
    before = x.refresh(x).data.ptr
    for i in range(5):
        x[i] = float(i)
    assert x.refresh(x).data.ptr == before
    assert x[:6].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 0.0]
    y = dovetail.rand(1000, device="cupy:cuda").exp()
    before = y.refresh(y).data.ptr
    y.add_(1.0)
    assert y.refresh(y).data.ptr == before


def test_later_writes_to_the_host_array_are_not_seen() -> None:
    host = np.zeros(5_000_000, np.float32)
    (x,) = on(host)
    host[:] = 7
    assert x.sum().item() == 0


def test_a_position_out_of_range_is_told_at_the_next_read() -> None:
    x, index = on(np.arange(3.0, dtype=np.float32), np.array([0, 9]))
    taken = x[index]
    with pytest.raises(IndexError):
        taken.tolist()


def test_no_room_is_told_as_such() -> None:
    with pytest.raises(dovetail.errors.OutOfMemory, match="out of memory"):
        dovetail.zeros(1 << 20, 1 << 20, device="cupy:cuda")


def test_two_devices() -> None:
    devices = dovetail.device("cupy:cuda").runtime.devices()
    if len(devices) < 2:
        pytest.skip("there is one device")
    x = dovetail.randn(100, device=devices[1])
    y = (x.exp() * 2).to(devices[0])
    np.testing.assert_array_equal(y.numpy(), (x.exp() * 2).numpy())


def _use_in_child(queue: Any) -> None:
    try:
        dovetail.ones(1, device="cupy:cuda")
    except RuntimeError as error:
        queue.put(str(error))
    else:
        queue.put("nothing was raised")


def test_a_forked_process_is_told_that_cuda_does_not_survive() -> None:
    dovetail.ones(1, device="cupy:cuda").tolist()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_use_in_child, args=(queue,))
    child.start()
    message = queue.get(timeout=60)
    child.join()
    assert "fork" in message
