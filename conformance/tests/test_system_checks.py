"""Checks of determinism, batches, transfer, files, arithmetic, training and large shapes: each of them can fail."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.backend import Array, Device, KernelTable, ops
from dovetail.backend.inspection import record
from dovetail_conformance.checks import arithmetic, batches, determinism, large, training, transfers
from dovetail_conformance.faults.fault import after, bound, replaced
from dovetail_conformance.outcome import Row
from dovetail_conformance.replay import Models
from dovetail_conformance.runner import falling_back
from dovetail_conformance.session import Session
from dovetail_conformance.wrapped import Wrapped, plain_kernel, registered

Check = Callable[[Session], list[Row]]
CHECKS: dict[str, Check] = {
    "repeats": determinism.repeats,
    "processes": determinism.processes,
    "batches": batches.batches,
    "transfer": transfers.transfer,
    "saving": transfers.saving,
    "arithmetic": arithmetic.arithmetic,
    "training": training.training,
}


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    with falling_back("error"), Models() as made:
        yield made


def failed(rows: list[Row]) -> set[str]:
    return {row.op for row in rows if row.failed}


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("name", list(CHECKS))
def test_the_host_passes(models: Models, name: str, seed: int) -> None:
    rows = CHECKS[name](Session(dovetail.device("numpy"), models, seed))
    assert rows
    assert [row.message for row in rows if row.failed] == []
    assert all(row.cases for row in rows)


@pytest.mark.parametrize("name", list(CHECKS))
def test_a_backend_that_cannot_do_anything_fails_and_goes_on(models: Models, name: str) -> None:
    class Broken(Wrapped):
        """A backend that takes arrays and gives none back."""

        def to_host(self, array: Array) -> Any:
            raise OSError("the bus is gone")

    with registered(Broken) as backend:
        session = Session(dovetail.device(backend), models)
        session._flushes = {"float32": False}
        rows = CHECKS[name](session)
    assert failed(rows)
    assert all("the bus is gone" in row.message or "process" in row.message for row in rows if row.failed)


def _by_chance() -> AbstractContextManager[str]:
    """A sum that depends on how often it was called."""
    count = itertools.count()
    return after(ops.sum, lambda out, call: out + out.dtype.type(next(count)) if out.dtype.kind == "f" else out)()


def test_results_of_chance_are_found(models: Models) -> None:
    with _by_chance() as backend:
        assert {"sum", "sum over rows"} <= failed(determinism.repeats(Session(dovetail.device(backend), models)))


def test_results_of_the_number_of_threads_are_found(models: Models) -> None:
    def by_threads(out: Array, call: Any) -> Array:
        return out + out.dtype.type(len(os.sched_getaffinity(0))) if out.dtype.kind == "f" else out

    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one CPU alone: there is no other number of threads")
    with after(ops.sum, by_threads)() as backend:
        rows = determinism.processes(Session(dovetail.device(backend), models))
    assert {"sum", "sum over rows"} <= failed(rows)
    assert "cumsum" not in failed(rows)
    with after(ops.matmul, by_threads)() as backend:
        rows = determinism.processes(Session(dovetail.device(backend), models))
    assert "matmul" not in failed(rows), "products are reported"
    (row,) = [row for row in rows if row.op == "matmul"]
    assert row.facts["differs_with_threads"] == [1]


def test_a_compiler_may_split_sums_among_threads(models: Models) -> None:
    def by_threads(out: Array, call: Any) -> Array:
        return out + out.dtype.type(len(os.sched_getaffinity(0))) if out.dtype.kind == "f" else out

    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one CPU alone: there is no other number of threads")
    with after(ops.sum, by_threads)() as backend:
        session = Session(dovetail.device(backend), models)
        session.device.runtime.compiles = True
        (row,) = [row for row in determinism.processes(session) if row.op == "sum"]
    assert row.status == "pass"
    assert row.facts["differs_with_threads"] == [1]


def test_results_of_the_process_are_found(models: Models) -> None:
    with after(ops.exp, lambda out, call: out + out.dtype.type(os.getpid()))() as backend:
        rows = determinism.processes(Session(dovetail.device(backend), models))
    assert "exp" in failed(rows)
    assert all("two processes" in row.message for row in rows if row.failed)


def test_a_backend_of_this_process_that_does_not_fork_is_unsupported(models: Models) -> None:
    class Unforkable(Wrapped):
        """A backend with threads of its own."""

        fork_safe = False

    with registered(Unforkable) as backend:
        rows = determinism.processes(Session(dovetail.device(backend), models))
    assert {row.status for row in rows} == {"unsupported"}
    assert all("fork" in row.reason for row in rows)


def test_batches_are_measured_and_not_judged(models: Models) -> None:
    def by_size(call: Any) -> Any:
        right = plain_kernel("exp")(call)
        return lambda x: right(x) * x.dtype.type(1 + (len(x) > 1) * 2.0**-22)

    with bound(ops.exp, by_size)() as backend:
        rows = {r.op: r for r in batches.batches(Session(dovetail.device(backend), models))}
    assert rows["exp"].status == "pass"
    assert rows["exp"].facts["identical"] < rows["exp"].facts["rows"] / 10
    assert 1 < rows["exp"].facts["apart_ulp"] < 9
    assert rows["sum"].facts["identical"] == rows["sum"].facts["rows"]


class WithoutPayload(Wrapped):
    """Every NaN becomes the same one on the way in."""

    def from_host(self, array: Any, device: Device) -> Array:
        made = super().from_host(array, device)
        return np.where(np.isnan(made), made.dtype.type(np.nan), made) if made.dtype == np.float32 else made


class Unsigned(Wrapped):
    """The sign of zero is lost on the way out."""

    def to_host(self, array: Array) -> Any:
        found = super().to_host(array)
        return np.where(found == 0, found.dtype.type(0), found) if found.dtype == np.float64 else found


@pytest.mark.parametrize(("backend", "dtype"), [(WithoutPayload, "float32"), (Unsigned, "float64")])
def test_bits_lost_on_the_way_are_found(models: Models, backend: type[Wrapped], dtype: str) -> None:
    with registered(backend) as name:
        session = Session(dovetail.device(name), models)
        moved, saved = transfers.transfer(session), transfers.saving(session)
    assert [row.dtype for row in moved if row.failed] == [dtype]
    assert "import dovetail as torch" in next(row.snippet for row in moved if row.failed)
    assert failed(saved) == {"files"}


def test_files_that_are_read_though_cut_off_are_found(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    right = dovetail.load
    monkeypatch.setattr(dovetail, "load", lambda f, **w: {} if hasattr(f, "read") else right(f, **w))
    (row,) = transfers.saving(Session(dovetail.device("numpy"), models))
    assert "cut off" in row.message


def test_files_with_other_bytes_are_found(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    right, count = dovetail.save, itertools.count()
    monkeypatch.setattr(dovetail, "save", lambda o, f: right({**o, "step": next(count)}, f))
    (row,) = transfers.saving(Session(dovetail.device("numpy"), models))
    assert "other bytes" in row.message


def test_casts_that_round_twice_are_found(models: Models) -> None:
    def twice(call: Any) -> Any:
        right = plain_kernel("cast")(call)
        if call.output.dtype.name not in ("float16", "bfloat16"):
            return right
        return lambda x: right(x.astype(np.float32).astype(x.dtype))

    with bound(ops.cast, twice)() as backend:
        rows = arithmetic.arithmetic(Session(dovetail.device(backend), models))
    assert failed(rows) == {"cast"}


def test_division_by_reciprocal_is_reported(models: Models) -> None:
    with replaced(ops.div, lambda a, b: a * (b.dtype.type(1) / b))() as backend:
        rows = arithmetic.arithmetic(Session(dovetail.device(backend), models))
    assert not failed(rows)
    assert {r.op: r for r in rows}["arithmetic"].facts["scalar_division_exact"] is False


class OtherWords(Wrapped):
    """Random numbers of another stream."""

    def change(self, table: KernelTable) -> None:
        def binder(call: Any) -> Any:
            right = plain_kernel("random_words")(call)
            return lambda state: right(state + np.array([1, 0, 0]))

        table.binder(ops.random_words)(binder)


def test_other_beginnings_of_training_are_found(models: Models) -> None:
    with registered(OtherWords) as backend:
        rows = training.training(Session(dovetail.device(backend), models))
    assert {"initial weights", "dropout masks"} <= failed(rows)


def test_batches_in_another_order_are_found(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    right, count = training._loader, itertools.count()

    def shuffled() -> Any:
        loader = right()
        loader.generator.manual_seed(next(count))
        return loader

    monkeypatch.setattr(training, "_loader", shuffled)
    assert "batches" in failed(training.training(Session(dovetail.device("numpy"), models)))


def test_training_that_learns_nothing_is_found(models: Models) -> None:
    with after(ops.relu, lambda out, call: out * 0)() as backend:
        rows = {r.op: r for r in training.training(Session(dovetail.device(backend), models))}
    assert rows["losses"].facts["first_difference"] == 1
    assert rows["losses"].facts["relative_difference_by_step"]["1"] > 1e-3


def test_kernels_that_forget_the_end_of_a_large_array_are_found(models: Models) -> None:
    def without_rest(out: Array, call: Any) -> Array:
        found = out.copy()
        if found.size > 2**16:
            found.reshape(-1)[-1] = 1.25
        return found

    with after(ops.tanh, without_rest)() as backend:
        row = large.large(Session(dovetail.device(backend), models), record("tanh"))
    assert row is not None
    assert row.failed
    assert "[65536]" in row.message


@pytest.mark.parametrize("name", ["sum", "matmul", "linear", "softmax", "layer_norm", "sort", "cumsum", "exp"])
def test_large_shapes_of_the_host_pass(models: Models, name: str) -> None:
    row = large.large(Session(dovetail.device("numpy"), models), record(name))
    assert row is not None
    assert row.status == "pass", row.message
    assert row.tested >= 1
    assert large.large(Session(dovetail.device("numpy"), models), record("view_as_shape")) is None
