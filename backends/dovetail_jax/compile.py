"""A captured program as one jitted function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from dovetail.backend import Literal, ProgramView



def compile_program(program: ProgramView) -> Callable[..., Any]:
    """Return one function that runs every step under a single ``jax.jit``, inputs that nobody needs donated."""
    steps = [
        (
            getattr(step.kernel, "raw", step.kernel),
            step.inputs,
            step.outputs,
        )
        for step in program.steps
    ]

    def run(*arrays: Any) -> tuple[Any, ...]:
        values: dict[int, Any] = dict(zip(program.inputs, arrays, strict=True))
        for kernel, inputs, outputs in steps:
            result = kernel(*(i.value if isinstance(i, Literal) else values[i] for i in inputs))
            if len(outputs) == 1:
                values[outputs[0]] = result
            else:
                values.update(zip(outputs, result, strict=True))
        return tuple(values[o] for o in program.outputs)

    compiled = jax.jit(run, donate_argnums=tuple(program.donated))

    def call(arrays: list[Any], lent: list[bool]) -> Any:
        with jax.enable_x64(True):
            return compiled(*arrays)

    return call
