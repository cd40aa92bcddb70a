"""Softmax and its kin: along one dimension that should be named."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from dovetail import ops

if TYPE_CHECKING:
    from dovetail.dtypes import dtype as Dtype
    from dovetail.tensor.tensor import Tensor


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Dtype | None = None) -> Tensor:
    """Return exp(x) / sum(exp(x)) along ``dim``, computed without overflow.

    Without ``dim`` it warns and takes PyTorch's old choice. ``dtype`` is the type to cast to before
    computing.

    >>> import dovetail
    >>> dovetail.nn.functional.softmax(dovetail.zeros(2), dim=0)
    tensor([0.5000, 0.5000])
    """
    dim = _implicit_dim("softmax", input.dim(), _stacklevel) if dim is None else dim
    return ops.softmax(_cast(input, dtype), dim=dim)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Dtype | None = None) -> Tensor:
    """Return log(softmax(x)) along ``dim``, more exact than the two one after the other."""
    dim = _implicit_dim("log_softmax", input.dim(), _stacklevel) if dim is None else dim
    return ops.log_softmax(_cast(input, dtype), dim=dim)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Dtype | None = None) -> Tensor:
    """Return softmax(-x) along ``dim``."""
    dim = _implicit_dim("softmin", input.dim(), _stacklevel) if dim is None else dim
    return ops.softmax(_cast(-input, dtype), dim=dim)


def _cast(input: Tensor, dtype: Dtype | None) -> Tensor:
    return input if dtype is None else input.to(dtype)


def _implicit_dim(name: str, ndim: int, stacklevel: int) -> int:
    """Return the dimension that PyTorch takes when none is given, and say which it is."""
    dim = 0 if ndim in (0, 1, 3) else 1
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an "
        f"argument. Here dim={dim} was chosen, as the input has {ndim} dimensions.",
        stacklevel=stacklevel,
    )
    return dim
