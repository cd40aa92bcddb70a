"""Random draws on the host: everything that a sampler needs from the framework's generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dovetail import dtypes, ops
from dovetail.contract import discovery
from dovetail.contract.device import Device
from dovetail.random.generator import Generator
from dovetail.tensor.tensor import Tensor

_SEEDS = 2**63 - 1


def _host() -> Device | None:
    # The numbers are the same on every device; on the host nothing is compiled for each length.
    return discovery.host_device()


def seed(generator: Generator | None) -> int:
    """Return a seed for something else, drawn from a generator (the default one for None)."""
    return int(ops.randint(0, _SEEDS, (), generator=generator, device=_host()).item())


def own_generator() -> Generator:
    """Return a new generator that is seeded from the default one."""
    return Generator().manual_seed(seed(None))


def words_of(generator: Generator) -> list[int]:
    """Return where a generator is, as plain ints."""
    found: list[int] = generator.get_state().tolist()
    return found


def put_words(generator: Generator, words: Sequence[int]) -> None:
    """Put a generator where :func:`words_of` has found it."""
    generator.set_state(ops.tensor(list(words), dtype=dtypes.int64, device=_host()))


def permutation(count: int, generator: Generator | None) -> list[int]:
    """Return the numbers below ``count`` in random order."""
    return _ints(ops.randperm(count, generator=generator, device=_host()))


def integers(high: int, count: int, generator: Generator | None) -> list[int]:
    """Return ``count`` numbers from 0 to ``high - 1``."""
    return _ints(ops.randint(0, high, (count,), generator=generator, device=_host()))


def uniform(count: int, generator: Generator | None) -> np.ndarray[Any, Any]:
    """Return ``count`` float64 numbers from 0 up to but not including 1."""
    return np.asarray(ops.rand((count,), generator=generator, dtype=dtypes.float64, device=_host()).numpy())


def _ints(tensor: Tensor) -> list[int]:
    found: list[int] = tensor.tolist()
    return found


def is_generator(value: object) -> bool:
    """Tell whether a value can be asked for draws."""
    return isinstance(value, Generator)


def host_weights(weights: Sequence[float] | Tensor) -> np.ndarray[Any, Any]:
    """Return weights in float64 on the host."""
    values = weights.detach().numpy() if isinstance(weights, Tensor) else weights
    return np.array(values, dtype=np.float64)
