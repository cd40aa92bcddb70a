"""CUDA C on the host: kernels compiled as C++, every thread of a block a thread, blocks one after the other.

The stand-ins here have the call forms of CuPy's RawModule and ElementwiseKernel, and work on NumPy arrays.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# What CUDA gives to kernels. Nothing is contracted (-ffp-contract=off), as the intrinsics never are.
HEADER = """
#include <cmath>
#include <cstring>
#define __device__
#define __global__
#define __shared__ static
struct place { unsigned x; };
static thread_local place blockIdx, threadIdx;
static place blockDim, gridDim;
typedef unsigned long long word;
static inline word __umul64hi(word a, word b) { return (word)(((unsigned __int128)a * b) >> 64); }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __ddiv_rn(double a, double b) { return a / b; }
static inline double __dsqrt_rn(double a) { return std::sqrt(a); }
static inline float __fsqrt_rn(float a) { return std::sqrt(a); }
static inline float __double2float_rn(double a) { return (float)a; }
static inline float __double2float_rz(double a) {
    const float f = (float)a;
    return std::fabs((double)f) > std::fabs(a) ? std::nextafter(f, 0.0f) : f;
}
template <class To, class From> static To bits(From x) { To y; std::memcpy(&y, &x, sizeof y); return y; }
static inline unsigned __float_as_uint(float f) { return bits<unsigned>(f); }
static inline long long __double_as_longlong(double x) { return bits<long long>(x); }
static inline double __longlong_as_double(long long x) { return bits<double>(x); }
using std::log; using std::exp; using std::pow; using std::fmod; using std::floor; using std::copysign;
using std::erfc;
"""

# Beside that, what kernels need whose threads wait for each other.
TOGETHER = """
#include <barrier>
#include <thread>
#include <vector>
static std::barrier<>* everybody;
static void __syncthreads() { everybody->arrive_and_wait(); }
"""

C_TYPES = {
    "bool": "bool", "uint8": "unsigned char", "int8": "signed char", "uint16": "unsigned short", "int16": "short",
    "uint32": "unsigned int", "int32": "int", "uint64": "unsigned long long", "int64": "long long",
    "float32": "float", "float64": "double",
}  # fmt: skip
CTYPES = {
    "bool": ctypes.c_bool, "int64": ctypes.c_int64, "uint64": ctypes.c_uint64, "float64": ctypes.c_double,
    "float32": ctypes.c_float, "uint8": ctypes.c_uint8, "int8": ctypes.c_int8, "int16": ctypes.c_int16,
    "int32": ctypes.c_int32,
}  # fmt: skip


def compiler() -> str | None:
    """A C++ compiler, if there is one."""
    return shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")


class HostCuda:
    """Compiles sources into a folder, each once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.launches: list[tuple[str, int]] = []
        self.load = functools.cache(self._load)

    def _load(self, text: str) -> ctypes.CDLL:
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        (self.folder / f"{name}.cpp").write_text(HEADER + text)
        options = ["-std=c++20", "-O0", "-ffp-contract=off", "-fPIC", "-shared", "-pthread", "-w"]
        words = [str(compiler()), *options, f"{name}.cpp", "-o", f"{name}.so"]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return ctypes.CDLL(str(self.folder / f"{name}.so"))

    def raw_module(self, code: str, options: tuple[str, ...]) -> RawModule:
        """What stands for cupy.RawModule."""
        assert "--fmad=false" in options
        return RawModule(self, code)

    def elementwise_kernel(
        self, in_params: str, out_params: str, operation: str, name: str, *, preamble: str, options: tuple[str, ...]
    ) -> Callable[..., Array]:
        """What stands for cupy.ElementwiseKernel."""
        assert "--fmad=false" in options
        operands = [tuple(p.split()) for p in in_params.split(",")]
        (result,) = [tuple(p.split()) for p in out_params.split(",")]

        def run(*given: Any) -> Array:
            arrays, out = given[: len(operands)], given[len(operands) :]
            return self._elementwise(operands, result, operation, name, preamble, arrays, out[0] if out else None)

        return run

    def _elementwise(
        self, operands: Any, result: Any, operation: str, name: str, preamble: str, given: Any, out: Any
    ) -> Array:
        kinds = {"bool": np.dtype(bool), "float64": np.dtype(np.float64)}
        for (kind, _), value in [*zip(operands, given, strict=True), (result, out)]:
            if isinstance(value, np.ndarray):  # as in CuPy, a number says nothing of the dtype of its parameter
                assert kinds.setdefault(kind, value.dtype) == value.dtype, f"{name}: {kinds[kind]}, {value.dtype}"
        unknown = [kind for kind, _ in [*operands, result] if kind not in kinds]
        assert not unknown, f"{name}: no array says what {unknown} is"
        arrays = np.broadcast_arrays(*given)
        flat = [np.ascontiguousarray(a, kinds[kind]) for (kind, _), a in zip(operands, arrays, strict=True)]
        filled = np.empty(arrays[0].shape, kinds[result[0]])
        library = self.load(elementwise_source(operands, result, operation, name, preamble, kinds))
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (*flat, filled)]
        library[name](*pointers, ctypes.c_int64(filled.size))
        self.launches.append((name, filled.size))
        if out is None:
            return filled
        out[...] = filled
        return out  # type: ignore[no-any-return]  # the array that was given


def elementwise_source(
    operands: Any, result: Any, operation: str, name: str, preamble: str, kinds: dict[str, Any], mark: str = ""
) -> str:
    """An elementwise kernel as a function over arrays; with a mark of CUDA as a kernel of one thread."""
    names = [*operands, result]
    c = {kind: C_TYPES[dtype.name] for kind, dtype in kinds.items()}
    parameters = ", ".join(f"{c[kind]}* all_{word}" for kind, word in names)
    reads = "".join(f"const {c[kind]} {word} = all_{word}[i]; " for kind, word in operands)
    types = "".join(f"typedef {c[kind]} {kind};\n" for kind in kinds if len(kind) == 1)
    return (
        f'{types}{preamble}\nextern "C" {mark} void {name}({parameters}, long long n) {{ '
        f"for (long long i = 0; i < n; ++i) {{ {reads}{c[result[0]]}& {result[1]} = all_{result[1]}[i]; "
        f"{operation} }} }}\n"
    )


class RawModule:
    """The kernels of a source, by name."""

    def __init__(self, host: HostCuda, code: str) -> None:
        self.host = host
        self.library = host.load(TOGETHER + code + "".join(map(_launcher, _kernels(code))))

    def get_function(self, name: str) -> Callable[..., None]:
        """A kernel with CuPy's call form: grid, block, arguments."""
        start = self.library[f"launch_{name}"]

        def launch(grid: tuple[int], threads: tuple[int], arguments: tuple[Any, ...]) -> None:
            self.host.launches.append((name, grid[0]))
            start(ctypes.c_uint(grid[0]), ctypes.c_uint(threads[0]), *map(_argument, arguments))

        return launch


def _argument(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        assert value.flags.c_contiguous, "a kernel was given an array that is not contiguous"
        return ctypes.c_void_p(value.ctypes.data)
    return CTYPES[value.dtype.name](value)


def _kernels(code: str) -> list[tuple[str, str]]:
    return re.findall(r'extern "C" __global__ void (\w+)\(\s*([^)]*)\)', code)


def _launcher(kernel: tuple[str, str]) -> str:
    """A function that runs all blocks of a kernel, each with its threads at once."""
    name, parameters = kernel
    names = ", ".join(re.findall(r"(\w+)\s*(?:,|$)", parameters))
    return f"""
extern "C" void launch_{name}(unsigned grid, unsigned threads, {parameters}) {{
    gridDim.x = grid, blockDim.x = threads;
    for (unsigned block = 0; block < grid; ++block) {{
        std::barrier<> together(threads);
        everybody = &together;
        std::vector<std::thread> all;
        for (unsigned t = 0; t < threads; ++t) all.emplace_back([=] {{
            blockIdx.x = block, threadIdx.x = t;
            {name}({names});
        }});
        for (auto& one : all) one.join();
    }}
}}
"""
