"""Every example runs as it stands: with dovetail on NumPy and on JAX, and with PyTorch under the same name."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

import dovetail

EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples").glob("*.py"))
PYTORCH = [
    (r"^import dovetail as torch$", "import torch"),
    (r"^import dovetail\.", "import torch."),
    (r"^from dovetail\.", "from torch."),
]


def run(source: str, name: str) -> list[str]:
    """Execute a script and return what it prints, line by line."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, name, "exec"), {"__name__": "__main__"})
    return printed.getvalue().splitlines()


def losses(lines: list[str]) -> list[float]:
    """The numbers behind the word "loss"."""
    return [float(found[1]) for line in lines if (found := re.search(r"loss ([0-9.e+-]+)", line))]


def shortened(source: str, by: int) -> str:
    """The same script with fewer steps, for a device on which each call costs more."""
    return re.sub(r"range\((\d{3,})\)", lambda m: f"range({int(m[1]) // by})", source)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example_learns_on_numpy(path: Path) -> None:
    with dovetail.use_backend("numpy"):
        found = losses(run(path.read_text(), path.name))
    assert found, "an example says how far it came"
    assert found[-1] <= found[0]
    assert found[-1] < (100 if path.stem in ("custom_function", "control_flow") else 0.02)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example_says_the_same_on_jax(path: Path) -> None:
    pytest.importorskip("jax", reason="the extra `jax` is not installed")
    source = re.sub(r"% (\d+) == \d+", "% 10 == 9", shortened(path.read_text(), 100))
    with dovetail.use_backend("numpy"):
        ours = run(source, path.name)
    with dovetail.use_backend("jax"):
        theirs = run(source, path.name)
    assert len(losses(ours)) >= 1
    assert losses(ours) == pytest.approx(losses(theirs), rel=1e-3, abs=2e-6)
    assert len(ours) == len(theirs)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example_runs_with_pytorch_under_the_same_name(path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    source = path.read_text()
    for pattern, replacement in PYTORCH:
        source = re.sub(pattern, replacement, source, flags=re.MULTILINE)
    assert "dovetail" not in source.split('"""', 2)[2], "only the import names the framework"
    theirs = run(source, path.name)
    with dovetail.use_backend("numpy"):
        ours = run(path.read_text(), path.name)
    assert [re.sub(r"[0-9.e+-]+", "#", line) for line in ours] == [re.sub(r"[0-9.e+-]+", "#", line) for line in theirs]
    if "randn" not in source and "nn.Linear" not in source:  # the same start, so the same end
        assert losses(ours) == pytest.approx(losses(theirs), rel=1e-3)
