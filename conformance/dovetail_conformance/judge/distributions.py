"""Whether draws follow their distribution: Kolmogorov-Smirnov for continuous ones, chi-square for counts.

Both have to pass with p > 1e-6: one false alarm in a million honest draws, and a seed is fixed besides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

from dovetail_conformance.judge.verdict import Case, Verdict

SIGNIFICANCE = 1e-6
"""The p-value below which draws are taken to follow another distribution."""


def judge_continuous(draws: Any, cdf: Callable[[NDArray[np.float64]], Any], case: Case) -> Verdict:
    """Draws against a continuous distribution, given by its distribution function on float64 arrays.

    Errors: ValueError for no draws.
    """
    values = np.sort(np.asarray(draws).astype(np.float64).reshape(-1))
    n = values.size
    if not n:
        raise ValueError("there are no draws to judge")
    if not np.isfinite(values).all():
        return _decided(case, "Kolmogorov-Smirnov", 0.0, n, "NaN or infinity among the draws")
    levels = np.asarray(cdf(values), np.float64)
    steps = np.arange(n + 1, dtype=np.float64) / n
    # Equal draws make one step of the empirical distribution, from before the first to after the last.
    last = np.searchsorted(values, values, side="right")
    first = np.searchsorted(values, values, side="left")
    distance = max(float(np.max(steps[last] - levels)), float(np.max(levels - steps[first])))
    return _decided(case, "Kolmogorov-Smirnov", _kolmogorov(distance, n), n, f"distance {distance:.3g}")


def judge_counts(observed: Any, probabilities: Any, case: Case) -> Verdict:
    """Counts of outcomes against their probabilities; the rarest are pooled until 5 of them are expected.

    Errors: ValueError for no draws, or for probabilities that do not sum to 1.
    """
    counts = np.asarray(observed, np.float64).reshape(-1)
    shares = np.asarray(probabilities, np.float64).reshape(-1)
    total = float(counts.sum())
    if not total:
        raise ValueError("there are no draws to judge")
    if counts.shape != shares.shape or abs(float(shares.sum()) - 1) > 1e-9:
        raise ValueError("there must be one probability per outcome, and they must sum to 1")
    impossible = (shares == 0) & (counts > 0)
    if impossible.any():
        return _decided(case, "chi-square", 0.0, int(total), "an outcome that cannot occur")
    order = np.argsort(shares)
    expected = shares[order] * total
    first = int(np.searchsorted(np.cumsum(expected), 5.0))
    starts = np.append(0, np.arange(min(first + 1, len(order)), len(order)))
    seen, hoped = np.add.reduceat(counts[order], starts), np.add.reduceat(expected, starts)
    statistic = float(np.sum((seen - hoped) ** 2 / hoped))
    freedom = len(seen) - 1
    if not freedom:
        return _decided(case, "chi-square", 1.0, int(total), "too few draws to tell outcomes apart")
    # The upper tail of the chi-square distribution is a regularised incomplete gamma function.
    p = float(mpmath.gammainc(freedom / 2, statistic / 2, regularized=True))
    return _decided(case, "chi-square", p, int(total), f"{statistic:.4g} with {freedom} degrees of freedom")


def _kolmogorov(distance: float, n: int) -> float:
    """The p-value: Kolmogorov's limit with the correction of Stephens (1970) for finite n."""
    root = math.sqrt(n)
    x = (root + 0.12 + 0.11 / root) * distance
    if x < 0.2:
        return 1.0
    total = math.fsum((1 if j % 2 else -1) * math.exp(-2 * (j * x) ** 2) for j in range(1, 101))
    return min(max(2 * total, 0.0), 1.0)


def _decided(case: Case, test: str, p: float, n: int, detail: str) -> Verdict:
    """A verdict in decimal orders of magnitude of the p-value, of which 6 are allowed."""
    ok = p > SIGNIFICANCE
    worst = -math.log10(p) if p > 0 else math.inf
    reason = "" if ok else f"{test} gives p = {p:.3g}, at least {SIGNIFICANCE:g} needed ({detail})"
    unit, bound = f"-log10 p ({test})", -math.log10(SIGNIFICANCE)
    return Verdict(ok, case, "D", unit, worst, bound, n, 0 if ok else n, reason=reason)
