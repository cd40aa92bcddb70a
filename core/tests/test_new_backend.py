"""`dovetail new-backend`: what it refuses, that it leaves nothing half-written, and that its package works."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dovetail.backend import CONTRACT_VERSION
from dovetail.cli import main, new_backend
from dovetail.errors import ArgumentError

ROOTS = [str(Path(__file__).resolve().parents[2] / root) for root in ("core", "backends", "conformance")]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


# ------------------------------------------------------------------------------------------ what it refuses


@pytest.mark.parametrize(
    "name", ["", "Acme", "9lives", "two words", "a-b", "acme_", "class", "../up", "a" * 41, "acme\n", "é"]
)
def test_a_name_that_cannot_be_one(here: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main.main(["new-backend", name]) == main.FAILED
    assert "a backend's name is" in capsys.readouterr().err
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("numpy", "exists already"),
        ("cpu", "is a kind of device"),
        ("cuda", "is a kind of device"),
        ("conformance", "dovetail_conformance is installed"),
    ],
)
def test_a_name_that_is_taken(here: Path, capsys: pytest.CaptureFixture[str], name: str, why: str) -> None:
    assert main.main(["new-backend", name]) == main.FAILED
    assert why in capsys.readouterr().err
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("module", ["my lib", "a..b", "import", "a.class", "os;print"])
def test_a_namespace_that_is_no_module(here: Path, module: str) -> None:
    with pytest.raises(ArgumentError, match="names a module"):
        new_backend.names("acme", module)


def test_nothing_is_overwritten(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = here / "dovetail-acme"
    mine.mkdir()
    (mine / "work.txt").write_text("of weeks")
    assert main.main(["new-backend", "acme"]) == main.FAILED
    assert "nothing is overwritten" in capsys.readouterr().err
    assert contents(here) == {"dovetail-acme/work.txt"}
    (here / "file").write_text("")
    assert main.main(["new-backend", "acme", "--dir", "file"]) == main.FAILED
    assert main.main(["new-backend", "acme", "--dir", "no/such/folder"]) == main.FAILED
    assert "there is no folder" in capsys.readouterr().err


def test_an_empty_folder_is_taken(here: Path) -> None:
    (here / "empty").mkdir()
    assert main.main(["new-backend", "acme", "--dir", "empty"]) == 0
    assert len(contents(here / "empty")) == len(new_backend.FILES)


def test_nothing_is_half_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Path.write_text
    written: list[str] = []

    def full_disk(self: Path, text: str, **words: Any) -> int:
        written.append(self.name)
        if len(written) == 5:
            raise OSError(28, "No space left on device")
        return whole(self, text, **words)

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(ArgumentError, match="No space left"):
        new_backend.write(here / "dovetail-acme", new_backend.render(new_backend.names("acme")))
    assert len(written) == 5
    assert list(here.iterdir()) == []


# ------------------------------------------------------------------------------------------ what it writes


def test_every_template_is_used_and_every_place_filled() -> None:
    there = {p.name.removesuffix(".tmpl") for p in (Path(new_backend.__file__).parent / "new_backend_files").iterdir()}
    assert there == set(new_backend.FILES.values())
    texts = new_backend.render(new_backend.names("two_words", "torch"))
    assert not [path for path, text in texts.items() if new_backend._PLACE.search(path + text)]
    assert "class TwoWordsBackend(ArrayAPIBackend)" in texts["dovetail_two_words/backend.py"]
    assert "import array_api_compat.torch as namespace" in texts["dovetail_two_words/backend.py"], "the wrapper"
    assert f"contract={CONTRACT_VERSION}," in texts["dovetail_two_words/plugin.py"], "the version is stated"
    for path, text in texts.items():
        if path.endswith(".py"):
            compile(text, path, "exec")
        elif path.endswith(".toml"):
            tomllib.loads(text)


def test_a_library_that_is_not_there_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["new-backend", "acme", "--namespace", "acme_arrays.numpy_like"]) == 0
    assert "acme_arrays is not installed here" in capsys.readouterr().out
    settings = tomllib.loads((here / "dovetail-acme" / "pyproject.toml").read_text())
    assert settings["project"]["dependencies"] == ["dovetail", "acme-arrays"]


# ------------------------------------------------------------------------------------------ and that it works


def environment(folder: Path) -> Path:
    """An environment of its own that also sees what this one has installed."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.run([str(python), "-c", where], capture_output=True, text=True, check=True, timeout=60)
    seen = "; ".join(f"site.addsitedir({path!r})" for path in site.getsitepackages())
    roots = "; ".join(f"sys.path.append({path!r})" for path in ROOTS)
    (Path(own.stdout.strip()) / "outer.pth").write_text(f"import site, sys; {roots}; {seen}\n")
    return python


def run(python: Path, words: Sequence[str], folder: Path) -> str:
    done = subprocess.run(
        [str(python), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**{k: v for k, v in os.environ.items() if k != "DOVETAIL_BACKEND"}, "PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_package_installs_is_found_and_conforms(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pip", reason="the package is installed with pip")
    pytest.importorskip("hatchling", reason="`hatchling` is in the extra `test`")
    assert main.main(["new-backend", "acme"]) == 0
    assert '  pip install -e "dovetail-acme[test]"\n' in capsys.readouterr().out
    python = environment(here / "environment")
    pip = ["-m", "pip", "--python", str(python), "--disable-pip-version-check", "install", "--quiet", "--no-index"]
    run(Path(sys.executable), [*pip, "--no-deps", "--no-build-isolation", "-e", "dovetail-acme"], here)

    listed = run(python, ["-m", "dovetail.cli.main", "backends"], here)
    (line,) = (x for x in listed.splitlines() if x.startswith("acme "))
    assert "usable" in line
    assert "dovetail-acme 0.1.0" in line
    suite = ["-m", "dovetail.cli.main", "conformance", "acme", "--no-fallback", "--ops", "exp,sum,softmax,index_add"]
    assert " 0 fail" in run(python, suite, here)
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_backend.py"]
    assert "2 passed" in run(python, tests, here / "dovetail-acme")
    one = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "softmax", "tests/test_conformance.py"]
    assert "passed" in run(python, one, here / "dovetail-acme")
