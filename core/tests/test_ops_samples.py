"""Every op that PyTorch has under the same name, on the samples of its record: values, gradients, errors.

Each is run with the kernels of the default backend and, where it is derived, by its decomposition.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest

import dovetail
from dovetail.record import registry
from dovetail.record.op import Op
from dovetail.record.samples import Arg

OPS = [op for op in registry.ops() if op.samples is not None]
PUBLIC = [op for op in OPS if not op.internal]
FLOATS = ("float32", "float64", "float16", "bfloat16")
KINDS = {"float": FLOATS, "int": ("int64", "int32", "uint8"), "bool": ("bool",)}
OURS_ALONE = ("cast", "copy_to")
"""Public ops that PyTorch has only as arguments of others."""
BYTES_STAY_BYTES = ("any", "all")
"""Of uint8, PyTorch makes uint8 here and bool of everything else; ours is bool always."""


def ways_of(op: Op) -> Iterable[str]:
    """How an op can run: by a kernel, and where it is derived and has rules by its decomposition as well."""
    return ("kernels",) if op.primitive or op.shape is None else ("kernels", "decompositions")


def cases(ops: Iterable[Op], dtypes: dict[str, tuple[str, ...]]) -> list[Any]:
    """One test per op, dtype and way."""
    return [
        pytest.param(op, dtype, way, id=f"{op.name}-{dtype}-{way}")
        for op in ops
        if op.name not in OURS_ALONE
        for kind in op.samples.dtypes
        for dtype in dtypes.get(kind, ())
        if not (dtype == "uint8" and op.name in BYTES_STAY_BYTES)
        for way in ways_of(op)
    ]


@pytest.mark.oracle
@pytest.mark.parametrize(("op", "dtype", "ways"), cases(PUBLIC, KINDS), indirect=["ways"])
def test_values_are_those_of_pytorch(oracle: Any, op: Op, dtype: str, ways: str) -> None:
    for sample in op.samples.cases:
        oracle.check_values(op, sample, dtype)
        oracle.check_values(op, sample, dtype, strided=True)


SPECIAL = cases((op for op in PUBLIC if op.samples.special), {"float": ("float32", "float64")})


@pytest.mark.oracle
@pytest.mark.parametrize(("op", "dtype", "ways"), SPECIAL, indirect=["ways"])
def test_special_values_are_those_of_pytorch(oracle: Any, op: Op, dtype: str, ways: str) -> None:
    for sample in op.samples.cases:
        for draw in range(8):
            oracle.check_values(op, sample, dtype, special=True, draw=draw)


COARSE = ("hardsigmoid",)
"""PyTorch multiplies by the 1/6 of float32, in float64 too."""
SMOOTH = cases(
    (op for op in PUBLIC if op.nondifferentiable is None and op.name not in COARSE), {"float": ("float64",)}
)


@pytest.mark.oracle
@pytest.mark.parametrize(("op", "dtype", "ways"), SMOOTH, indirect=["ways"])
def test_gradients_of_both_orders_are_those_of_pytorch(oracle: Any, op: Op, dtype: str, ways: str) -> None:
    for sample in op.samples.cases:
        if sample.grad:
            oracle.check_gradients(op, sample)


WRONG = [
    pytest.param(op, error, id=f"{op.name}-{i}") for op in OPS for i, error in enumerate(op.samples.errors)
]


@pytest.mark.parametrize(("op", "wrong"), WRONG)
def test_mistakes_are_told_in_the_words_of_the_record(op: Op, wrong: Any) -> None:
    def convert(value: Any) -> Any:
        if isinstance(value, Arg):
            dtype = dovetail.dtypes.by_name(value.dtype or "float32")
            if value.values is not None:
                return dovetail.tensor(value.values, dtype=dtype).reshape(value.shape)
            return dovetail.ones(value.shape, dtype=dtype)
        if isinstance(value, list | tuple):
            return type(value)(convert(v) for v in value)
        return value

    with pytest.raises(wrong.error, match=re.escape(wrong.match)):
        op.call(*map(convert, wrong.args), **{k: convert(v) for k, v in wrong.params.items()})
