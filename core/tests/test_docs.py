"""The documentation says what the code is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core" / "dovetail"


def blocks(page: str) -> list[str]:
    """The Python blocks of a page."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("block", blocks("add_an_op.md")[:3])
def test_the_ops_of_add_an_op_are_the_real_ones(block: str) -> None:
    assert block.strip() in (CORE / "ops" / "arithmetic.py").read_text()


def test_the_layout_names_every_package() -> None:
    page = (ROOT / "docs" / "layout.md").read_text()
    for package in sorted(p.name for p in CORE.iterdir() if (p / "__init__.py").exists()):
        assert f"`{package}`" in page, f"docs/layout.md does not place {package}"


def test_every_file_that_the_layout_names_exists() -> None:
    page = (ROOT / "docs" / "layout.md").read_text()
    named = re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.py)`", page)
    assert len(named) > 15
    for name in named:
        places = [CORE / name, *CORE.glob(f"*/{name}")]
        assert any(p.exists() for p in places), f"docs/layout.md names {name}, which does not exist"


@pytest.mark.parametrize("page", ["observing.md"])
def test_the_programs_of_a_page_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboardX", reason='pip install "dovetail[tensorboard]"')
    monkeypatch.chdir(tmp_path)
    exec("\n".join(blocks(page)), {})


@pytest.mark.parametrize("page", ["modules.md", "spatial_layers.md"])
def test_the_programs_of_a_page_run_without_extras(page: str) -> None:
    assert blocks(page)
    exec("\n".join(blocks(page)), {})
