"""Taking over host arrays that somebody has just made and will not touch again."""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail import dtypes
from dovetail.contract import discovery, selection
from dovetail.contract.device import Device
from dovetail.tensor.spec import spec
from dovetail.tensor.tensor import Tensor, wrap


def adopt(array: np.ndarray[Any, Any], device: Device | None = None) -> Tensor:
    """Return a tensor of an array that nobody else holds or will write to.

    Where arrays are NumPy's own it becomes the tensor's memory, which saves a large batch or checkpoint a
    copy; any other device, and an array that is a view or not contiguous, gets a copy as usual.

    Args:
        array: the values, of a dtype that dovetail has.
        device: where the tensor goes, the default device if left out.
    """
    place = selection.default_device() if device is None else device
    dtype = dtypes.from_host(array.dtype)
    flags = array.flags
    kept = flags.owndata and flags.c_contiguous and flags.writeable and type(array) is np.ndarray
    if kept and discovery.registrations[place.backend].spec.host and place.runtime.supports_dtype(dtype, place):
        return wrap(array, spec(array.shape, dtype, place))
    return Tensor.make(Tensor, array, dtype=dtype, device=place)
