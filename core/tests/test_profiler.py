"""Profiles: what ran, for how long, nested as it was called, and nothing is left behind."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest

import dovetail
from dovetail.dispatch import spans, state
from dovetail.profiler import ProfilerAction, profile, record_function, schedule, tensorboard_trace_handler

DEVICES = ["numpy", "jax"]


def training_step(device: str) -> None:
    """Forward, backward and a step in place."""
    layer = dovetail.nn.Linear(3, 2, device=device)
    optimizer = dovetail.optim.SGD(layer.parameters(), lr=0.1)
    layer(dovetail.ones(4, 3, device=device)).relu().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("device", DEVICES)
def test_every_part_of_a_step_is_seen(device: str) -> None:
    if device == "jax":
        pytest.importorskip("jax", reason="the JAX backend needs jax")
    training_step(device)
    with profile(record_shapes=True) as prof:
        training_step(device)
    ops = {event.name for event in prof.events() if event.kind == "op"}
    nodes = {event.name for event in prof.events() if event.kind == "backward"}
    assert {"linear", "relu", "sum", "sgd_step"} <= ops
    assert {"AddmmBackward0", "ReluBackward0", "SumBackward0"} <= nodes
    assert all(event.device.startswith(device) for event in prof.events() if event.kind == "op")
    assert ((4, 3), (2, 3), (2,)) in [event.shapes for event in prof.events() if event.name == "linear"]


def test_times_are_nested() -> None:
    x = dovetail.ones(3)
    with profile() as prof, record_function("outer"):
        with record_function("inner"):
            x + x
        x * x
    outer, inner = ({e.name: e for e in prof.events()}[name] for name in ("outer", "inner"))
    children = [e for e in prof.events() if e.depth == outer.depth + 1]
    assert [e.name for e in children] == ["inner", "mul"]
    assert outer.inner == sum(e.total_time for e in children)
    assert outer.start <= inner.start <= inner.end <= outer.end
    assert all(e.self_time >= 0 for e in prof.events())


def test_self_times_add_up_to_the_whole() -> None:
    with profile() as prof, record_function("all"):
        dovetail.nn.functional.gelu(dovetail.ones(5, requires_grad=True)).sum().backward()
    whole = next(e for e in prof.events() if e.name == "all")
    assert sum(row.self_time for row in prof.key_averages()) == whole.total_time


def test_the_table_counts_and_sorts() -> None:
    x = dovetail.ones(4)
    with profile() as prof:
        for _ in range(3):
            x + x
        x.exp()
    rows = {row.name: row for row in prof.key_averages()}
    assert (rows["add"].count, rows["add"].bytes, rows["exp"].count) == (3, 48, 1)
    text = prof.key_averages().table(sort_by="name")
    assert text.index("add") < text.index("exp")
    assert re.search(r"add +numpy:cpu:0 +kernel +[\d.]+ % +[\d.]+us +[\d.]+us +[\d.]+us +3 +48 B", text)
    assert len(prof.key_averages().table(row_limit=1).splitlines()) == len(text.splitlines()) - 1
    with pytest.raises(ValueError, match="can not be sorted by 'colour'"):
        prof.key_averages().table(sort_by="colour")


def test_shapes_may_be_told_apart() -> None:
    with profile(record_shapes=True) as prof:
        dovetail.ones(2).exp()
        dovetail.ones(3).exp()
    rows = [row for row in prof.key_averages(group_by_input_shape=True) if row.name == "exp"]
    assert sorted(row.shapes for row in rows) == [((2,),), ((3,),)]


def test_transfers_are_counted() -> None:
    with profile() as prof:
        dovetail.ones(10, device="numpy").tolist()
    assert [(m.source, m.target, m.bytes) for m in prof.transfers()][-1] == ("numpy:cpu:0", "host", 40)
    assert "Transfers numpy:cpu:0 -> host: 40 B in 1" in str(prof.key_averages())


def test_a_trace_is_what_browsers_read(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    with profile(record_shapes=True) as prof, record_function("load"):
        dovetail.ones(2).exp().tolist()
    prof.export_chrome_trace(path)
    events = json.loads(path.read_text())["traceEvents"]
    complete = {e["name"]: e for e in events if e["ph"] == "X"}
    assert complete["exp"]["args"]["input shapes"] == [[2]]
    assert complete["load"]["ts"] <= complete["exp"]["ts"]
    assert complete["exp"]["ts"] + complete["exp"]["dur"] <= complete["load"]["ts"] + complete["load"]["dur"]
    assert any(e["ph"] == "i" and e["args"]["bytes"] == 8 for e in events)


def test_a_schedule_as_pytorch_has_it() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    for options in (
        {"wait": 1, "warmup": 1, "active": 2},
        {"wait": 0, "warmup": 2, "active": 1, "repeat": 2},
        {"wait": 2, "warmup": 1, "active": 3, "repeat": 1, "skip_first": 3},
    ):
        ours, theirs = schedule(**options), torch.profiler.schedule(**options)
        assert [ours(i).name for i in range(15)] == [theirs(i).name for i in range(15)]
    with pytest.raises(ValueError, match="active at least 1"):
        schedule(wait=0, warmup=0, active=0)


def test_steps_by_a_schedule(tmp_path: Path) -> None:
    seen: list[Any] = []

    def ready(prof: profile) -> None:
        seen.append((prof.step_num, [e.name for e in prof.events()]))
        tensorboard_trace_handler(tmp_path, "worker")(prof)

    with profile(schedule=schedule(wait=1, warmup=1, active=2, repeat=2), on_trace_ready=ready) as prof:
        for _ in range(9):
            dovetail.ones(2).exp()
            prof.step()
    steps = [["exp", f"ProfilerStep#{n}", "exp", f"ProfilerStep#{n + 1}"] for n in (2, 6)]
    assert [[name for name in names if name in steps[i]] for i, (_, names) in enumerate(seen)] == steps
    assert len(list(tmp_path.glob("worker.*.pt.trace.json"))) == 2
    assert schedule(wait=1, warmup=0, active=1)(1) is ProfilerAction.RECORD_AND_SAVE


def test_threads_are_kept_apart() -> None:
    with profile() as prof:
        thread = threading.Thread(target=lambda: dovetail.ones(3).exp())
        with record_function("main"):
            thread.start()
            thread.join()
    main = next(e for e in prof.events() if e.name == "main")
    other = next(e for e in prof.events() if e.name == "exp")
    assert other.thread != main.thread
    assert (other.depth, main.inner) == (0, 0)


def test_an_error_ends_its_spans_and_nothing_is_left_on() -> None:
    before = state.state.special
    with pytest.raises(RuntimeError), profile() as prof, record_function("fails"):
        dovetail.ones(2) @ dovetail.ones(3)
    assert spans.recorders == []
    assert state.state.special == before
    assert [e.name for e in prof.events() if e.kind == "range"] == ["fails"]


def test_a_decorated_function_is_a_range_and_costs_nothing_without_a_profile() -> None:
    @record_function("twice")
    def twice(x: Any) -> Any:
        return x * 2

    assert twice(2) == 4
    with profile() as prof:
        twice(dovetail.ones(1))
    assert [e.name for e in prof.events() if e.kind != "op"] == ["twice"]


def test_values_are_those_without_a_profile() -> None:
    dovetail.manual_seed(0)
    x = dovetail.rand(4, requires_grad=True)
    (x.exp() * x).sum().backward()
    expected = x.grad.tolist()
    x.grad = None
    with profile():
        (x.exp() * x).sum().backward()
    assert x.grad.tolist() == expected
