"""Host values of the inputs that a record's samples describe, for a dtype and a seed."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

import dovetail
from dovetail.backend.inspection import Arg

Host = np.ndarray[Any, Any]

FLOATS: Final = ("float32", "float64", "float16", "bfloat16")
CATEGORIES: Final = {"float": FLOATS, "int": ("int64", "int32", "uint8"), "bool": ("bool",)}
"""The dtypes that a sample's category stands for."""

WIDE: Final = 1024
"""Elements of a wide draw: one shape for all, because a new shape is a new program on a compiling backend."""


def named(dtype: str) -> Any:
    """The dtype of a name."""
    return getattr(dovetail, dtype)


def draw(arg: Arg, dtype: str, seed: int, *, ties: bool = False) -> Host:
    """Values of an argument in its own dtype or the one under test; with ``ties`` whole numbers, many of them equal."""
    kind = named(arg.dtype or dtype)
    rng = np.random.default_rng(seed)
    if arg.values is not None:
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(arg.values).reshape(arg.shape).astype(kind.host)
    if kind is dovetail.bool:
        return rng.integers(0, 2, arg.shape).astype(bool)
    if not kind.is_floating_point:
        low = max(math.ceil(arg.low), 0 if kind.name.startswith("u") else -100)
        return rng.integers(low, max(math.floor(arg.high), low) + 1, arg.shape).astype(kind.host)
    size = math.prod(arg.shape)
    if arg.distinct:
        steps = np.linspace(arg.low, arg.high, size + 2)[1:-1] if size else np.empty(0)
        return rng.permutation(steps).reshape(arg.shape).astype(kind.host)
    if arg.log:
        return np.exp(rng.uniform(math.log(arg.low), math.log(arg.high), arg.shape)).astype(kind.host)
    values = rng.uniform(arg.low, arg.high, arg.shape)
    if ties and math.ceil(arg.low) < math.floor(arg.high):
        values = np.clip(np.round(values), math.ceil(arg.low), math.floor(arg.high))
    return np.asarray(values).astype(kind.host)


def special(dtype: str) -> Host:
    """Zeros, infinities, NaN, the edges of the format, ties and their neighbours, and large arguments."""
    if dtype not in FLOATS:
        info = np.iinfo(dtype) if dtype != "bool" else None
        return np.array([0, 1] if info is None else [0, 1, 2, 3, info.max, info.min], dtype=dtype)
    kind = named(dtype).host
    info = _limits(kind)
    tiny, largest, eps = float(info.smallest_normal), float(info.max), float(info.eps)
    least = float(info.smallest_subnormal)
    sizes = [
        0.0, least, 3 * least, tiny - least, tiny, tiny + least, eps, eps / 2, 1e-3, 0.1, 0.5, 0.5 + eps / 2, 1 - eps,
        1 - eps / 2, 1.0, 1 + eps, 1.5, 2.0, 2.5, 3.0, 7.0, 10.0, 16.0, 20.0, 50.0, 88.0, 90.0, 100.0, 1000.5, 65504.0,
        1e22, math.sqrt(largest), largest / 2, largest, math.inf,
        *(math.log(largest) * (1 - k / 4096) for k in range(5)), -math.log(tiny), -math.log(least),
    ]  # fmt: skip
    with np.errstate(over="ignore"):
        positive = np.array(sizes).astype(kind)
    return np.concatenate([positive, -positive, np.array([math.nan]).astype(kind)])


def _limits(kind: Any) -> Any:
    import ml_dtypes

    limits: Any = ml_dtypes.finfo  # its type information leaves it out
    return limits(kind) if kind.name == "bfloat16" else np.finfo(kind)


def wide(args: list[Arg], dtype: str, seed: int) -> list[Host]:
    """Values of the elementwise inputs of one call: every pair of special values that fits, then random ones.

    Random ones are log-uniform over the whole format, uniform where exponentials are finite, and from each argument's
    own range.
    """
    rng = np.random.default_rng(seed)
    kinds = [arg.dtype or dtype for arg in args]
    edges = [special(kind) for kind in kinds]
    if len(args) == 1:
        columns = [edges[0]]
    else:
        pairs = rng.permutation(len(edges[0]) * len(edges[1]))[: WIDE // 2]
        columns = [edges[0][pairs // len(edges[1])], edges[1][pairs % len(edges[1])]]
        columns += [rng.permutation(np.resize(e, pairs.size)) for e in edges[2:]]
    rest = WIDE - columns[0].size
    found = []
    for arg, kind, column in zip(args, kinds, columns, strict=True):
        near = draw(Arg((rest,), kind, arg.low, arg.high), kind, int(rng.integers(2**40)))
        if kind in FLOATS:
            near[: rest // 2] = _logarithmic(kind, rest // 2, rng)
            near[: rest // 8] = _exponents(kind, rest // 8, rng)
        found.append(np.concatenate([column, near]))
    return found


def _logarithmic(dtype: str, count: int, rng: np.random.Generator) -> Host:
    kind = named(dtype).host
    info = _limits(kind)
    low, high = math.log(float(info.smallest_normal)), math.log(float(info.max))
    sizes = np.exp(rng.uniform(low, high * (1 - 1e-12), count))
    with np.errstate(over="ignore"):
        return np.asarray((sizes * rng.choice([-1.0, 1.0], count)).astype(kind))


def _exponents(dtype: str, count: int, rng: np.random.Generator) -> Host:
    """Numbers whose exponentials are just about finite: where functions made of them go wrong."""
    kind = named(dtype).host
    end = math.log(float(_limits(kind).max))
    return np.asarray(rng.uniform(-1.05 * end, 1.05 * end, count)).astype(kind)
