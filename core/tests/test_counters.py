"""Counters of ops, fallbacks and transfers: what they say is what ran, and nothing is paid outside of their block."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator

import pytest

import dovetail
from dovetail.backend import ArrayAPIBackend, BackendSpec, KernelTable, Moved, counters, ops, register, unregister
from dovetail.contract import traffic
from dovetail.dispatch import state

standard = pytest.importorskip("array_api_strict", reason="array-api-strict is in the extra `test`")


class Lacking(ArrayAPIBackend):
    """A backend that has no running sums."""

    namespace = standard

    def extend(self, table: KernelTable) -> None:
        table.remove(ops.cumsum)


@pytest.fixture(autouse=True)
def lacking() -> Iterator[None]:
    module = types.ModuleType("backend_of_the_counters")
    module.Lacking = Lacking  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    register(BackendSpec(name="lacking", runtime=f"{module.__name__}:Lacking", priority=-9))
    dovetail.set_host_fallback("silent")
    yield
    dovetail.set_host_fallback("warn")
    unregister("lacking")
    del sys.modules[module.__name__]


def test_ops_are_counted_by_device_forwards_and_backwards() -> None:
    x = dovetail.ones(3, device="numpy", requires_grad=True)
    y = dovetail.ones(3, device="lacking")
    with counters() as found:
        (x * x).sum().backward()
        y * y
    assert found.ops["sum", "numpy:cpu:0"] == 1
    assert found.ops["mul", "numpy:cpu:0"] == 3, "one forwards, two in the formulas of its gradient"
    assert found.ops["mul", "lacking:cpu:0"] == 1
    assert found.transfers == {}


def test_transfers_have_their_bytes_and_both_ends() -> None:
    with counters() as found:
        x = dovetail.tensor([[1.0, 2.0, 3.0]], device="numpy")
        there = x.to("lacking")
        back = there.to("numpy")
        back.to(dovetail.float64).numpy()
        (there + 1).tolist()
    assert found.transfers == {
        ("host", "numpy:cpu:0"): Moved(1, 12),
        ("numpy:cpu:0", "lacking:cpu:0"): Moved(1, 12),
        ("lacking:cpu:0", "numpy:cpu:0"): Moved(1, 12),
        ("numpy:cpu:0", "host"): Moved(1, 24),
        ("lacking:cpu:0", "host"): Moved(1, 12),
    }


def test_a_fallback_is_counted_with_what_it_moves() -> None:
    x = dovetail.ones(4, device="lacking")
    with counters() as found:
        x.cumsum(0)
        assert found.fallbacks == {("cumsum", "lacking"): 1}, "seen while the block lasts"
        x.cumsum(0)
    x.cumsum(0)
    assert found.fallbacks == {("cumsum", "lacking"): 2}, "what comes after the block is not in it"
    assert found.transfers == {("lacking:cpu:0", "host"): Moved(2, 32), ("host", "lacking:cpu:0"): Moved(2, 32)}


def test_outside_of_a_block_nobody_listens() -> None:
    before = state.state.special
    with counters() as found:
        assert state.state.special == before + 1
        assert len(traffic.listeners) == 1
    assert (state.state.special, traffic.listeners) == (before, [])
    dovetail.ones(3).sum().item()
    assert (found.ops, found.transfers) == ({}, {})


def test_blocks_nest_and_an_error_ends_them() -> None:
    with counters() as outer:
        with pytest.raises(RuntimeError), counters() as inner:
            dovetail.ones(2) + dovetail.ones(3)
        dovetail.ones(2, device="numpy") + 1
    assert inner.ops["add", "numpy:cpu:0"] == 0
    assert outer.ops["add", "numpy:cpu:0"] == 1
    assert traffic.listeners == []


def test_the_text_says_all_of_it() -> None:
    with counters() as found:
        dovetail.tensor([1.0, 2.0], device="lacking").cumsum(0)
    lines = str(found).splitlines()
    assert "cumsum on lacking:cpu:0: 1" in lines
    assert "cumsum of lacking on the host: 1" in lines
    assert "host -> lacking:cpu:0: 16 bytes in 2" in lines
    with counters() as nothing:
        pass
    assert str(nothing) == "nothing ran"
