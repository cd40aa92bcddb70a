"""The CuPy backend's runtime without a GPU: probe, ownership, devices, transfer, checks that wait, fused kernels."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.record import registry
from dovetail_conformance import programs
from dovetail_cupy import plugin

# ------------------------------------------------------------------------------------------ what is announced


def test_the_plugin_imports_no_array_library() -> None:
    program = "import sys, dovetail_cupy.plugin as p; p.dovetail_backends(); print('cupy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def usable() -> bool:
    return plugin.probe("cuda") is None


def test_the_spec_says_why_it_is_not_usable() -> None:
    if usable():
        pytest.skip("CuPy can be used here")
    why = plugin.probe("cuda")
    assert why is not None
    assert any(word in why for word in ("CuPy", "driver", "device"))
    (spec,) = plugin.dovetail_backends()
    with pytest.raises(RuntimeError) as caught:
        dovetail.ones(2, device="cupy:cuda")
    assert why in str(caught.value)
    assert "device='cpu'" in str(caught.value)
    assert (spec.name, spec.kinds) == ("cupy", ("cuda",))
    assert spec.install


# ------------------------------------------------------------------------------------------ NumPy in CuPy's place


@pytest.fixture
def entered(cupy_on_host: str, load_helper: Any) -> Iterator[list[int]]:
    """The numbers of the devices that were entered, and -1 - number for a synchronisation."""
    found: list[int] = load_helper("host_cupy").Device.entered
    found.clear()
    yield found
    load_helper("host_cupy").Device.current = 0


def address(t: Any) -> int:
    return int(t.refresh(t).ctypes.data)


def test_writes_happen_in_place_when_nobody_else_holds_the_array(cupy_on_host: str) -> None:
    x = dovetail.zeros(100, device=cupy_on_host)
    view = x[10:20]
    del view
    x[0] = 1.0
    before = x._alias.cell.base.ctypes.data
    for i in range(5):
        x[i] = float(i)
        x[50 + i : 60] = float(i)
    assert x._alias.cell.base.ctypes.data == before
    shown = x.numpy()
    x[3] = 7.0
    assert shown[3] == 3.0, "what numpy() gave never changes"
    assert x[3].item() == 7.0


def test_ufuncs_write_their_result_where_the_operand_was(cupy_on_host: str) -> None:
    x = dovetail.full((50,), 4.0, device=cupy_on_host)
    before = address(x)
    x.add_(2.0).mul_(2.0).sqrt_()
    assert address(x) == before
    np.testing.assert_allclose(x.numpy(), np.sqrt(np.full(50, 12.0, np.float32)))
    held = x._data
    x.add_(1.0)
    assert x._data is not held, "somebody else has the array"
    half = dovetail.ones(3, dtype=dovetail.bfloat16, device=cupy_on_host)
    half.add_(1.0)
    assert half.tolist() == [2.0, 2.0, 2.0]


def test_random_programs_agree_with_numpy(cupy_on_host: str) -> None:
    for seed in range(120):
        outcomes = []
        for name in (cupy_on_host, "numpy"):
            with dovetail.use_backend(name):
                outcomes.append(programs.run(dovetail, seed, second=seed % 5 == 0))
        assert outcomes[0].backward_error == outcomes[1].backward_error
        assert programs.differences(*outcomes) == [], f"seed {seed}"


SMOOTH = [op for op in registry.ops() if op.samples and op.nondifferentiable is None and "float" in op.samples.dtypes]


@pytest.mark.parametrize("op", SMOOTH, ids=lambda op: op.name)
def test_gradients_agree_with_numpy(op: Any, agreement: Any, cupy_on_host: str) -> None:
    agreement.check_gradients(op, cupy_on_host)


# ------------------------------------------------------------------------------------------ devices


def test_the_current_device_comes_first_and_keeps_its_number(
    cupy_on_host: str, load_helper: Any, entered: list[int]
) -> None:
    runtime = dovetail.device(f"{cupy_on_host}:cuda:0").runtime
    assert [str(d) for d in runtime.devices()] == ["cupy_on_host:cuda:0", "cupy_on_host:cuda:1"]
    load_helper("host_cupy").Device.current = 1
    assert [str(d) for d in runtime.devices()] == ["cupy_on_host:cuda:1", "cupy_on_host:cuda:0"]
    assert runtime.describe(runtime.devices()[0]) == "host 1"
    assert not runtime.fork_safe


def test_kernels_run_on_the_device_of_their_operands(cupy_on_host: str, entered: list[int]) -> None:
    x = dovetail.tensor([1.0, 2.0], device=f"{cupy_on_host}:cuda:1")
    entered.clear()
    y = x.exp() + x.sum()
    assert set(entered) == {1}
    assert str(y.device) == "cupy_on_host:cuda:1"
    entered.clear()
    z = y.to(f"{cupy_on_host}:cuda:0")
    assert entered[-1] == 0
    assert z.tolist() == y.tolist()
    assert z.cpu().device.type == "cpu"
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        z + y


def test_synchronize_waits_for_one_device(cupy_on_host: str, entered: list[int]) -> None:
    device = dovetail.device(f"{cupy_on_host}:cuda:1")
    device.runtime.synchronize(device)
    assert entered == [-2]


def test_later_writes_to_the_host_array_are_not_seen(cupy_on_host: str) -> None:
    host = np.zeros((2, 3), np.float32, order="F")
    x = dovetail.tensor(host, device=cupy_on_host)
    host[:] = 5
    assert x.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert x._data.flags.c_contiguous


def test_checks_of_values_wait_for_the_next_read(cupy_on_host: str) -> None:
    """An error that only values show must not make every op wait for the device, nor be lost."""
    runtime = dovetail.device(cupy_on_host).runtime
    assert runtime.asynchronous(runtime.devices()[0])
    x = dovetail.tensor([4, 6], device=cupy_on_host)
    y = x // dovetail.tensor([2, 0], device=cupy_on_host)
    z = y + 1
    with pytest.raises(ZeroDivisionError):
        z.tolist()
    assert (x // 2).tolist() == [2, 3]


def test_a_place_out_of_range_is_not_written_to(cupy_on_host: str) -> None:
    """The error waits for the next read; until then the kernel must leave the memory of others alone."""
    x = dovetail.zeros(4, 2, device=cupy_on_host)
    rows = dovetail.ones(3, 2, device=cupy_on_host)
    put = type(x.device.runtime).extend.__globals__["kernels"].positions
    for function, expected in ((put.put_sum, [[0, 0], [1, 1], [0, 0], [0, 0]]), (put.put_last, [[0, 0], [1, 1]])):
        out = np.zeros((4, 2), np.float32)
        function(out, np.array([1, 1_000_000_000, -5]), rows.refresh(rows))
        assert out[: len(expected)].tolist() == expected
        assert out[2:].sum() == 0


def test_out_of_memory_is_told_as_such(cupy_on_host: str, load_helper: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load_helper("host_cupy")
    x = dovetail.ones(3, device=cupy_on_host)

    def full(*arrays: Any) -> Any:
        raise module.OutOfMemoryError("Out of memory allocating 512 bytes")

    runtime = x.device.runtime
    assert runtime.out_of_memory(module.OutOfMemoryError())
    assert not runtime.out_of_memory(RuntimeError("something else"))
    monkeypatch.setattr(type(runtime), "bind", lambda self, name, call: full)
    with pytest.raises(dovetail.errors.OutOfMemory, match="out of memory"):
        x.reshape(1, 3).tanh().cosh()


# ------------------------------------------------------------------------------------------ fused kernels


def test_fused_kernels_run_as_one(cupy_on_host: str, host_cuda: Any) -> None:
    x = dovetail.randn(5, 7, device=cupy_on_host, requires_grad=True)
    weight = dovetail.ones(7, device=cupy_on_host, requires_grad=True)
    host_cuda.launches.clear()
    y = dovetail.nn.functional.layer_norm(x.softmax(1), (7,), weight)
    assert [name for name, _ in host_cuda.launches] == ["softmax_float32", "layer_norm_float32"]
    host_cuda.launches.clear()
    y.square().sum().backward()
    assert [name for name, _ in host_cuda.launches] == ["layer_norm_backward_float32", "softmax_backward_float32"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_of_rows_keep_their_bound_at_any_length(cupy_on_host: str, dtype: str) -> None:
    """Constant 0.1 shows a sum that goes one after another; the last terms of 1, u, u, ... one that loses the small."""
    n = 30_000
    unit = float(np.finfo(dtype).eps) / 2
    for row in (np.full(n, 0.1), np.concatenate([[1.0], np.full(n - 1, 0.49 * unit)])):
        g = dovetail.tensor(np.stack([row, row]).astype(dtype), device=cupy_on_host)
        zero = dovetail.zeros(2, n, dtype=g.dtype, device=cupy_on_host)
        total = -dovetail.ops.log_softmax_backward(g * 0, zero, 1)[0, 0].item()
        assert total == 0
        found = (g - dovetail.ops.log_softmax_backward(g, zero, 1))[0, 0].item()
        exact = float(np.sum(g[0].numpy().astype(np.longdouble)))
        assert abs(found - exact) <= 4 * unit * abs(exact)


def test_a_step_of_an_optimizer_updates_in_place(cupy_on_host: str, host_cuda: Any) -> None:
    def train(backend: str, kind: str, **options: Any) -> list[Any]:
        with dovetail.use_backend(backend):
            dovetail.manual_seed(2)
            net = dovetail.nn.Linear(6, 3)
            optimizer = getattr(dovetail.optim, kind)(net.parameters(), lr=0.1, **options)
            places = []
            for _ in range(4):
                optimizer.zero_grad()
                net(dovetail.randn(8, 6)).square().sum().backward()
                optimizer.step()
                places.append([address(p) for p in net.parameters()])
            assert places[1:] == places[1:2] * 3, "after the first step the parameters stay where they are"
            return [p.detach().numpy() for p in net.parameters()]

    for kind, options in (
        ("SGD", {}),
        ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
        ("Adam", {"weight_decay": 0.01, "amsgrad": True}),
        ("AdamW", {"maximize": True}),
    ):
        host_cuda.launches.clear()
        mine = train(cupy_on_host, kind, **options)
        steps = [name for name, _ in host_cuda.launches if "_step_" in name]
        assert steps == [f"{kind[:4].rstrip('W').lower()}_step_float32"] * 8
        for a, b in zip(mine, train("numpy", kind, **options), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_the_number_of_threads_does_not_change_what_is_summed(
    cupy_on_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = type(dovetail.device(cupy_on_host).runtime).extend.__globals__["kernels"]
    launch = kernels.fused.launch
    x = dovetail.randn(3, 100, dtype=dovetail.float64, device=cupy_on_host)
    expected = x.softmax(1).numpy()
    for threads, grid in ((1, 1), (2, 2), (16, 64)):
        monkeypatch.setattr(launch, "THREADS", threads)
        monkeypatch.setattr(launch, "LARGEST_GRID", grid)
        np.testing.assert_allclose(x.softmax(1).numpy(), expected, rtol=1e-15)


def test_a_captured_step_gives_what_the_eager_one_gives(cupy_on_host: str) -> None:
    with dovetail.use_backend(cupy_on_host):
        weight = dovetail.randn(4, 4)

        def step(x: Any) -> Any:
            return (x @ weight).softmax(1).sum(0) * 2.0

        program = dovetail.program.capture(step, dovetail.randn(3, 4))
        x = dovetail.randn(3, 4)
        np.testing.assert_array_equal(program(x).numpy(), step(x).numpy())


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_float64_is_rounded_to_16_bits_once(cupy_on_host: str, name: str) -> None:
    dtype = getattr(dovetail, name)
    every = np.arange(2**16, dtype=np.uint16).view(dtype.host).astype(np.float64)
    finite = np.sort(every[np.isfinite(every)])
    middle = finite[:-1] / 2 + finite[1:] / 2
    beyond = [np.inf, -np.inf, np.nan, 1e300, -1e300, 65519.999, 65520.0, 1e-300, -0.0]
    x = np.concatenate([finite, middle, np.nextafter(middle, np.inf), np.nextafter(middle, -np.inf), beyond])
    found = dovetail.tensor(x, device=cupy_on_host).to(dtype).numpy()
    right = dovetail.tensor(x, device="numpy").to(dtype).numpy() if name == "bfloat16" else x.astype(np.float16)
    numbers = ~np.isnan(x)
    np.testing.assert_array_equal(found[numbers].view(np.uint16), right[numbers].view(np.uint16))
    assert np.isnan(found[~numbers].astype(np.float32)).all()
