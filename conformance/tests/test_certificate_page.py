"""The page of a certificate: self-contained, complete, and looked at in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import dovetail
from dovetail.backend import ops
from dovetail_conformance import certificate, command, plugin
from dovetail_conformance.faults.fault import replaced
from dovetail_conformance.runner import run

pytest.importorskip("jinja2", reason="the extra `conformance` is not installed")

from dovetail_conformance import page
from dovetail_conformance.page import model

FOLDER = Path(__file__).parents[2] / "docs" / "certificates"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    found = run(dovetail.device("numpy"), ops=["exp", "sum", "add", "tanh"], against=dovetail.device("numpy"))
    return certificate.certificate(found)


@pytest.fixture(scope="module")
def failed() -> dict[str, Any]:
    with replaced(ops.exp, lambda x: x)() as backend:
        found = run(dovetail.device(backend), ops=["exp"], checks=["values", "specials", "semantics"])
        return certificate.certificate(found)


def test_page_needs_nothing_else(made: dict[str, Any]) -> None:
    text = page.render(made)
    assert not re.search(r"""(src|href)\s*=\s*["'](?!#)""", text)
    assert not re.search(r"""https?://(?!www\.w3\.org/2000/svg)""", text)
    assert "@import" not in text
    assert "url(http" not in text


def test_page_shows_every_op_and_cell(made: dict[str, Any]) -> None:
    text = page.render(made)
    assert "quick" in re.search(r"<title>(.*?)</title>", text)[1]  # type: ignore[index]  # there is a title
    groups = model.families(made)
    assert [line.op for group in groups for line in group.lines] == ["add", "exp", "sum", "tanh"]
    squares = {s.key: s for group in groups for line in group.lines for s in line.squares}
    assert squares["add float32"].text == "="
    assert squares["exp float32"].style.startswith("u")
    assert not squares["exp int64"].rows
    rows = [r for s in squares.values() for r in s.rows]
    assert len(rows) == sum(len(made[section]) for section in ("ops", "reductions", "gradients")) + sum(
        e["check"] in model.FORMS for e in made["checks"]
    )


def test_styles_of_squares() -> None:
    def entry(status: str = "pass", **words: Any) -> dict[str, Any]:
        return {"op": "f", "dtype": "float32", "check": "values", "status": status, "class": "U", **words}

    assert model._square("f", []).style == "none"
    assert model._square("f", [entry(bound_ulp=2.0, max_ulp=1.5, used=0.9)]).style == "u5"
    assert model._square("f", [entry(bound_ulp=2.0, max_ulp=0.6, used=0.1)]).text == "10"
    assert model._square("f", [entry(), entry("fail")]).style == "fail"
    assert model._square("f", [entry("deviation"), entry()]).style == "deviation"
    assert model._square("f", [entry("unsupported", reason="no")]).style == "unsupported"
    assert model._square("f", [entry() | {"class": "E"}]).text == "="


def test_words_from_outside_are_escaped(made: dict[str, Any]) -> None:
    evil = made | {"subject": made["subject"] | {"device_model": "<script>alert(1)</script>"}}
    assert "<script>alert" not in page.render(evil)


@pytest.mark.parametrize(
    ("verdict", "words"),
    [("conformant", "conformant"), ("quick-only", "quick checks passed"), ("not-conformant", "not conformant")],
)
def test_badge(made: dict[str, Any], verdict: str, words: str) -> None:
    text = page.badge(made | {"verdict": verdict})
    assert text.startswith("<svg")
    assert f"numpy {made['subject']['versions']['numpy']} {words}</text>" in text


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*-quick.json")), ids=lambda p: p.stem)
def test_committed_pages_are_those_of_their_certificates(path: Path) -> None:
    committed = certificate.read(path)
    assert path.with_suffix(".html").read_text(encoding="utf-8") == page.render(committed)
    assert path.with_suffix(".svg").read_text(encoding="utf-8") == page.badge(committed)


def test_the_command_writes_the_page_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(command.run)
    assert callable(plugin.dovetail_commands)
    source = FOLDER / "numpy-cpu-0-quick.json"
    path = tmp_path / "a.json"
    path.write_bytes(source.read_bytes())
    assert command._page([str(path)]) == 0
    assert path.with_suffix(".html").is_file()
    assert path.with_suffix(".svg").is_file()


def browse(text: str, folder: Path, fragment: str = "", *, picture: Path | None = None) -> str:
    """What the browser has made of a page, after its program has run; with a screenshot on request."""
    if BROWSER is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    words = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    words += ["--window-size=1280,1000", "--virtual-time-budget=4000"]
    words += [f"--screenshot={picture}"] if picture else ["--dump-dom"]
    done = subprocess.run(
        [*words, f"file://{path}#{fragment}"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "SyntaxError" not in done.stderr
    return done.stdout


def test_in_a_browser_the_page_opens_and_answers(made: dict[str, Any], tmp_path: Path) -> None:
    dom = browse(page.render(made), tmp_path, "cell=exp%20float32&theme=dark")
    assert 'data-theme="dark"' in dom
    assert re.search(r'<dialog id="panel"[^>]* open', dom), "the panel of the cell did not open"
    assert '<h3 id="panel-title">exp float32</h3>' in dom
    assert "at most 3 ULP in float32" in dom
    shown = re.search(r'<div id="panel-rows">(.*?)</dialog>', dom, flags=re.DOTALL)
    assert shown
    worst = next(e for e in made["ops"] if (e["op"], e["dtype"], e["check"]) == ("exp", "float32", "specials"))
    assert worst["at"]["input"] in shown[1]
    assert "correctly rounded" in shown[1]


def test_in_a_browser_failures_come_first(failed: dict[str, Any], tmp_path: Path) -> None:
    dom = browse(page.render(failed), tmp_path)
    assert 'data-verdict="not-conformant"' in dom
    assert dom.index("What fails") < dom.index("Every op in every dtype")
    assert 'class="sq fail"' in dom


def test_a_screenshot_has_a_picture(made: dict[str, Any], tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    browse(page.render(made), tmp_path, picture=picture)
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20], "big") == 1280
    assert len(data) > 40_000, "the picture is nearly empty"
