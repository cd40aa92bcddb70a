"""The CuPy backend's kernels without a GPU, NumPy in CuPy's place and CUDA C on the host: against the NumPy backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import dovetail
from dovetail.record import registry
from dovetail.record.op import Op

DTYPES = {
    "float": ("float32", "float64", "float16", "bfloat16"),
    "int": ("int64", "int32", "uint8"),
    "bool": ("bool",),
}
SAMPLED = [op for op in registry.ops() if op.samples is not None]
SPECIAL = [op for op in SAMPLED if op.samples is not None and op.samples.special and "float" in op.samples.dtypes]


@pytest.fixture(scope="module", autouse=True)
def strictly() -> Iterator[None]:
    dovetail.set_host_fallback("error")
    yield
    dovetail.set_host_fallback("warn")


def test_every_primitive_has_a_kernel(cupy_on_host: str) -> None:
    table = dovetail.device(cupy_on_host).runtime.kernels
    assert [op.name for op in registry.ops() if op.primitive and op.name not in table] == []


@pytest.mark.parametrize("op", SAMPLED, ids=lambda op: op.name)
def test_samples_agree_with_numpy(op: Op, agreement: Any, cupy_on_host: str) -> None:
    assert op.samples is not None
    for kind in op.samples.dtypes:
        for dtype in DTYPES.get(kind, ()):
            agreement.check_all(op, dtype, cupy_on_host)


@pytest.mark.parametrize("op", SPECIAL, ids=lambda op: op.name)
def test_special_values_agree_with_numpy(op: Op, agreement: Any, cupy_on_host: str) -> None:
    for dtype in ("float32", "float64", "bfloat16"):
        agreement.check_all(op, dtype, cupy_on_host, special=True)


@pytest.mark.long
def test_the_suite_passes(cupy_on_host: str) -> None:
    from dovetail_conformance import runner

    found = runner.run(dovetail.device(cupy_on_host), fallback=False)
    assert [row.reason for row in found.failures] == []
    assert len(found.rows) > 4000
