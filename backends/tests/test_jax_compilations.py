"""The JAX backend counts what XLA compiles, and says which devices several processes may share."""

from __future__ import annotations

import pytest

import dovetail

pytest.importorskip("jax", reason="the extra `jax` is not installed")


def test_a_new_shape_is_one_more_program() -> None:
    device = dovetail.device("jax:cpu")
    x = dovetail.ones(3, 41, device=device)
    before = device.runtime.compilations()
    (x * 3.25).numpy()
    first = device.runtime.compilations()
    (x * 3.25).numpy()
    assert first > before
    assert device.runtime.compilations() == first


def test_a_cpu_may_be_shared_and_the_host_counts_nothing() -> None:
    device = dovetail.device("jax:cpu")
    assert device.runtime.shareable(device)
    assert dovetail.device("numpy").runtime.compilations() is None


def test_an_accelerator_is_not_shared() -> None:
    runtime = dovetail.device("jax:cpu").runtime
    assert not runtime.shareable(dovetail.backend.Device.of("jax", "cuda", 0))
