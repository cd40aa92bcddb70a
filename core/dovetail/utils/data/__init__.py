"""Datasets, samplers and the loader that makes batches of them."""

from __future__ import annotations

from dovetail.utils.data.collate import default_collate, default_convert
from dovetail.utils.data.dataloader import DataLoader
from dovetail.utils.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from dovetail.utils.data.distributed import DistributedSampler
from dovetail.utils.data.errors import (
    CollateError,
    CollateKeyError,
    CollateTypeError,
    DatasetSizeError,
    LoaderStateError,
    MissingMethodsError,
    SampleIndexError,
    SamplingError,
    WorkerError,
)
from dovetail.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from dovetail.utils.data.worker_info import WorkerInfo, get_worker_info

__all__ = [
    "DataLoader", "default_collate", "default_convert", "get_worker_info", "WorkerInfo",
    "Dataset", "IterableDataset", "TensorDataset", "StackDataset", "ConcatDataset", "ChainDataset", "Subset",
    "random_split",
    "Sampler", "SequentialSampler", "RandomSampler", "SubsetRandomSampler", "WeightedRandomSampler",
    "BatchSampler", "DistributedSampler",
    "CollateError", "CollateKeyError", "CollateTypeError", "DatasetSizeError", "MissingMethodsError",
    "LoaderStateError", "SampleIndexError", "SamplingError", "WorkerError",
]  # fmt: skip
