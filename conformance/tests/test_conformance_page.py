"""The guide on conformance quotes the committed certificates."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "conformance.md").read_text(encoding="utf-8")
NAMES = ("numpy", "jax", "strict")


@pytest.fixture(scope="module")
def certificates() -> list[dict[str, Any]]:
    paths = [DOCS / "certificates" / f"{name}-cpu-0-quick.json" for name in NAMES]
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def worst(made: dict[str, Any], op: str, dtype: str) -> str:
    found = [
        float(e["max_ulp"])
        for e in made["ops"]
        if (e["op"], e["dtype"], e.get("class")) == (op, dtype, "U") and "max_ulp" in e
    ]
    return f"{max(found):.2f}" if found else "-"


def test_figures_are_those_of_the_certificates(certificates: list[dict[str, Any]]) -> None:
    rows = re.findall(r"^\| (\w+) \|(( +[\d.-]+ +\|){8})$", TEXT, flags=re.MULTILINE)
    assert len(rows) >= 12
    for op, cells, _ in rows:
        said = [word.strip() for word in cells.strip("| ").split("|")]
        for dtype, figures in (("float32", said[1:4]), ("float64", said[5:8])):
            assert figures == [worst(made, op, dtype) for made in certificates], f"{op} {dtype}"


def test_every_linked_file_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (DOCS / target).exists(), target
