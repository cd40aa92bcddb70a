"""Where workers meet the framework: they compute on the host, and hand over host arrays.

A forked process cannot use every backend: threads and device handles do not survive a fork. So a worker gets
a default
device that does, datasets made of tensors are brought there before it starts, and what it sends is turned
into tensors on the main process's default device. The batches are then those of a loader without workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dovetail import dtypes, ops
from dovetail import settings as process_settings
from dovetail.contract import discovery, selection
from dovetail.contract.device import Device
from dovetail.tensor.tensor import Tensor
from dovetail.utils.data.dataset import ConcatDataset, StackDataset, Subset, TensorDataset


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker takes over from the main process, as plain text so that it can be sent."""

    device: str
    default_dtype: str


def worker_settings() -> WorkerSettings:
    """Return the settings for workers of this process: its default device where a fork leaves it intact."""
    device = selection.default_device()
    if not device.runtime.fork_safe:
        device = discovery.host_device() or device
    return WorkerSettings(str(device), process_settings.get_default_dtype().name)


def prepare_worker(settings: WorkerSettings) -> None:
    """Make this process a worker with these settings."""
    device = Device(settings.device)
    selection.set_default_device(device)
    # A `with` block of the main process that the worker was forked in would come before the setting.
    selection.use_backend(device).__enter__()
    process_settings.set_default_dtype(dtypes.by_name(settings.default_dtype))


def for_worker(dataset: Any, settings: WorkerSettings) -> Any:
    """Return a dataset whose tensors a worker can use: the same object where they already are.

    Datasets made of tensors are gone through; what else a dataset holds is not known here.
    """
    cls = type(dataset)
    if cls is TensorDataset:
        if all(tensor.device.runtime.fork_safe for tensor in dataset.tensors):
            return dataset
        return TensorDataset(*(_moved(tensor, settings.device) for tensor in dataset.tensors))
    if cls is Subset:
        inner = for_worker(dataset.dataset, settings)
        return dataset if inner is dataset.dataset else Subset(inner, dataset.indices)
    if cls is ConcatDataset:
        parts = [for_worker(part, settings) for part in dataset.datasets]
        return dataset if _same(parts, dataset.datasets) else ConcatDataset(parts)
    if cls is StackDataset:
        parts = [for_worker(part, settings) for part in dataset.children]
        if _same(parts, dataset.children):
            return dataset
        sample = dataset.assemble(parts)
        return StackDataset(**sample) if isinstance(sample, dict) else StackDataset(*sample)
    return dataset


def _same(parts: list[Any], others: list[Any]) -> bool:
    return all(part is other for part, other in zip(parts, others))


def _moved(tensor: Tensor, device: str) -> Tensor:
    if tensor.device.runtime.fork_safe:
        return tensor
    return tensor.detach().to(device).requires_grad_(tensor.requires_grad)


def to_array(tensor: Tensor) -> np.ndarray[Any, Any]:
    """Return the values of a tensor on the host."""
    return tensor.detach().numpy()


def name_of_device(tensor: Tensor) -> str | None:
    """Return the device that a tensor of a worker was put on by name, None for the default device."""
    return None if tensor.device is selection.default_device() else str(tensor.device)


def from_array(array: np.ndarray[Any, Any], device: str | None) -> Tensor:
    """Return a tensor with the values that a host array has now, on the default device for None."""
    return ops.tensor(array, device=device)
