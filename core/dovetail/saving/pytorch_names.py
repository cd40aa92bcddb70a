"""The names that a PyTorch file of weights may use, and what they make here."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from dovetail import dtypes
from dovetail.contract.device import Device
from dovetail.errors import BackendError, DeviceError
from dovetail.saving.unpickle import Allowed
from dovetail.tensor.spec import Size

STORAGES: Final[dict[str, dtypes.dtype | None]] = {
    "torch.storage UntypedStorage": None,
    **{f"torch {dtype.legacy_name}Storage": dtype for dtype in dtypes.ALL},
}
"""The element type of each class of storage, None for plain bytes."""


@dataclass(frozen=True)
class Storage:
    """A run of bytes of the file."""

    key: str
    dtype: dtypes.dtype | None
    location: str
    count: int

    @classmethod
    def of_persistent_id(cls, found: Any) -> Storage:
        """Return the storage that a persistent id describes; ValueError if it describes anything else."""
        if not isinstance(found, tuple) or len(found) not in (5, 6) or found[0] != "storage":
            raise ValueError("a persistent id that is not a storage")
        kind, key, location, count = found[1:5]
        if len(found) == 6 and found[5] is not None:
            raise ValueError("a storage that is a view of another, as PyTorch before 0.4 wrote them")
        if not isinstance(kind, StorageType) or not isinstance(key, str) or not isinstance(location, str):
            raise ValueError("a storage whose description is broken")
        if not _is_count(count):
            raise ValueError(f"a storage of {count!r} elements")
        return cls(key, kind.dtype, location, count)

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return 1 if self.dtype is None else self.dtype.itemsize

    @property
    def size(self) -> int:
        """Bytes of all elements."""
        return self.count * self.itemsize


class StorageType(Allowed):
    """A class of storages, which a file only mentions."""

    __slots__ = ("dtype",)

    def __init__(self, name: str, dtype: dtypes.dtype | None) -> None:
        super().__init__(name)
        self.dtype = dtype


@dataclass(frozen=True)
class TensorParts:
    """A tensor as the file has it: a storage, and where in it the elements are."""

    storage: Storage
    dtype: dtypes.dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    requires_grad: bool

    @property
    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def check(self) -> None:
        """Raise ValueError unless all elements lie inside the storage."""
        if len(self.shape) != len(self.strides) or len(self.shape) > 64:
            raise ValueError(f"a tensor of shape {self.shape} with strides {self.strides}")
        if not all(_is_count(number) for number in (self.offset, *self.shape, *self.strides)):
            raise ValueError(f"a tensor of shape {self.shape}, strides {self.strides}, offset {self.offset}")
        if not isinstance(self.requires_grad, bool):
            raise ValueError("a tensor whose requires_grad is not a bool")
        if self.requires_grad and not (self.dtype.is_floating_point or self.dtype.is_complex):
            raise ValueError(f"a tensor of dtype {self.dtype.name} that requires gradients")
        last = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides))
        if self.numel and (last + 1) * self.dtype.itemsize > self.storage.size:
            raise ValueError(
                f"a tensor of shape {self.shape}, strides {self.strides}, offset {self.offset} in a storage "
                f"of {self.storage.size} bytes"
            )
        if self.storage.size % self.dtype.itemsize:
            raise ValueError(f"a storage of {self.storage.size} bytes for elements of {self.dtype.name}")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


# -------------------------------------------------------------------------------------------------- the table


def table(tensor: Callable[[TensorParts], Any], parameter: Callable[[Any, bool], Any]) -> Mapping[str, Any]:
    """Return the allowed names; ``tensor`` and ``parameter`` make what they are called after."""

    def rebuild_v2(
        storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = False, hooks: Any = None,
        metadata: Any = None,
    ) -> Any:  # fmt: skip
        return tensor(_parts(storage, offset, size, stride, requires_grad, metadata, None))

    def rebuild_v3(
        storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any,
        metadata: Any = None,
    ) -> Any:  # fmt: skip
        return tensor(_parts(storage, offset, size, stride, requires_grad, metadata, dtype))

    def rebuild_parameter(data: Any, requires_grad: Any = True, hooks: Any = None, state: Any = None) -> Any:
        return parameter(data, bool(requires_grad))

    def rebuild_from_type(function: Any, cls: Any, args: Any, state: Any) -> Any:
        if (
            not isinstance(function, Allowed)
            or not isinstance(args, tuple)
            or cls not in (tensor_class, parameter_class)
        ):
            raise ValueError("a tensor of an unknown class")
        return function(*args)

    tensor_class = Allowed("torch.Tensor")
    parameter_class = Allowed("torch.nn.parameter.Parameter", rebuild_parameter)
    rebuild: dict[str, Allowed] = {
        "torch._utils _rebuild_tensor": Allowed("torch._utils._rebuild_tensor", rebuild_v2),
        "torch._utils _rebuild_tensor_v2": Allowed("torch._utils._rebuild_tensor_v2", rebuild_v2),
        "torch._utils _rebuild_tensor_v3": Allowed("torch._utils._rebuild_tensor_v3", rebuild_v3),
        "torch._utils _rebuild_parameter": Allowed("torch._utils._rebuild_parameter", rebuild_parameter),
        "torch._utils _rebuild_parameter_with_state": Allowed(
            "torch._utils._rebuild_parameter_with_state", rebuild_parameter
        ),
        "torch._tensor _rebuild_from_type_v2": Allowed("torch._tensor._rebuild_from_type_v2", rebuild_from_type),
        "torch Tensor": tensor_class,
        "torch.nn.parameter Parameter": parameter_class,
    }
    return {**_FIXED, **rebuild}


def _parts(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, metadata: Any, dtype: Any
) -> TensorParts:
    if not isinstance(storage, Storage) or not isinstance(size, tuple) or not isinstance(stride, tuple):
        raise ValueError("a tensor whose description is broken")
    if metadata:
        raise ValueError("a tensor with a pending conjugate or sign: resolve_conj() or resolve_neg() it before saving")
    element = storage.dtype if dtype is None else dtype
    if not isinstance(element, dtypes.dtype):
        raise ValueError("a tensor without a type of elements")
    return TensorParts(storage, element, offset, tuple(size), tuple(stride), requires_grad)


# --------------------------------------------------------------------------------- NumPy's numbers and arrays


def _host_type(code: Any, align: Any = False, copy: Any = True) -> np.dtype[Any]:
    """Return a NumPy dtype of its own, which is then told its byte order."""
    text = code.decode("ascii") if isinstance(code, bytes) else code
    if not isinstance(text, str) or np.dtype(text).kind not in "biufc":
        raise ValueError(f"a NumPy type {code!r}")
    return np.dtype(text, copy=True)


def _fill_host_type(dtype: np.dtype[Any], state: Any) -> None:
    if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "=", "|"):
        raise ValueError("a NumPy type whose state is broken")
    dtype.__setstate__((3, state[1], None, None, None, -1, -1, 0))  # type: ignore[attr-defined]  # as pickles do


def _empty_array(cls: Any, shape: Any, code: Any) -> np.ndarray[Any, Any]:
    """Return a NumPy array that is then given its values."""
    return np.empty(0, np.uint8)


def _fill_array(array: np.ndarray[Any, Any], state: Any) -> None:
    version, shape, dtype, fortran, data = state
    values = _raw(data)
    if version != 1 or not isinstance(dtype, np.dtype) or not isinstance(shape, tuple):
        raise ValueError("a NumPy array whose state is broken")
    if not all(_is_count(size) for size in shape) or len(values) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"a NumPy array of shape {shape} with {len(values)} bytes")
    array.__setstate__((1, shape, dtype, bool(fortran), values))  # type: ignore[arg-type]  # NumPy's own form


def _scalar(dtype: Any, data: Any) -> Any:
    values = _raw(data)
    if not isinstance(dtype, np.dtype) or len(values) != dtype.itemsize:
        raise ValueError("a NumPy number whose description is broken")
    return np.frombuffer(values, dtype)[0]


def _raw(data: Any) -> bytes:
    if isinstance(data, str):
        return data.encode("latin-1")
    if not isinstance(data, bytes):
        raise ValueError("bytes that are none")
    return data


# --------------------------------------------------------------------------------------------------- the rest


def _device(kind: Any, index: Any = None) -> Device:
    if not isinstance(kind, str) or not (index is None or _is_count(index)):
        raise ValueError("a device whose description is broken")
    try:
        return Device(kind if index is None else f"{kind}:{index}")
    except (BackendError, DeviceError):
        return Device("cpu")


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError("a text whose encoding is not latin1")
    return text.encode("latin-1")


def _size(sizes: Any = ()) -> Size:
    if not isinstance(sizes, list | tuple) or not all(_is_count(size) for size in sizes):
        raise ValueError("a torch.Size of something else")
    return Size(sizes)


def _container(name: str, cls: type) -> Allowed:
    def make(*args: Any) -> Any:
        if any(not isinstance(arg, list | tuple | dict | set) for arg in args):
            raise ValueError(f"a {name} of something else")
        return cls(*args)

    return Allowed(name, make)


def _number(name: str, cls: type) -> Allowed:
    def make(*args: Any) -> Any:
        if any(not isinstance(arg, int | float) for arg in args):
            raise ValueError(f"a {name} of something else")
        return cls(*args)

    return Allowed(name, make)


def _bytes(name: str, cls: type) -> Allowed:
    def make(data: Any = b"") -> Any:
        if not isinstance(data, bytes):
            raise ValueError(f"a {name} of something else")
        return cls(data)

    return Allowed(name, make)


def _numpy_names() -> dict[str, Allowed]:
    names: dict[str, Allowed] = {
        "numpy dtype": Allowed("numpy.dtype", _host_type),
        "numpy ndarray": Allowed("numpy.ndarray"),
    }
    for package in ("numpy.core", "numpy._core"):
        names[f"{package}.multiarray scalar"] = Allowed(f"{package}.multiarray.scalar", _scalar)
        names[f"{package}.multiarray _reconstruct"] = Allowed(f"{package}.multiarray._reconstruct", _empty_array)
    return names


def _fill_ordered(target: OrderedDict[Any, Any], state: Any) -> None:
    # A module's state dict has the versions of its modules in this attribute.
    if not isinstance(state, dict) or not set(state) <= {"_metadata"}:
        raise ValueError("attributes of an OrderedDict")
    for key, value in state.items():
        setattr(target, key, value)


FILLERS: Final[dict[type, Callable[[Any, Any], None]]] = {
    OrderedDict: _fill_ordered,
    np.ndarray: _fill_array,
    **{type(np.dtype(code)): _fill_host_type for code in "?bhilqBHILQefdFD"},
}
"""What gives an object its state after it was made."""

_BUILTINS: Final = {
    "set": _container("set", set),
    "frozenset": _container("frozenset", frozenset),
    "complex": _number("complex", complex),
    "bytes": _bytes("bytes", bytes),
    "bytearray": _bytes("bytearray", bytearray),
}

_FIXED: Final[dict[str, Any]] = {
    **{name: StorageType(name, dtype) for name, dtype in STORAGES.items()},
    **{f"torch {dtype.name}": dtype for dtype in dtypes.ALL},
    **_numpy_names(),
    "torch Size": Allowed("torch.Size", _size),
    "torch device": Allowed("torch.device", _device),
    "_codecs encode": Allowed("_codecs.encode", _encode),
    "collections OrderedDict": _container("OrderedDict", OrderedDict),
    "collections Counter": _container("Counter", Counter),
    **{f"{package} {name}": made for package in ("builtins", "__builtin__") for name, made in _BUILTINS.items()},
}
