"""The page on the checks names every check, the fault that it alone finds, and no more."""

from __future__ import annotations

import re
from pathlib import Path

from dovetail_conformance.faults import FAULTS, hunt

PAGE = Path(__file__).parents[2] / "docs" / "conformance_checks.md"


def test_every_check_stands_with_its_fault() -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = text[text.index("| check |") : text.index("## Faults")]
    named = dict(re.findall(r"^\| (\w+) \|.*\| ([MX]\d\d .*) \|$", table, re.MULTILINE))
    assert named == {f.check: f"{f.number} {f.words}" for f in FAULTS if f.alone}
    assert set(named) == set(hunt.judging())


def test_the_number_of_faults_is_right() -> None:
    assert f"# {len(FAULTS)} faults" in PAGE.read_text(encoding="utf-8")
