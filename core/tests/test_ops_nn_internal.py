"""The ops behind the public ones of neural networks: gradients and fused forward passes.

Each runs by its kernel and by its decomposition, both with the same answer; formulas for gradients are held
against differences of the values.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.backend.inspection import forget_plans
from dovetail.record import registry
from dovetail.record.op import Op
from dovetail.record.samples import Arg, Sample

FAMILIES = (
    "activation",
    "adaptive_pooling",
    "attention",
    "average_pooling",
    "batch_normalization",
    "classification",
    "convolution",
    "convolution_derived",
    "dropout",
    "embedding",
    "folding",
    "fractional_pooling",
    "grid_sampling",
    "layer_normalization",
    "linear",
    "losses",
    "max_pooling",
    "optimizer_steps",
    "padding",
    "rectifier",
    "resampling",
    "shuffling",
    "softmax",
    "transposed_convolution",
    "unpooling",
    "volume_convolution",
    "volume_pooling",
)
OURS = [op for op in registry.ops() if op.body.__module__.rpartition(".")[2] in FAMILIES]


def has_source(sample: Sample) -> bool:
    """Whether a tensor of the sample collects gradients and has an element."""
    given = [*sample.args, *sample.params.values()]
    return any(isinstance(a, Arg) and a.grad and a.dtype is None and 0 not in a.shape for a in given)


CASES = [
    pytest.param(op, sample, id=f"{op.name}-{i}")
    for op in OURS
    if op.samples is not None
    for i, sample in enumerate(op.samples.cases)
]
STEP = 1e-5


def values(arg: Arg, seed: int) -> np.ndarray[Any, Any]:
    """Host values of an argument in float64, int64 or bool."""
    rng = np.random.default_rng(seed)
    if arg.values is not None:
        return np.asarray(arg.values, arg.dtype or "float64").reshape(arg.shape)
    if arg.dtype == "bool":
        return rng.integers(0, 2, arg.shape).astype(bool)
    if arg.dtype is not None:
        return rng.integers(int(arg.low), int(arg.high) + 1, arg.shape)
    found = rng.uniform(arg.low, arg.high, arg.shape)
    # kinks of the pieces that functions are made of lie at multiples of a half
    return np.where(np.abs(found * 2 - np.round(found * 2)) < 0.01, found + 0.02, found)


class Operands:
    """The arguments of a sample in float64."""

    def __init__(self, op: Op, sample: Sample) -> None:
        self.op, self.sample = op, sample
        seeds = iter(range(zlib.crc32(f"{op.name}{sample}".encode()), 2**40))
        given = [*sample.args, *sample.params.values()]
        self.host = [values(a, next(seeds)) if isinstance(a, Arg) else a for a in given]
        self.grads = [
            isinstance(a, Arg) and a.grad and a.dtype is None and np.size(self.host[i]) > 0
            for i, a in enumerate(given)
        ]

    def call(
        self, host: list[Any], grad: bool = False, dtype: Any = None
    ) -> tuple[tuple[Any, ...], list[Any]]:
        """The results as a tuple, and the tensors that collect gradients."""
        made = []
        for value, wanted in zip(host, self.grads):
            tensor = value
            if isinstance(value, np.ndarray):
                tensor = dovetail.tensor(value)
                if dtype is not None and tensor.is_floating_point():
                    tensor = tensor.to(dtype)
                if grad and wanted:
                    tensor.requires_grad_()
            made.append(tensor)
        count = len(self.sample.args)
        words = dict(zip(self.sample.params, made[count:]))
        result = self.op.call(*made[:count], **words)
        sources = [t for t, wanted in zip(made, self.grads) if wanted]
        return result if isinstance(result, tuple) else (result,), sources


def total(results: tuple[Any, ...], seed: int) -> Any:
    """A weighted sum of all floating results."""
    rng = np.random.default_rng(seed)
    parts = [
        (r * dovetail.tensor(rng.uniform(0.5, 1.5, tuple(r.shape)), dtype=r.dtype)).sum()
        for r in results
        if r.is_floating_point()
    ]
    return sum(parts[1:], parts[0])


@pytest.mark.parametrize(("op", "sample"), CASES)
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_kernel_and_decomposition_agree(op: Op, sample: Sample, dtype: str, bare: str) -> None:
    operands = Operands(op, sample)
    kind = dovetail.dtypes.by_name(dtype)
    fused, _ = operands.call(operands.host, dtype=kind)
    with dovetail.use_backend(bare):
        composed, _ = operands.call(operands.host, dtype=kind)
    unit = {"float64": 2.0**-52, "float32": 2.0**-23, "bfloat16": 2.0**-7}[dtype]
    for a, b in zip(fused, composed, strict=True):
        assert a.shape == b.shape
        assert a.dtype is b.dtype
        if a.numel():
            left, right = a.detach().double().numpy(), b.detach().double().numpy()
            np.testing.assert_allclose(left, right, rtol=0, atol=40 * unit * max(np.abs(right).max(), 0.25))


def differences(operands: Operands, function: Any) -> Iterator[np.ndarray[Any, Any]]:
    """Central differences of a function of the operands by each one that collects gradients."""
    for place, wanted in enumerate(operands.grads):
        if not wanted:
            continue
        slope = np.empty(operands.host[place].shape)
        for index in np.ndindex(slope.shape):
            ends = []
            for sign in (1, -1):
                host = list(operands.host)
                host[place] = host[place].copy()
                host[place][index] += sign * STEP
                ends.append(function(host))
            slope[index] = (ends[0] - ends[1]) / (2 * STEP)
        yield slope


# Public ops are held against PyTorch by the samples of their records; the ops behind them have no counterpart.
SMOOTH = [
    case
    for case in CASES
    if case.values[0].internal
    and case.values[0].nondifferentiable is None
    and case.values[1].grad
    and has_source(case.values[1])
]


@pytest.mark.parametrize(("op", "sample"), SMOOTH)
def test_gradients_are_the_slopes_of_the_values(op: Op, sample: Sample, ways: str) -> None:
    operands = Operands(op, sample)
    results, sources = operands.call(operands.host, grad=True)
    found = dovetail.autograd.grad(total(results, 1), sources, allow_unused=True)
    slopes = differences(operands, lambda host: total(operands.call(host)[0], 1).item())
    for source, gradient, slope in zip(sources, found, slopes, strict=True):
        got = np.zeros(source.shape) if gradient is None else gradient.numpy()
        np.testing.assert_allclose(got, slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("op", "sample"), SMOOTH)
def test_second_gradients_are_the_slopes_of_the_gradients(op: Op, sample: Sample, ways: str) -> None:
    operands = Operands(op, sample)

    def first(host: list[Any], create_graph: bool) -> tuple[Any, list[Any]]:
        results, sources = operands.call(host, grad=True)
        found = dovetail.autograd.grad(
            total(results, 1), sources, create_graph=create_graph, allow_unused=True
        )
        return total(tuple(g for g in found if g is not None), 2), sources

    value, sources = first(operands.host, True)
    found = [None] * len(sources)  # of a linear op
    if value.requires_grad:
        found = dovetail.autograd.grad(value, sources, allow_unused=True)
    slopes = differences(operands, lambda host: first(host, False)[0].item())
    for source, gradient, slope in zip(sources, found, slopes, strict=True):
        got = np.zeros(source.shape) if gradient is None else gradient.numpy()
        np.testing.assert_allclose(got, slope, rtol=1e-5, atol=1e-7)


def test_every_op_of_these_families_has_samples() -> None:
    assert not [op.name for op in OURS if op.samples is None]


def test_a_wrong_formula_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison with differences fails for a gradient that is off by one part in two thousand."""
    op = registry.get("silu")
    rule = op.rules["input"]
    right = rule.function
    monkeypatch.setattr(rule, "function", lambda g, input: right(g, input) * 1.0005)
    forget_plans()
    with pytest.raises(AssertionError):
        test_gradients_are_the_slopes_of_the_values(op, op.samples.cases[0], "kernels")
    monkeypatch.undo()
    forget_plans()
