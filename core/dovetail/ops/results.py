"""Named pairs that some ops return, with PyTorch's field names."""

from __future__ import annotations

from typing import NamedTuple

from dovetail.tensor.tensor import Tensor


class ValuesIndices(NamedTuple):
    """Values and their positions along a dimension."""

    values: Tensor
    indices: Tensor



class MinMax(NamedTuple):
    """The smallest and the largest elements."""

    min: Tensor
    max: Tensor
