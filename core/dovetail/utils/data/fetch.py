"""Fetchers: from what the sampler says to the batch, in the main process and in workers alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from dovetail import ops
from dovetail.tensor.tensor import Tensor
from dovetail.utils.data.collate import default_collate
from dovetail.utils.data.dataset import IterableDataset, StackDataset, Subset, TensorDataset, get_items
from dovetail.utils.data.errors import CollateError, WorkerError

Collate = Callable[[Any], Any]


class MapFetcher:
    """Looks samples up by position and puts them together.

    ``batched`` says whether the sampler gives lists of positions. Where the dataset is made of tensors alone
    and the samples would be stacked by the default rule, the rows of a whole batch are taken at once, with
    the same result.
    """

    def __init__(self, dataset: Any, collate: Collate, batched: bool) -> None:
        self.dataset = dataset
        self.collate = collate
        self.batched = batched
        self.columns = columns_of(dataset) if batched and collate is default_collate else None

    def skip(self, batches: int, request: Any) -> None:
        """Pass over batches: positions depend on nothing that came before."""

    def state(self) -> Any:
        """Nothing to keep."""
        return None

    def fetch(self, request: Any) -> Any:
        """Return the batch at a list of positions, or the sample at one position."""
        try:
            if self.columns is not None and (rows := as_rows(request)) is not None:
                try:
                    return self.columns(rows)
                except OutsideError:
                    pass  # sample by sample the dataset itself says which index is wrong
            samples = get_items(self.dataset, request) if self.batched else self.dataset[request]
            return self.collate(samples)
        except CollateError as error:
            if self.batched:
                error.locate(request)
            raise
        except StopIteration as error:
            # Through a loader's __next__ it would end the epoch in silence.
            raise WorkerError(f"{type(self.dataset).__name__} raised StopIteration for the index {request}") from error


class StreamFetcher:
    """Takes samples off a stream and puts them together; raises StopIteration at its end.

    A stream that goes on from a checkpoint gets the state that it, or its dataset, has given for it; one without is
    run through again.
    """

    def __init__(
        self, dataset: IterableDataset[Any], collate: Collate, batched: bool, drop_last: bool, state: Any = None
    ) -> None:
        self.dataset = dataset
        self.restored = state is not None
        if state is not None and state["of"] == "dataset":
            dataset.load_state_dict(state["state"])  # type: ignore[attr-defined]  # it has given the state
        self.stream: Iterator[Any] = iter(dataset)
        if state is not None and state["of"] == "iterator":
            self.stream.load_state_dict(state["state"])  # type: ignore[attr-defined]  # likewise
        self.collate = collate
        self.batched = batched
        self.drop_last = drop_last

    def skip(self, batches: int, request: Any) -> None:
        """Pass over batches of the size that ``request`` has, unless the stream is behind them already."""
        count = 0 if self.restored else batches * (len(request) if self.batched else 1)
        for _ in islice(self.stream, count):
            pass

    def state(self) -> Any:
        """Return the state of the iterator or of the dataset, whichever has one; None for most streams."""
        for kind, owner in (("iterator", self.stream), ("dataset", self.dataset)):
            if hasattr(owner, "state_dict") and hasattr(owner, "load_state_dict"):
                return {"of": kind, "state": owner.state_dict()}
        return None

    def fetch(self, request: Any) -> Any:
        """Return the next batch of as many samples as ``request`` has positions, or the next sample."""
        if not self.batched:
            return self.collate(next(self.stream))
        samples = list(islice(self.stream, len(request)))
        if not samples or (self.drop_last and len(samples) < len(request)):
            raise StopIteration
        return self.collate(samples)


Fetcher = MapFetcher | StreamFetcher


def make_fetcher(dataset: Any, collate: Collate, batched: bool, drop_last: bool, state: Any = None) -> Fetcher:
    """Return the fetcher for the kind of dataset; ``state`` is that of a stream that goes on."""
    if isinstance(dataset, IterableDataset):
        return StreamFetcher(dataset, collate, batched, drop_last, state)
    return MapFetcher(dataset, collate, batched)


# -------------------------------------------------------------------------------------- whole batches at once

Rows = np.ndarray[Any, np.dtype[np.int64]]
Columns = Callable[[Rows], Any]


class OutsideError(Exception):
    """A position outside a dataset of tensors; never leaves this module."""


def as_rows(indices: Any) -> Rows | None:
    """Return positions as an array, None unless they are a sequence of plain ints."""
    if not isinstance(indices, list | tuple | range | np.ndarray) or len(indices) == 0:
        return None
    if isinstance(indices, list | tuple) and not all(type(index) is int for index in indices):
        return None
    rows = np.asarray(indices)
    return rows.astype(np.int64, copy=False) if rows.ndim == 1 and rows.dtype.kind == "i" else None


def columns_of(dataset: Any) -> Columns | None:
    """Return the function that takes a whole batch out of a dataset of tensors, None for any other dataset.

    A class of the user's that changes how samples are read is another dataset.
    """
    cls = type(dataset)
    if isinstance(dataset, TensorDataset):
        changed = cls.__getitem__ is not TensorDataset.__getitem__ or hasattr(cls, "__getitems__")
        return None if changed or any(type(t) is not Tensor for t in dataset.tensors) else TensorColumns(dataset)
    if isinstance(dataset, Subset) and _reads_as(cls, Subset):
        inner, rows = columns_of(dataset.dataset), as_rows(dataset.indices)
        return None if inner is None or rows is None else SubsetColumns(inner, rows)
    if isinstance(dataset, StackDataset) and _reads_as(cls, StackDataset):
        parts = [part for child in dataset.children if (part := columns_of(child)) is not None]
        return StackColumns(dataset, parts) if len(parts) == len(dataset.children) else None
    return None


def _reads_as(cls: Any, model: Any) -> bool:
    return cls.__getitem__ is model.__getitem__ and cls.__getitems__ is model.__getitems__


def _inside(rows: Rows, length: int) -> Rows:
    if rows.min() < -length or rows.max() >= length:
        raise OutsideError
    return rows


class TensorColumns:
    """The rows of every tensor of a :class:`TensorDataset`."""

    def __init__(self, dataset: TensorDataset) -> None:
        self.tensors = dataset.tensors
        self.length = len(dataset)

    def __call__(self, rows: Rows) -> list[Tensor]:
        index = ops.from_numpy(_inside(rows, self.length) % self.length)  # negative ones count from the end
        return [ops.index_select(tensor, 0, index.to(tensor.device)) for tensor in self.tensors]


class SubsetColumns:
    """The rows of a dataset of tensors that a :class:`Subset` names."""

    def __init__(self, inner: Columns, rows: Rows) -> None:
        self.inner = inner
        self.rows = rows

    def __call__(self, rows: Rows) -> Any:
        return self.inner(self.rows[_inside(rows, len(self.rows))])


class StackColumns:
    """The columns of every child, in the form that the default collate gives to a stacked sample."""

    def __init__(self, dataset: StackDataset, parts: list[Columns]) -> None:
        self.dataset = dataset
        self.parts = parts

    def __call__(self, rows: Rows) -> Any:
        sample = self.dataset.assemble([part(rows) for part in self.parts])
        return list(sample) if isinstance(sample, tuple) else sample
