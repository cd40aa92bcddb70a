"""Every input: blocks of float32 against the judge, and faults that no draw finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.backend import ops
from dovetail.backend.inspection import record
from dovetail_conformance.checks import enumeration
from dovetail_conformance.faults.fault import after, replaced
from dovetail_conformance.judge import FORMATS, evaluate
from dovetail_conformance.judge.ulp import ulp_at, widen
from dovetail_conformance.outcome import Row
from dovetail_conformance.replay import Models
from dovetail_conformance.runner import falling_back
from dovetail_conformance.session import Session
from dovetail_conformance.tables import PARTS, hashes

SMALL = 2**14


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    with falling_back("error"), Models() as made:
        yield made


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enumeration, "BLOCK", SMALL)
    monkeypatch.setattr(enumeration, "CHUNK", SMALL)


def block_of(value: float) -> int:
    return int(np.float32(value).view(np.uint32)) // SMALL


def every(models: Models, device: Any, op: str, value: float) -> Row:
    return enumeration.every(Session(dovetail.device(device), models), record(op), "float32", block_of(value))


@pytest.mark.parametrize("name", sorted(enumeration.REFERENCES))
def test_float64_references_are_fine_enough(name: str) -> None:
    """Their error is far below the margin within which the exact judge is asked."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 2**32, 20000, dtype=np.uint32).view(np.float32)
    x = np.concatenate([x[np.isfinite(x)], rng.uniform(-20, 20, 2000).astype(np.float32)])
    with np.errstate(all="ignore"):
        exact = evaluate(lambda m, v: m.function(name, v), x).value
        got = enumeration.REFERENCES[name](x.astype(np.float64))
        off = np.abs(got - exact) / ulp_at(exact, FORMATS["float32"])
    usable = np.isfinite(exact) & np.isfinite(got) & (np.abs(exact) < 2.0**127)
    assert usable.sum() > 2000
    assert float(off[usable].max()) < enumeration.MARGIN / 16
    assert (np.isnan(exact) == np.isnan(got)).all()


def test_units_are_those_of_the_judge() -> None:
    x = np.random.default_rng(2).integers(0, 2**32, 5000, dtype=np.uint32).view(np.float32)
    x = np.concatenate([x[np.isfinite(x)], np.float32(2.0) ** np.arange(-149, 128)]).astype(np.float64)
    x = np.concatenate([x, x[np.abs(x) < 1e30] * (1 + 1e-9)])
    assert (enumeration.units(x) == ulp_at(widen(x), FORMATS["float32"]).astype(np.float64)).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [("exp", 1.5), ("log", 0.0117941), ("tanh", -3.0), ("sigmoid", -80.0), ("sqrt", 1e-40), ("exp", 88.5)],
)
def test_blocks_of_the_host_pass(models: Models, name: str, value: float) -> None:
    row = every(models, "numpy", name, value)
    assert row.status == "pass", row.message
    assert row.tested == SMALL
    assert 0 < row.figure <= row.bound
    assert row.rounded is not None
    assert 0.3 < row.rounded <= 1
    assert len(row.facts["sha256"]) == 64


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), 0.0, -0.0, 3.4e38])
@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "rsqrt", "log1p", "sin"])
def test_blocks_with_special_values_pass(models: Models, name: str, value: float) -> None:
    row = every(models, "numpy", name, value)
    assert row.status == "pass", row.message


def test_correct_rounding_is_counted_exactly(models: Models) -> None:
    """The logarithm of 0x3c413d3a lies 2^-30 ULP from a tie: float64 rounded once gives its neighbour."""
    place = float(np.uint32(0x3C413D3A).view(np.float32))
    with replaced(ops.log, lambda x: np.log(x.astype(np.float64)))() as backend:
        row = every(models, backend, "log", place)
    assert row.status == "pass"
    assert row.rounded == 1 - 1 / SMALL
    assert row.facts["settled_exactly"] >= 1


def test_one_wrong_input_of_four_milliards_is_found(models: Models) -> None:
    place = np.float32(1.2345679)

    def wrong(out: Any, call: Any) -> Any:
        if out.dtype == np.float32 and out.size == SMALL:
            number = int(place.view(np.uint32)) % SMALL
            out = out.copy()
            out[number] = np.nextafter(np.nextafter(np.nextafter(out[number], np.float32(9)), 9), 9)
            out[number] = np.nextafter(out[number], np.float32(9))
        return out

    with after(ops.exp, wrong)() as backend:
        row = every(models, backend, "exp", float(place))
        assert every(models, backend, "exp", 50.0).failed, "the fault is at the same place of every block"
    assert row.status == "fail"
    assert row.at == {"input": f"0x{int(place.view(np.uint32)):08x}"}
    assert "1 of 1 elements fail" in row.message or "elements fail" in row.message
    assert "import dovetail as torch" in row.snippet


def test_a_lost_sign_of_zero_is_found(models: Models) -> None:
    with replaced(ops.sqrt, lambda x: np.sqrt(x) + x.dtype.type(0))() as backend:
        assert every(models, backend, "sqrt", -0.0).failed


def test_flushed_subnormals_are_found_where_they_are_not_declared(models: Models) -> None:
    def flushed(out: Any, call: Any) -> Any:
        return np.where(np.abs(out) < np.finfo(np.float32).tiny, out * 0, out) if out.dtype == np.float32 else out

    with after(ops.exp, flushed)() as backend:
        session = Session(dovetail.device(backend), models)
        assert every(models, backend, "exp", -88.5).failed
        session._flushes["float32"] = True
        row = enumeration.every(session, record("exp"), "float32", block_of(-88.5))
        assert row.status == "pass", row.message


def test_a_wrong_reference_is_found(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enumeration, "REFERENCES", {"exp": lambda x: np.exp(x) * (1 + 1e-12)})
    row = every(models, "numpy", "exp", 1.5)
    assert row.failed
    assert "reference" in row.message


def test_all_numbers_of_sixteen_bits(models: Models) -> None:
    session = Session(dovetail.device("numpy"), models)
    for name in ("exp", "relu", "sqrt"):
        for dtype in ("float16", "bfloat16"):
            row = enumeration.sixteen(session, record(name), dtype)
            assert row is not None
            assert (row.status, row.tested % 2**16) == ("pass", 0)
    assert enumeration.sixteen(session, record("sum"), "float16") is None
    assert enumeration.sixteen(session, record("exp"), "float32") is None

    def one_off(out: Any, call: Any) -> Any:
        if out.size == 2**16:
            out = out.copy()
            out[0x3C01] = 9
        return out

    with after(ops.exp, one_off)() as backend:
        row = enumeration.sixteen(Session(dovetail.device(backend), models), record("exp"), "float16")
    assert row is not None
    assert row.failed
    assert row.at == {"input": "0x3c01"}


def test_the_hash_of_all_results_needs_all_blocks() -> None:
    parts = PARTS["every"]
    rows = [Row("exp", "float32", "every", facts={"sha256": f"{i:064x}"}, part=i) for i in range(parts.count)]
    whole = hashes(rows)
    assert set(whole) == {"exp"}
    assert hashes(rows[::-1]) == whole
    assert hashes(rows[:-1]) == {}
    rows[3].facts = {"sha256": "0"}
    assert hashes(rows) != whole
