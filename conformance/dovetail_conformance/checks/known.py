"""Random numbers against known answers: the words of NumPy's Philox, and what is made of them, worked out here again.

The other check of random numbers compares two devices; this one compares one device with the specification: element i
of a draw is word i of the stream, whatever the shape, the chunk and the generator's history.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

import dovetail
from dovetail_conformance.calls import array
from dovetail_conformance.judge import Case, Verdict, judge_continuous, judge_counts
from dovetail_conformance.outcome import Row
from dovetail_conformance.session import Session, quiet

Host = np.ndarray[Any, Any]
Check = Callable[[Row, int, int], None]
"""Takes the row, a seed and how much to draw."""

COUNT: Final = 2**20
"""Draws of each distribution, and words that are compared."""
MANY: Final = 10**7
"""Those of the full tier."""

VECTORS: Final = (
    ((0, 0, 0, 0), (0, 0), (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B)),
    (
        (2**64 - 1,) * 4,
        (2**64 - 1,) * 2,
        (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0),
    ),
)
"""Counter, key and words of Philox4x64-10 (kat_vectors of Random123, Salmon and others, SC'11)."""

SEED: Final = 2**40 + 7


def known(session: Session) -> list[Row]:
    """A row per kind of draw."""
    return [_row(session, name, dtype, check) for name, dtype, check in CHECKS]


def _row(session: Session, name: str, dtype: str, check: Check) -> Row:
    row = Row(name, dtype, "known", kind="S")
    state = dovetail.get_rng_state()
    try:
        with quiet(), dovetail.use_backend(session.device):
            check(row, SEED + session.seed, MANY if session.full else COUNT)
    except Exception as error:  # whatever a backend raises is a failure of the cell
        row.fail(f"{name}: {type(error).__name__}: {error}")
    finally:
        dovetail.set_rng_state(state)
    return row


def words(seed: int, count: int, offset: int = 0, stream: int = 0) -> Host:
    """Words of the stream of a seed, by NumPy's own generator; ``offset`` in blocks of four words."""
    return np.asarray(np.random.Philox(key=[seed, stream], counter=offset).random_raw(count))


def halves(seed: int, count: int, offset: int = 0, stream: int = 0) -> Host:
    """Half-words, the low half of each word first."""
    full = words(seed, -(-count // 2), offset, stream)
    return np.stack([full & np.uint64(2**32 - 1), full >> np.uint64(32)], axis=1).reshape(-1)[:count]


def uniform32(seed: int, count: int, offset: int = 0, stream: int = 0) -> Host:
    """The top 24 bits of half-words."""
    return ((halves(seed, count, offset, stream) >> np.uint64(8)) * 2.0**-24).astype(np.float32)


def uniform64(seed: int, count: int, offset: int = 0) -> Host:
    """The top 53 bits of words."""
    return np.asarray((words(seed, count, offset) >> np.uint64(11)) * 2.0**-53)


def _same(row: Row, what: str, got: Any, right: Host) -> None:
    found = array(got)
    row.cases += 1
    row.tested += right.size
    if found.dtype == right.dtype and found.shape == right.shape and found.tobytes() == right.tobytes():
        return
    same_form = found.shape == right.shape
    at = int(np.argmax((found != right).reshape(-1))) if same_form else 0
    value = found.reshape(-1)[at] if found.size > at else "nothing"
    row.fail(f"{what}: element {at} is not the known answer", expected=right.reshape(-1)[at], got=value)


def _vectors(row: Row, seed: int, count: int) -> None:
    """The reference itself, and the block at counter 0, which a draw reaches from the end of the counter."""
    for counter, key, right in VECTORS:
        before = (sum(c << 64 * i for i, c in enumerate(counter)) - 1) % 2**256
        raw = np.random.Philox(key=sum(k << 64 * i for i, k in enumerate(key)), counter=before).random_raw(4)
        row.tested += 4
        row.cases += 1
        if raw.tolist() != list(right):
            row.fail(f"NumPy's Philox at counter {counter}", expected=right, got=raw.tolist())
    for at in (0, 1, 2**33):
        dovetail.manual_seed(seed)
        dovetail.default_generator.advance(at)
        _same(row, f"words from block {at} on", dovetail.rand(8, dtype=dovetail.float64), uniform64(seed, 8, at))


def _float32(row: Row, seed: int, count: int) -> None:
    dovetail.manual_seed(seed)
    _same(row, f"rand({count})", dovetail.rand(count), uniform32(seed, count))
    _same(row, "the next draw", dovetail.rand(5), uniform32(seed, 5, count // 8))


def _float64(row: Row, seed: int, count: int) -> None:
    dovetail.manual_seed(seed)
    _same(row, f"rand({count}) in float64", dovetail.rand(count, dtype=dovetail.float64), uniform64(seed, count))


def _shapes(row: Row, seed: int, count: int) -> None:
    """Element i of a draw is the same in every shape, and a draw takes whole blocks."""
    for shape in ((6,), (2, 3), (1, 3, 2), (7,)):
        dovetail.manual_seed(seed)
        right = uniform32(seed, math.prod(shape)).reshape(shape)
        _same(row, f"rand{shape}", dovetail.rand(*shape), right)
        _same(row, f"what follows rand{shape}", dovetail.rand(2), uniform32(seed, 2, 1))


def _states(row: Row, seed: int, count: int) -> None:
    """A state that was saved, restored, copied, forked and advanced."""
    generator = dovetail.Generator().manual_seed(seed)
    dovetail.rand(9, generator=generator)
    saved = generator.get_state()
    right = uniform32(seed, 4, 2)
    _same(row, "after two blocks", dovetail.rand(4, generator=generator), right)
    _same(row, "from the saved state", dovetail.rand(4, generator=generator.set_state(saved)), right)
    _same(row, "from another generator", dovetail.rand(4, generator=dovetail.Generator().set_state(saved)), right)
    _same(row, "from a fork", dovetail.rand(4, generator=generator.fork(3)), uniform32(seed, 4, stream=3))
    generator.manual_seed(seed).advance(5)
    _same(row, "advanced by 5 blocks", dovetail.rand(4, generator=generator), uniform32(seed, 4, 5))


def _randint(row: Row, seed: int, count: int) -> None:
    low, high, n = -5, 1000, 1000
    dovetail.manual_seed(seed)
    right = [low + (int(w) * (high - low) >> 64) for w in words(seed, n)]
    _same(row, f"randint({low}, {high})", dovetail.randint(low, high, (n,)), np.asarray(right, np.int64))


def _randperm(row: Row, seed: int, count: int) -> None:
    n = 257
    dovetail.manual_seed(seed)
    _same(row, f"randperm({n})", dovetail.randperm(n), np.argsort(words(seed, n), kind="stable").astype(np.int64))


def _bernoulli(row: Row, seed: int, count: int) -> None:
    n, p = 1000, 0.25
    dovetail.manual_seed(seed)
    right = (halves(seed, n) < int(p * 2**32)).astype(np.float32)
    _same(row, f"bernoulli of {p}", dovetail.bernoulli(dovetail.full((n,), p)), right)


def _distributions(row: Row, seed: int, count: int) -> None:
    """Kolmogorov-Smirnov and chi-square over a million draws each, ten in the full tier."""
    dovetail.manual_seed(seed)
    case = Case(row.op, "float32", device=str(dovetail.get_default_device()))
    uniform = array(dovetail.rand(count))
    _judged(row, judge_continuous(uniform, lambda x: np.clip(x, 0, 1), case))
    _judged(row, judge_continuous(array(dovetail.randn(count)), _normal, case))
    drawn = array(dovetail.randint(0, 100, (count,)))
    _judged(row, judge_counts(np.bincount(drawn, minlength=100), np.full(100, 0.01), case))
    kept = int(array(dovetail.bernoulli(dovetail.full((count,), 0.3))).sum())
    _judged(row, judge_counts([kept, count - kept], [0.3, 0.7], case))


def _judged(row: Row, verdict: Verdict) -> None:
    row.cases += 1
    row.tested += verdict.tested
    if not verdict.ok:
        row.fail(verdict.message)


def _normal(x: Host) -> Host:
    """The normal distribution function on sorted numbers: exact at 4096 places, with straight lines between them."""
    places = np.linspace(-6.5, 6.5, 4096)
    exact = [0.5 * math.erfc(-v / math.sqrt(2)) for v in places]
    return np.asarray(np.interp(x, places, exact))


CHECKS: Final[tuple[tuple[str, str, Check], ...]] = (
    ("words", "float64", _vectors),
    ("rand", "float32", _float32),
    ("rand", "float64", _float64),
    ("shapes", "float32", _shapes),
    ("states", "float32", _states),
    ("randint", "int64", _randint),
    ("randperm", "int64", _randperm),
    ("bernoulli", "float32", _bernoulli),
    ("distributions", "float32", _distributions),
)
