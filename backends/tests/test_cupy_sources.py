"""What the CuPy backend names exists in the installed CuPy, and NVRTC compiles its kernels: without a GPU.

`pip install cupy-cuda13x nvidia-cuda-nvrtc nvidia-cuda-runtime` in an environment of its own is enough.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dovetail_cupy import fused_source
from dovetail_cupy.expressions import EXPRESSIONS, Expression

cupy = pytest.importorskip("cupy", reason="CuPy is not installed: its names and NVRTC cannot be asked")

CATEGORIES = ("bool", "int", "float")
ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "backends" / "dovetail_cupy").glob("*.py"))
PORTABLE = [*sorted((ROOT / "core" / "dovetail" / "backend").glob("array_api*.py"))]
PORTABLE += [ROOT / "core" / "dovetail" / "random" / "streams.py"]
MODULES = {"cupy": "cupy", "special": "cupyx.scipy.special", "standard": "array_api_compat.cupy"}


def chains(tree: ast.AST, roots: set[str]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Every dotted name that begins with a root: root, attributes, and the keywords of a call of it."""
    words = {id(n.func): [k.arg for k in n.keywords if k.arg] for n in ast.walk(tree) if isinstance(n, ast.Call)}
    inner = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or id(node) in inner:
            continue
        names: list[str] = []
        part: ast.expr = node
        while isinstance(part, ast.Attribute):
            names.insert(0, part.attr)
            part = part.value
        if isinstance(part, ast.Name) and part.id in roots:
            yield part.id, names, words.get(id(node), [])


def missing(source: str, modules: dict[str, str]) -> list[str]:
    """What a source names that the modules lack, or calls with keywords that the function has not."""
    found: list[str] = []
    for root, names, keywords in chains(ast.parse(source), set(modules)):
        value: Any = importlib.import_module(modules[root])
        for name in names:
            if not hasattr(value, name):
                found.append(".".join([root, *names]))
                break
            value = getattr(value, name)
        else:
            found += [f"{root}.{'.'.join(names)}({word}=)" for word in unknown(value, keywords)]
    return found


def unknown(function: Any, keywords: list[str]) -> list[str]:
    """The keywords that a function does not take, as far as it tells its signature."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return []  # written in C
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return []
    return [word for word in keywords if word not in parameters]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_every_name_of_cupy_exists(path: Path) -> None:
    assert missing(path.read_text(encoding="utf-8"), MODULES) == []


@pytest.mark.parametrize("path", PORTABLE, ids=lambda p: p.name)
def test_the_portable_kernels_find_their_functions_in_cupy(path: Path) -> None:
    assert missing(path.read_text(encoding="utf-8"), {"xp": "array_api_compat.cupy"}) == []


def test_the_names_are_seen(tmp_path: Path) -> None:
    """The check can fail, and it does look at the table."""
    wrong = "cupy.exq(x); cupy.lib.stride_tricks.as_strided(x, shapes=3); special.erf(x)"
    assert missing(wrong, MODULES) == ["cupy.exq", "cupy.lib.stride_tricks.as_strided(shapes=)"]
    named = {".".join(names) for path in SOURCES for _, names, _ in chains(ast.parse(path.read_text()), set(MODULES))}
    assert {"exp", "ElementwiseKernel", "RawModule", "erfinv", "cuda.memory.OutOfMemoryError"} <= named
    assert len(named) > 60


def test_every_ufunc_has_a_loop_for_every_dtype_that_its_op_computes_in() -> None:
    """A missing loop would compute in a wider type, and give a result of the wrong dtype."""
    from dovetail.backend import Device, dtypes
    from dovetail.errors import DovetailError
    from dovetail.tensor.spec import spec
    from dovetail_cupy import kernels

    device = Device.of("cupy", "cuda", 0)
    checked = 0
    for op, ufunc in kernels._UFUNCS.items():
        record = op.record
        for dtype in dtypes.ALL:
            half = dtype.is_floating_point and dtype.itemsize == 2
            if dtype.is_complex or half or CATEGORIES[dtype.category] not in record.samples.dtypes:
                continue
            specs = [spec((2,), dtype, device)] * len(record.signature.inputs)
            try:
                answer = record.dtype(specs, {})
            except DovetailError:
                continue
            takes = [(given or dtype).host for given in answer.inputs]
            loops = (t.split("->") for t in ufunc.types if "E" not in t)  # bfloat16, which is no code of NumPy
            chosen = next(t for t in loops if all(np.can_cast(a, b) for a, b in zip(takes, t[0], strict=True)))
            assert np.dtype(chosen[1]) == answer.outputs[0].host, f"{record.name} of {dtype.name}"
            assert takes[0].kind != "f" or np.dtype(chosen[0][0]) == takes[0], f"{record.name} of {dtype.name}"
            checked += 1
    assert checked > 200


def test_the_expressions_are_accepted_by_cupy() -> None:
    from dovetail_cupy.elementwise import expression

    for name in EXPRESSIONS:
        assert callable(expression(name))
    with pytest.raises(Exception, match="Unknown keyword"):
        cupy.ElementwiseKernel("T x y", "T z", "z = x", "wrong")


# ------------------------------------------------------------------------------------------ NVRTC


def compiled(source: str, architecture: str = "compute_80") -> str:
    """The PTX of a source; the test is skipped where NVRTC is missing."""
    from cupy.cuda import compiler

    try:
        program = compiler._NVRTCProgram(source, "kernels.cu")
    except Exception as error:  # CuPy raises what its loader raises where the library is missing
        pytest.skip(f"NVRTC is not installed: {error}")
    made = program.compile((f"-arch={architecture}", "--fmad=false"))
    ptx = made[0] if isinstance(made, tuple) else made
    return ptx.decode() if isinstance(ptx, bytes) else str(ptx)


@pytest.mark.parametrize("architecture", ["compute_75", "compute_80", "compute_90"])
def test_nvrtc_compiles_the_fused_kernels(architecture: str) -> None:
    source = fused_source.source()
    entries = set(re.findall(r"\.entry (\w+)\(", compiled(source, architecture)))
    assert entries == set(re.findall(r'extern "C" __global__ void (\w+)\(', source))
    assert {"softmax_float32", "adam_step_float64", "segment_sum_int64", "to_bfloat16"} <= entries


def test_nvrtc_refuses_a_wrong_source() -> None:
    compiled("")  # or skipped
    from cupy.cuda.compiler import CompileException

    with pytest.raises(CompileException, match="layer"):
        compiled(fused_source.source().replace("double middle = mean[row]", "layer middle = mean[row]"))


def as_kernel(host_cuda: Any, name: str, found: Expression, dtype: str) -> str:
    operands = [tuple(p.split()) for p in found.operands.split(",")]
    result = tuple(found.results.split())
    kinds = {"T": np.dtype(dtype), "bool": np.dtype(bool), "float64": np.dtype(np.float64)}
    if any(kind == "S" for kind, _ in operands):
        kinds = {**kinds, "S": np.dtype(dtype), "T": np.dtype(np.int16)}
    return str(host_cuda.elementwise_source(operands, result, found.code, name, found.functions, kinds, "__global__"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_nvrtc_compiles_the_expressions(load_helper: Any, name: str, dtype: str) -> None:
    entry = f"dovetail_{name}"
    source = as_kernel(load_helper("host_cuda"), entry, EXPRESSIONS[name], dtype)
    assert f".entry {entry}(" in compiled(source)
