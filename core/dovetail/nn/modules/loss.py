"""The classes that losses of one's own are made of."""

from __future__ import annotations

from dovetail.nn.loss import Loss as _Loss  # noqa: F401  # PyTorch's name for it
from dovetail.nn.loss import WeightedLoss as _WeightedLoss  # noqa: F401  # PyTorch's name for it
