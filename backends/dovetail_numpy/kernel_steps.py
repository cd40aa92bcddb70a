"""Optimizer steps of the NumPy backend: into the arrays that dispatch hands over, else into copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from dovetail.backend import Array, KernelTable, ops
from dovetail_numpy import optimizers, optimizers_matrices, optimizers_moments, optimizers_scales

table: Final = KernelTable()


def _enter(op: Any, step: Callable[..., None], names: tuple[str, ...], without: tuple[str, ...] = ()) -> None:
    """Register a step in place under an op: ``step(*arrays, *numbers by name, **flags)``.

    The arrays are the op's, but for its numbers, which ``names`` names, and the step count: that is moved on and given
    as ``step``. ``without`` are numbers that the formula has no use for. Weight decay that is not asked for is 0.
    """

    def kernel(*arrays: Any, out: tuple[Array, ...] | None = None, decayed: bool = True, **flags: Any) -> Any:
        record = op.record  # read here: a program without optimizers does not wait for their definitions
        *state, numbers = arrays
        present = [i for i in record.updates if state[i] is not None]
        own = out if out is not None else tuple(np.array(state[i], order="C", copy=True) for i in present)
        for i, array in zip(present, own, strict=True):
            state[i] = array
        options = dict(zip(names, numbers.tolist(), strict=True))
        if "step" in record.input_names:
            count = state.pop()
            count += 1
            options["step"] = float(count)
        if not decayed:
            options["weight_decay"] = 0.0
        for name in without:
            del options[name]
        step(*state, **options, **flags)
        return own if len(own) > 1 else own[0]

    table(op, out=True)(kernel)


def _asgd(
    param: Array, grad: Array, ax: Array, eta: Array, mu: Array, *,
    lr: float, lambd: float, alpha: float, t0: float, step: float, **options: Any,
) -> None:  # fmt: skip
    """The step itself, and then the rate and the weight of the next one."""
    optimizers_scales.asgd_step(param, grad, ax, eta=float(eta), mu=float(mu), lambd=lambd, **options)
    eta[...] = lr / (1 + lambd * lr * step) ** alpha
    mu[...] = 1 / max(1.0, step - t0)


_ADAM = ("lr", "beta1", "beta2", "eps", "weight_decay")
_RPROP = ("lr", "shrink", "grow", "smallest", "largest")
_FACTORS = ("lr", "beta2_decay", "eps1", "eps2", "d", "weight_decay")

_enter(ops.sgd_step, optimizers.sgd_step, ("lr", "momentum", "dampening", "weight_decay"))
_enter(ops.adam_step, optimizers.adam_step, _ADAM)
_enter(ops.nadam_step, optimizers_moments.nadam_step, (*_ADAM, "momentum_decay"))
_enter(ops.radam_step, optimizers_moments.radam_step, _ADAM)
_enter(ops.adamax_step, optimizers_moments.adamax_step, _ADAM)
_enter(ops.adagrad_step, optimizers_scales.adagrad_step, ("lr", "lr_decay", "eps", "weight_decay"))
_enter(ops.adadelta_step, optimizers_scales.adadelta_step, ("lr", "rho", "eps", "weight_decay"), without=("step",))
_enter(ops.rmsprop_step, optimizers_scales.rmsprop_step, ("lr", "alpha", "eps", "weight_decay", "momentum"), ("step",))
_enter(ops.rprop_step, optimizers_scales.rprop_step, _RPROP, without=("lr", "step"))
_enter(ops.asgd_step, _asgd, ("lr", "lambd", "alpha", "t0", "weight_decay"))
_enter(ops.adafactor_step, optimizers_matrices.adafactor_step, _FACTORS)
