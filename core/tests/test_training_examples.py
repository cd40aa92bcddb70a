"""The programs in docs/examples/training run in a short form, on NumPy and on JAX, and come to the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "examples" / "training"
SHORT = {
    "digits_cnn": ("--epochs", "2"),
    "lbfgs_curve": ("--steps", "5"),
    "pytorch_checkpoint": ("--epochs", "10"),
    "tabular_regression": ("--epochs", "10"),
    "text_lstm": ("--steps", "50"),
    "tiny_gpt": ("--steps", "10", "--letters", "5"),
    "vae_digits": ("--epochs", "5"),
}


def run(name: str, device: str, folder: Path) -> list[str]:
    """What the program prints when it runs on a device, as a user would start it."""
    pytest.importorskip("sklearn", reason='pip install "dovetail[demo]"')
    command = [sys.executable, str(FOLDER / f"{name}.py"), *SHORT[name], "--device", device]
    # one thread: several of BLAS wait for each other on a busy machine
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(command, cwd=folder, env=os.environ | threads, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def losses(lines: list[str]) -> list[float]:
    """The numbers behind the word "loss"."""
    return [float(found[1]) for line in lines if (found := re.search(r"loss ([0-9.e+-]+)", line))]


def test_every_example_has_a_short_form() -> None:
    assert sorted(SHORT) == sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.mark.parametrize("name", sorted(SHORT))
def test_it_learns(name: str, tmp_path: Path) -> None:
    found = losses(run(name, "numpy", tmp_path))
    assert len(found) >= 2
    assert found[-1] < found[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SHORT))
def test_it_says_the_same_on_jax(name: str, tmp_path: Path) -> None:
    pytest.importorskip("jax", reason="the extra `jax` is not installed")
    ours, theirs = run(name, "numpy", tmp_path), run(name, "jax", tmp_path)
    # the first steps differ by rounding alone; later ones by what training makes of it
    assert losses(ours)[:2] == pytest.approx(losses(theirs)[:2], rel=0.02)
    assert len(ours) == len(theirs)


def test_the_picture_shows_what_was_drawn(tmp_path: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib.image", reason='pip install "dovetail[demo]"')
    run("vae_digits", "numpy", tmp_path)
    picture = matplotlib.imread(tmp_path / "digits.png")
    assert picture.shape[:2] == (32, 64)
    assert picture[..., 0].std() > 0.05
