"""Hooks in the backward pass of a module: gates around inputs and outputs that see the gradients go by."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from dovetail.autograd.function import Function
from dovetail.autograd.mode import is_grad_enabled
from dovetail.nn.errors import HookError
from dovetail.tensor.tensor import Tensor

Gradients = tuple[Any, ...]
Hook = Callable[..., Any]


class Gate(Function):
    """The identity on several tensors; on the way back ``transform`` may replace all gradients."""

    @staticmethod
    def forward(ctx: Any, transform: Callable[[Gradients], Gradients], *tensors: Tensor) -> tuple[Tensor, ...]:
        """Let the tensors through."""
        ctx.transform = transform
        return tuple(t.view_as(t) for t in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
        """Let the gradients through the transform."""
        return (None, *ctx.transform(gradients))


class BackwardHooks:
    """The backward hooks of one call of a module: from its outputs' gradients to its inputs'."""

    def __init__(self, module: Any, hooks: Sequence[Hook], pre_hooks: Sequence[Hook]) -> None:
        self.module = module
        self.hooks = hooks
        self.pre_hooks = pre_hooks
        self.grad_outputs: Gradients | None = None
        self.input_positions: list[int] | None = None
        self.input_count = 0

    def around_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Put the gate that calls the hooks before the module's inputs."""
        self.input_count = len(args)

        def transform(gradients: Gradients) -> Gradients:
            if self.grad_outputs is None:
                # The gradient came to the input without passing the output, as in a double backward.
                return gradients
            grad_inputs = _spread(gradients, positions, len(args))
            for hook in self.hooks:
                grad_inputs = _replaced(grad_inputs, hook(self.module, grad_inputs, self.grad_outputs), "grad_input")
            self.grad_outputs = None
            return tuple(grad_inputs[i] for i in positions)

        args, positions = _gated(args, transform)
        self.input_positions = positions or None
        return args

    def around_outputs(self, result: Any) -> Any:
        """Put the gate that calls the pre-hooks, and remembers the gradients, behind the module's outputs."""
        if not isinstance(result, (Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but "
                f"received {type(result)}",
                stacklevel=5,
            )
            return result
        outputs = result if isinstance(result, tuple) else (result,)

        def transform(gradients: Gradients) -> Gradients:
            grad_outputs = _spread(gradients, positions, len(outputs))
            for hook in self.pre_hooks:
                grad_outputs = _replaced(grad_outputs, hook(self.module, grad_outputs), "grad_output")
            self.grad_outputs = grad_outputs
            if self.input_positions is None:
                self._call_without_inputs()
            return tuple(grad_outputs[i] for i in positions)

        gated, positions = _gated(outputs, transform)
        return gated if isinstance(result, tuple) else gated[0]

    def _call_without_inputs(self) -> None:
        """Call the hooks at the outputs: there is no input whose gradient would be waited for."""
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module outputs since "
            "no inputs require gradients.",
            stacklevel=4,
        )
        for hook in self.hooks:
            returned = hook(self.module, (None,) * self.input_count, self.grad_outputs)
            if returned is not None and any(g is not None for g in returned):
                raise HookError(
                    "Backward hook for Modules where no input requires gradient should always return None "
                    "or None for all gradients."
                )
        self.grad_outputs = None


def _gated(values: tuple[Any, ...], transform: Callable[[Gradients], Gradients]) -> tuple[tuple[Any, ...], list[int]]:
    """Send the tensors that need gradients through a gate; return their positions too."""
    # What needs no gradient goes around the gate: hooks see None for it.
    positions = [i for i, value in enumerate(values) if isinstance(value, Tensor) and value.requires_grad]
    if not positions or not is_grad_enabled():
        return values, []
    passed = list(values)
    for position, tensor in zip(positions, Gate.apply(transform, *(values[i] for i in positions))):
        passed[position] = tensor
    # A named tuple is made from its fields, a tuple from one iterable.
    gated = tuple(passed) if type(values) is tuple else type(values)(*passed)
    return gated, positions


def _spread(values: Gradients, positions: Sequence[int], length: int) -> Gradients:
    spread: list[Any] = [None] * length
    for position, value in zip(positions, values):
        spread[position] = value
    return tuple(spread)


def _replaced(old: Gradients, returned: Any, what: str) -> Gradients:
    """Return what a hook makes of the gradients: None keeps them."""
    if returned is None:
        return old
    new = returned if isinstance(returned, tuple) else (returned,)
    if len(new) != len(old):
        kind = "hook" if what == "grad_input" else "pre hook"
        raise HookError(
            f"Backward {kind} returned an invalid number of {what}, got {len(new)}, but expected {len(old)}"
        )
    return new
