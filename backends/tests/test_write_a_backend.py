"""The guide for backend authors: its code is that of the template, or runs."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

import dovetail
from dovetail.backend import Backend, BackendSpec

pytest.importorskip("array_api_strict", reason="array-api-strict is in the extra `test`")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "write_a_backend.md").read_text(encoding="utf-8")
TEMPLATE = ROOT / "backends" / "template"


def blocks(language: str) -> list[str]:
    """The pieces of code of the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


OURS = "\n".join(p.read_text(encoding="utf-8") for p in sorted((TEMPLATE / "dovetail_strict").glob("*.py")))
SHOWN = [b for b in blocks("python") if b.rstrip() in OURS]
RUN = [b for b in blocks("python") if b.rstrip() not in OURS]


def test_the_pieces_of_the_template_are_the_real_ones() -> None:
    assert len(SHOWN) == 5
    settings = (TEMPLATE / "pyproject.toml").read_text(encoding="utf-8")
    assert len(blocks("toml")) == 2
    assert all(b.strip() in settings for b in blocks("toml"))


def test_every_function_of_the_template_is_shown() -> None:
    names = re.findall(r"^ *(?:def|class) (\w+)", OURS, flags=re.MULTILINE)
    shown = "\n".join(SHOWN)
    assert names
    assert [n for n in names if not re.search(rf"(?:def|class) {n}\b", shown)] == []


def test_everything_else_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(RUN) == 3
    module = types.ModuleType("guide_for_authors")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.delitem(sys.modules, "my_module", raising=False)
    try:
        for code in RUN:
            exec(compile(code, "write_a_backend.md", "exec"), vars(module))
    finally:
        sys.modules.pop("my_module", None)
        dovetail.set_host_fallback("warn")


def test_every_field_and_attribute_that_the_page_names_exists() -> None:
    fields = re.findall(r"^\| `(\w+)` \| ", PAGE, flags=re.MULTILINE)
    assert {"name", "runtime", "kinds", "priority", "probe", "install", "requires", "contract"} == set(fields)
    assert set(fields) <= set(BackendSpec.__dataclass_fields__)
    names = "writes_in_place writeable copy write asynchronous synchronize fork_safe out_of_memory native_checks"
    for name in [*names.split(), "compiles", "compile", "is_array", "spec_of", "supports_dtype"]:
        assert re.search(rf"`{name}\b", PAGE), f"the page does not say what {name} is"
        assert hasattr(Backend, name)
