"""Expressions of CUDA C as kernels on CuPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import cupy

from dovetail_cupy.expressions import EXPRESSIONS
from dovetail_cupy.launch import OPTIONS


@cache
def expression(name: str) -> Callable[..., Any]:
    """The kernel of an expression; CuPy compiles it for each combination of dtypes when it first runs.

    Takes the operands, which broadcast, and as ``out=`` an array for the result.
    """
    found = EXPRESSIONS[name]
    made = cupy.ElementwiseKernel(
        found.operands, found.results, found.code, f"dovetail_{name}", preamble=found.functions, options=OPTIONS
    )

    def run(*operands: Any, out: Any = None) -> Any:
        return made(*operands) if out is None else made(*operands, out)

    return run
