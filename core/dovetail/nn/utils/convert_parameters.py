"""All parameters of a model as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from dovetail import ops
from dovetail.errors import ArgumentTypeError, ShapeError
from dovetail.tensor.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return the parameters one after the other in one vector, which is part of their graph.

    Raises:
        ArgumentTypeError: parameters on different devices.

    >>> import dovetail
    >>> layer = dovetail.nn.Linear(3, 2)
    >>> dovetail.nn.utils.parameters_to_vector(layer.parameters()).shape
    dovetail.Size([8])
    """
    listed = list(parameters)
    _check_devices(listed)
    return ops.cat([parameter.reshape(-1) for parameter in listed])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give the parameters the slices of a vector as values, in the order of :func:`parameters_to_vector`.

    Raises:
        ArgumentTypeError: ``vec`` is no tensor, or the parameters are on different devices.
        ShapeError: the vector is shorter than the parameters together.
    """
    if not isinstance(vec, Tensor):
        raise ArgumentTypeError(f"expected Tensor, but got: {type(vec).__name__}")
    listed = list(parameters)
    _check_devices(listed)
    needed = sum(parameter.numel() for parameter in listed)
    if needed > vec.numel():
        raise ShapeError(f"the parameters have {needed} values, the vector {vec.numel()}")
    start = 0
    for parameter in listed:
        stop = start + parameter.numel()
        parameter.data = vec[start:stop].view_as(parameter).data
        start = stop


def _check_devices(parameters: list[Tensor]) -> None:
    devices = {parameter.device for parameter in parameters}
    if len(devices) > 1:
        names = ", ".join(sorted(map(str, devices)))
        raise ArgumentTypeError(f"Found two parameters on different devices, this is currently not supported: {names}")
