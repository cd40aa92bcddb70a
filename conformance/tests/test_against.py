"""Two backends on the same inputs: what has one answer must be the same, and the rest is measured."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

import dovetail
from dovetail.backend import ops
from dovetail.backend.inspection import record
from dovetail_conformance import plugin
from dovetail_conformance.checks.against import against
from dovetail_conformance.faults.fault import after, replaced
from dovetail_conformance.replay import Models
from dovetail_conformance.runner import falling_back
from dovetail_conformance.session import Session
from dovetail_conformance.wrapped import Wrapped, registered


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    with falling_back("silent"), Models() as made:
        yield made


def test_without_another_device_there_is_nothing_to_compare(models: Models) -> None:
    assert against(Session(dovetail.device("numpy"), models), record("exp"), "float32") is None


@pytest.mark.parametrize("name", ["add", "exp", "sum", "argsort", "softmax"])
def test_a_backend_is_the_same_as_itself(models: Models, name: str) -> None:
    with registered(Wrapped) as other:
        row = against(Session(dovetail.device("numpy"), models, other=dovetail.device(other)), record(name), "float32")
    assert row is not None
    assert (row.status, row.figure, row.facts["differing"]) == ("pass", 0.0, 0)
    assert row.facts["identical"] == row.tested > 0


def test_another_rounding_is_measured_in_ulp(models: Models) -> None:
    with after(ops.exp, lambda out, call: np.nextafter(out, out.dtype.type(9)))() as other:
        row = against(Session(dovetail.device("numpy"), models, other=dovetail.device(other)), record("exp"), "float32")
    assert row is not None
    assert row.status == "pass"
    assert row.facts["differing"] > row.tested / 3
    assert 0.5 <= row.figure <= 2
    assert row.at["input"].startswith("0x")


def test_one_wrong_bit_of_an_exact_op_is_found_and_the_program_shows_it(models: Models) -> None:
    with replaced(ops.neg, lambda x: x.dtype.type(0) - x)() as other:
        session = Session(dovetail.device("numpy"), models, other=dovetail.device(other))
        row = against(session, record("neg"), "float32")
        assert row is not None
        assert row.failed
        assert row.at == {"input": "0x00000000"}
        assert (row.expected[:10], row.got[:10]) == ("0x00000000", "0x80000000")
        said = io.StringIO()
        with redirect_stdout(said):
            exec(row.snippet, {})
    ours, theirs = said.getvalue().split("tensor")[1:3]
    assert "-0." in ours
    assert "-0." not in theirs


def test_flushed_numbers_are_no_difference(models: Models) -> None:
    def flushed(x: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]  # of any dtype
        return np.where(np.abs(x) < np.finfo(x.dtype).tiny, x * 0, x) if x.dtype.name in ("float32", "float64") else x

    with replaced(ops.mul, lambda a, b: flushed(flushed(a) * flushed(b)))() as other:
        session = Session(dovetail.device("numpy"), models, other=dovetail.device(other))
        row = against(session, record("mul"), "float32")
    assert row is not None
    assert row.status == "pass", row.message
    assert row.facts["differing"] > 0


def test_the_certificate_names_the_other_device(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    plugin.dovetail_commands(parser.add_subparsers())
    with after(ops.exp, lambda out, call: np.nextafter(out, out.dtype.type(9)))() as other:
        words = ["numpy", "--against", other, "--ops", "exp,neg", "--out", str(tmp_path)]
        args = parser.parse_args(["conformance", *words])
        assert args.run(args) == 0
    made = json.loads((tmp_path / "numpy-cpu-0-quick.json").read_text())["identity"]
    assert made["against"] == f"{other}:cpu:0"
    assert {c["op"] for c in made["cells"]} == {"exp", "neg"}
    assert 0 < made["differing_entries"] < made["entries"]
    assert made["identical_elements"] < made["elements"]
