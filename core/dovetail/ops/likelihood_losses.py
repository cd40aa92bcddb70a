"""Negative log-likelihoods of a Poisson and of a normal distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dovetail.errors import ArgumentError, DovetailError
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import ValueCheck, op
from dovetail.ops.distances import at_least
from dovetail.ops.losses import check_reduction, reduced
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import broadcast_shapes
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor


@op(
    samples=calls(
        call(Arg((2, 3)), Arg((2, 3), low=0, high=5)),
        call(Arg((2, 3)), Arg((2, 3), low=0, high=5, grad=False), full=True, reduction="sum"),
        call(Arg((4,), low=0.1), Arg((4,), low=0, high=5), log_input=False, reduction="none"),
        errors=(error(ValueError, "foo is not a valid value for reduction", Arg((2,)), Arg((2,)), reduction="foo"),),
    ),
    agree=Agree.running(),
    autocast="float32",
)
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """``exp(x) - y x``, or without ``log_input`` ``x - y log(x + eps)``; reduced.

    ``full`` adds Stirling's approximation of ``log(y!)``, ``y log(y) - y + log(2 pi y) / 2``, where y > 1.
    """
    check_reduction(reduction)
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        counts = select_by(target > 1, target, 1)
        stirling = counts * counts.log() - counts + (2 * math.pi * counts).log() * 0.5
        loss = loss + select_by(target > 1, stirling, 0)
    return reduced(loss, reduction)


def _negative(input: Tensor, target: Tensor, var: Tensor, **_: Any) -> Tensor:
    return (var < 0).any()


def _negative_error(input: Tensor, target: Tensor, var: Tensor, **_: Any) -> DovetailError:
    return ArgumentError("var has negative entry/entries")


def _gaussian_shape(input: Spec, target: Spec, var: Spec, *, full: bool, eps: float, reduction: str) -> tuple[int, ...]:
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentError(f"{reduction} is not valid")
    shape = broadcast_shapes(input.shape, target.shape, variance_shape(input.shape, var.shape))
    return shape if reduction == "none" else ()


def variance_shape(input: Sequence[int], var: Sequence[int]) -> tuple[int, ...]:
    """The shape in which a variance meets its input: its own, or with a last dimension of size 1.

    Raises:
        ArgumentError: it is neither that of the input nor the input's with a single dimension of size 1 or left out.
    """
    input, var = tuple(input), tuple(var)
    if var == input:
        return var
    if var == input[:-1]:
        return (*var, 1)
    if len(var) == len(input) and math.fsum(y for x, y in zip(input, var) if x != y) == 1:
        return var
    raise ArgumentError(f"var is of incorrect size (gaussian_nll_loss: input {list(input)}, var {list(var)})")


@op(
    shape=_gaussian_shape,
    dtype=rules.to_float,
    checks=(ValueCheck(_negative, _negative_error),),
    samples=calls(
        call(Arg((2, 3)), Arg((2, 3)), Arg((2, 3), low=0.5)),
        call(Arg((2, 3)), Arg((2, 3)), Arg((2,), low=0.5), full=True, reduction="sum"),
        call(Arg((2, 3)), Arg((3,)), Arg((2, 1), low=0.5), reduction="none"),
        errors=(
            error(ValueError, "var has negative entry/entries", Arg((2,)), Arg((2,)), Arg((2,), values=[1, -1])),
            error(ValueError, "var is of incorrect size", Arg((2, 3)), Arg((2, 3)), Arg((3,), low=0.5)),
        ),
    ),
    agree=Agree.running(),
)
def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """``(log(var) + (x - y)**2 / var) / 2`` with the variance at least ``eps``; reduced.

    Source: Nix and Weigend, *Estimating the mean and variance of the target probability distribution*, ICNN 1994.
    ``full`` adds the constant ``log(2 pi) / 2``. The gradient of a variance below eps is that at eps.
    """
    spread = at_least(var.reshape(variance_shape(input.shape, var.shape)), eps)
    difference = input - target
    loss = (spread.log() + difference * difference / spread) * 0.5
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)
