"""Instance norms, and the class that ``isinstance`` is asked about."""

from __future__ import annotations

from dovetail.nn.instance_norm import InstanceNorm as _InstanceNorm  # noqa: F401  # PyTorch's name for it
from dovetail.nn.instance_norm import InstanceNorm1d as InstanceNorm1d
from dovetail.nn.instance_norm import InstanceNorm2d as InstanceNorm2d
from dovetail.nn.instance_norm import InstanceNorm3d as InstanceNorm3d
