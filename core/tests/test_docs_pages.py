"""The programs on the pages of the guide run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dovetail

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["checkpoints.md", "mixed_precision.md", "file_format.md", "optim.md", "sequence_models.md"]


@pytest.mark.parametrize("page", PAGES)
def test_the_programs_of_a_page_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dovetail.manual_seed(0)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL)
    assert blocks
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks:
        exec(compile(block, page, "exec"), names)


def test_the_list_of_autocast_is_the_records() -> None:
    """Every op with a rule is on the page, in its row and column."""
    from dovetail.record import registry

    rows = re.findall(r"^\| (to .*?|refused) \|(.*?)\|(.*?)\|(.*?)\|$", (DOCS / "mixed_precision.md").read_text(), re.M)
    rules = dict(zip(("lower", "float32", "widest", "refused"), rows, strict=True))
    behind = {"power", "contract", "ctc_negative_log_likelihood"}  # public names lead to them
    families = ("loss", "pool", "sample", "entropy", "with_logits", "kl_div")  # the page names them together
    for record in (*registry.ops(), *registry.fronts()):
        if record.autocast is None or "as is" in record.autocast or getattr(record, "internal", False):
            continue
        if record.name in behind or any(word in record.name for word in families):
            continue
        cpu, accelerator = record.autocast
        column = 1 if cpu == accelerator else 2 if cpu else 3
        assert f"`{record.name}`" in rules[cpu or accelerator][column], record.name  # type: ignore[index]  # one is set
