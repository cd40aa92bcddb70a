"""The programs of the benchmarks compute the same thing by hand, in PyTorch and in JAX."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
LIBRARIES = {"torch eager": "torch", "jax.jit": "jax"}
# The longest sum of products in each program, which bounds what a loss may be off by, relative to its terms.
TERMS = {"two_layer": 1000, "mlp": 784, "cnn": 1568, "lstm": 1024, "gpt": 1024}
STEPS = 4


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the folder importable, which is no part of the package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def trained(program: Any, peer: str) -> list[float]:
    step = program.PEERS[peer]()
    return [step() for _ in range(STEPS)]


@pytest.mark.parametrize("peer", LIBRARIES)
@pytest.mark.parametrize("name", TERMS)
def test_all_peers_follow_the_same_losses(name: str, peer: str) -> None:
    pytest.importorskip(LIBRARIES[peer], reason=f"compares with {peer}")
    program = importlib.import_module(f"peers.{name}")
    by_hand, theirs = trained(program, "NumPy by hand"), trained(program, peer)
    unit = TERMS[name] * 2.0**-24
    # Each step's rounding goes through the weights into the next.
    np.testing.assert_allclose(theirs, by_hand, rtol=2 * STEPS * unit / (1 - unit))
    # And the losses move by far more than that, so a wrong step would be seen.
    moved = abs(np.diff(by_hand)) / by_hand[:-1]
    assert (moved > 8 * STEPS * unit).all()


@pytest.mark.parametrize("name", TERMS)
def test_every_start_is_the_same_and_no_step_changes_it(name: str) -> None:
    program = importlib.import_module(f"peers.{name}")
    assert trained(program, "NumPy by hand") == trained(program, "NumPy by hand")


def test_overhead_graphs_have_one_value() -> None:
    overhead = importlib.import_module("peers.overhead")
    expected = overhead.numpy_forward()()
    # 11 ops on numbers of order 1.
    for peers in (overhead.FORWARD, overhead.FORWARD_BACKWARD):
        for name, build in peers.items():
            for library in ("torch", "jax"):
                if name.startswith(library):
                    pytest.importorskip(library, reason=f"compares with {library}")
            np.testing.assert_allclose(build()(), expected, rtol=4 * overhead.OPS * 2.0**-24)


def test_gradients_by_hand_of_the_overhead_graph() -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    overhead = importlib.import_module("peers.overhead")
    x, y = (torch.tensor(array, requires_grad=True) for array in overhead.problem())
    overhead.graph(x, y).backward()
    for mine, theirs in zip(overhead.gradients(*overhead.problem())[1:], (x.grad, y.grad)):
        np.testing.assert_allclose(mine, theirs.numpy(), rtol=4 * overhead.OPS * 2.0**-24)


def test_chains_have_one_value() -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    chains = importlib.import_module("peers.chains")
    expected = chains.numpy_by_hand(1000)()
    assert chains.torch_eager(1000)() == pytest.approx(expected, rel=1000 * 2.0**-24)
    x, total = chains.torch_graph(1000)()
    total.backward()
    assert isinstance(x, torch.Tensor)
    np.testing.assert_allclose(x.grad.numpy(), np.full(4, 0.999**500), rtol=1000 * 2.0**-24)
    with pytest.raises(ValueError, match="minutes"):
        chains.jax_eager_grad(10**5)
