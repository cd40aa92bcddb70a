"""What the tests of several files share: the comparison of an op's samples with PyTorch."""

from __future__ import annotations

import importlib.util
import math
import sys
import types
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.record.op import Op
from dovetail.record.samples import Arg, Sample

FLOATS = ("float32", "float64", "float16", "bfloat16")
DTYPES = {"float": FLOATS, "int": ("int64", "int32", "uint8"), "bool": ("bool",)}
SPECIAL = (0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 1e-40, -1e-40, 3.0e38, 0.5, -0.5)
SMALLEST = {"float64": 2.0**-1074, "float32": 2.0**-149, "float16": 2.0**-24, "bfloat16": 2.0**-133}
MISSING_DERIVATIVES = ("is not implemented", "Expected a proper Tensor but got None")
"""What PyTorch says where it has no second derivative."""
UNIT = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}


def draw(arg: Arg, dtype: str, seed: int) -> np.ndarray[Any, Any]:
    """Values of a sample's argument as a host array, in float64, int64 or bool."""
    name = arg.dtype or dtype
    rng = np.random.default_rng(seed)
    if arg.values is not None:
        values = np.asarray(arg.values).reshape(arg.shape) if np.size(arg.values) else np.empty(arg.shape)
        # what is out of range saturates here and wraps around in PyTorch: neither is the question
        return np.maximum(values, 0) if name.startswith("uint") else values
    if name == "bool":
        return rng.integers(0, 2, arg.shape).astype(bool)
    if name.startswith(("int", "uint")):
        low = max(math.ceil(arg.low), 0 if name.startswith("u") else -100)
        return rng.integers(low, max(math.floor(arg.high), low) + 1, arg.shape)
    if arg.distinct:
        size = math.prod(arg.shape)
        steps = np.linspace(arg.low, arg.high, size + 2)[1:-1] if size else np.empty(0)
        return rng.permutation(steps).reshape(arg.shape)
    return rng.uniform(arg.low, arg.high, arg.shape)


WITH_POSITIONS = ("adaptive_max_pool1d",)
"""PyTorch's functions of the top package that return positions too, which those of ``nn.functional`` leave out."""


class Oracle:
    """Calls of an op in both frameworks, and how their results are held against each other."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch

    def function(self, name: str) -> Callable[..., Any] | None:
        """PyTorch's function of that name, also a method or one of ``nn.functional``."""
        torch = self.torch
        if name in WITH_POSITIONS:
            return getattr(torch, name)  # type: ignore[no-any-return]
        for place in (torch.nn.functional, torch, torch.special):
            if hasattr(place, name):
                return getattr(place, name)  # type: ignore[no-any-return]
        return getattr(torch.Tensor, name, None)

    def ask(self, name: str, args: Sequence[Any], words: dict[str, Any]) -> Any:
        """PyTorch's answer; where it wants tensors for numbers, or sizes one by one, it gets them."""
        function = self.function(name)
        assert function is not None, f"PyTorch has no {name}"
        method = getattr(self.torch.Tensor, name, None)
        lifted = [self.torch.tensor(a).double() if type(a) in (int, float) else a for a in args]
        attempts = [lambda: function(*args, **words), lambda: function(*lifted, **words)]
        if method is not None:
            attempts.insert(1, lambda: method(*args, **words))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's advice on speed and on the future of its own names
            for attempt in attempts[:-1]:
                try:
                    return attempt()
                except TypeError:
                    continue
                except RuntimeError as refusal:
                    if "view size is not compatible" not in str(refusal):
                        raise
                    args = [a.contiguous() if isinstance(a, self.torch.Tensor) else a for a in args]
                    return function(*args, **words)
            return attempts[-1]()

    # -------------------------------------------------------------------------------------- operands

    def pair(
        self, array: np.ndarray[Any, Any], dtype: str, wide: bool, strided: bool, grad: bool
    ) -> tuple[Any, Any]:
        """The same values as our tensor and as PyTorch's, the latter in float64 where ``wide``."""
        torch = self.torch
        theirs = torch.tensor(array).to(getattr(torch, dtype))
        ours = dovetail.tensor(np.asarray(array), dtype=dovetail.dtypes.by_name(dtype))
        if wide and theirs.is_floating_point():
            theirs = theirs.double()
        if strided and array.ndim > 1:
            ours = ours.transpose(0, -1).contiguous().transpose(0, -1)
            theirs = theirs.transpose(0, -1).contiguous().transpose(0, -1)
        if grad and theirs.is_floating_point():
            ours.requires_grad_()
            theirs.requires_grad_()
        return ours, theirs

    def operands(
        self, sample: Sample, dtype: str, name: str, *, wide: bool = False, strided: bool = False,
        special: bool = False, grad: bool = False,
    ) -> tuple[tuple[list[Any], dict[str, Any]], ...]:  # fmt: skip
        """Arguments and keywords of a sample, ours and theirs."""
        seeds = iter(range(zlib.crc32(name.encode()), 2**40))

        def convert(value: Any) -> tuple[Any, Any]:
            if isinstance(value, Arg):
                kind = value.dtype or dtype
                array = draw(value, dtype, next(seeds))
                if special and kind in FLOATS and value.values is None:
                    array = special_values(array, next(seeds))
                return self.pair(array, kind, wide and value.dtype is None, strided, grad and value.grad)
            if isinstance(value, dovetail.dtypes.dtype):
                return value, getattr(self.torch, value.name)
            if isinstance(value, list | tuple):
                pairs = [convert(v) for v in value]
                return type(value)(p[0] for p in pairs), type(value)(p[1] for p in pairs)
            return value, value

        args = [convert(a) for a in sample.args]
        words = {k: convert(v) for k, v in sample.params.items()}
        return tuple(([a[i] for a in args], {k: v[i] for k, v in words.items()}) for i in (0, 1))

    # -------------------------------------------------------------------------------------- the checks

    def check_values(
        self, op: Op, sample: Sample, dtype: str, *, strided: bool = False, special: bool = False, draw: int = 0
    ) -> None:
        """Values against PyTorch's in float64, dtypes against PyTorch's own; another ``draw``, other values."""
        name = f"{op.name} {sample} {draw}"
        ours, wide = self.operands(sample, dtype, name, wide=True, strided=strided, special=special)
        _, plain = self.operands(sample, dtype, name, strided=strided, special=special)
        result = op.call(*ours[0], **ours[1])
        try:
            promised = self.ask(op.name, *plain)
        except NotImplementedError:
            # PyTorch has no 16-bit form of some: the float64 answer, rounded, is what it would be.
            if dtype not in ("float16", "bfloat16"):
                raise
            promised = self.ask(op.name, *wide).to(getattr(self.torch, dtype))
        expected = self.ask(op.name, *wide) if dtype in FLOATS else promised
        self.same(result, expected, self.allowance(op, dtype), promised)

    def check_gradients(self, op: Op, sample: Sample) -> None:
        """First and second derivatives in float64 of a weighted sum of all floating results."""
        found = []
        name = f"{op.name} {sample}"
        for side in (0, 1):
            args, words = self.operands(sample, "float64", name, grad=True)[side]
            result = self.ask(op.name, args, words) if side else op.call(*args, **words)
            found.append(self._derivatives(result, [*args, *words.values()], ours=side == 0))
        (first, second), (first_expected, second_expected) = found
        for mine, yours in ((first, first_expected), (second, second_expected)):
            if not yours and mine:
                continue
            assert len(mine) == len(yours)
            for a, b in zip(mine, yours, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)

    def agree(self, program: Callable[[Any], Any], allowed: float = 4.0) -> None:
        """A program that takes the framework as its argument gives the same results, or the same error, in both."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = program(self.torch)
        except Exception as refusal:
            kind = next(k for k in (IndexError, ValueError, TypeError, RuntimeError) if isinstance(refusal, k))
            with pytest.raises(kind):
                program(dovetail)
            return
        self.same(program(dovetail), expected, allowed)

    def compare(
        self,
        function: Callable[..., Any],
        *hosts: np.ndarray[Any, Any],
        second: bool = True,
        tolerance: float = 1e-9,
    ) -> None:
        """``function(frame, *tensors)`` has the same results and gradients of both orders in both frameworks."""
        mine, yours = (self._differentiated(frame, function, hosts, second) for frame in (dovetail, self.torch))
        assert len(mine) == len(yours)
        for i, (a, b) in enumerate(zip(mine, yours, strict=True)):
            assert a.shape == b.shape, f"part {i}: {a.shape} against {b.shape}"
            assert a.dtype == b.dtype, f"part {i}: {a.dtype} against {b.dtype}"
            scale = tolerance * float(np.abs(b[np.isfinite(b)]).max(initial=1.0))
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=scale, err_msg=f"part {i}")

    @staticmethod
    def _differentiated(
        frame: Any, function: Callable[..., Any], hosts: Sequence[np.ndarray[Any, Any]], second: bool
    ) -> list[np.ndarray[Any, Any]]:
        """Host values of the results, of their gradients, and of the gradients of a weighted sum of these."""

        def weighted(t: Any, seed: int) -> Any:
            weights = np.random.default_rng(seed).uniform(0.5, 1.5, tuple(t.shape))
            return (t * frame.tensor(weights).to(t.dtype)).sum()

        def host(tensors: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
            return [np.asarray(t.detach().numpy(force=True)) for t in tensors]

        sources = [frame.tensor(h, requires_grad=np.asarray(h).dtype.kind == "f") for h in hosts]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's advice on speed and on the future of its own names
            results = list(flattened(function(frame, *sources)))
        wanted = list(differentiable_inputs(sources))
        if not wanted or not results[0].requires_grad:
            return host(results)
        total = weighted(results[0], 1)
        first = frame.autograd.grad(total, wanted, create_graph=second, allow_unused=True)
        found = [s * 0 if g is None else g for g, s in zip(first, wanted, strict=True)]
        parts = host(results) + host(found)
        again = [weighted(g, i) for i, g in enumerate(first, 2) if g is not None and g.requires_grad]
        if second and again:
            more = frame.autograd.grad(sum(again[1:], again[0]), wanted, allow_unused=True)
            parts += host([s * 0 if g is None else g for g, s in zip(more, wanted, strict=True)])
        elif second:
            parts += [np.zeros_like(p) for p in host(wanted)]
        return parts

    def _derivatives(self, result: Any, args: Sequence[Any], ours: bool) -> tuple[list[Any], list[Any]]:
        grad = dovetail.autograd.grad if ours else self.torch.autograd.grad
        sources = list(differentiable_inputs(args))
        if not sources:
            return [], []
        results = [r for r in flattened(result) if getattr(r, "requires_grad", False)]
        assert results, "nothing to differentiate: the op should say why"
        total = self._weighted(results, 1, ours)
        first = list(grad(total, sources, create_graph=True, allow_unused=True))
        again = [g for g in first if g is not None and g.requires_grad]
        second: list[Any] = [None] * len(sources)
        if again:
            try:
                second = list(grad(self._weighted(again, 2, ours), sources, allow_unused=True))
            except RuntimeError as error:
                if ours or not any(words in str(error) for words in MISSING_DERIVATIVES):
                    raise
                second = []  # PyTorch has no second derivative of some: there is nothing to compare with
        firsts, seconds = ([self._host(g, s) for g, s in zip(gs, sources)] for gs in (first, second))
        return firsts, seconds

    def _weighted(self, tensors: Sequence[Any], seed: int, ours: bool) -> Any:
        make = dovetail.tensor if ours else self.torch.tensor
        rng = np.random.default_rng(seed)
        return sum((t * make(rng.uniform(0.5, 1.5, tuple(t.shape)))).sum() for t in tensors)

    @staticmethod
    def _host(gradient: Any, source: Any) -> np.ndarray[Any, Any]:
        if gradient is None:
            return np.zeros(tuple(source.shape))
        assert gradient.shape == source.shape
        assert str(gradient.dtype).endswith("float64")
        return np.asarray(gradient.detach().numpy(force=True))

    def allowance(self, op: Op, dtype: str) -> float:
        """How many units of the last place an op may be off by its record; for composites a rule of thumb."""
        agree = op.agree
        if agree is None or agree.bitwise:
            return 0.5001 if agree is None or agree.kind != "CR" or dtype != "float64" else 1.0
        if agree.kind == "U":
            return agree.at_most(dtype if dtype in FLOATS else "float32") + (dtype != "float32")
        return 200.0

    # -------------------------------------------------------------------------------------- results

    def same(self, ours: Any, theirs: Any, allowed: float, promised: Any = None) -> None:
        """Shapes and dtypes equal, values within ``allowed`` units of the last place of their terms."""
        if isinstance(theirs, list | tuple):
            assert len(ours) == len(theirs)
            for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
                self.same(a, b, allowed, promised[i] if promised is not None else None)
            return
        if not isinstance(theirs, self.torch.Tensor):
            assert ours == theirs
            return
        expected_dtype = (promised if promised is not None else theirs).dtype
        assert f"torch.{ours.dtype.name}" == str(expected_dtype)
        assert tuple(ours.shape) == tuple(theirs.shape)
        a = ours.detach().double().numpy() if ours.is_floating_point() else ours.detach().numpy()
        b = theirs.detach().double().numpy() if theirs.is_floating_point() else theirs.detach().numpy()
        if not ours.is_floating_point():
            np.testing.assert_array_equal(a, b)
            return
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b), err_msg=f"NaNs differ: {a} and {b}")
        plain = b if promised is None else promised.detach().double().numpy()
        self._close(a, b, plain, ours.dtype.name, allowed)

    def _close(self, a: Any, b: Any, plain: Any, dtype: str, allowed: float) -> None:
        """``b`` is right in float64; where PyTorch too overflows in the dtype itself, its ``plain`` answer is."""
        import ml_dtypes  # the host's 16-bit type

        target = np.dtype(ml_dtypes.bfloat16) if dtype == "bfloat16" else np.dtype(dtype)
        with np.errstate(all="ignore"):
            rounded = b.astype(np.float32).astype(target) if dtype == "bfloat16" else b.astype(target)
            rounded = rounded.astype(np.float64)
        finite = np.isfinite(a) & np.isfinite(rounded)
        unit = UNIT[dtype]
        scale = np.max(np.abs(b[np.isfinite(b)]), initial=0.0) if allowed > 100 else np.abs(b)
        limit = (2 * unit * scale + SMALLEST[dtype]) * max(allowed, 0.5001)
        with np.errstate(invalid="ignore"):
            off = np.abs(a - b)
        same = (a == rounded) | (np.isnan(a) & np.isnan(rounded)) | (np.isinf(a) & (a == plain))
        good = np.where(finite, off <= limit, same)
        # where one of the two overflows, the other must be next to the largest number
        largest = float(np.finfo(target).max) if dtype != "bfloat16" else 3.3895313892515355e38
        near = np.abs(np.where(np.isfinite(a), a, b)) >= largest * (1 - 8 * unit)
        bad = ~(good | (near & ~finite & ~np.isnan(a) & ~np.isnan(rounded)))
        wrong = (a[bad], b[bad]) if a.ndim else (a, b)
        assert not np.any(bad), f"{wrong[0]} against {wrong[1]}, {allowed} ULP allowed"


def flattened(result: Any) -> Iterator[Any]:
    """The tensors of a result, which may be nested tuples."""
    if isinstance(result, list | tuple):
        for part in result:
            yield from flattened(part)
    else:
        yield result


def differentiable_inputs(args: Sequence[Any]) -> Iterator[Any]:
    """The tensors among arguments that collect gradients, also inside lists."""
    return (t for t in flattened(list(args)) if getattr(t, "requires_grad", False))


def special_values(array: np.ndarray[Any, Any], seed: int) -> np.ndarray[Any, Any]:
    """The array with special values at every second place."""
    flat = array.reshape(-1).copy()
    flat[::2] = np.random.default_rng(seed).choice(SPECIAL, flat[::2].size)
    return flat.reshape(array.shape)


@pytest.fixture(scope="session")
def oracle() -> Oracle:
    """The comparison with PyTorch; the test is skipped where PyTorch is not installed."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    torch.set_num_threads(1)
    return Oracle(torch)


@pytest.fixture(scope="session")
def bare() -> Iterator[str]:
    """The id of a backend with the host's kernels for primitives alone: all else runs its decomposition."""
    from dovetail.backend import BackendSpec, KernelTable
    from dovetail.contract import discovery
    from dovetail.record import registry
    from dovetail_numpy.backend import NumpyBackend

    class Bare(NumpyBackend):
        writes_in_place = False

        @property
        def kernels(self) -> KernelTable:
            table = KernelTable()
            table.update(super().kernels)
            table.remove(*(op.call for op in registry.ops() if not op.primitive))
            return table

    module = types.ModuleType("bare_backend_of_the_tests")
    module.Bare = Bare  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    discovery.register(BackendSpec(name="bare", runtime=f"{module.__name__}:Bare"))
    yield "bare"
    discovery.unregister("bare")
    del sys.modules[module.__name__]


@pytest.fixture(params=["kernels", "decompositions"])
def ways(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run a test twice: on the default backend, and on one that has kernels for primitives only."""
    if request.param == "kernels":
        yield request.param
        return
    with dovetail.use_backend(request.getfixturevalue("bare")):
        yield request.param


@pytest.fixture(scope="session")
def twins() -> Any:
    """The helpers of twins.py, which make a module in both frameworks."""
    pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    spec = importlib.util.spec_from_file_location("twins_of_the_tests", Path(__file__).with_name("twins.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
