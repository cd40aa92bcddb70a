"""The system around the ops: aliasing, random streams, captured programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

import dovetail
from dovetail.backend.inspection import Op, capture
from dovetail.errors import CaptureError
from dovetail_conformance import programs
from dovetail_conformance.calls import array
from dovetail_conformance.checks.values import judge_call
from dovetail_conformance.expectation import copied, expected
from dovetail_conformance.outcome import Row
from dovetail_conformance.primitives import Unknown
from dovetail_conformance.session import Session, quiet

PROGRAMS: Final = 150
"""Random programs of views, writes and gradients; fewer where every shape is compiled."""


def aliasing(session: Session) -> list[Row]:
    """Random programs of views, in-place writes and gradients do the same as on another backend."""
    row = Row("views and writes", "float64", "aliasing", kind="programs")
    count = PROGRAMS // 75 if session.lean else PROGRAMS
    for seed in range(session.seed, session.seed + count):
        row.cases += 1
        row.tested += 1
        twice = seed % 5 == 0
        try:
            with quiet(), dovetail.use_backend(session.second):
                theirs = programs.run(dovetail, seed, second=twice)
            with quiet(), dovetail.use_backend(session.device):
                ours = programs.run(dovetail, seed, second=twice)
        except Exception as error:  # whatever a backend raises is a failure of the cell
            row.fail(f"program {seed}: {type(error).__name__}: {error}", snippet=_program(seed, session.device))
            continue
        found = programs.differences(ours, theirs)
        if ours.backward_error != theirs.backward_error:
            found.append(f"backward: {ours.backward_error} and {theirs.backward_error}")
        if found:
            row.fail(f"program {seed}: {found[0]}", snippet=_program(seed, session.device))
    return [row]


def _program(seed: int, device: Any) -> str:
    return "\n".join(
        [
            "import dovetail",
            "from dovetail_conformance import programs",
            "",
            f"with dovetail.use_backend({str(device)!r}):",
            f"    print(vars(programs.run(dovetail, {seed})))",
        ]
    )


_DRAWS: Final[tuple[tuple[str, str, Callable[[], Any]], ...]] = (
    ("rand", "float32", lambda: dovetail.rand(1000)),
    ("rand", "float64", lambda: dovetail.rand(37, 3, dtype=dovetail.float64)),
    ("rand", "bfloat16", lambda: dovetail.rand(1000, dtype=dovetail.bfloat16)),
    ("randn", "float32", lambda: dovetail.randn(1000)),
    ("randn", "float64", lambda: dovetail.randn(1000, dtype=dovetail.float64)),
    ("randint", "int64", lambda: dovetail.randint(-5, 1000, (1000,))),
    ("randperm", "int64", lambda: dovetail.randperm(257)),
    ("bernoulli", "float32", lambda: dovetail.bernoulli(dovetail.full((1000,), 0.3))),
    ("dropout", "float32", lambda: dovetail.nn.functional.dropout(dovetail.ones(1000), 0.3)),
)


def streams(session: Session) -> list[Row]:
    """Random numbers are the same bits as on the host, one draw after another, at any place in the stream."""
    rows = []
    for name, dtype, function in _DRAWS:
        row = Row(name, dtype, "streams", kind="S")
        rows.append(row)
        for seed in (session.seed, 2**40 + 7):
            row.cases += 1
            try:
                with quiet():
                    got, right = (_drawn(place, seed, function) for place in (session.device, session.second))
            except Exception as error:  # whatever a backend raises is a failure of the cell
                row.fail(f"{name}: {type(error).__name__}: {error}")
                continue
            for i, (a, b) in enumerate(zip(got, right, strict=True)):
                row.tested += a.size
                if a.dtype != b.dtype or a.tobytes() != b.tobytes():
                    bad = int(np.argmax(a != b)) if a.shape == b.shape else 0
                    row.fail(
                        f"{name} {dtype}, seed {seed}, draw {i}: element {bad} differs",
                        expected=b.reshape(-1)[bad],
                        got=a.reshape(-1)[bad],
                    )
    return rows


def _drawn(device: Any, seed: int, function: Callable[[], Any]) -> list[Any]:
    with dovetail.use_backend(device):
        state = dovetail.get_rng_state()
        dovetail.manual_seed(seed)
        found = [array(function()) for _ in range(3)]
        dovetail.set_rng_state(state)
    return found


def capturing(session: Session, op: Op, dtype: str) -> Row | None:
    """A captured call gives what the op gives: the same bits where it is interpreted, else within the agreement."""
    found = session.invocations(op, dtype)[:1]
    if not found or op.internal:
        return None
    row, inv = session.row(op, dtype, "programs"), found[0]
    try:
        with dovetail.use_backend(session.device), quiet():
            tensors = inv.tensors(session.device)
            got = capture(copied(inv), *tensors)(*tensors)
            eager = [] if session.compiles else inv.call(tensors)
        if not session.compiles:
            for a, b in zip(got, eager, strict=True):
                row.cases += 1
                row.tested += a.numel()
                if array(a).tobytes() != array(b).tobytes():
                    row.fail(f"{inv}: the program gives other bits than the op", expected=array(b), got=array(a))
            return row
        with quiet():
            wanted = expected(session, inv)
    except (CaptureError, Unknown):
        if not session.lean or op.primitive:
            return None  # its results depend on values: there is no program of it
        judge_call(session, row, inv)  # this check stands in for that of values
        return row
    except Exception as error:  # whatever a backend raises is a failure of the cell
        row.fail(f"{inv} captured: {type(error).__name__}: {error}")
        return row
    for i, (t, right) in enumerate(zip(got, wanted, strict=True)):
        row.take(right.judge(array(t), inv, session.device, i))
    return row
