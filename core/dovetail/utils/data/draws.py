"""Random draws on the host: everything that a sampler needs from the framework's generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dovetail import dtypes, ops
from dovetail.random.generator import Generator
from dovetail.tensor.tensor import Tensor

_SEEDS = 2**63 - 1


def seed(generator: Generator | None) -> int:
    """Return a seed for something else, drawn from a generator (the default one for None)."""
    return int(ops.randint(0, _SEEDS, (), generator=generator).item())


def own_generator() -> Generator:
    """Return a new generator that is seeded from the default one."""
    generator = Generator()
    generator.manual_seed(seed(None))
    return generator


def permutation(count: int, generator: Generator | None) -> list[int]:
    """Return the numbers below ``count`` in random order."""
    return ops.randperm(count, generator=generator).tolist()  # type: ignore[no-any-return]  # a list of ints


def integers(high: int, count: int, generator: Generator | None) -> list[int]:
    """Return ``count`` numbers from 0 to ``high - 1``."""
    return ops.randint(0, high, (count,), generator=generator).tolist()  # type: ignore[no-any-return]  # as above


def uniform(count: int, generator: Generator | None) -> np.ndarray[Any, Any]:
    """Return ``count`` float64 numbers from 0 up to but not including 1."""
    return np.asarray(ops.rand((count,), generator=generator, dtype=dtypes.float64).numpy())


def is_generator(value: object) -> bool:
    """Tell whether a value can be asked for draws."""
    return isinstance(value, Generator)


def host_weights(weights: Sequence[float] | Tensor) -> np.ndarray[Any, Any]:
    """Return weights in float64 on the host."""
    values = weights.detach().numpy() if isinstance(weights, Tensor) else weights
    return np.array(values, dtype=np.float64)
