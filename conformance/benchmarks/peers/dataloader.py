"""A pass over 20,000 images in batches of 128, shuffled: indexing NumPy arrays by hand, and PyTorch's DataLoader.

Three kinds of datasets, as programs have them: tensors that are cut by a ``TensorDataset``, a class whose samples are
rows of tensors, and a class whose samples are NumPy arrays and Python ints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

BATCH = 128
IMAGE = (3, 32, 32)
KINDS = ("tensors", "rows", "arrays")

Step = Callable[[], float]


@lru_cache(maxsize=1)
def problem(samples: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return images and their classes, the same ones every time."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((samples, *IMAGE), dtype=np.float32), rng.integers(0, 10, samples)


def dataset(framework: Any, kind: str, samples: int) -> Any:
    """Return a dataset of one of the kinds, written for a framework as its users do."""
    images, classes = problem(samples)
    data = framework.utils.data
    x, y = framework.from_numpy(images), framework.from_numpy(classes)
    if kind == "tensors":
        return data.TensorDataset(x, y)
    rows = kind == "rows"

    class Images(data.Dataset):  # type: ignore[misc]  # of a framework that is not known here
        def __len__(self) -> int:
            return samples

        def __getitem__(self, index: int) -> tuple[Any, Any]:
            return (x[index], y[index]) if rows else (images[index], int(classes[index]))

    return Images()


def consumed(batches: Iterable[Any]) -> float:
    """Run through a pass; return how many samples came."""
    return float(sum(len(classes) for _, classes in batches))


def by_hand(samples: int) -> Step:
    """One permutation, and one row of indices for each batch."""
    images, classes = problem(samples)
    rng = np.random.default_rng(1)

    def batches() -> Iterable[Any]:
        order = rng.permutation(samples)
        for start in range(0, samples, BATCH):
            rows = order[start : start + BATCH]
            yield images[rows], classes[rows]

    return lambda: consumed(batches())


def with_torch(kind: str, samples: int, workers: int) -> Step:
    """PyTorch's loader; workers stay from one pass to the next."""
    import torch

    torch.set_num_threads(1)
    loader = torch.utils.data.DataLoader(
        dataset(torch, kind, samples), BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    return lambda: consumed(loader)
