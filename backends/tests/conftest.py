"""What the tests of several backends share: the samples of every op on one backend, held against NumPy."""

from __future__ import annotations

import importlib.util
import math
import sys
import types
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.backend import Backend, BackendSpec, KernelTable
from dovetail.contract import discovery
from dovetail.record import registry
from dovetail.record.op import Op
from dovetail.record.samples import Arg, Sample
from dovetail_numpy.backend import NumpyBackend

Host = np.ndarray[Any, Any]

FLOATS = ("float32", "float64", "float16", "bfloat16")
DTYPES = {"float": FLOATS, "int": ("int64", "int32", "uint8"), "bool": ("bool",)}
SPECIAL = (0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 1e-40, -1e-40, 3.0e38, 0.5, -0.5)
UNIT = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
SMALLEST = {"float64": 2.0**-1074, "float32": 2.0**-149, "float16": 2.0**-24, "bfloat16": 2.0**-133}


class Bare(NumpyBackend):
    """NumPy with kernels for primitives alone: all else runs its decomposition, as on a new backend."""

    @property
    def kernels(self) -> KernelTable:
        table = KernelTable()
        table.update(super().kernels)
        table.remove(*(op.call for op in registry.ops() if not op.primitive))
        return table


Register = Callable[..., str]


@pytest.fixture(scope="session")
def register() -> Iterator[Register]:
    """A function that registers a backend class under an id until the tests end."""
    made: list[tuple[str, str]] = []

    def enter(name: str, backend: type[Backend], **words: Any) -> str:
        module = types.ModuleType(f"backend_of_the_tests_{name}")
        module.Runtime = backend  # type: ignore[attr-defined]
        sys.modules[module.__name__] = module
        discovery.register(BackendSpec(name=name, runtime=f"{module.__name__}:Runtime", priority=-1, **words))
        made.append((name, module.__name__))
        return name

    yield enter
    for name, module_name in made:
        discovery.unregister(name)
        del sys.modules[module_name]


@pytest.fixture(scope="session")
def agreement(register: Register) -> Agreement:
    """The comparison with NumPy."""
    return Agreement(register("bare_numpy", Bare))


def helper(name: str) -> Any:
    """A module beside the tests, which are no package."""
    found = sys.modules.get(f"backends_tests_{name}")
    if found is None:
        spec = importlib.util.spec_from_file_location(f"backends_tests_{name}", Path(__file__).parent / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        found = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = found
        spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="session")
def load_helper() -> Callable[[str], Any]:
    """The modules beside the tests, by name."""
    return helper


@pytest.fixture(scope="session")
def host_cuda(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """CUDA C on the host."""
    module = helper("host_cuda")
    if module.compiler() is None:
        pytest.skip("there is no C++ compiler to run CUDA kernels on the host with")
    return module.HostCuda(tmp_path_factory.mktemp("cuda"))


@pytest.fixture(scope="session")
def cupy_on_host(host_cuda: Any, register: Register) -> str:
    """The CuPy backend with NumPy in CuPy's place and two devices, as a registered backend."""
    pytest.importorskip("scipy", reason="SciPy stands for cupyx.scipy")
    module = helper("host_cupy")
    module.Runtime.count = 2
    module.Device.entered = []
    return register("cupy_on_host", module.backend_class(host_cuda), kinds=("cuda",))


class Agreement:
    """Runs the samples of an op on a backend and on NumPy, and holds the results against each other.

    Equal bits are right. Where an op computes, a result may differ from the float64 one by what the record
    allows: so many ULP (class U), k u times its terms (class G), or for a composite not much more than
    NumPy's differs.
    """

    def __init__(self, reference: str) -> None:
        self.reference = reference

    def check_all(self, op: Op, dtype: str, backend: str, *, special: bool = False) -> None:
        """Every sample of an op for one dtype."""
        assert op.samples is not None
        assert op.samples.cases
        for sample in op.samples.cases:
            self.check(op, sample, dtype, backend, special=special)

    def check(self, op: Op, sample: Sample, dtype: str, backend: str, *, special: bool = False) -> None:
        """One call of an op on both, and where it is off."""
        where = f"{op.name} {dtype} on {backend}{' with special values' if special else ''}: {sample}"
        got, placed = self._run(op, sample, dtype, backend, special)
        want, _ = self._run(op, sample, dtype, self.reference, special)
        assert len(got) == len(want), where
        for i, (a, b, spec) in enumerate(zip(got, want, placed, strict=True)):
            assert (a.dtype, a.shape) == (b.dtype, b.shape), where
            assert spec == (b.shape, b.dtype.name), f"{where}: the kernel gave {spec}"
            if not self._same(a, b, op.agree is None or op.agree.signed_zero):
                limit = self._limit(op, sample, dtype, special, i, b)
                self._close(a, limit, where)

    def check_gradients(self, op: Op, backend: str) -> None:
        """First derivatives in float64 of a weighted sum of the results, for every smooth sample."""
        assert op.samples is not None
        for sample in op.samples.cases:
            if sample.grad:
                pairs = zip(_gradients(op, sample, backend), _gradients(op, sample, self.reference), strict=True)
                for mine, yours in pairs:
                    assert (mine is None) == (yours is None)
                    if mine is not None and yours is not None:
                        scale = np.max(np.abs(yours[np.isfinite(yours)]), initial=1.0)
                        np.testing.assert_allclose(mine, yours, rtol=1e-12, atol=1e-13 * scale)

    def _run(
        self, op: Op, sample: Sample, dtype: str, backend: str, special: bool, wide: Any = None
    ) -> tuple[list[Host], list[tuple[tuple[int, ...], str]]]:
        args, words = _operands(op, sample, dtype, special, backend, wide)
        with dovetail.use_backend(backend):
            result = op.call(*args, **words)
        tensors = list(result) if isinstance(result, tuple | list) else [result]
        runtime = dovetail.device(backend).runtime
        return [t.detach().numpy() for t in tensors], [runtime.spec_of(t.refresh(t)) for t in tensors]

    def _same(self, a: Host, b: Host, signed_zero: bool) -> bool:
        if a.dtype.kind in "biu":
            return bool(np.array_equal(a, b))
        x, y = a.astype(np.float64), b.astype(np.float64)
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        if signed_zero:
            same &= (x != 0) | (np.signbit(x) == np.signbit(y))
        return bool(same.all())

    def _limit(self, op: Op, sample: Sample, dtype: str, special: bool, i: int, want: Host) -> tuple[Host, Host]:
        """The float64 result, and how far from it another result may be."""
        agree, name = op.agree, want.dtype.name
        assert agree is not None
        assert not agree.bitwise, f"{op.name}: bits differ from NumPy's"
        mine = want.astype(np.float64)
        right = mine if name == "float64" else self._run(op, sample, dtype, self.reference, special, _double)[0][i]
        unit = UNIT[name]
        last = np.maximum(2 * unit * np.abs(right), SMALLEST[name])
        twice = 2 if name == "float64" else 1  # NumPy's float64 is off by as much itself
        if agree.kind == "U":
            return right, twice * agree.at_most(name) * last
        if agree.kind == "G":
            terms = self._run(op, sample, dtype, self.reference, special, _sizes)[0][i]
            count = max((math.prod(a.shape) for a in sample.args if isinstance(a, Arg)), default=1)
            inner = max(min(unit, UNIT["float32"]), UNIT["float64"])
            return right, twice * agree.factor(count) * inner * terms + last
        scale = np.max(np.abs(right[np.isfinite(right)]), initial=0.0)
        return right, 4 * np.abs(mine - right) + 16 * unit * scale + 4 * SMALLEST[name]

    def _close(self, got: Host, limit: tuple[Host, Host], where: str) -> None:
        right, allowed = limit
        x = got.astype(np.float64)
        with np.errstate(invalid="ignore"):
            near = np.abs(x - right) <= allowed
            rounded = right.astype(got.dtype).astype(np.float64)
        good = near | (x == rounded) | (np.isnan(x) & np.isnan(right))
        assert bool(good.all()), f"{where}: {x[~good]} instead of {right[~good]}, {allowed[~good]} allowed"


def _double(array: Host) -> Host:
    """The same numbers in float64, so that NumPy's own rounding does not count."""
    return array.astype(np.float64)


def _sizes(array: Host) -> Host:
    """The sizes of the numbers: what a sum adds up to when nothing cancels."""
    return np.abs(array.astype(np.float64))


def _operands(
    op: Op, sample: Sample, dtype: str, special: bool, backend: str, wide: Any
) -> tuple[list[Any], dict[str, Any]]:
    seeds = iter(range(zlib.crc32(f"{op.name} {sample}".encode()), 2**40))
    device = dovetail.device(backend)

    def convert(value: Any) -> Any:
        if isinstance(value, Arg):
            kind = dovetail.dtypes.by_name(value.dtype or dtype)
            host = _draw(value, kind.name, next(seeds))
            if special and kind.is_floating_point and value.values is None:
                host = _with_special(host, next(seeds))
            with np.errstate(over="ignore"):
                host = np.asarray(host).astype(kind.host)
            if wide is not None and kind.is_floating_point:
                host = wide(host)
            return dovetail.tensor(host, device=device)
        if isinstance(value, list | tuple):
            return type(value)(convert(v) for v in value)
        return value

    return [convert(a) for a in sample.args], {k: convert(v) for k, v in sample.params.items()}


def _draw(arg: Arg, dtype: str, seed: int) -> Host:
    rng = np.random.default_rng(seed)
    if arg.values is not None:
        return np.asarray(arg.values).reshape(arg.shape)
    if dtype == "bool":
        return rng.integers(0, 2, arg.shape).astype(bool)
    if "int" in dtype:
        low = max(math.ceil(arg.low), 0 if dtype.startswith("u") else -100)
        return rng.integers(low, max(math.floor(arg.high), low) + 1, arg.shape)
    if arg.distinct:
        size = math.prod(arg.shape)
        steps = np.linspace(arg.low, arg.high, size + 2)[1:-1] if size else np.empty(0)
        return rng.permutation(steps).reshape(arg.shape)
    return rng.uniform(arg.low, arg.high, arg.shape)


def _with_special(array: Host, seed: int) -> Host:
    """The array with special values at every second place."""
    flat = array.reshape(-1).copy()
    flat[::2] = np.resize(np.random.default_rng(seed).permutation(SPECIAL), flat[::2].size)
    return flat.reshape(array.shape)


def _gradients(op: Op, sample: Sample, backend: str) -> list[Host | None]:
    args, words = _operands(op, sample, "float64", False, backend, None)
    sources = [
        t.requires_grad_()
        for t, arg in zip(_tensors(args), _tensors(sample.args), strict=True)
        if t.is_floating_point() and arg.grad and arg.dtype is None
    ]
    with dovetail.use_backend(backend):
        result = op.call(*args, **words)
        results = result if isinstance(result, tuple | list) else [result]
        total = sum((r * (0.5 + 0.1 * i)).sum() for i, r in enumerate(results) if r.requires_grad)
        found = dovetail.autograd.grad(total, sources, allow_unused=True) if sources else []
    for g, source in zip(found, sources, strict=True):
        assert g is None or (g.dtype, g.shape, g.device) == (source.dtype, source.shape, source.device)
    return [None if g is None else g.numpy() for g in found]


def _tensors(value: Any) -> list[Any]:
    """The tensors of nested arguments in order, or the descriptions that they are drawn from."""
    if isinstance(value, list | tuple):
        return [t for v in value for t in _tensors(v)]
    return [value] if isinstance(value, dovetail.Tensor | Arg) else []
