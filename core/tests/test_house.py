"""The house: what the wheel holds, no backend's name in the core, no dead link in the documents."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Set
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = [Path(folder) for folder in TABLES["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]


# -------------------------------------------------------------------------------------------------- the wheel


@pytest.mark.slow
def test_the_wheel_holds_the_packages_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("build", reason="`build` is not installed; the extra `test` has it")
    pytest.importorskip("hatchling", reason="`hatchling` is not installed; the extra `test` has it")
    assert [package for package in PACKAGES if not (ROOT / package / "__init__.py").exists()] == []
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = {name.rpartition("/")[2]: name for name in names if ".dist-info/" in name}
        entry_points = archive.read(metadata["entry_points.txt"]).decode()
    info = f"dovetail-{TABLES['project']['version']}.dist-info"
    assert {name.partition("/")[0] for name in names} == {package.name for package in PACKAGES} | {info}
    assert not [name for name in names if "/tests/" in name or name.endswith((".pyc", ".orig"))]
    assert {"METADATA", "LICENSE", "entry_points.txt"} <= metadata.keys()
    for module in TABLES["project"]["entry-points"]["dovetail"].values():
        assert module in entry_points
        assert module.replace(".", "/") + ".py" in names
    for root in {ROOT / package.parent for package in PACKAGES}:
        sources = {path for package in PACKAGES for path in (root / package.name).rglob("*.py*")}
        sources = {path.relative_to(root).as_posix() for path in sources if path.suffix != ".pyc"}
        assert sources - set(names) == set()


# ---------------------------------------------------------------------------------- no backend's name in core


def backend_ids() -> frozenset[str]:
    """The names under which this distribution registers backends."""
    plugins = TABLES["project"]["entry-points"]["dovetail"]
    return frozenset(name for name, module in plugins.items() if module != "dovetail_conformance.plugin")


def statements_of_words(tree: ast.AST) -> Set[int]:
    """The ids of string constants that stand as statements: docstrings, which may speak of anything."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def names_in(value: str, ids: Set[str]) -> set[str]:
    """The backend ids that `value` is, also as the head of a device (`jax:cpu:0`) or as a package's tail."""
    return ids & {value.partition(":")[0], value.partition("[")[0], value.removeprefix("dovetail_")}


def backend_names(source: str, ids: Set[str]) -> list[tuple[int, str]]:
    """Line and text of every string constant in `source` that names a backend."""
    tree = ast.parse(source)
    words = statements_of_words(tree)
    return sorted(
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in words
        if names_in(node.value, ids)
    )


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("if device.backend == 'jax':\n    pass\n", [1]),
        ("x = 1\nPRIORITY = {'numpy': 0}\n", [2]),
        ("match name:\n    case 'cupy' | 'other':\n        pass\n", [2]),
        ("device = 'jax:cpu:0'\n", [1]),
        ("import_module('dovetail_cupy')\n", [1]),
        ("hint = 'dovetail' + '[cuda12]'\n", []),
        ("'''numpy'''\nimport numpy\n\ndef numpy(self):\n    '''jax'''\n    return self.numpy()\n", []),
        ("message = 'a NumPy array, not numpy.float64'\n", []),
    ],
)
def test_the_scan_for_backend_names_sees_planted_ones(source: str, lines: list[int]) -> None:
    assert [line for line, _ in backend_names(source, {"numpy", "jax", "cupy"})] == lines


def test_core_names_no_backend() -> None:
    ids = backend_ids()
    files = sorted((ROOT / "core" / "dovetail").rglob("*.py*"))
    files = [file for file in files if file.suffix in (".py", ".pyi")]
    assert len(ids) == 3
    assert files
    found = {
        str(file.relative_to(ROOT)): names
        for file in files
        if (names := backend_names(file.read_text(encoding="utf-8"), ids))
    }
    assert found == {}


# ---------------------------------------------------------------------------------------------- the documents


def dead_links(document: Path) -> list[str]:
    """The relative links in a Markdown file that lead to no file or folder."""
    targets = re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    return [target for target in local if not (document.parent / target).exists()]


def test_the_search_for_dead_links_sees_a_planted_one(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text("[a](a.md#top) [b](gone.md) [c](https://example.org/gone) [d](#here)")
    assert dead_links(document) == ["gone.md"]


def test_the_links_of_the_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "plugins").glob("*.md")]
    assert len(documents) >= 5
    assert {str(path.relative_to(ROOT)): dead for path in documents if (dead := dead_links(path))} == {}
