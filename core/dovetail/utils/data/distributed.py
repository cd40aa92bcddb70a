"""A sampler for training on several machines: each process sees a part of its own of every epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sized

from dovetail.errors import ArgumentError
from dovetail.random.generator import Generator
from dovetail.utils.data import draws
from dovetail.utils.data.sampler import Sampler


class DistributedSampler(Sampler[int]):
    """Every ``num_replicas``-th position of one order that all processes share, beginning at ``rank``.

    All processes get the same number: the order is filled up from its beginning, or with ``drop_last`` cut.

    Args:
        dataset: what has the length.
        num_replicas: how many processes take part.
        rank: which of them this is.
        shuffle: whether the order is random, from ``seed`` plus the epoch; otherwise that of the dataset.
        seed: the same in all processes.
        drop_last: cut instead of filling up.

    Raises:
        ArgumentError: no number of processes, or a rank outside of it.

    >>> [list(DistributedSampler("abcde", 2, rank, shuffle=False)) for rank in range(2)]
    [[0, 2, 4], [1, 3, 0]]
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            raise ArgumentError(
                "DistributedSampler needs num_replicas (how many processes) and rank (which of them this is)"
            )
        if not 0 <= rank < num_replicas:
            raise ArgumentError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        self.epoch = 0

    @property
    def num_samples(self) -> int:
        """How many positions each process gets."""
        count = len(self.dataset)
        return count // self.num_replicas if self.drop_last else -(-count // self.num_replicas)

    @property
    def total_size(self) -> int:
        """How many positions all processes get together."""
        return self.num_samples * self.num_replicas

    def __iter__(self) -> Iterator[int]:
        order = self._order()
        if order:
            order = (order * -(-self.total_size // len(order)))[: self.total_size]
        return iter(order[self.rank :: self.num_replicas])

    def _order(self) -> list[int]:
        if not self.shuffle:
            return list(range(len(self.dataset)))
        return draws.permutation(len(self.dataset), Generator().manual_seed(self.seed + self.epoch))

    def __len__(self) -> int:
        return self.num_samples

    def state_dict(self) -> dict[str, int]:
        """Return the epoch, which with the seed is all that the order depends on."""
        return {"epoch": self.epoch}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go back to the epoch of a :meth:`state_dict`."""
        self.epoch = state_dict["epoch"]

    def set_epoch(self, epoch: int) -> None:
        """Give the next pass an order of its own; all processes call it with the same number."""
        self.epoch = epoch


__all__ = ["DistributedSampler"]
