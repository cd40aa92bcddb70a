"""Optimizers whose step is one op per parameter, with everything that a schedule changes as a live input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from dovetail import ops
from dovetail.autograd.mode import enable_grad, set_grad_enabled
from dovetail.dispatch import state as modes
from dovetail.dispatch.update import update
from dovetail.errors import ArgumentRuntimeError
from dovetail.optim.groups import Group
from dovetail.optim.optimizer import Closure, Optimizer
from dovetail.optim.state_dicts import counter_dtype
from dovetail.program.live import live_numbers, outside_capture
from dovetail.tensor.tensor import Tensor


class Stepper(Optimizer):
    """Base of the optimizers that hand each parameter, its gradient and its state to one op.

    State is made before the first step is taken, so that a captured step finds it. In a captured program the numbers
    of :meth:`numbers` are read anew at each run; what :meth:`names` and :meth:`flags` say is part of the program,
    which is captured again when it changes.
    """

    operation: ClassVar[Any]
    """The op of a step."""
    keys: ClassVar[tuple[str, ...]] = ()
    """The entries of a parameter's state in PyTorch's order."""

    def names(self, group: Group) -> tuple[str | None, ...]:
        """The entries of the state that the op takes, in its order; None for those that the options leave out."""
        return self.keys

    def numbers(self, group: Group) -> Sequence[Any]:
        """The numbers of the op, in its order: floats or tensors of one element."""
        raise NotImplementedError(f"{type(self).__name__} must define numbers()")

    def flags(self, group: Group) -> dict[str, Any]:
        """The parameters of the op that are no tensors."""
        return {}

    def first(self, name: str, param: Tensor, group: Group) -> Tensor:
        """The first value of an entry of the state."""
        if name in self.own_dtype:
            return param.new_zeros((), dtype=counter_dtype())
        return param.new_zeros(param.shape)

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter that has a gradient; with a closure, evaluate it first and return its loss."""
        loss = None
        with set_grad_enabled(bool(self.defaults.get("differentiable"))):
            if closure is not None:
                with enable_grad():
                    loss = closure()
            for group in self.param_groups:
                self._step_group(group)
        return loss

    def make_state(self) -> None:
        """Make the state of every parameter that has a gradient, as a first step does, without taking one."""
        for group in self.param_groups:
            names = self.names(group)
            for param in group["params"]:
                if param.grad is not None:
                    self._start(param, self.state[param], self.names_of(param, names), group)

    def _step_group(self, group: Group) -> None:
        names, flags = self.names(group), self.flags(group)
        stateful = any(name is not None for name in names)
        rows: dict[Any, Tensor] = {}
        for param in group["params"]:
            grad = param.grad
            if grad is None:
                continue
            own = self.names_of(param, names)
            state = self.state[param] if stateful else {}
            fresh = self._start(param, state, own, group)
            key = (param.device, param.dtype, fresh)
            row = rows.get(key)
            if row is None:
                row = rows[key] = self._row(group, param, fresh)
            tensors = [None if name is None else state[name] for name in own]
            self._move(group, (param, grad, *tensors, row), self.flags_of(param, flags))

    def names_of(self, param: Tensor, names: tuple[str | None, ...]) -> tuple[str | None, ...]:
        """The names for one parameter of the group."""
        return names

    def flags_of(self, param: Tensor, flags: dict[str, Any]) -> dict[str, Any]:
        """The flags for one parameter of the group."""
        return flags

    def _start(self, param: Tensor, state: dict[str, Any], names: Sequence[str | None], group: Group) -> bool:
        """Make what is missing of a parameter's state; whether any was."""
        missing = [name for name in names if name is not None and state.get(name) is None]
        if not missing:
            return False
        with outside_capture():
            for name in sorted(missing, key=self.keys.index):
                state[name] = self.first(name, param, group)
        return True

    def _move(self, group: Group, inputs: tuple[Any, ...], flags: dict[str, Any]) -> None:
        """Move one parameter and its state; recorded, from copies, where the step is to be differentiated."""
        record = self.operation.record
        if not group.get("differentiable"):
            update(record, *inputs, **flags)
            return
        targets = [inputs[i] for i in record.updates if inputs[i] is not None]
        copies = [x.clone() if i in record.updates and x is not None else x for i, x in enumerate(inputs)]
        results = record.body(*copies, **flags)
        for target, result in zip(targets, results if isinstance(results, tuple) else (results,), strict=True):
            target.copy_(result)

    # ------------------------------------------------------------------ numbers

    def values(self, group: Group, param: Tensor, fresh: bool) -> Sequence[Any]:
        """The numbers for a parameter, which may be at its first step."""
        return self.numbers(group)

    def _row(self, group: Group, param: Tensor, fresh: bool) -> Tensor:
        """The numbers of a group as a tensor; a captured program reads them at each run."""
        device = param.device
        if modes.state.special and (trace := modes.tracing.get()) is not None:
            trace.guard((id(self), id(group)), self._guard(group))

        def read() -> list[float]:
            return [0.0 if isinstance(v, Tensor) else float(v) for v in self.values(group, param, fresh)]

        row = live_numbers((id(self), id(group), device, param.dtype, fresh), read, device)
        given = self.values(group, param, fresh)
        if not any(isinstance(v, Tensor) for v in given):
            return row
        parts = [
            v.to(device=device, dtype=row.dtype).reshape(1) if isinstance(v, Tensor) else row[i : i + 1]
            for i, v in enumerate(given)
        ]
        return ops.cat(parts)

    def _guard(self, group: Group) -> Any:
        """A function that says what a program of this group's step no longer fits."""
        changes, names, flags = self._changes, self.names(group), self.flags(group)
        tensors = [isinstance(v, Tensor) for v in self.numbers(group)]
        kind = type(self).__name__

        def why() -> str | None:
            if self._changes != changes:
                return f"state was loaded into {kind}, or parameters were added to it"
            if (names, flags) != (self.names(group), self.flags(group)):
                return f"an option of {kind} was changed from {flags} to {self.flags(group)}"
            if tensors != [isinstance(v, Tensor) for v in self.numbers(group)]:
                return f"a number of {kind} became a tensor, or no longer is one"
            return None

        return why


def check_modes(defaults: Group) -> None:
    """Raise for implementations that exclude each other; which one is asked for makes no difference here.

    ``foreach``, ``fused`` and ``capturable`` choose between implementations in PyTorch. Here each step is one op per
    parameter, which a backend fuses and which can be captured, so they are taken and change nothing.
    """
    if not defaults.get("fused"):
        return
    if defaults.get("differentiable"):
        raise ArgumentRuntimeError("`fused` does not support `differentiable`")
    if defaults.get("foreach"):
        raise ArgumentRuntimeError("`fused` and `foreach` cannot be `True` together.")
