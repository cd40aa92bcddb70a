"""Which elements of a dimension make each element of a resampled one, and with which weights.

All of it is host arithmetic on sizes: tables of (taps, results), cached because a program repeats its sizes.

Sources: for nearest, linear and cubic the conventions of ``torch.nn.functional.interpolate``'s documentation
(pixel centres at half numbers, or corners aligned); R. Keys 1981, *Cubic convolution interpolation for digital
image processing*, with a = -0.75; with antialias the filters of the Pillow library, widened by the scale
(triangle; Keys with a = -0.5; Lanczos windowed sinc of three lobes).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
SMOOTH: Final = -0.5
SHARP: Final = -0.75
"""Keys' parameter with and without antialias."""


class Taps(NamedTuple):
    """For each result its elements and their weights, both of shape (taps, results)."""

    positions: Array
    weights: Array
    inside: Array
    """False where a result has fewer elements than there are taps."""


class Sampling(NamedTuple):
    """How one dimension of ``before`` elements becomes one of ``after``.

    The kinds are "nearest", "nearest-exact", "linear", "cubic", "lanczos", and "windows" for the sums of adaptive ones.
    ``scale`` is the factor that the caller gave, None where the sizes say it; ``single`` says that positions are
    computed in float32, as PyTorch does for inputs of up to 32 bits.
    """

    kind: str
    before: int
    after: int
    align_corners: bool = False
    scale: float | None = None
    antialias: bool = False
    single: bool = True

    @property
    def repeats(self) -> int:
        """How often each element is repeated, 0 where the results are not plain repetitions."""
        whole = self.kind.startswith("nearest") and self.after % self.before == 0
        factor = self.after // self.before
        return factor if whole and self.scale in (None, factor) else 0

    def taps(self) -> Taps:
        """For each result the elements that it is made of."""
        return taps_of(self)

    def adjoint(self) -> Taps:
        """For each element the results that it went into."""
        return adjoint_of(self)


def cubic_weights(t: Any, a: float) -> list[Any]:
    """Keys' weights of the four neighbours of a point at distance ``t`` from the second."""

    def near(x: Any) -> Any:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Any) -> Any:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _triangle(x: Array) -> Array:
    found: Array = np.maximum(1 - np.abs(x), 0)
    return found


def _keys(x: Array) -> Array:
    x, a = np.abs(x), SMOOTH
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _lanczos(x: Array) -> Array:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


_FILTERS: Final[dict[str, tuple[Callable[[Array], Array], float]]] = {
    "linear": (_triangle, 1.0),
    "cubic": (_keys, 2.0),
    "lanczos": (_lanczos, 3.0),
}
"""The filter of each kind with antialias, and how far it reaches."""


def _pace(how: Sampling, kind: Any) -> Any:
    """The distance of two results among the elements, in the given type."""
    if how.align_corners:
        return kind(how.before - 1) / kind(how.after - 1) if how.after > 1 else kind(0)
    if how.scale is not None and how.scale > 0:
        return kind(1.0 / how.scale)
    return kind(how.before) / kind(how.after)


def _nearest(how: Sampling) -> Taps:
    kind: Any = np.float32 if how.single else np.float64
    at = np.arange(how.after).astype(kind)
    if how.kind == "nearest-exact":
        at = at + kind(0.5)
    # in the type of the input: the integer part decides, and must be the one that PyTorch finds
    positions = np.minimum(np.floor(at * _pace(how, kind)).astype(np.int64), how.before - 1)
    return _taps([positions], [np.ones(how.after)])


def _taps(positions: list[Array], weights: list[Array]) -> Taps:
    shape = (len(positions), len(positions[0]))
    return Taps(np.stack(positions), np.stack(weights), np.ones(shape, bool))


def _windows(how: Sampling) -> Taps:
    """The elements of window i, from floor(i n / m) to ceil((i + 1) n / m), each with the weight 1."""
    at = np.arange(how.after)
    first, last = at * how.before // how.after, -(-(at + 1) * how.before // how.after)
    steps = np.arange(int((last - first).max(initial=1)))[:, None]
    inside = steps < last - first
    return Taps(np.minimum(steps + first, last - 1), inside.astype(np.float64), inside)


def _centres(how: Sampling) -> Array:
    """Where each result lies among the elements."""
    pace = _pace(how, np.float64)
    at = np.arange(how.after, dtype=np.float64)
    centres: Array = at * pace if how.align_corners else (at + 0.5) * pace - 0.5
    return centres


def _linear(how: Sampling) -> Taps:
    at = np.maximum(_centres(how), 0)
    first = np.minimum(np.floor(at).astype(np.int64), how.before - 1)
    second = np.minimum(first + 1, how.before - 1)
    share = np.clip(at - first, 0, 1)
    return _taps([first, second], [1 - share, share])


def _cubic(how: Sampling) -> Taps:
    at = _centres(how)
    first = np.floor(at)
    weights = cubic_weights(at - first, SHARP)
    positions = [np.clip(first.astype(np.int64) + step, 0, how.before - 1) for step in (-1, 0, 1, 2)]
    return _taps(positions, weights)


def _filtered(how: Sampling) -> Taps:
    """Every element in reach of the filter, which is as wide as the results are apart."""
    shape, reach = _FILTERS[how.kind]
    pace = float(_pace(how, np.float64))
    widening = max(pace, 1.0)
    centres = (np.arange(how.after) + 0.5) * pace
    first = np.maximum((centres - reach * widening + 0.5).astype(np.int64), 0)
    last = np.minimum((centres + reach * widening + 0.5).astype(np.int64), how.before)
    steps = np.arange(max(int((last - first).max()), 1))[:, None]
    inside = steps < last - first
    weights = np.where(inside, shape((steps + first - centres + 0.5) / widening), 0.0)
    total = weights.sum(axis=0)
    weights = np.divide(weights, total, out=weights, where=total != 0)
    return Taps(np.minimum(steps + first, how.before - 1), weights, inside)


@functools.lru_cache(maxsize=256)
def taps_of(how: Sampling) -> Taps:
    """The table of a sampling: for each result the elements that it is made of."""
    if how.kind.startswith("nearest"):
        return _nearest(how)
    if how.kind == "windows":
        return _windows(how)
    if how.antialias:
        return _filtered(how)
    return _linear(how) if how.kind == "linear" else _cubic(how)


@functools.lru_cache(maxsize=256)
def adjoint_of(how: Sampling) -> Taps:
    """The table of the gradient: for each element the results that it went into."""
    positions, weights, inside = taps_of(how)
    used = inside & (weights != 0)
    elements = positions[used]
    results = np.broadcast_to(np.arange(how.after), positions.shape)[used]
    order = np.argsort(elements, kind="stable")
    elements, results, shares = elements[order], results[order], weights[used][order]
    counts = np.bincount(elements, minlength=how.before)
    rank = np.arange(elements.size) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = (max(int(counts.max(initial=0)), 1), how.before)
    found = Taps(np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape, bool))
    found.positions[rank, elements] = results
    found.weights[rank, elements] = shares
    found.inside[rank, elements] = True
    return found


def output_size(size: int, factor: float) -> int:
    """How many elements ``size`` elements become by a factor."""
    return math.floor(size * factor)
