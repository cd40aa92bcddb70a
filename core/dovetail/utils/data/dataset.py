"""Datasets: by position (:class:`Dataset`), as a stream (:class:`IterableDataset`), and made of others."""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from dovetail.utils.data import draws
from dovetail.utils.data.errors import DatasetSizeError, MissingMethodsError, SampleIndexError

if TYPE_CHECKING:
    from dovetail.random.generator import Generator
    from dovetail.tensor.tensor import Tensor

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Samples that are looked up by a key, as a rule by position.

    A subclass defines ``__getitem__`` and, for the default samplers, ``__len__``. It may define
    ``__getitems__``, which takes a list of positions and returns a list of samples, to read a batch at once.

    Raises:
        MissingMethodsError: on use, when a needed method is not defined.

    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 10
    ...     def __getitem__(self, index):
    ...         return index * index
    >>> Squares()[3]
    9
    """

    def __getitem__(self, index: Any) -> T_co:
        raise MissingMethodsError(missing_methods(self))

    def __add__(self, other: Dataset[Any]) -> ConcatDataset[Any]:
        """Return the two datasets one after the other."""
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """Samples that come as a stream, for sources where a look-up by position is not possible or dear.

    A subclass defines ``__iter__``. With worker processes every worker iterates over a copy of its own: split
    the work in ``__iter__`` by :func:`get_worker_info`, or every sample comes once per worker.

    Raises:
        MissingMethodsError: on use, when ``__iter__`` is not defined.
    """

    def __iter__(self) -> Iterator[T_co]:
        raise MissingMethodsError(missing_methods(self))

    def __getitem__(self, index: Any) -> T_co:
        name = type(self).__name__
        raise MissingMethodsError(f"{name} is an IterableDataset: iterate over it, it has no samples by position")

    def __add__(self, other: Dataset[Any]) -> ChainDataset[Any]:  # type: ignore[override]  # as PyTorch: a stream
        """Return the two streams one after the other."""
        return ChainDataset([self, other])


def missing_methods(dataset: object) -> str:
    """Return the sentence that names every method which a dataset lacks for its kind."""
    cls = type(dataset)
    if isinstance(dataset, IterableDataset):
        kind, needed = "an IterableDataset", ["__iter__"]
        missing = [name for name in needed if getattr(cls, name) is getattr(IterableDataset, name)]
    else:
        kind, needed = "a Dataset", ["__getitem__", "__len__"]
        missing = [name for name in needed if getattr(cls, name, None) in (None, getattr(Dataset, name, None))]
    return (
        f"{cls.__name__} is {kind} that does not define {' and '.join(missing or needed)}: subclasses of "
        f"{kind.split()[-1]} should implement {' and '.join(needed)}"
    )


class TensorDataset(Dataset["tuple[Tensor, ...]"]):
    """Samples cut from tensors along their first dimension.

    Args:
        tensors: tensors of one length.

    Raises:
        DatasetSizeError: the lengths differ.

    >>> import dovetail
    >>> TensorDataset(dovetail.tensor([1, 2, 3]), dovetail.tensor([4, 5, 6]))[1]
    (tensor(2), tensor(5))
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise DatasetSizeError("At least one tensor should be passed")
        lengths = [tensor.size(0) for tensor in tensors]
        if len(set(lengths)) > 1:
            raise DatasetSizeError(
                f"Size mismatch between tensors: their first dimensions are {lengths}, "
                "and one sample takes one row of each"
            )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].size(0))


class StackDataset(Dataset[Any]):
    """Datasets of one length side by side: a sample is a tuple, or with keywords a dict, of their samples.

    Raises:
        DatasetSizeError: no dataset, both forms at once, or lengths that differ.

    >>> StackDataset(image=["a", "b"], label=[0, 1])[1]
    {'image': 'b', 'label': 1}
    """

    datasets: tuple[Any, ...] | dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise DatasetSizeError(
                "Supported either tuple-like (positional) or dict-like (keyword) datasets, but both types are given"
            )
        if not args and not kwargs:
            raise DatasetSizeError("At least one dataset should be passed")
        self.datasets = args or kwargs
        lengths = [len(dataset) for dataset in self.children]
        if len(set(lengths)) > 1:
            raise DatasetSizeError(f"Size mismatch between datasets: their lengths are {lengths}")
        self._length = lengths[0]

    @property
    def children(self) -> list[Any]:
        """The datasets in order, whichever form they were given in."""
        return list(self.datasets.values() if isinstance(self.datasets, dict) else self.datasets)

    def assemble(self, parts: Sequence[T]) -> tuple[T, ...] | dict[str, T]:
        """Return one value per child in the form of a sample."""
        return dict(zip(self.datasets, parts)) if isinstance(self.datasets, dict) else tuple(parts)

    def __getitem__(self, index: Any) -> tuple[Any, ...] | dict[str, Any]:
        return self.assemble([dataset[index] for dataset in self.children])

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Any, ...] | dict[str, Any]]:
        """Return the samples at ``indices``, each child read in one go where it can."""
        columns = [get_items(dataset, indices) for dataset in self.children]
        return [self.assemble(row) for row in zip(*columns)]

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[T_co]):
    """Datasets one after the other, looked up by position.

    Raises:
        DatasetSizeError: no dataset, or an :class:`IterableDataset` among them.
        SampleIndexError: a position outside all of them.

    >>> both = ConcatDataset([[1, 2], [3]])
    >>> len(both), both[2], both[-3]
    (3, 3, 1)
    """

    datasets: list[Any]
    cumulative_sizes: list[int]

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise DatasetSizeError("datasets should not be an empty iterable")
        for position, dataset in enumerate(self.datasets):
            if isinstance(dataset, IterableDataset):
                raise DatasetSizeError(
                    f"ConcatDataset does not support IterableDataset (entry {position}): use ChainDataset"
                )
        self.cumulative_sizes = list(accumulate(len(dataset) for dataset in self.datasets))

    def locate(self, index: int) -> tuple[int, int]:
        """Return which dataset a position falls into, and the position inside it."""
        length = len(self)
        position = index + length if index < 0 else index
        if not 0 <= position < length:
            raise SampleIndexError(
                f"absolute value of index should not exceed dataset length: index {index}, length {length}"
            )
        which = bisect_right(self.cumulative_sizes, position)
        return which, position - (self.cumulative_sizes[which - 1] if which else 0)

    def __getitem__(self, index: int) -> T_co:
        which, position = self.locate(index)
        return cast(T_co, self.datasets[which][position])

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset[T_co]):
    """Streams one after the other.

    Raises:
        DatasetSizeError: on iteration, an entry that is not an :class:`IterableDataset`.
    """

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets = datasets

    def _streams(self) -> Iterator[IterableDataset[Any]]:
        for position, dataset in enumerate(self.datasets):
            if not isinstance(dataset, IterableDataset):
                raise DatasetSizeError(
                    f"ChainDataset only supports IterableDataset, but entry {position} is "
                    f"{type(dataset).__name__}: use ConcatDataset"
                )
            yield dataset

    def __iter__(self) -> Iterator[T_co]:
        for dataset in self._streams():
            yield from dataset

    def __len__(self) -> int:
        return sum(len(cast(Sized, dataset)) for dataset in self._streams())


class Subset(Dataset[T_co]):
    """Some samples of a dataset, named by their positions.

    >>> Subset(["a", "b", "c"], [2, 0])[0]
    'c'
    """

    dataset: Any
    indices: Sequence[int]

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> T_co:
        if isinstance(index, list):
            return cast(T_co, self.dataset[[self.indices[i] for i in index]])
        return cast(T_co, self.dataset[self.indices[index]])

    def __getitems__(self, indices: Sequence[int]) -> list[T_co]:
        """Return the samples at ``indices``, read in one go where the dataset can."""
        return get_items(self.dataset, [self.indices[i] for i in indices])

    def __len__(self) -> int:
        return len(self.indices)


def get_items(dataset: Any, indices: Sequence[int]) -> list[Any]:
    """Return the samples at ``indices`` as a list, through ``__getitems__`` where the dataset has it.

    Raises:
        DatasetSizeError: ``__getitems__`` returned another number of samples than it was asked for.
    """
    read = getattr(dataset, "__getitems__", None)
    if not callable(read):
        return [dataset[index] for index in indices]
    items = list(read(indices))
    if len(items) != len(indices):
        raise DatasetSizeError(
            f"{type(dataset).__name__}.__getitems__ returned {len(items)} samples for {len(indices)} indices"
        )
    return items


def random_split(
    dataset: Dataset[T], lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset[T]]:
    """Return the dataset cut at random into parts that do not overlap.

    Args:
        dataset: anything with a length and positions.
        lengths: the sizes of the parts, or fractions that add up to 1; what rounding down leaves over goes to
            the parts in turn.
        generator: where the permutation comes from; the default generator if left out.

    Raises:
        DatasetSizeError: lengths that do not add up to the dataset's, or a fraction outside 0 to 1.

    >>> [len(part) for part in random_split(range(10), [0.33, 0.33, 0.34])]
    [4, 3, 3]
    """
    total = len(cast(Sized, dataset))
    sizes = _from_fractions(lengths, total) if _are_fractions(lengths) else [int(size) for size in lengths]
    if sum(sizes) != total or any(size < 0 for size in sizes):
        raise DatasetSizeError(
            "Sum of input lengths does not equal the length of the input dataset! "
            f"lengths={list(lengths)}, length of the dataset={total}"
        )
    order = draws.permutation(total, generator)
    ends = accumulate(sizes)
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends)]


def _are_fractions(lengths: Sequence[int | float]) -> bool:
    return math.isclose(sum(lengths), 1) and sum(lengths) <= 1


def _from_fractions(fractions: Sequence[float], total: int) -> list[int]:
    for position, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise DatasetSizeError(f"Fraction at index {position} is not between 0 and 1: {fraction}")
    sizes = [math.floor(total * fraction) for fraction in fractions]
    for position in range(total - sum(sizes)):
        sizes[position % len(sizes)] += 1
    for position, size in enumerate(sizes):
        if size == 0:
            warnings.warn(
                f"Length of split at index {position} is 0. This might result in an empty dataset.",
                stacklevel=3,
            )
    return sizes


__all__ = [
    "Dataset", "IterableDataset", "TensorDataset", "StackDataset", "ConcatDataset", "ChainDataset", "Subset",
    "random_split",
]  # fmt: skip
