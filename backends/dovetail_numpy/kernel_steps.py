"""Optimizer steps of the NumPy backend: into the arrays that dispatch hands over, else into copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from dovetail.backend import Array, KernelTable, ops
from dovetail_numpy import optimizers, optimizers_matrices, optimizers_moments, optimizers_scales

table: Final = KernelTable()

Step = Callable[..., None]


def _enter(op: Any, step: Step, names: tuple[str, ...]) -> None:
    """Register a step in place under an op: ``step(*arrays, *numbers by name, **flags)``.

    The arrays are those that the op updates and the gradient, in the op's order.
    """
    updates: tuple[int, ...] = op.record.updates

    def kernel(*arrays: Array | None, out: tuple[Array, ...] | None = None, **flags: Any) -> Any:
        *state, numbers = arrays
        assert numbers is not None, "every step has numbers"
        present = [i for i in updates if state[i] is not None]
        own = out if out is not None else tuple(np.array(state[i], order="C", copy=True) for i in present)
        for i, array in zip(present, own, strict=True):
            state[i] = array
        step(*state, **dict(zip(names, numbers.tolist(), strict=True)), **flags)
        return own if len(own) > 1 else own[0]

    table(op, out=True)(kernel)


def _counted(step: Step) -> Step:
    """A step whose last array counts the steps: it is one larger before the rest is done."""

    def counted(*arrays: Array, **options: Any) -> None:
        *rest, count = arrays
        count += 1
        step(*rest, step=float(count), **options)

    return counted


def _undecayed(step: Step) -> Step:
    """A step that is told whether weight decay is asked for, by leaving it at nothing where it is not."""

    def undecayed(*arrays: Array, weight_decay: float, decayed: bool, **options: Any) -> None:
        step(*arrays, weight_decay=weight_decay if decayed else 0.0, **options)

    return undecayed


def _rprop(*arrays: Array, lr: float, step: float, **options: Any) -> None:
    """The learning rate is but the first step size, which the state has already."""
    optimizers_scales.rprop_step(*arrays, **options)


def _adadelta(*arrays: Array, step: float, **options: Any) -> None:
    """Adadelta counts its steps for nothing."""
    optimizers_scales.adadelta_step(*arrays, **options)


def _rmsprop(*arrays: Array, step: float, **options: Any) -> None:
    """RMSprop counts its steps for nothing."""
    optimizers_scales.rmsprop_step(*arrays, **options)


def _asgd(
    param: Array, grad: Array, ax: Array, eta: Array, mu: Array, *,
    lr: float, lambd: float, alpha: float, t0: float, step: float, **options: Any,
) -> None:  # fmt: skip
    """The step itself, and then the rate and the weight of the next one."""
    optimizers_scales.asgd_step(param, grad, ax, eta=float(eta), mu=float(mu), lambd=lambd, **options)
    eta[...] = lr / (1 + lambd * lr * step) ** alpha
    mu[...] = 1 / max(1.0, step - t0)


_ADAM = ("lr", "beta1", "beta2", "eps", "weight_decay")

_enter(ops.sgd_step, _undecayed(optimizers.sgd_step), ("lr", "momentum", "dampening", "weight_decay"))
_enter(ops.adam_step, _undecayed(_counted(optimizers.adam_step)), _ADAM)
_enter(ops.nadam_step, _undecayed(_counted(optimizers_moments.nadam_step)), (*_ADAM, "momentum_decay"))
_enter(ops.radam_step, _undecayed(_counted(optimizers_moments.radam_step)), _ADAM)
_enter(ops.adamax_step, _undecayed(_counted(optimizers_moments.adamax_step)), _ADAM)
_enter(
    ops.adagrad_step, _undecayed(_counted(optimizers_scales.adagrad_step)), ("lr", "lr_decay", "eps", "weight_decay")
)
_enter(ops.adadelta_step, _undecayed(_counted(_adadelta)), ("lr", "rho", "eps", "weight_decay"))
_enter(ops.rmsprop_step, _undecayed(_counted(_rmsprop)), ("lr", "alpha", "eps", "weight_decay", "momentum"))
_enter(ops.rprop_step, _counted(_rprop), ("lr", "shrink", "grow", "smallest", "largest"))
_enter(ops.asgd_step, _undecayed(_counted(_asgd)), ("lr", "lambd", "alpha", "t0", "weight_decay"))
_enter(
    ops.adafactor_step,
    _counted(optimizers_matrices.adafactor_step),
    ("lr", "beta2_decay", "eps1", "eps2", "d", "weight_decay"),
)
