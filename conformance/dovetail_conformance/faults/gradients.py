"""Faults of gradient rules and of the engine that runs them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import dovetail
from dovetail.backend.inspection import Op, record
from dovetail_conformance.faults.fault import Fault, Plant, attribute, core_changed, rule


def _op(name: str) -> Any:
    def find() -> Op:
        return record(name)

    return find


def _engine(name: str, make: Any) -> Plant:
    return attribute(lambda: dovetail.autograd.engine, name, make)


def detached(g: Any, out: Any) -> Any:
    """sigmoid's gradient with the result taken for a constant: its own derivative is zero."""
    fixed = out.detach()
    return g * (1 - fixed) * fixed


def as_wide_as_it_came() -> Callable[[], None]:
    """The float64 gradient of a float32 operand stays float64: the cast passes it on, and nothing fits it."""
    engine, cast = dovetail.autograd.engine, record("cast")
    fit, back = engine.fit, cast.rules["input"]

    def wrong(gradient: Any, spec: Any, node: Any) -> Any:
        if gradient.dtype is dovetail.float64 and spec.dtype is dovetail.float32:
            return gradient.sum_to_size(spec.shape)
        return fit(gradient, spec, node)

    engine.fit = wrong
    cast.add_rules({"input": lambda g: g})

    def undo() -> None:
        engine.fit = fit
        cast.rules["input"] = back

    return undo


def to_all_ties(g: Any, input: Any, out: Any, dim: Any, keepdim: bool) -> Any:
    """amax's gradient to every element that is the largest, undivided."""
    shape = [1 if d in dim else n for d, n in enumerate(input.shape)]
    return (input == out.reshape(shape)).to(g.dtype) * g.reshape(shape)


FAULTS: Final[tuple[Fault, ...]] = (
    Fault(
        "M24",
        "the gradient of sin with its sign flipped",
        "differences",
        "sin",
        rule(_op("sin"), "input", lambda g, input: g * -input.cos()),
    ),
    Fault(
        "M25",
        "the gradient of erf off by 1.0005",
        "differences",
        "erf",
        rule(_op("erf"), "input", lambda g, input: g * (1.0005 * 2 / math.sqrt(math.pi)) * (-input * input).exp()),
        alone=True,
    ),
    Fault(
        "M26",
        "the gradient of a broadcast operand is not reduced",
        "gradients",
        "mul",
        _engine("fit", lambda fit: lambda gradient, spec, node: gradient),
    ),
    Fault(
        "M27",
        "every tie of amax gets the whole gradient",
        "semantics",
        "amax of ties",
        rule(_op("amax"), "input", lambda g, input, out, *, dim, keepdim: to_all_ties(g, input, out, dim, keepdim)),
        cells=("amax",),
        alone=True,
    ),
    Fault(
        "M28",
        "second derivatives are zero",
        "second",
        "sigmoid",
        rule(_op("sigmoid"), "input", detached),
        alone=True,
    ),
    Fault(
        "M29",
        "a second gradient overwrites the first",
        "differences",
        "square",
        _engine("_sum", lambda _: lambda first, second: second),
    ),
    Fault(
        "M30",
        "the gradient of where lets NaN through",
        "semantics",
        "the branch that where does not take",
        rule(_op("select_by"), "input", lambda g, condition: g * condition.to(g.dtype)),
        cells=("select_by", "where"),
    ),
    Fault(
        "X05",
        "the gradient of a float32 operand is float64",
        "gradients",
        "mul",
        lambda: core_changed(as_wide_as_it_came),
        alone=True,
    ),
    Fault(
        "X06",
        "log 2 to seven digits in the gradient of log2",
        "derivatives",
        "log2",
        rule(_op("log2"), "input", lambda g, input: g / (input * 0.6931472)),
        alone=True,
        dtype="float64",
    ),
)
