"""Samplers: in which order a loader asks a dataset for its samples.

Every random order is drawn on the framework's counter-based generator, so the same seed gives the same order
on every backend.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

import numpy as np

from dovetail.errors import ArgumentError, ArgumentTypeError
from dovetail.utils.data import draws
from dovetail.utils.data.errors import MissingMethodsError, SamplingError

if TYPE_CHECKING:
    from dovetail.random.generator import Generator

T_co = TypeVar("T_co", covariant=True)

CHUNK: Final = 1 << 16
"""Draws with replacement are made this many at a time: whole blocks of the generator, so nobody can tell."""


class Sampler(Generic[T_co]):
    """The base of every sampler: an iterable of positions, or of lists of positions.

    A subclass defines ``__iter__``, and ``__len__`` where the number is known.

    Raises:
        MissingMethodsError: on use, when ``__iter__`` is not defined.
    """

    def __iter__(self) -> Iterator[T_co]:
        raise MissingMethodsError(
            f"{type(self).__name__} is a Sampler that does not define __iter__: subclasses of Sampler should "
            "implement it"
        )


class Drawing(Sampler[int]):
    """The base of samplers that draw: what their next iteration depends on is where their generator is."""

    generator: Generator | None

    def state_dict(self) -> dict[str, Any]:
        """Return where the generator is; nothing for the default generator, whose state belongs to the process."""
        return {"generator": None if self.generator is None else draws.words_of(self.generator)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Put the generator back.

        Raises:
            ArgumentError: the state is that of a sampler with a generator of its own, and this one has none, or the
                other way round.
        """
        words = state_dict["generator"]
        if (words is None) is not (self.generator is None):
            raise ArgumentError(
                f"the state of this {type(self).__name__} was saved {'without' if words is None else 'with'} a "
                "generator of its own: make the sampler, or the DataLoader, as it was"
            )
        if words is not None and self.generator is not None:
            draws.put_words(self.generator, words)


class SequentialSampler(Sampler[int]):
    """Every position in order.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    data_source: Sized

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Drawing):
    """Positions in random order, or drawn with replacement.

    Args:
        data_source: what has the length.
        replacement: whether a position may come more than once.
        num_samples: how many positions an iteration gives, the length if left out; without replacement and
            beyond the length, one permutation follows another.
        generator: where the draws come from; left out, each iteration seeds one of its own from the default
            generator.

    Raises:
        ArgumentTypeError: ``replacement`` is not a bool.
        ArgumentError: ``num_samples`` is not a positive int.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(replacement, bool):
            raise ArgumentTypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        _check_positive("num_samples", self.num_samples)

    @property
    def num_samples(self) -> int:
        """How many positions an iteration gives; follows the data source where it was left out."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        generator = draws.own_generator() if self.generator is None else self.generator
        length, left = len(self.data_source), self.num_samples
        while left > 0:
            if self.replacement:
                drawn = draws.integers(length, min(left, CHUNK), generator)
            else:
                drawn = draws.permutation(length, generator)[:left]
            left -= len(drawn)
            yield from drawn

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Drawing):
    """The given positions in random order, each once.

    >>> sorted(SubsetRandomSampler([3, 1, 4]))
    [1, 3, 4]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for position in draws.permutation(len(self.indices), self.generator):
            yield self.indices[position]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Drawing):
    """Positions drawn with a probability for each.

    With replacement a draw is the inverse of the cumulated weights at a uniform number. Without, each
    position gets the key ``log(u) / weight`` and the largest keys are taken in their order, which is the same
    as drawing one after the other (Efraimidis and Spirakis, Information Processing Letters 97, 2006).

    Args:
        weights: one number, not negative, for each position; they need not add up to one.
        num_samples: how many positions an iteration gives.
        replacement: whether a position may come more than once.
        generator: where the draws come from; the default generator if left out.

    Raises:
        ArgumentTypeError: ``replacement`` is not a bool.
        ArgumentError: ``num_samples`` is not a positive int, or ``weights`` is not one-dimensional.
        SamplingError: on iteration, weights that are negative, not finite or all zero, or, without
            replacement, fewer positive weights than samples.
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        _check_positive("num_samples", num_samples)
        if not isinstance(replacement, bool):
            raise ArgumentTypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        self.weights = draws.host_weights(weights)
        if self.weights.ndim != 1:
            raise ArgumentError(
                f"weights should be a 1d sequence but given weights have shape {tuple(self.weights.shape)}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        self._check_weights()
        drawn = self._with_replacement() if self.replacement else self._without_replacement()
        return iter(drawn.tolist())

    def _check_weights(self) -> None:
        weights = self.weights
        if np.any(weights < 0):
            raise SamplingError("invalid multinomial distribution (encountering probability entry < 0)")
        if not np.all(np.isfinite(weights)):
            raise SamplingError("invalid multinomial distribution (encountering probability entry = infinity or NaN)")
        if weights.sum() <= 0:
            raise SamplingError("invalid multinomial distribution (sum of probabilities <= 0)")
        possible = int(np.count_nonzero(weights))
        if not self.replacement and self.num_samples > possible:
            raise SamplingError(
                "cannot sample n_sample > prob_dist.size(-1) samples without replacement: "
                f"{self.num_samples} samples, {possible} positions with a weight above 0"
            )

    def _with_replacement(self) -> np.ndarray[Any, Any]:
        cumulated = np.cumsum(self.weights)
        points = draws.uniform(self.num_samples, self.generator) * cumulated[-1]
        found = np.searchsorted(cumulated, points, side="right")
        # Rounding may put a point onto the total: then it belongs to the last position that can be drawn.
        last = np.flatnonzero(self.weights)[-1]
        return np.asarray(np.minimum(found, last))

    def _without_replacement(self) -> np.ndarray[Any, Any]:
        possible = np.flatnonzero(self.weights)
        # 1 - u is above 0, so that no logarithm is infinite.
        points = 1.0 - draws.uniform(len(self.weights), self.generator)[possible]
        keys = np.log(points) / self.weights[possible]
        return possible[np.argsort(-keys, kind="stable")[: self.num_samples]]

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler["list[int]"]):
    """Positions of another sampler, ``batch_size`` at a time.

    Args:
        sampler: any iterable of positions.
        batch_size: how many make a batch.
        drop_last: whether a last batch that is not full is left out.

    Raises:
        ArgumentError: ``batch_size`` is not a positive int, or ``drop_last`` not a bool.

    >>> list(BatchSampler(range(5), 2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Sampler[int] | Iterable[int], batch_size: int, drop_last: bool) -> None:
        _check_positive("batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ArgumentError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        positions = iter(self.sampler)
        while batch := list(islice(positions, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        count = len(cast(Sized, self.sampler))
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


def _check_positive(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ArgumentError(f"{name} should be a positive integer value, but got {name}={value}")


__all__ = [
    "Sampler", "SequentialSampler", "RandomSampler", "SubsetRandomSampler", "WeightedRandomSampler",
    "BatchSampler",
]  # fmt: skip
