"""What is known of a tensor without its values: shape, dtype and device, interned."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.dtypes import dtype as Dtype


class Size(tuple[int, ...]):
    """The shape of a tensor: a tuple of ints that knows its product."""

    __slots__ = ()

    def numel(self) -> int:
        """Return the number of elements of a tensor of this shape."""
        return math.prod(self)

    def __repr__(self) -> str:
        return f"dovetail.Size([{', '.join(map(str, self))}])"

    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other: Any) -> Size:
        return Size(tuple.__add__(self, other))


class Spec:
    """Shape, dtype and device as one object: equal specs are identical, so ``is`` compares all three at once."""

    __slots__ = ("shape", "dims", "dtype", "device", "ndim", "size", "__weakref__")

    shape: Size
    dims: tuple[int, ...]
    """The shape as a plain tuple, which is cheaper to take apart."""
    dtype: Dtype
    device: Device
    ndim: int
    size: int

    def with_shape(self, shape: tuple[int, ...]) -> Spec:
        """Return the spec of another shape, same dtype and device."""
        return spec(shape, self.dtype, self.device)

    def with_dtype(self, dtype: Dtype) -> Spec:
        """Return the spec of another dtype, same shape and device."""
        return spec(self.shape, dtype, self.device)

    def with_device(self, device: Device) -> Spec:
        """Return the spec on another device, same shape and dtype."""
        return spec(self.shape, self.dtype, device)

    def __repr__(self) -> str:
        return f"{self.dtype.name}{list(self.shape)}@{self.device}"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return spec, (tuple(self.shape), self.dtype, self.device)


_interned: Final[WeakValueDictionary[tuple[tuple[int, ...], Dtype, Device], Spec]] = WeakValueDictionary()
_lock: Final = threading.Lock()


def spec(shape: tuple[int, ...], dtype: Dtype, device: Device) -> Spec:
    """Return the one spec of this shape, dtype and device."""
    key = (tuple(shape), dtype, device)
    found = _interned.get(key)
    if found is not None:
        return found
    with _lock:
        found = _interned.get(key)
        if found is None:
            found = Spec()
            found.shape = Size(shape)
            found.dims = key[0]
            found.dtype = dtype
            found.device = device
            found.ndim = len(found.shape)
            found.size = math.prod(found.shape)
            _interned[key] = found
    return found
