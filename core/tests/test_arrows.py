"""The import contracts: each is broken by the import that it forbids, and by none that is meant."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
TABLES = tomllib.loads(PYPROJECT)
PACKAGES = [Path(folder) for folder in TABLES["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]


def write_tree(root: Path, files: dict[str, str]) -> None:
    """All root packages of the contracts as empty ones, with `files` (module path and text) in them."""
    tree = {f"{package.name}/__init__.py": "" for package in PACKAGES} | files
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for folder in path.relative_to(root).parents:
            if folder.name:
                (root / folder / "__init__.py").touch()
    (root / "pyproject.toml").write_text(PYPROJECT)


def broken_contracts(root: Path) -> set[str]:
    """The names of the contracts that import-linter finds broken in the tree at `root`."""
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [str(program), "--no-cache"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = [line.partition(" (")[0] for line in done.stdout.splitlines()]  # "... KEPT (2 ignored imports)"
    kept = {line.removesuffix(" KEPT") for line in lines if line.endswith(" KEPT")}
    broken = {line.removesuffix(" BROKEN") for line in lines if line.endswith(" BROKEN")}
    contracts = {contract["name"] for contract in TABLES["tool"]["importlinter"]["contracts"]}
    assert kept | broken == contracts, done.stdout + done.stderr
    assert (done.returncode == 0) == (not broken)
    return broken


LAYERS = "The layers of dovetail: a call flows downwards"
CORE = "The core knows no backend, no plugin and no array library but NumPy"
BACKEND = "A backend sees dovetail.backend and nothing else of dovetail"
NEIGHBOURS = "Backends do not know each other"
PUBLIC = "Conformance sees what every user of dovetail sees"


@pytest.mark.parametrize(
    ("files", "broken"),
    [
        ({"dovetail/ops/a.py": "import dovetail.nn.b", "dovetail/nn/b.py": ""}, {LAYERS}),
        ({"dovetail/tensor/a.py": "import dovetail.ops.b", "dovetail/ops/b.py": ""}, {LAYERS}),
        ({"dovetail/errors.py": "import dovetail.record.b", "dovetail/record/b.py": ""}, {LAYERS}),
        ({"dovetail/nn/a.py": "import dovetail.optim.b", "dovetail/optim/b.py": ""}, {LAYERS}),
        ({"dovetail/errors.py": "import dovetail_numpy"}, {CORE}),
        ({"dovetail/errors.py": "import scipy.special"}, {CORE}),
        ({"dovetail/errors.py": "def f():\n    import torch\n"}, {CORE}),
        ({"dovetail/somewhere/a.py": ""}, {LAYERS}),
        ({"dovetail_jax/a.py": "import dovetail.ops.b", "dovetail/ops/b.py": ""}, {BACKEND}),
        ({"dovetail_jax/a.py": "import dovetail"}, {BACKEND}),
        ({"dovetail_cupy/a.py": "import dovetail_numpy"}, {NEIGHBOURS}),
        ({"dovetail_conformance/a.py": "import dovetail.dispatch.b", "dovetail/dispatch/b.py": ""}, {PUBLIC}),
        ({"dovetail_conformance/a.py": "import dovetail_numpy.b", "dovetail_numpy/b.py": ""}, {PUBLIC}),
    ],
    ids=lambda value: " + ".join(value) if isinstance(value, dict) else "",
)
def test_a_planted_import_breaks_its_contract(
    tmp_path: Path, files: dict[str, str], broken: set[str]
) -> None:
    pytest.importorskip("importlinter", reason="import-linter is not installed; the extra `test` has it")
    write_tree(tmp_path, files)
    assert broken_contracts(tmp_path) == broken


def test_the_arrows_that_are_meant_break_nothing(tmp_path: Path) -> None:
    pytest.importorskip("importlinter", reason="import-linter is not installed; the extra `test` has it")
    annotation = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import dovetail.nn.b\n"
    files = {
        "dovetail/cli/a.py": "import dovetail.nn.b, dovetail.backend.c",
        "dovetail/nn/b.py": "import dovetail.ops.b",
        "dovetail/backend/c.py": "import dovetail.ops.b, dovetail.contract.b",
        "dovetail/ops/b.py": "import dovetail.dispatch.b, dovetail.random.b, numpy",
        "dovetail/random/b.py": "",
        "dovetail/dispatch/b.py": "import dovetail.tensor.b, dovetail.autograd.b",
        "dovetail/autograd/b.py": "import dovetail.tensor.b",
        "dovetail/tensor/b.py": annotation + "import dovetail.record.b",
        "dovetail/record/b.py": "import dovetail.dtypes",
        "dovetail/contract/b.py": "import dovetail.record.b",
        "dovetail/dtypes.py": "import dovetail.errors",
        "dovetail/errors.py": "",
        "dovetail_numpy/__init__.py": "import dovetail.backend",
        "dovetail_numpy/plugin.py": "import dovetail.backend.c\nimport scipy",
        "dovetail_conformance/a.py": "import dovetail, dovetail.backend, dovetail.nn",
    }
    write_tree(tmp_path, files)
    assert broken_contracts(tmp_path) == set()
