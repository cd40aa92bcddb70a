"""The guide for backend authors: its code is that of what `new-backend` writes or of the template, or it runs."""

from __future__ import annotations

import re
import sys
import types
from dataclasses import fields
from pathlib import Path

import pytest

import dovetail
from dovetail.backend import CONTRACT_VERSION, Backend, BackendSpec
from dovetail.cli import new_backend
from dovetail_conformance import deviations

pytest.importorskip("array_api_strict", reason="array-api-strict is in the extra `test`")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "write_a_backend.md").read_text(encoding="utf-8")
TEMPLATE = ROOT / "backends" / "template"
WRITTEN = new_backend.render(new_backend.names("acme"))


def blocks(language: str) -> list[str]:
    """The pieces of code of the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


OURS = "\n".join(p.read_text(encoding="utf-8") for p in sorted((TEMPLATE / "dovetail_strict").glob("*.py")))
REAL = [*WRITTEN.values(), OURS]
SHOWN = [b for b in blocks("python") if any(b.rstrip() in text for text in REAL)]
RUN = [b for b in blocks("python") if b not in SHOWN]


@pytest.mark.parametrize("path", ["dovetail_acme/plugin.py", "dovetail_acme/backend.py"])
def test_what_is_written_is_on_the_page_line_by_line(path: str) -> None:
    code = WRITTEN[path].partition('"""\n')[2].strip()
    assert code
    assert code in "\n".join(blocks("python"))


def test_the_pieces_of_settings_are_the_real_ones() -> None:
    settings = WRITTEN["pyproject.toml"]
    shown = [b for b in blocks("toml") if not b.startswith("[[")]
    assert len(shown) == 3
    assert [b for b in shown if b.strip() not in settings] == []


def test_every_file_is_named() -> None:
    for path in WRITTEN:
        if path not in ("README.md", ".gitignore", "dovetail_acme/__init__.py"):
            assert f"`{path}`" in PAGE or f"`{path.partition('/')[0]}/`" in PAGE, path


def test_the_declarations_are_valid(tmp_path: Path) -> None:
    shown = [b for b in blocks("toml") if b.startswith("[[")]
    assert len(shown) == 2
    path = tmp_path / deviations.FILE
    path.write_text("\n".join(shown), encoding="utf-8")
    assert sorted(type(d).__name__ for d in deviations.read(path)) == ["Deviation", "Gap"]


def test_every_function_of_the_template_is_shown() -> None:
    names = re.findall(r"^ *def (\w+)", OURS, flags=re.MULTILINE)
    shown = "\n".join(SHOWN)
    assert names
    assert [n for n in names if not re.search(rf"def {n}\b", shown)] == []


def test_everything_else_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(RUN) == 4
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
    named = re.findall(r"^\| `(\w+)` \| ", PAGE, flags=re.MULTILINE)
    assert set(named) == {f.name for f in fields(BackendSpec)} - {"environment", "host"}, "those are for the few"
    names = (
        "writes_in_place writeable copy write asynchronous synchronize shareable compilations fork_safe out_of_memory"
    )
    for name in [*names.split(), "native_checks", "compiles", "compile", "is_array", "spec_of", "supports_dtype"]:
        assert re.search(rf"`{name}\b", PAGE), f"the page does not say what {name} is"
        assert hasattr(Backend, name)


def test_the_template_states_the_version_of_its_contract() -> None:
    assert f"contract={CONTRACT_VERSION}," in OURS
