"""The suite itself: all of it on NumPy, a part of it on JAX and on a backend made of the strict array-API namespace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import dovetail
from dovetail.backend import ArrayAPIBackend
from dovetail.backend.inspection import record
from dovetail_conformance.replay import Models
from dovetail_conformance.runner import EACH, ONCE, WHOLE, cell, cells, falling_back
from dovetail_conformance.session import Session, selected
from dovetail_conformance.wrapped import registered

CHUNKS = 12
SLOW = ("exhaustive", "large", "sums")
"""Checks that the quick tier runs as a command, and their own tests on a few ops."""


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    with falling_back("error"), Models() as made:
        yield made


def failures(session: Session, names: list[str], checks: list[str] | None = None) -> list[str]:
    """The messages of the cells of some ops that fail, and that there were any."""
    count, found = 0, []
    for op in map(record, names):
        for check, dtype in cells(op, checks):
            row = cell(session, op, check, dtype)
            count += row is not None
            found += [row.message] if row is not None and row.failed else []
    assert count > 2 * len(names), "hardly anything was checked"
    return found


def ops_of(chunk: int) -> list[str]:
    return [op.name for op in selected(None)][chunk::CHUNKS]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_op_on_numpy(models: Models, chunk: int) -> None:
    checks = [c for c in (*EACH, *ONCE) if c not in SLOW]
    found = failures(Session(dovetail.device("numpy"), models), ops_of(chunk), checks)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("check", sorted(WHOLE))
def test_numpy_as_a_whole(models: Models, check: str) -> None:
    rows = WHOLE[check](Session(dovetail.device("numpy"), models))
    assert rows
    assert [row.message for row in rows if row.failed] == []


@pytest.fixture(scope="module")
def jax_device() -> Any:
    pytest.importorskip("jax", reason="the extra `jax` is not installed")
    return dovetail.device("jax:cpu")


@pytest.mark.parametrize("name", ["add", "mul", "sqrt", "sum", "softmax", "matmul", "gather", "cat", "relu"])
def test_ops_on_jax(models: Models, jax_device: Any, name: str) -> None:
    # the quick tier leaves the gradients of what is derived to the full one, where every shape is compiled
    tier = "quick" if record(name).primitive else "full"
    found = failures(Session(jax_device, models, tier=tier), [name])
    assert not found, "\n".join(found)


@pytest.mark.parametrize("check", ["semantics", "streams", "transfer"])
def test_jax_as_a_whole(models: Models, jax_device: Any, check: str) -> None:
    rows = WHOLE[check](Session(jax_device, models))
    assert rows
    assert [row.message for row in rows if row.failed] == []


@pytest.fixture(scope="module")
def strict() -> Iterator[Any]:
    namespace_ = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")

    class Strict(ArrayAPIBackend):
        """A stranger's backend: a namespace, and nothing else."""

        namespace = namespace_

    with registered(Strict, "strict_of_the_suite") as name:
        yield dovetail.device(name)


@pytest.mark.parametrize("name", ["add", "div", "exp", "sum", "softmax", "gather", "cat", "permute", "cross_entropy"])
def test_ops_on_a_strict_namespace(models: Models, strict: Any, name: str) -> None:
    found = failures(Session(strict, models), [name])
    assert not found, "\n".join(found)


@pytest.mark.parametrize("check", ["semantics", "streams", "transfer"])
def test_a_strict_namespace_as_a_whole(models: Models, strict: Any, check: str) -> None:
    rows = WHOLE[check](Session(strict, models))
    assert [row.message for row in rows if row.failed] == []
