"""Mistakes in datasets, samplers and loaders, each also of the type that PyTorch raises for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail.errors import DovetailError


class MissingMethodsError(DovetailError, NotImplementedError, TypeError):
    """A dataset or sampler that lacks methods which its use needs; the message names all of them."""


class DatasetSizeError(DovetailError, AssertionError, ValueError):
    """Datasets, tensors or lengths that do not fit together."""


class SampleIndexError(DovetailError, IndexError, ValueError):
    """An index that points outside a dataset."""


class SamplingError(DovetailError, RuntimeError):
    """Weights from which no samples can be drawn."""


class CollateTypeError(DovetailError, TypeError):
    """Samples of a type that cannot become a batch by themselves."""


class CollateKeyError(DovetailError, KeyError):
    """Samples that are mappings with different keys."""

    def __str__(self) -> str:
        # KeyError shows the repr of its argument, which would put the sentence into quotes.
        return str(self.args[0])


class CollateError(DovetailError, RuntimeError):
    """Samples whose sizes differ, so that they do not stack to a batch.

    ``entry`` is the position in the batch of the first sample that does not fit.
    """

    def __init__(self, message: str, entry: int | None = None) -> None:
        super().__init__(message, entry)
        self.entry = entry
        self.place = ""

    def locate(self, indices: Sequence[Any]) -> None:
        """Say which sample of the dataset the entry is; ``indices`` are those that made the batch."""
        if self.entry is not None and self.entry < len(indices):
            self.place = f" (entry {self.entry} of this batch is sample {indices[self.entry]} of the dataset)"

    def __str__(self) -> str:
        return f"{self.args[0]}{self.place}"


class LoaderStateError(DovetailError, RuntimeError):
    """A loader whose position cannot be kept."""


class WorkerError(DovetailError, RuntimeError):
    """A worker process of a DataLoader that died, hangs, or raised something that cannot travel."""
