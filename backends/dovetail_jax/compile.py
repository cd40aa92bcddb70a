"""Programs as one jitted function: whole captured steps, and the decompositions of derived ops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax

from dovetail.backend import Array, Literal, ProgramView


def function_of(program: ProgramView) -> Callable[..., tuple[Array, ...]]:
    """Return the program as a function that JAX can trace: the kernels' own functions, one after the other."""
    steps = [(getattr(step.kernel, "raw", step.kernel), step.inputs, step.outputs) for step in program.steps]

    def run(*arrays: Array) -> tuple[Array, ...]:
        values: dict[int, Any] = dict(zip(program.inputs, arrays, strict=True))
        for kernel, inputs, outputs in steps:
            result = kernel(*(i.value if isinstance(i, Literal) else values[i] for i in inputs))
            if len(outputs) == 1:
                values[outputs[0]] = result
            else:
                values.update(zip(outputs, result, strict=True))
        return tuple(values[o] for o in program.outputs)

    return run


def compile_program(program: ProgramView) -> Callable[[list[Any], list[bool]], tuple[Array, ...]]:
    """Return one function that runs every step under a single ``jax.jit``, inputs that nobody needs donated."""
    compiled = jax.jit(function_of(program), donate_argnums=tuple(program.donated))

    def call(arrays: list[Any], lent: list[bool]) -> tuple[Array, ...]:
        with jax.enable_x64(True):
            return compiled(*arrays)  # type: ignore[no-any-return]  # jit keeps the function's results

    return call


def with_64_bits(raw: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel once; every call runs it with 64-bit types on. ``raw`` is kept for programs to be traced."""
    compiled = jax.jit(raw)
    x64 = jax.enable_x64

    def run(*arrays: Any) -> Any:
        with x64(True):
            return compiled(*arrays)

    run.raw = raw  # type: ignore[attr-defined]  # what a captured program is traced through
    return run


def compose(program: ProgramView, constants: Sequence[Array]) -> Callable[..., Any]:
    """Return one kernel for the decomposition of a derived op."""
    whole = function_of(program)
    single = len(program.outputs) == 1

    def raw(*arrays: Array) -> Any:
        results = whole(*arrays, *constants)
        return results[0] if single else results

    return with_64_bits(raw)
