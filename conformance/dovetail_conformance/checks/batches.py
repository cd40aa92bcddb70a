"""Batch invariance, reported: is row i of f(batch) the same bits as f(row i)? Native kernels promise nothing here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

import dovetail
from dovetail.nn import functional
from dovetail_conformance.calls import array
from dovetail_conformance.judge import FORMATS, ulps
from dovetail_conformance.judge.ulp import widen
from dovetail_conformance.outcome import Row
from dovetail_conformance.session import Session, quiet

Host = np.ndarray[Any, Any]

SIZES: Final = (2, 3, 8, 17)
FULL: Final = (*range(1, 34), 63, 64, 65, 127, 128, 129, 256, 257)
COMPILED: Final = (8,)

WIDTH: Final = 48

_rng: Final = np.random.default_rng(20)
_WEIGHT: Final = _rng.standard_normal((24, WIDTH)).astype(np.float32)
_IMAGE: Final = _rng.standard_normal((4, 3, 3, 3)).astype(np.float32)

Case = tuple[str, tuple[int, ...], Callable[[Any], Any]]

CASES: Final[tuple[Case, ...]] = (
    ("exp", (WIDTH,), lambda x: x.exp()),
    ("sum", (WIDTH,), lambda x: x.sum(-1)),
    ("mean", (WIDTH,), lambda x: x.mean(-1)),
    ("softmax", (WIDTH,), lambda x: functional.softmax(x, -1)),
    ("layer_norm", (WIDTH,), lambda x: functional.layer_norm(x, [WIDTH])),
    ("gelu", (WIDTH,), lambda x: functional.gelu(x)),
    ("matmul", (WIDTH,), lambda x: x @ _like(x, _WEIGHT).t()),
    ("linear", (WIDTH,), lambda x: functional.linear(x, _like(x, _WEIGHT))),
    ("bmm", (5, WIDTH), lambda x: x @ x.transpose(-1, -2)),
    ("conv2d", (3, 9, 9), lambda x: functional.conv2d(x, _like(x, _IMAGE))),
    ("attention", (2, 7, 16), lambda x: functional.scaled_dot_product_attention(x, x, x)),
    ("cumsum", (WIDTH,), lambda x: x.cumsum(-1)),
)
"""Functions that treat each entry of the first dimension by itself."""


def _like(x: Any, host: Host) -> Any:
    return dovetail.tensor(host, device=x.device)


def batches(session: Session) -> list[Row]:
    """One row per function, with the share of rows that are the same bits as alone; nothing is judged but form."""
    return [_one(session, *case) for case in CASES]


def _one(session: Session, name: str, shape: tuple[int, ...], function: Callable[[Any], Any]) -> Row:
    row = Row(name, "float32", "batches", kind="reported")
    sizes = FULL if session.full else COMPILED if session.lean else SIZES
    rng = np.random.default_rng(session.seed)
    same, rows, apart = 0, 0, 0.0
    for size in sizes:
        host = rng.standard_normal((size, *shape)).astype(np.float32)
        row.cases += 1
        try:
            with quiet(), dovetail.use_backend(session.device):
                whole = array(function(dovetail.tensor(host, device=session.device)))
                parts = [array(function(dovetail.tensor(h[None], device=session.device)))[0] for h in host]
        except Exception as error:  # whatever a backend raises is a failure of the cell
            row.fail(f"{name} of a batch of {size}: {type(error).__name__}: {error}")
            continue
        row.tested += whole.size
        for a, b in zip(whole, parts, strict=True):
            if a.shape != b.shape:
                row.fail(f"{name}: a row of the batch has shape {a.shape}, alone {b.shape}")
                continue
            rows += 1
            same += a.tobytes() == b.tobytes()
            apart = max(apart, float(np.abs(ulps(a, widen(b), FORMATS["float32"])).max(initial=0.0)))
    row.facts = {"rows": rows, "identical": same, "apart_ulp": round(apart, 3)}
    return row
