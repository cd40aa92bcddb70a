"""The certificate: its schema, its hash, its verdict by the evidence, and the difference of two."""

from __future__ import annotations

import argparse
import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

import dovetail
from dovetail.errors import ArgumentError
from dovetail_conformance import certificate, difference, plugin, report
from dovetail_conformance.outcome import Row
from dovetail_conformance.runner import Run, run
from dovetail_conformance.tables import PARTS

FOLDER = Path(__file__).parents[2] / "docs" / "certificates"
COMMITTED = sorted(FOLDER.glob("*-quick.json"))


@pytest.fixture(scope="module")
def found() -> Run:
    return run(dovetail.device("numpy"), ops=["exp", "sum", "add", "relu"])


@pytest.fixture(scope="module")
def made(found: Run) -> dict[str, Any]:
    return certificate.certificate(found)


@pytest.fixture(scope="module")
def validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema", reason="the extra `test` is not installed")
    schema = json.loads((FOLDER / "schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def errors(validator: Any, made: dict[str, Any]) -> list[str]:
    return [f"{list(e.path)}: {e.message[:200]}" for e in validator.iter_errors(made)]


def test_a_certificate_keeps_the_schema(validator: Any, made: dict[str, Any]) -> None:
    assert errors(validator, made) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "fine"},
        {"verdict": "conformant"},
        {"extra": 1},
        {"ops": [{"op": "exp"}]},
        {"sha256": "0"},
        {"arithmetic": {}},
    ],
)
def test_the_schema_refuses(validator: Any, made: dict[str, Any], wrong: dict[str, Any]) -> None:
    assert errors(validator, made | wrong)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda p: p.stem)
def test_committed_certificates(validator: Any, path: Path) -> None:
    text = path.read_text()
    made = certificate.read(path)
    assert errors(validator, made) == []
    assert made["complete"] is True
    failing = [e for e in difference.cells_of(made).values() if e["status"] in ("fail", "stale")]
    assert made["verdict"] == ("not-conformant" if failing else "quick-only")
    assert report.text_of(made) == text
    assert not re.search(r"/(home|root|tmp|work|opt|usr|var)/", text), "a path of the machine"


def test_there_are_committed_certificates() -> None:
    assert {p.stem for p in COMMITTED} >= {"numpy-cpu-0-quick", "jax-cpu-0-quick", "strict-cpu-0-quick"}


def test_the_hash_tells_a_changed_certificate(tmp_path: Path, made: dict[str, Any]) -> None:
    path = tmp_path / "a.json"
    path.write_text(report.text_of(made))
    assert certificate.read(path) == made
    path.write_text(report.text_of(made).replace('"quick-only"', '"conformant"'))
    with pytest.raises(ArgumentError, match="hash"):
        certificate.read(path)
    path.write_text("{}")
    with pytest.raises(ArgumentError, match="no certificate"):
        certificate.read(path)


def test_a_quick_run_never_becomes_a_full_certificate(found: Run) -> None:
    """Whatever the run is called: without the hash of every enumerated function it is a quick one."""
    claimed = copy.copy(found)
    claimed.tier, claimed.complete = "full", True
    assert certificate.verdict(claimed) == "quick-only"
    assert certificate.certificate(claimed)["mode"] == "quick"
    functions = [op for parts in PARTS.values() for op in parts.ops]
    claimed.hashes = dict.fromkeys(functions[1:], "0" * 64)
    assert certificate.verdict(claimed) == "quick-only"
    claimed.hashes = dict.fromkeys(functions, "0" * 64)
    assert certificate.verdict(claimed) == "conformant"
    claimed.complete = False
    assert certificate.verdict(claimed) == "quick-only"


def test_more_deviations_than_allowed_are_not_conformant(found: Run) -> None:
    claimed = copy.copy(found)
    claimed.rows = [Row(f"op{i}", "float32", "values", "deviation") for i in range(11)]
    assert certificate.verdict(claimed) == "not-conformant"
    claimed.rows = claimed.rows[1:]
    assert certificate.verdict(claimed) == "quick-only"


def test_declared_deviations_are_printed_with_figure_and_reason(found: Run, capsys: pytest.CaptureFixture[str]) -> None:
    claimed = copy.copy(found)
    row = Row("exp", "float32", "specials", "deviation", "off", figure=4.25, bound=3.0, unit="ULP", kind="U")
    row.reason = "the library's own kernel"
    claimed.rows = [*found.rows, row]
    (entry,) = certificate.certificate(claimed)["deviations"]
    assert (entry["figure"], entry["bound"], entry["reason"]) == (4.25, 3.0, "the library's own kernel")
    report.show(claimed)
    assert "declared: exp float32 specials: 4.25 ULP of 3, the library's own kernel" in capsys.readouterr().out


def changed(made: dict[str, Any], section: str, number: int, **words: Any) -> dict[str, Any]:
    other = copy.deepcopy(made)
    other[section][number] |= words
    return other


def test_no_difference(made: dict[str, Any]) -> None:
    changes = difference.compare(made, copy.deepcopy(made))
    assert not changes.any
    assert difference.text(changes) == "the same verdicts, bounds and cells\n"


def test_differences(made: dict[str, Any]) -> None:
    number = next(i for i, e in enumerate(made["ops"]) if e.get("bound_ulp") == 3.0)
    name = "{op} {dtype} {check}".format(**made["ops"][number])
    failing = difference.compare(made, changed(made, "ops", number, status="fail"))
    assert failing.statuses == [f"{name}: pass -> fail"]
    loosened = difference.compare(made, changed(made, "ops", number, bound_ulp=4.0))
    assert loosened.bounds == [f"{name}: 3 -> 4"]
    fewer = copy.deepcopy(made)
    del fewer["ops"][number]
    assert difference.compare(made, fewer).removed == [name]
    assert difference.compare(fewer, made).new == [f"{name}: pass"]
    judged = difference.compare(made, made | {"verdict": "not-conformant"})
    assert judged.verdict == ["verdict: quick-only -> not-conformant"]
    moved = difference.compare(made, changed(made, "ops", number, max_ulp=2.99))
    assert moved.figures
    assert not moved.any
    for changes in (failing, loosened, judged):
        assert changes.any


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    plugin.dovetail_commands(parser.add_subparsers())
    args = parser.parse_args(["conformance", *words])
    status: int = args.run(args)
    return status


def test_the_command_compares_two_files(
    tmp_path: Path, made: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    other = changed(made, "ops", 0, status="fail")
    other["sha256"] = certificate.content_hash(other)
    for path, content in zip(paths, (made, other), strict=True):
        path.write_text(report.text_of(content))
    assert command("diff", str(paths[0]), str(paths[0])) == 0
    assert command("diff", *map(str, paths)) == 1
    assert "pass -> fail" in capsys.readouterr().out
    with pytest.raises(ArgumentError, match="two certificates"):
        command("diff", str(paths[0]))


def test_one_backend_at_a_time() -> None:
    with pytest.raises(ArgumentError, match="--against"):
        command("numpy", "jax")
