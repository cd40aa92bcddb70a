"""The line search of LBFGS: a step length that satisfies the strong Wolfe conditions.

J. Nocedal and S. Wright, Numerical Optimization (2006), algorithms 3.5 and 3.6, with cubic interpolation (equation
3.59) and the safeguards of M. Schmidt's minFunc: a trial stays a tenth of the bracket away from its ends where the
last one was close to an end too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

ARMIJO: Final = 1e-4
CURVATURE: Final = 0.9


@dataclass(slots=True)
class Point:
    """A point on the line: how far, the value, the gradient there and its slope along the line."""

    t: float
    value: float
    gradient: Any
    slope: float


Evaluate = Callable[[float], Point]


def cubic_minimum(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """The minimum of the cubic through two points with their slopes, within bounds (by default between them)."""
    low, high = bounds if bounds is not None else (min(a.t, b.t), max(a.t, b.t))
    middle = (low + high) / 2.0
    if a.t == b.t:
        return middle
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if not square >= 0:
        return middle
    d2 = math.sqrt(square)
    first, last = (a, b) if a.t <= b.t else (b, a)
    below = last.slope - first.slope + 2 * d2
    if below == 0:
        return middle
    found = last.t - (last.t - first.t) * ((last.slope + d2 - d1) / below)
    return min(max(found, low), high)


class _Search:
    """One search: the start, and how many points were looked at."""

    def __init__(self, evaluate: Evaluate, start: Point, most: int) -> None:
        self.evaluate, self.start, self.most = evaluate, start, most
        self.looked = 0
        self.turns = 0

    def look(self, t: float) -> Point:
        """Evaluate at a step length."""
        self.looked += 1
        return self.evaluate(t)

    def too_high(self, point: Point) -> bool:
        """Whether the value has not fallen enough for the length of the step (Armijo)."""
        return point.value > self.start.value + ARMIJO * point.t * self.start.slope

    def flat(self, point: Point) -> bool:
        """Whether the slope has become small enough (curvature)."""
        return abs(point.slope) <= -CURVATURE * self.start.slope

    def bracket(self, t: float) -> tuple[list[Point], bool]:
        """Two points with an acceptable step between them, or one that is acceptable; and whether it is."""
        before, point = self.start, self.look(t)
        while self.turns < self.most:
            if self.too_high(point) or (self.turns > 1 and point.value >= before.value):
                return [before, point], False
            if self.flat(point):
                return [point], True
            if point.slope >= 0:
                return [before, point], False
            bounds = (point.t + 0.01 * (point.t - before.t), point.t * 10)
            t = cubic_minimum(before, point, bounds)
            before, point = point, self.look(t)
            self.turns += 1
        return [self.start, point], False

    def zoom(self, ends: list[Point], reach: float, tolerance: float) -> Point:
        """Narrow the bracket down to an acceptable point, or to the lowest one that was found."""
        low, high = _ordered(ends)
        close = False
        while self.turns < self.most and abs(ends[1].t - ends[0].t) * reach >= tolerance:
            t, close = _safeguarded(ends, close)
            point = self.look(t)
            self.turns += 1
            if self.too_high(point) or point.value >= ends[low].value:
                ends[high] = point
                low, high = _ordered(ends)
                continue
            done = self.flat(point)
            if not done and point.slope * (ends[high].t - ends[low].t) >= 0:
                ends[high] = ends[low]
            ends[low] = point
            if done:
                break
        return ends[low]


def _ordered(ends: list[Point]) -> tuple[int, int]:
    """Which end is lower, and which is not."""
    return (0, 1) if ends[0].value <= ends[-1].value else (1, 0)


def _safeguarded(ends: list[Point], close: bool) -> tuple[float, bool]:
    """A trial between the ends; whether it is close to one of them."""
    t = cubic_minimum(ends[0], ends[1])
    first, last = min(p.t for p in ends), max(p.t for p in ends)
    margin = 0.1 * (last - first)
    if not min(last - t, t - first) < margin:
        return t, False
    if not (close or t >= last or t <= first):
        return t, True
    return (last - margin if abs(t - last) < abs(t - first) else first + margin), False


def strong_wolfe(
    evaluate: Evaluate, t: float, start: Point, reach: float, most: int, tolerance: float = 1e-9
) -> tuple[Point, int]:
    """Return an acceptable point and how many were looked at.

    ``t`` is the first step to try, ``start`` the point at 0, ``reach`` the largest element of the direction, ``most``
    how often the search may go on.
    """
    search = _Search(evaluate, start, most)
    ends, done = search.bracket(t)
    if done:
        return ends[0], search.looked
    return search.zoom(ends, reach, tolerance), search.looked
