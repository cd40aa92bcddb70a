"""The CUDA random kernels without a GPU: NVRTC compiles them, and a C++ compiler runs them on the host."""

from __future__ import annotations

import ctypes
import importlib
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from dovetail.backend import streams
from dovetail_cupy.philox_source import KERNELS, source
from dovetail_numpy import philox as numpy_philox

Array = np.ndarray[Any, Any]

# What CUDA gives the kernels, in C++ that does not contract (-ffp-contract=off), as the intrinsics do not.
HOST = """
#include <cmath>
#include <cstring>
#define __device__ static
#define __global__
static struct { unsigned x; } blockIdx, threadIdx, blockDim, gridDim;
extern "C" void place(unsigned block, unsigned thread, unsigned threads, unsigned grid) {
    blockIdx.x = block, threadIdx.x = thread, blockDim.x = threads, gridDim.x = grid;
}
typedef unsigned long long word;
static word __umul64hi(word a, word b) { return (word)(((unsigned __int128)a * b) >> 64); }
static double __dadd_rn(double a, double b) { return a + b; }
static double __dmul_rn(double a, double b) { return a * b; }
static double __ddiv_rn(double a, double b) { return a / b; }
static double __dsqrt_rn(double a) { return std::sqrt(a); }
static float __double2float_rn(double a) { return (float)a; }
static float __double2float_rz(double a) {
    const float f = (float)a;
    return std::fabs((double)f) > std::fabs(a) ? std::nextafter(f, 0.0f) : f;
}
template <class To, class From> static To bits(From x) { To y; std::memcpy(&y, &x, sizeof y); return y; }
static unsigned __float_as_uint(float f) { return bits<unsigned>(f); }
static long long __double_as_longlong(double x) { return bits<long long>(x); }
static double __longlong_as_double(long long x) { return bits<double>(x); }
"""

C_TYPES = {
    "bool": ctypes.c_bool,
    "int64": ctypes.c_int64,
    "uint64": ctypes.c_uint64,
    "float64": ctypes.c_double,
}


class HostModule:
    """Stands for cupy.RawModule: the same kernels, compiled for the host, run thread after thread."""

    library: ctypes.CDLL
    grids: list[int]

    def __init__(self, code: str, options: tuple[str, ...]) -> None:
        assert code == source()
        assert "--fmad=false" in options

    def get_function(self, name: str) -> Callable[..., None]:
        kernel = getattr(self.library, name)

        def launch(grid: tuple[int], threads: tuple[int], arguments: tuple[Any, ...]) -> None:
            self.grids.append(grid[0])
            converted = [
                ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else C_TYPES[a.dtype.name](a)
                for a in arguments
            ]
            for block in range(grid[0]):
                for thread in range(threads[0]):
                    self.library.place(block, thread, threads[0], grid[0])
                    kernel(*converted)

        return launch


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("there is no C++ compiler to run the kernels on the host with")
    folder: Path = tmp_path_factory.mktemp("philox")
    (folder / "philox.cpp").write_text(HOST + source())
    options = ["-std=c++17", "-O1", "-ffp-contract=off", "-fPIC", "-shared"]
    command = [compiler, *options, "philox.cpp", "-o", "philox.so"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(folder / "philox.so"))


@pytest.fixture
def kernels(library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """dovetail_cupy.philox on a stand-in for CuPy: NumPy's arrays and the kernels on the host."""
    stand_in = types.ModuleType("cupy")
    for name in ("empty", "ascontiguousarray", "rint"):
        setattr(stand_in, name, getattr(np, name))
    stand_in.argsort = lambda a: np.argsort(a, kind="stable")  # type: ignore[attr-defined]  # as CuPy's
    stand_in.RawModule = HostModule  # type: ignore[attr-defined]
    HostModule.library, HostModule.grids = library, []
    monkeypatch.setitem(sys.modules, "cupy", stand_in)
    monkeypatch.delitem(sys.modules, "dovetail_cupy.philox", raising=False)
    yield importlib.import_module("dovetail_cupy.philox")
    sys.modules.pop("dovetail_cupy.philox", None)


def edge_words(width: int) -> Array:
    kind = np.uint32 if width == 32 else np.uint64
    powers = [2**k + d for k in range(width) for d in (-1, 0, 1, 2**11)]
    edges = [
        int(u * 2**width) + (d << 11) for u in (0.075, 0.925, 1.388794386496402e-11) for d in range(-40, 40)
    ]
    words = np.array([x % 2**width for x in powers + edges], kind)
    random = np.random.default_rng(5).integers(0, 2**width, 3000, dtype=kind)
    return np.concatenate([words, ~words, random])


def assert_same(a: Array, b: Array) -> None:
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("state", [[1, 2, 0], [-5, 7, 12345], [3, 4, -1], [3, 4, -3]])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (9,), (50, 41)])
@pytest.mark.parametrize("width", [32, 64])
def test_words(kernels: Any, state: list[int], shape: tuple[int, ...], width: int) -> None:
    mine = numpy_philox.random_words(np.array(state), shape=shape, width=width)
    assert_same(kernels.random_words(np.array(state), shape=shape, width=width), mine)


def test_the_number_of_threads_does_not_show(kernels: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    state = np.array([1, 2, 3])
    expected = numpy_philox.random_words(state, shape=(3000,), width=64)
    for threads, grid in ((1, 1), (7, 3), (64, 1000)):
        monkeypatch.setattr(kernels, "THREADS", threads)
        monkeypatch.setattr(kernels, "LARGEST_GRID", grid)
        assert_same(kernels.random_words(state, shape=(3000,), width=64), expected)
    assert HostModule.grids == [1, 3, 12]


@pytest.mark.parametrize("name", streams.UNIFORM_BITS)
def test_floats(kernels: Any, name: str) -> None:
    dtype = np.dtype(getattr(ml_dtypes, name, name))
    words = edge_words(streams.word_width(name))
    near_ties = [{"mean": 1 + 2.0**-k, "std": 2.0**-40} for k in (8, 11)]
    for parameters in (
        {},
        {"mean": 0.1, "std": 3.7},
        *near_ties,
        *({"std": s} for s in (0.0, 1e-6, 1e5, 1e38)),
    ):
        mine = numpy_philox.normal_from_words(words, dtype=dtype, **parameters)
        assert_same(kernels.normal_from_words(words, dtype=dtype, **parameters), mine)
    for bounds in ({}, {"low": -0.3, "high": 0.7}, {"low": -1e-7, "high": 1e-7}, {"high": 2.0**-14}):
        mine = numpy_philox.uniform_from_words(words, dtype=dtype, **bounds)
        assert_same(kernels.uniform_from_words(words, dtype=dtype, **bounds), mine)


@pytest.mark.parametrize(("low", "high"), [(0, 10), (-7, 2**31), (-(2**63), 2**63), (-1, 2**63), (5, 6)])
def test_integers(kernels: Any, low: int, high: int) -> None:
    words = edge_words(64)
    expected = numpy_philox.randint_from_words(words, low=low, high=high)
    assert_same(kernels.randint_from_words(words, low=low, high=high), expected)


def test_permutation_and_bernoulli(kernels: Any) -> None:
    wide, words = edge_words(64), edge_words(32)
    assert_same(kernels.permutation_from_words(wide), numpy_philox.permutation_from_words(wide))
    for p in (0.0, 0.3, 1.0, np.linspace(-0.5, 1.5, words.size)):
        expected = numpy_philox.bernoulli_from_words(words, p=p)
        assert_same(kernels.bernoulli_from_words(words, p=p), expected)


def test_wrong_words_are_refused(kernels: Any) -> None:
    with pytest.raises(TypeError, match="expected random words of 64 bits, got uint32"):
        kernels.randint_from_words(np.ones(3, np.uint32), low=0, high=3)
    with pytest.raises(TypeError, match="made from 32-bit words"):
        kernels.normal_from_words(np.ones(3, np.uint64), dtype=np.float32)


@pytest.mark.parametrize("shape", [(), (0, 2), (2, 3)])
def test_shapes(kernels: Any, shape: tuple[int, ...]) -> None:
    words, wide = (np.ones(shape, kind) for kind in (np.uint32, np.uint64))
    assert kernels.normal_from_words(words, dtype=np.float32).shape == shape
    assert kernels.uniform_from_words(wide.T, dtype=np.float64).shape == shape[::-1]
    assert kernels.randint_from_words(wide, low=0, high=9).shape == shape
    assert kernels.bernoulli_from_words(words, p=0.5).shape == shape
    assert kernels.bernoulli_from_words(words, p=np.asarray(0.5)).shape == shape


def test_every_kernel_is_an_entry_point() -> None:
    assert set(re.findall(r'extern "C" __global__ void (\w+)', source())) == set(KERNELS)


def test_nvrtc_compiles_the_kernels_without_contraction() -> None:
    """With the compiler's defaults, so with contraction allowed: the intrinsics alone must prevent it."""
    pytest.importorskip("cupy", reason="CuPy is not installed")
    from cupy.cuda import compiler

    try:
        program = compiler._NVRTCProgram(source(), "philox.cu")
    except Exception as error:  # CuPy raises what its loader raises where the library is missing
        pytest.skip(f"NVRTC is not installed: {error}")
    compiled = program.compile(("-arch=compute_80",))
    ptx = compiled[0] if isinstance(compiled, tuple) else compiled
    text = ptx.decode() if isinstance(ptx, bytes) else ptx
    assert set(re.findall(r"\.entry (\w+)\(", text)) == set(KERNELS)
    assert "mul.rn.f64" in text
    assert "fma.rn.f64" not in text
