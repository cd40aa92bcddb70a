"""Every op on array-api-strict, with nothing beyond the standard, gives NumPy's results on its samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import dovetail
from dovetail.backend import ArrayAPIBackend
from dovetail.record import registry
from dovetail.record.op import Op

strict = pytest.importorskip("array_api_strict", reason="array-api-strict is in the extra `test`")

FALLBACKS: frozenset[str] = frozenset()
"""Ops that run on the host: none."""

DTYPES = {
    "float": ("float32", "float64", "float16", "bfloat16"),
    "int": ("int64", "int32", "uint8"),
    "bool": ("bool",),
}
SAMPLED = [op for op in registry.ops() if op.samples is not None]


class Strict(ArrayAPIBackend):
    """The smallest backend: a namespace."""

    namespace = strict


@pytest.fixture(scope="module")
def backend(register: Any) -> Iterator[str]:
    name = register("strict_of_the_tests", Strict)
    dovetail.set_host_fallback("error")
    yield name
    dovetail.set_host_fallback("warn")


def test_every_primitive_has_a_kernel(backend: str) -> None:
    table = dovetail.device(backend).runtime.kernels
    lacking = {op.name for op in registry.ops() if op.primitive and op.name not in table}
    assert lacking == FALLBACKS
    assert len(lacking) <= 8


@pytest.mark.parametrize("op", SAMPLED, ids=lambda op: op.name)
def test_samples_agree_with_numpy(op: Op, agreement: Any, backend: str) -> None:
    assert op.samples is not None
    for kind in op.samples.dtypes:
        for dtype in DTYPES.get(kind, ()):
            agreement.check_all(op, dtype, backend)


SPECIAL = [op for op in SAMPLED if op.samples is not None and op.samples.special and "float" in op.samples.dtypes]


@pytest.mark.parametrize("op", SPECIAL, ids=lambda op: op.name)
def test_special_values_agree_with_numpy(op: Op, agreement: Any, backend: str) -> None:
    assert op.samples is not None
    for dtype in ("float32", "float64", "bfloat16"):
        agreement.check_all(op, dtype, backend, special=True)
