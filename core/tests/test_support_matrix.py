"""The page on support says what the certificates say, and nothing of what none has seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dovetail.cli import support as live
from dovetail.describe import __main__ as command
from dovetail.describe import support
from dovetail.dispatch.plan import COMPILED
from dovetail.record import registry


def certificate(device: str = "acme:npu:0", **parts: Any) -> dict[str, Any]:
    subject = {"device": device, "versions": {"dovetail-acme": "0.3", "absent": ""}}
    made: dict[str, Any] = {"schema": "dovetail.certificate/1", "verdict": "quick-only", "mode": "quick"}
    made |= {"complete": True, "subject": subject, "suite": {"started": "2026-01-01T00:00:00Z"}}
    made |= {name: [] for name in ("ops", "reductions", "gradients", "checks", "deviations", "unsupported")}
    made["coverage"] = {"exp": "kernel", "sum": "fallback"}
    return made | parts


def row(op: str, dtype: str, check: str = "values", status: str = "pass") -> dict[str, str]:
    return {"op": op, "dtype": dtype, "check": check, "status": status}


def cells(page: str, op: str) -> list[str]:
    (line,) = (x for x in page.splitlines() if x.startswith(f"| `{op}` |"))
    return [cell.strip() for cell in line.strip("|").split("|")[1:]]


def test_the_page_is_up_to_date() -> None:
    assert support.PATH.read_text(encoding="utf-8") == support.text(), "run `python -m dovetail.describe`"
    assert support.PATH in command.pages()


def test_there_are_certificates_of_most_ops() -> None:
    made = support.certificates()
    assert made
    known = {op.name for op in registry.ops()}
    assert [one["subject"]["device"] for one in made if len(known & one["coverage"].keys()) < 0.8 * len(known)] == []


def test_an_op_that_went_has_no_row() -> None:
    page = support.text([certificate(coverage={"exp": "kernel", "that_went": "kernel"})])
    assert cells(page, "exp") == ["kernel"]
    assert "that_went" not in page


def test_a_cell_is_what_ran() -> None:
    page = support.text(
        [certificate(), certificate("other:cpu:0", coverage={"exp": "decomposition", "cos": "none: x"})]
    )
    assert cells(page, "exp") == ["kernel", "composed"]
    assert cells(page, "sum") == ["**host**", "-"]
    assert cells(page, "cos") == ["-", "**none**"]
    assert "dovetail-acme 0.3 |" in page
    assert "absent" not in page


def test_failures_deviations_and_gaps_are_beside_it() -> None:
    made = certificate(
        ops=[row("exp", "float32", status="fail"), row("exp", "float32", "specials", "fail"), row("sum", "int64")],
        checks=[row("sum", "", "errors", "stale")],
        deviations=[row("exp", "float64")],
        unsupported=[row("exp", "float16"), row("exp", "bfloat16")],
    )
    page = support.text([made])
    assert cells(page, "exp") == ["kernel (no float16, bfloat16), *deviates*: float64, **fails**: float32"]
    assert cells(page, "sum") == ["**host**, **fails**: errors"]


def test_the_best_certificate_of_a_device_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support, "ROOT", tmp_path)
    folder = tmp_path / "docs" / "certificates"
    folder.mkdir(parents=True)
    late = {"started": "2026-12-31T00:00:00Z"}
    files = {
        "schema": {"title": "no certificate"},
        "a": certificate(suite=late),
        "b": certificate(mode="full"),
        "c": certificate(),
        "part": certificate("part:cpu:0", complete=False),
    }
    for name, made in files.items():
        (folder / f"{name}.json").write_text(json.dumps(made))
    (best,) = support.certificates()
    assert best["mode"] == "full"
    (folder / "b.json").unlink()
    (best,) = support.certificates()
    assert best["suite"] == late


def test_the_live_matrix_knows_the_same_words() -> None:
    assert {live.KERNEL, live.DECOMPOSITION, live.FALLBACK} | {COMPILED} == set(support._WORDS)
