"""2,000 random programs of views, in-place writes and gradients agree with PyTorch, on NumPy and on JAX.

The programs start from three shapes and so meet the same ones again and again: on JAX all of them together compile
1,600 kernels, a third of these in the first hundred programs. That takes minutes and is in the slow tier:
``pytest conformance/tests/test_programs.py -m long``.
"""

from __future__ import annotations

import pytest

from dovetail_conformance import programs

torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")

import dovetail  # noqa: E402  # after the oracle's check

CHUNK = 250


def disagreements(seeds: range) -> tuple[list[str], int]:
    """The programs of some seeds that differ from PyTorch's, and how many could be compared."""
    found: list[str] = []
    compared = 0
    # PyTorch refuses to differentiate what was written over; with clones it keeps the saved values, as we do
    keep = torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t)
    for seed in seeds:
        with keep:
            theirs = programs.run(torch, seed, second=seed % 5 == 0)
        if theirs.backward_error or theirs.incomparable:
            continue
        compared += 1
        ours = programs.run(dovetail, seed, second=seed % 5 == 0)
        found += [f"seed {seed}: {d}" for d in programs.differences(ours, theirs)]
        found += [f"seed {seed}: {ours.backward_error}"] if ours.backward_error else []
    return found, compared


@pytest.mark.parametrize("start", range(0, 2000, CHUNK))
def test_numpy_agrees(start: int) -> None:
    with dovetail.use_backend("numpy"):
        found, compared = disagreements(range(start, start + CHUNK))
    assert not found, "\n".join(found[:5])
    assert compared > 0.95 * CHUNK, "most programs must be comparable"


def test_jax_agrees() -> None:
    pytest.importorskip("jax", reason="the extra `jax` is not installed")
    with dovetail.use_backend("jax"):
        found, compared = disagreements(range(60))
    assert not found, "\n".join(found[:5])
    assert compared > 50


@pytest.mark.long
@pytest.mark.parametrize("start", range(60, 2000, CHUNK))
def test_jax_agrees_on_all(start: int) -> None:
    pytest.importorskip("jax", reason="the extra `jax` is not installed")
    with dovetail.use_backend("jax"):
        found, compared = disagreements(range(start, min(start + CHUNK, 2000)))
    assert not found, "\n".join(found[:5])
    assert compared > 0.95 * min(CHUNK, 2000 - start)


def test_a_wrong_view_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: with a transpose that copies instead of sharing storage it does."""
    right = dovetail.Tensor.transpose
    monkeypatch.setattr(dovetail.Tensor, "transpose", lambda x, a, b: right(x, a, b).clone())
    with dovetail.use_backend("numpy"):
        found, _ = disagreements(range(60))
    assert found
