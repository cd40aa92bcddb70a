"""The dtypes of results under autocast, op by op, against PyTorch's CPU autocast and its table for accelerators."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dovetail
from dovetail.errors import ArgumentError
from dovetail.record import registry
from dovetail.record.autocast import Autocast, policy
from dovetail.record.op import Op
from dovetail.record.samples import Sample

SAMPLED = [op for op in registry.ops() if op.samples is not None and not op.internal]
MACROS = {
    "AT_FORALL_LOWER_PRECISION_FP": "lower",
    "AT_FORALL_FP32": "float32",
    "AT_FORALL_FP32_SET_OPT_DTYPE": "float32",
    "AT_FORALL_PROMOTE": "widest",
}
"""The lists of PyTorch's header for accelerators."""

NAMES = {
    "power": "pow", "attention": "scaled_dot_product_attention", "contract": "einsum",
    "rnn_scan": "rnn_tanh_cell", "gru_scan": "gru_cell", "lstm_scan": "lstm_cell",
}  # fmt: skip
"""Ops that PyTorch's name leads to, where it is not theirs."""

COMPOSED = {
    "cat": "widest", "stack": "widest",
    "norm": "float32", "cross_entropy": "float32", "binary_cross_entropy": "refused",
}  # fmt: skip
"""Ops of the documentation's lists that the header has elsewhere: by hand, by dispatch, or as parts."""


def floating_samples(op: Op) -> Iterator[Sample]:
    assert op.samples is not None
    if "float" in op.samples.dtypes:
        yield from (s for s in op.samples.cases if not any(v == 0 for v in _sizes(s)))


def _sizes(sample: Sample) -> Iterator[int]:
    for value in sample.args:
        yield from getattr(value, "shape", ())


def mixed(values: list[Any], framework: Any, lower: str) -> list[Any]:
    """Floating operands alternately in float32 and in the lower precision."""
    changed, count = [], 0
    for value in values:
        if hasattr(value, "is_floating_point") and value.is_floating_point():
            value = value.to(getattr(framework, ("float32", lower)[count % 2]))
            count += 1
        elif isinstance(value, list | tuple):
            value = type(value)(mixed(list(value), framework, lower))
        changed.append(value)
    return changed


def kinds(result: Any) -> list[str]:
    """The names of the dtypes of all tensors in a result."""
    if isinstance(result, list | tuple):
        return [name for part in result for name in kinds(part)]
    return [str(result.dtype).rpartition(".")[2]] if hasattr(result, "dtype") else []


@pytest.mark.oracle
@pytest.mark.parametrize("op", SAMPLED, ids=lambda op: op.name)
@pytest.mark.parametrize("given", ["float32", "bfloat16", "mixed"])
def test_results_have_the_dtypes_of_pytorchs_cpu_autocast(oracle: Any, op: Op, given: str) -> None:
    if oracle.function(op.name) is None:
        pytest.skip(f"PyTorch has no {op.name}")
    compared = 0
    for sample in floating_samples(op):
        dtype = "float32" if given == "mixed" else given
        ours, theirs = oracle.operands(sample, dtype, op.name)
        if given == "mixed":
            ours = mixed(ours[0], dovetail, "bfloat16"), ours[1]
            theirs = mixed(theirs[0], oracle.torch, "bfloat16"), theirs[1]
        try:
            with oracle.torch.autocast("cpu", dtype=oracle.torch.bfloat16):
                expected = kinds(oracle.ask(op.name, *theirs))
        except (RuntimeError, IndexError):
            continue  # no such kernel in PyTorch, or mixed types that it refuses also under autocast
        with dovetail.autocast("cpu", dtype=dovetail.bfloat16):
            found = kinds(op.call(*ours[0], **ours[1]))
        # Pooling gives its positions too, where PyTorch has another function for that.
        assert found[: len(expected)] == expected, sample
        compared += 1
    if not compared:
        pytest.skip("PyTorch runs no floating sample of it in these types")


def listed(header: str) -> dict[str, str]:
    """The rule of each name in the macros of PyTorch's header."""
    rules = {}
    for macro, rule in MACROS.items():
        body = re.search(rf"#define {macro}\(_\)((?:[^\n]*\\\n)*[^\n]*)", header)
        assert body is not None, f"the header has no {macro}"
        rules.update(dict.fromkeys(re.findall(r"_\((\w+)", body[1]), rule))
    return rules


@pytest.mark.oracle
def test_the_rules_for_accelerators_are_those_of_pytorchs_header() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    header = Path(torch.__file__).parent / "include" / "ATen" / "autocast_mode.h"
    expected = listed(header.read_text()) | COMPOSED
    assert len(expected) > 80
    records = [*registry.ops(), *registry.fronts()]
    found = {r.name: r.autocast.accelerator for r in records if r.autocast is not None and r.autocast.accelerator}
    known = {r.name for r in records}
    wanted = {name: rule for name, rule in expected.items() if name in known}
    own = {ours: expected[theirs] for ours, theirs in NAMES.items() if ours in known}
    assert found == wanted | own


@pytest.mark.oracle
@pytest.mark.parametrize(("key", "kind"), [("AutocastCPU", "cpu"), ("AutocastCUDA", "accelerator")])
def test_everything_that_pytorch_registers_has_a_rule(key: str, kind: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    registered = torch._C._dispatch_get_registrations_for_dispatch_key(key)
    names = {name.removeprefix("aten::").partition(".")[0] for name in registered}
    assert len(names) > 60
    for record in (*registry.ops(), *registry.fronts()):
        if record.name in names:
            assert record.autocast is not None, record.name
            assert getattr(record.autocast, kind) is not None, record.name


@pytest.fixture
def accelerated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules for accelerators, on the CPU that is here."""
    monkeypatch.setattr(Autocast, "on", lambda self, kind: self.accelerator)


@pytest.mark.usefixtures("accelerated")
def test_what_leaves_the_range_of_16_bits_is_float32_on_accelerators() -> None:
    x = dovetail.ones(2, 3, dtype=dovetail.bfloat16)
    with dovetail.autocast("cpu"):
        for made in (x.exp(), x.log(), x**2, x**0.3, 2**x, x.sum(), x.softmax(-1), x.cumsum(0), x.norm()):
            assert made.dtype is dovetail.float32
        assert x.softmax(-1, dtype=dovetail.bfloat16).dtype is dovetail.bfloat16
        assert (x.tanh() + x).dtype is dovetail.bfloat16
        assert dovetail.addcmul(x, x, x.float()).dtype is dovetail.float32
        assert dovetail.einsum("ij,kj->ik", x.float(), x).dtype is dovetail.bfloat16
    # The exponent is not rounded to 8 bits on the way to float32.
    with dovetail.autocast("cpu"):
        assert (x * 2).pow(0.3)[0, 0].item() == pytest.approx(2**0.3, rel=1e-6)


@pytest.mark.usefixtures("accelerated")
def test_binary_cross_entropy_is_refused_on_accelerators() -> None:
    p = dovetail.full((2,), 0.5)
    with dovetail.autocast("cpu"), pytest.raises(RuntimeError, match="unsafe to autocast"):
        dovetail.nn.functional.binary_cross_entropy(p, p)


def test_a_rule_that_does_not_exist_is_refused() -> None:
    assert policy("lower") == ("lower", "lower")
    for wrong in ("half", {"tpu": "lower"}):
        with pytest.raises(ArgumentError, match="a rule is one of"):
            policy(wrong)  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize("backend", ["bare", "jax"])
def test_the_rules_hold_on_every_backend(backend: str, request: pytest.FixtureRequest) -> None:
    if backend == "jax":
        pytest.importorskip("jax", reason="JAX is an extra")
    else:
        request.getfixturevalue("bare")
    functional = dovetail.nn.functional
    with dovetail.use_backend(backend), dovetail.autocast("cpu", dtype=dovetail.bfloat16):
        x = dovetail.ones(2, 3, requires_grad=True)
        y = dovetail.ones(2, 3, dtype=dovetail.bfloat16)
        lower = [
            x @ x.t(),
            functional.linear(y, x),
            functional.conv1d(x[None], y[None]),
            dovetail.einsum("ij,kj", x, y),
        ]
        wide = [functional.mse_loss(y, y), functional.cross_entropy(y, dovetail.tensor([0, 1])), dovetail.cat([x, y])]
        assert {t.dtype for t in lower} == {dovetail.bfloat16}
        assert {t.dtype for t in wide} == {dovetail.float32}
        assert {t.device.backend for t in (*lower, *wide)} == {backend}
        assert functional.gelu(y).dtype is dovetail.bfloat16
        lower[0].sum().backward()
    assert x.grad is not None
    assert x.grad.dtype is dovetail.float32
