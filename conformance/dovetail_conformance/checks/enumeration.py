"""Every input: all 65,536 numbers of a 16-bit format, and all 2^32 of float32 for functions of one number.

The reference in float64 is at least 2^25 times finer than float32: it decides everything but what lies next to a tie or
next to a bound. That little goes to the judge, which is exact. The reference itself is held against exact results at
some inputs of each block, so that a wrong one is found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import dovetail
from dovetail.backend.inspection import Agree, Arg, Op
from dovetail.errors import DovetailError
from dovetail_conformance import draw
from dovetail_conformance.calls import Invocation, args_of, array, invocation
from dovetail_conformance.checks.values import judge_call
from dovetail_conformance.expectation import Expected
from dovetail_conformance.judge import FORMATS, Reference, Verdict, evaluate, flush
from dovetail_conformance.judge.verdict import bits
from dovetail_conformance.outcome import Row
from dovetail_conformance.session import Session, quiet

Host = np.ndarray[Any, Any]
Doubles = NDArray[np.float64]

DTYPE: Final = "float32"
BLOCK: Final = 2**26
"""Inputs of a block, the unit that a run is resumed by."""
BLOCKS: Final = 2**32 // BLOCK
CHUNK: Final = 2**20
"""Inputs of one call: small enough for the caches, and one shape for a backend that compiles."""
MARGIN: Final = 2.0**-20
"""ULP of float32 within which the float64 reference is not asked: its own error is below 2^-26."""
PROBES: Final = 64
"""Inputs of a block at which the reference itself is checked."""
SETTLED: Final = 4096
"""Inputs of a chunk that the exact judge looks at; more than that fail by a margin that needs no judge."""
SLOW: Final = frozenset(("erfinv", "gelu", "lgamma", "digamma", "polygamma"))
"""Ops whose references are in multi-precision arithmetic for most inputs: a minute each, so not in the quick tier."""


def _sigmoid(x: Doubles) -> Doubles:
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, small, 1.0) / (1.0 + small))


REFERENCES: Final[Mapping[str, Callable[[Doubles], Doubles]]] = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "reciprocal": lambda x: 1.0 / x,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "sin": np.sin,
    "cos": np.cos,
}
"""Functions in float64 with an error of a few of its ULP."""


def sixteen(session: Session, op: Op, dtype: str) -> Row | None:
    """All numbers of float16 and bfloat16; None for an op of several numbers, or that is not elementwise."""
    if dtype not in ("float16", "bfloat16") or op.samples is None or not op.samples.special:
        return None
    if not session.full and (op.name in SLOW or session.lean):
        return None
    row = session.row(op, dtype, "exhaustive")
    host = np.arange(2**16, dtype=np.uint16).view(draw.named(dtype).host)
    seen: list[Any] = []
    for sample in op.samples.cases:
        args = args_of(sample)
        rest = ([a for a in sample.args if not isinstance(a, Arg)], sample.params)
        if len(args) != 1 or args[0].dtype is not None or args[0].values is not None or rest in seen:
            continue
        seen.append(rest)
        inv = invocation(op, sample, dtype, session.seed).with_hosts([host])
        if _elementwise(session, inv):
            judge_call(session, row, inv)
    return row if row.cases or row.failed else None


def _elementwise(session: Session, inv: Invocation) -> bool:
    """Whether the result has the shape of the input, which a sum or a sort of some of its elements has not."""
    if inv.op.agree is not None and inv.op.agree.kind == "G":
        return False
    if "dim" in inv.op.signature.index or "dims" in inv.op.signature.index:
        return False
    try:
        with quiet():
            return bool(tuple(inv.on(session.host)[0].shape) == inv.hosts[0].shape)
    except DovetailError:
        return False


@dataclass
class _Found:
    """What the chunks of a block have shown so far."""

    worst: float = 0.0
    at: str = ""
    rounded: int = 0
    exact: int = 0
    failures: int = 0


def every(session: Session, op: Op, dtype: str, part: int) -> Row:
    """One block of all float32 inputs of a function."""
    row = Row(op.name, dtype, "every")
    agree, reference = op.agree or Agree.exact(), REFERENCES[op.name]
    row.kind, row.unit, row.bound = agree.kind, "ULP", agree.at_most(dtype)
    found, digest = _Found(), hashlib.sha256()
    try:
        with quiet():
            _probe(row, op, part, reference)
            for first in range(part * BLOCK, (part + 1) * BLOCK, CHUNK):
                x = np.arange(first, first + CHUNK, dtype=np.uint32).view(np.float32)
                got = _on_device(session, op, x)
                digest.update(np.where(np.isnan(got), np.float32(np.nan), got).tobytes())
                _chunk(session, row, op, agree, x, got, reference(x.astype(np.float64)), found)
                row.tested += x.size
    except Exception as error:  # whatever a backend raises is a failure of the cell and not of the run
        row.fail(f"{op.name}, block {part}: {type(error).__name__}: {error}")
        return row
    row.cases, row.rounded = BLOCK // CHUNK, found.rounded / row.tested
    if row.status == "pass":
        row.figure = found.worst
        row.at = {op.signature.parameters[0].name: found.at} if found.at else {}
    row.facts = {"sha256": digest.hexdigest(), "settled_exactly": found.exact}
    return row


def _on_device(session: Session, op: Op, x: Host) -> Host:
    with dovetail.use_backend(session.device):
        return array(op.call(dovetail.tensor(x, device=session.device)))


def _exact(name: str, x: Host) -> Reference:
    return evaluate(lambda m, v: m.function(name, v), x)


def _probe(row: Row, op: Op, part: int, reference: Callable[[Doubles], Doubles]) -> None:
    """Hold the float64 reference against exact results at some inputs of the block."""
    places = np.random.default_rng(part).integers(part * BLOCK, (part + 1) * BLOCK, PROBES).astype(np.uint32)
    x = places.view(np.float32)
    x = x[np.isfinite(x)]
    if not x.size:
        return
    value = _exact(op.name, x).value
    near = reference(x.astype(np.float64))
    usable = np.isfinite(value) & (np.abs(value) >= FORMATS[DTYPE].smallest) & np.isfinite(near)
    off = np.abs(near.astype(np.longdouble) - value)[usable] / np.abs(value)[usable]
    if off.size and float(off.max()) > 2.0**-48:
        place = x[usable][off.argmax()]
        row.fail(f"{op.name}: the suite's float64 reference is off by {float(off.max()):.3g} at {place!r}")


def units(exact: Doubles) -> Doubles:
    """The ULP of float32 at finite float64 values, by their bits: at a power of two the smaller spacing."""
    word = exact.view(np.int64)
    exponent = (word >> 52) & 0x7FF
    exponent -= (word & ((1 << 52) - 1)) == 0
    np.clip(exponent, 1023 - 126, 1023 + 127, out=exponent)
    return ((exponent - 23) << 52).view(np.float64)


def _chunk(session: Session, row: Row, op: Op, agree: Agree, x: Host, got: Host, ref: Doubles, found: _Found) -> None:
    """Judge one call: by the reference where that can tell, exactly where it cannot."""
    fmt = FORMATS[DTYPE]
    unit = units(ref)
    given = got.astype(np.float64)
    nearest = ref.astype(np.float32)
    both_nan = np.isnan(ref) & np.isnan(got)
    same = (got == nearest) | both_nan
    stepped = np.where(np.isinf(given), np.copysign(2.0 ** (fmt.emax + 1), given), given)
    error = np.abs(stepped - ref) / unit
    error[both_nan | (np.isinf(nearest) & same)] = 0.0
    error[np.isnan(error)] = np.inf
    sign = (got == 0) & (np.signbit(got) != np.signbit(ref))
    tie = np.abs(np.abs(ref - nearest) / unit - 0.5) < MARGIN
    tie &= np.isfinite(ref)
    wrong = ~same & ~tie if agree.bitwise else error > row.bound - MARGIN
    suspects = wrong | sign | (tie if agree.bitwise else False)
    if session.flushes(DTYPE):
        suspects &= ~_flushed(op, x, got, ref)
    doubt = np.flatnonzero(suspects | tie)
    found.exact += doubt.size
    if doubt.size:
        same[doubt[:SETTLED]] = _settle(session, row, op, agree, x, got, suspects, doubt[:SETTLED], found)
        found.failures += int(suspects[doubt[SETTLED:]].sum())
    found.rounded += int(same.sum())
    shown = np.where(suspects | ~np.isfinite(error) | (~same & (error > row.bound)), 0.0, error)
    worst = int(np.argmax(shown))
    if shown[worst] > found.worst:
        found.worst, found.at = float(min(shown[worst], row.bound)), bits(x[worst])


def _flushed(op: Op, x: Host, got: Host, ref: Doubles) -> NDArray[np.bool_]:
    """Where a device that takes subnormal numbers for zero has done so, in the result or in the input."""
    least = FORMATS[DTYPE].smallest_normal
    excused = (np.abs(ref) < least) & (got == 0) & (np.signbit(got) == np.signbit(ref))
    small = np.flatnonzero((np.abs(x) < least) & (x != 0))
    if small.size:
        zero = REFERENCES[op.name](np.copysign(0.0, x[small].astype(np.float64))).astype(np.float32)
        taken = got[small]
        equal = (taken == zero) & (np.signbit(taken) == np.signbit(zero))
        excused[small] |= equal | (np.isnan(taken) & np.isnan(zero))
    return np.asarray(excused)


def _settle(
    session: Session,
    row: Row,
    op: Op,
    agree: Agree,
    x: Host,
    got: Host,
    suspects: NDArray[np.bool_],
    doubt: NDArray[np.int64],
    found: _Found,
) -> NDArray[np.bool_]:
    """Ask the exact judge about some elements; which of them are the nearest number."""
    chosen, held = x[doubt], suspects[doubt]
    if held.any():
        verdict = _judged(session, op, agree, chosen[held], got[doubt][held])
        found.failures += verdict.failures
        if verdict.ok and verdict.worst > found.worst:
            found.worst, found.at = verdict.worst, next(iter(verdict.at.values()), "")
        elif not verdict.ok:
            row.take(verdict)
            row.tested -= verdict.tested
    right = _exact(op.name, chosen).rounded(FORMATS[DTYPE])
    return np.asarray((got[doubt] == right) | (np.isnan(got[doubt]) & np.isnan(right)))


def _judged(session: Session, op: Op, agree: Agree, x: Host, got: Host) -> Verdict:
    assert op.samples is not None, "functions of one number have samples"
    inv = Invocation(op, op.samples.cases[0], DTYPE, (x,))
    flushed = partial(_alone, op.name, flush(x)) if session.flushes(DTYPE) else None
    return Expected(agree, _exact(op.name, x), None, flushed, elementwise=True).judge(got, inv, session.device)


def _alone(name: str, x: Host) -> tuple[Reference, None]:
    return _exact(name, x), None
