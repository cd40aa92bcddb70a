"""Indexing against a model in plain Python: numbers in a list, and for every result the places they come from.

The model knows PyTorch's rules: positions take their dimension away first; tensors of positions and masks broadcast to
one block, which stands where the tensors stood, or in front if something lies between them.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import dovetail
from dovetail_conformance.calls import array
from dovetail_conformance.outcome import Row
from dovetail_conformance.session import Session, quiet

Shape = tuple[int, ...]
SHAPES: Final[tuple[Shape, ...]] = ((5,), (3, 4), (2, 3, 4), (2, 1, 3, 2))
CASES: Final = 240
"""Random indices; few of them in the quick tier where every shape is compiled."""
MANY: Final = 20_000
"""Those of the full tier."""


class Picked:
    """What an index picks: the shape of the result, and the place in the flat tensor of each of its elements."""

    def __init__(self, shape: Shape, items: Sequence[Any]) -> None:
        basic = _whole(shape, items)
        axes, block, kept = _axes(shape, basic)
        advanced = [i for i, axis in enumerate(kept) if axis[0] == "advanced"]
        split = advanced and advanced != list(range(advanced[0], advanced[-1] + 1))
        at = 0 if split or not advanced else advanced[0]
        others = [axis for axis in kept if axis[0] != "advanced"]
        ahead, behind = others[:at], others[at:]
        sizes = [len(a[2]) for a in ahead] + list(block) + [len(a[2]) for a in behind]
        self.shape: Shape = tuple(sizes)
        strides = [math.prod(shape[d + 1 :]) for d in range(len(shape))]
        fixed = sum(strides[d] * p for d, p in axes)
        self.places = []
        for where in itertools.product(*map(range, sizes)):
            inside = where[at : at + len(block)]
            outside = [*where[:at], *where[at + len(block) :]]
            place = fixed
            for (_, dim, chosen), w in zip(others, outside, strict=True):
                place += strides[dim] * chosen[w] if dim >= 0 else 0
            for i in advanced:
                _, dim, positions = kept[i]
                place += strides[dim] * _spread(positions, block, inside)
            self.places.append(place)


def _whole(shape: Shape, items: Sequence[Any]) -> list[Any]:
    """The index without ellipsis, with full slices for the dimensions that it does not name."""
    used = sum(_depth(i) if _is_mask(i) else i is not None and i is not ... for i in items)
    fill = [slice(None)] * (len(shape) - used)
    at = next((n for n, i in enumerate(items) if i is ...), -1)
    if at >= 0:
        return [*items[:at], *fill, *items[at + 1 :]]
    return [*items, *fill]


def _axes(shape: Shape, items: Sequence[Any]) -> tuple[list[tuple[int, int]], Shape, list[tuple[str, int, list[Any]]]]:
    """Fixed positions, the common shape of lists of positions, and the axes that are left, in order."""
    fixed: list[tuple[int, int]] = []
    kept: list[tuple[str, int, list[Any]]] = []
    shapes: list[Shape] = []
    dim = 0
    for item in items:
        if item is None:
            kept.append(("new", -1, [0]))
        elif isinstance(item, int):
            fixed.append((dim, _inside(item, shape[dim])))
            dim += 1
        elif isinstance(item, slice):
            kept.append(("slice", dim, list(range(shape[dim])[item])))
            dim += 1
        elif _is_mask(item):
            depth = _depth(item)
            true = [w for w in itertools.product(*map(range, shape[dim : dim + depth])) if _at(item, w)]
            for k in range(depth):
                kept.append(("advanced", dim + k, [w[k] for w in true]))
                shapes.append((len(true),))
            dim += depth
        else:
            kept.append(("advanced", dim, _map(item, partial(_inside, size=shape[dim]))))
            shapes.append(_shape(item))
            dim += 1
    block = [1] * max((len(s) for s in shapes), default=0)
    for s in shapes:
        for k in range(1, len(s) + 1):
            block[-k] = s[-k] if s[-k] != 1 else block[-k]
    return fixed, tuple(block), kept


def _inside(position: int, size: int) -> int:
    if not -size <= position < size:
        raise IndexError(position)
    return position % size


def _is_mask(item: Any) -> bool:
    while isinstance(item, list) and item:
        item = item[0]
    return isinstance(item, bool)


def _depth(item: Any) -> int:
    return 1 + _depth(item[0]) if isinstance(item, list) else 0


def _shape(item: Any) -> Shape:
    return (len(item), *_shape(item[0])) if isinstance(item, list) and item else (0,) if item == [] else ()


def _at(item: Any, where: Sequence[int]) -> Any:
    for w in where:
        item = item[w]
    return item


def _map(item: Any, function: Callable[[int], int]) -> Any:
    return [_map(i, function) for i in item] if isinstance(item, list) else function(item)


def _spread(positions: Any, block: Shape, inside: Sequence[int]) -> int:
    """The position at a place of the block, to which the list was broadcast."""
    own = _shape(positions)
    where = [0 if n == 1 else w for n, w in zip(own, inside[len(block) - len(own) :], strict=True)]
    found: int = _at(positions, where)
    return found


def drawn(shape: Shape, rng: random.Random) -> list[Any]:
    """A random index: positions, slices, new axes, an ellipsis, lists of positions and masks."""
    items: list[Any] = []
    dim, to_the_end, masked = 0, False, False
    block = rng.choice(((2,), (3,), (2, 2)))
    while dim < len(shape) and (to_the_end or rng.random() < 0.85):
        kind, size = rng.randrange(7), shape[dim]
        if kind == 3 and not to_the_end:
            items.append(...)
            to_the_end = True  # what stands behind an ellipsis is counted from the end
            dim += rng.randrange(0, len(shape) - dim)
            continue
        if kind == 4:
            items.append(None)
        if kind == 0:
            items.append(rng.randrange(-size, size))
        elif kind == 5 and not _advanced(items):
            items.append([rng.random() < 0.6 for _ in range(size)])
            masked = True  # what a mask picks broadcasts with a list by luck alone
        elif kind >= 5 and not masked:
            flat = [rng.randrange(-size, size) for _ in range(math.prod(block))]
            rows = [flat[i : i + block[-1]] for i in range(0, len(flat), block[-1])]
            items.append(rows if len(block) > 1 else flat)
        elif kind == 1:
            items.append(slice(rng.randrange(-size, size + 2), rng.randrange(0, size + 2)))
        else:
            items.append(slice(rng.randrange(size), None, rng.randrange(1, 3)))
        dim += 1
    return items


def _advanced(items: Sequence[Any]) -> bool:
    return any(isinstance(i, list) for i in items)


def indexing(session: Session) -> list[Row]:
    """Reading, writing and adding by random indices, and positions out of range."""
    rows = [Row(name, "float32", "indexing", kind="E") for name in ("read", "write", "accumulate", "out of range")]
    count = CASES // 24 if session.lean else MANY if session.full and not session.compiles else CASES
    for number in range(count):
        rng = random.Random(session.seed * 10_000 + number)
        shape = SHAPES[number % len(SHAPES)]
        items = drawn(shape, rng)
        if not items:
            continue
        with quiet(), dovetail.use_backend(session.device):
            _read(rows[0], shape, items)
            _write(rows[1], shape, items)
            if all(isinstance(i, list) and not _is_mask(i) for i in items):
                _accumulate(rows[2], shape, items)
            _beyond(rows[3], shape, items, rng)
    return rows


def _given(items: Sequence[Any]) -> Any:
    """The index as a user writes it: tensors for lists."""
    made = tuple(dovetail.tensor(i) if isinstance(i, list) else i for i in items)
    return made[0] if len(made) == 1 else made


def _numbers(shape: Shape) -> Any:
    return dovetail.arange(math.prod(shape), dtype=dovetail.float32).reshape(shape)


def _compare(row: Row, what: str, shape: Shape, action: Callable[[], Any], values: list[float]) -> None:
    row.cases += 1
    row.tested += len(values)
    try:
        got = array(action())
    except Exception as error:  # whatever a backend raises is a failure of the cell
        row.fail(f"{what}: {type(error).__name__}: {error}", expected=values, snippet=what)
        return
    if got.shape != shape or got.reshape(-1).tolist() != values:
        row.fail(f"{what} is not what the model says", expected=(shape, values), got=(got.shape, got.tolist()))


def _read(row: Row, shape: Shape, items: Sequence[Any]) -> None:
    right = Picked(shape, items)
    what = f"arange({math.prod(shape)}).reshape{shape}[{_words(items)}]"
    _compare(row, what, right.shape, lambda: _numbers(shape)[_given(items)], [float(p) for p in right.places])


def _write(row: Row, shape: Shape, items: Sequence[Any]) -> None:
    def action() -> Any:
        x = _numbers(shape)
        x[_given(items)] = -1.0
        return x

    chosen = set(Picked(shape, items).places)
    values = [-1.0 if p in chosen else float(p) for p in range(math.prod(shape))]
    _compare(row, f"x{list(shape)}[{_words(items)}] = -1", shape, action, values)


def _accumulate(row: Row, shape: Shape, items: Sequence[Any]) -> None:
    """Repeated positions add up."""
    right = Picked(shape, items)
    values = [float(p) for p in range(math.prod(shape))]
    for number, place in enumerate(right.places):
        values[place] += number + 1.0

    def action() -> Any:
        added = dovetail.arange(1, len(right.places) + 1, dtype=dovetail.float32).reshape(right.shape)
        return _numbers(shape).index_put([dovetail.tensor(i) for i in items], added, accumulate=True)

    _compare(row, f"x{list(shape)}.index_put([{_words(items)}], ..., accumulate=True)", shape, action, values)


def _beyond(row: Row, shape: Shape, items: Sequence[Any], rng: random.Random) -> None:
    """One position moved out of range must raise IndexError."""
    places = [n for n, i in enumerate(items) if isinstance(i, int) or (isinstance(i, list) and not _is_mask(i))]
    if not places or any(i is ... for i in items):
        return
    at = rng.choice(places)
    far = rng.choice((7, -8))
    moved = [*items[:at], far if isinstance(items[at], int) else [far], *items[at + 1 :]]
    row.cases += 1
    row.tested += 1
    what = f"x{list(shape)}[{_words(moved)}]"
    try:
        got: Any = array(_numbers(shape)[_given(moved)]).tolist()
    except IndexError:
        return
    except Exception as error:  # any other error is the wrong one
        got = error
    row.fail(f"{what} does not raise IndexError", expected="IndexError", got=got)


def _words(items: Sequence[Any]) -> str:
    def word(item: Any) -> str:
        if not isinstance(item, slice):
            return "..." if item is ... else repr(item)
        ends = ["" if v is None else str(v) for v in (item.start, item.stop, item.step)]
        return ":".join(ends)

    return ", ".join(map(word, items))
