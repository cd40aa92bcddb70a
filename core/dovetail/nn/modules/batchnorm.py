"""Batch norms, and the classes that ``isinstance`` is asked about."""

from __future__ import annotations

from dovetail.nn.normalization import BatchNorm as _BatchNorm  # noqa: F401  # PyTorch's name for it
from dovetail.nn.normalization import BatchNorm1d as BatchNorm1d
from dovetail.nn.normalization import BatchNorm2d as BatchNorm2d
from dovetail.nn.normalization import BatchNorm3d as BatchNorm3d
from dovetail.nn.normalization import RunningNorm as _NormBase  # noqa: F401  # PyTorch's name for it
from dovetail.nn.sync_batch_norm import SyncBatchNorm as SyncBatchNorm
