"""Kernels that were repaired, without their repair: the library's own, which a check of the suite must find wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.backend import Backend, Call, KernelTable, ops
from dovetail_conformance.faults.hunt import op_rows
from dovetail_conformance.replay import Models
from dovetail_conformance.runner import falling_back
from dovetail_conformance.session import Session, quiet
from dovetail_conformance.wrapped import Wrapped, registered

Kernel = Callable[..., Any]


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    with falling_back("silent"), quiet(), Models() as made:
        yield made


def failures(models: Models, backend: type[Backend], op: str, check: str, dtype: str) -> list[str]:
    with registered(backend) as name:
        rows = list(op_rows(Session(dovetail.device(name), models), op, [check], (dtype,)))
    assert rows, "the check applies"
    return [row.message for row in rows if row.failed]


def sums_of(accumulator: Any = None) -> Kernel:
    """NumPy's own sum."""

    def binder(call: Call) -> Kernel:
        dims, keep, dtype = call.statics["dim"], call.statics["keepdim"], call.output.dtype.host
        return lambda x: np.asarray(np.sum(x, axis=dims, keepdims=keep, dtype=accumulator or dtype)).astype(dtype)

    return binder


def plain(function: Kernel) -> Kernel:
    """NumPy's own function, in the dtype of the input."""
    return lambda call: lambda *xs: np.asarray(function(*xs)).astype(call.output.dtype.host)


NUMPY = [
    ("sum", "sums", "float32", sums_of()),
    ("sum", "sums", "bfloat16", sums_of()),
    ("expm1", "specials", "float32", plain(lambda x: np.exp(x) - x.dtype.type(1))),
    ("log1p", "specials", "float64", plain(lambda x: np.log(1 + x))),
    ("sigmoid", "specials", "float32", plain(lambda x: 1 / (1 + np.exp(-x)))),
    ("rsqrt", "specials", "float32", plain(lambda x: 1 / np.sqrt(x))),
    ("sign", "specials", "float32", plain(np.sign)),
]


@pytest.mark.parametrize(("op", "check", "dtype", "binder"), NUMPY, ids=[f"{o}-{d}" for o, _, d, _ in NUMPY])
def test_numpy_without_a_repair(models: Models, op: str, check: str, dtype: str, binder: Kernel) -> None:
    class Unrepaired(Wrapped):
        def change(self, table: KernelTable) -> None:
            table.binder(getattr(ops, op))(binder)

    assert failures(models, Unrepaired, op, check, dtype)
    assert failures(models, Wrapped, op, check, dtype) == []


JAX = [
    ("log1p", "specials", "float64"),
    ("expm1", "specials", "float32"),
    ("expm1", "specials", "float64"),
    ("exp", "specials", "float32"),
    ("tanh", "specials", "float64"),
    ("exp2", "specials", "float32"),
    ("sinh", "specials", "float32"),
    ("power", "specials", "float32"),
    ("div", "specials", "float32"),
    ("sign", "specials", "float32"),
]


@pytest.mark.parametrize(("op", "check", "dtype"), JAX, ids=[f"{o}-{d}" for o, _, d in JAX])
def test_jax_without_a_repair(models: Models, op: str, check: str, dtype: str) -> None:
    pytest.importorskip("jax", reason="the extra `jax` is not installed")
    import jax.numpy as jnp

    from dovetail_jax.backend import JaxBackend

    own: dict[str, Kernel] = {"div": lambda a, b: a / b}
    table = KernelTable()
    table.update(dovetail.device("jax").runtime.kernels)
    table(getattr(ops, op))(own.get(op) or getattr(jnp, op))

    class Unrepaired(JaxBackend):
        @property
        def kernels(self) -> KernelTable:
            return table

    assert failures(models, Unrepaired, op, check, dtype)


def test_jax_casts_rounded_twice(models: Models) -> None:
    pytest.importorskip("jax", reason="the extra `jax` is not installed")
    from dovetail_conformance.checks.arithmetic import arithmetic
    from dovetail_jax.backend import JaxBackend

    table = KernelTable()
    table.update(dovetail.device("jax").runtime.kernels)
    table.binder(ops.cast)(lambda call: lambda x: x.astype(call.output.dtype.host))

    class Unrepaired(JaxBackend):
        @property
        def kernels(self) -> KernelTable:
            return table

    with registered(Unrepaired) as name:
        rows = arithmetic(Session(dovetail.device(name), models))
    assert [row.op for row in rows if row.failed] == ["cast"]
    assert not any(row.failed for row in arithmetic(Session(dovetail.device("jax:cpu"), models)))
