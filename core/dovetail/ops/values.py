"""Values in and out, and what belongs to a tensor rather than to maths: detach, data, item, numpy, copy_."""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from typing import Any

import numpy as np

from dovetail import dtypes, printing
from dovetail.autograd.backward import (
    get_grad,
    register_hook,
    register_post_accumulate_grad_hook,
    retain_grad,
    set_grad,
    tensor_backward,
)
from dovetail.autograd.hooks import RemovableHandle
from dovetail.dispatch import state
from dovetail.dispatch.aliasing import check_writable, make_detached, raw
from dovetail.dispatch.constants import Constant, constant
from dovetail.dispatch.inplace import put_over
from dovetail.dispatch.reading import host_values
from dovetail.errors import ArgumentError, ArgumentRuntimeError, ArgumentTypeError, AutogradError
from dovetail.ops.casting import to
from dovetail.ops.creation import filled
from dovetail.ops.definition import Number, bind, front, property_of
from dovetail.ops.shape import expand, permute
from dovetail.tensor.node import Leaf
from dovetail.tensor.storage import Alias
from dovetail.tensor.tensor import Tensor, new

# ------------------------------------------------------------------------------------------ reading


@front(method=True, public=False)
def item(input: Tensor) -> Number:
    """Return the value of a tensor of one element as a Python number."""
    if input._spec.size != 1:
        raise ArgumentRuntimeError(
            f"a Tensor with {input._spec.size} elements cannot be converted to Scalar (shape {list(input.shape)}; "
            "tolist() gives all of them)"
        )
    value: Number = host_values(input, why="item() reads a value").item()
    return value


@front(method=True, public=False)
def tolist(input: Tensor) -> Any:
    """Return the values as nested lists of Python numbers."""
    return host_values(input, why="tolist() reads values").tolist()


@front(method=True, public=False)
def numpy(input: Tensor, *, force: bool = False) -> np.ndarray[Any, Any]:
    """Return the values as a read-only NumPy array, without a copy where the machine allows; it never changes."""
    if input._node is not None and not force:
        raise AutogradError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
    found = host_values(input, why="numpy() reads values").view()
    found.flags.writeable = False
    return found


def _array(self: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
    found = numpy(self)
    if dtype is not None and found.dtype != dtype:
        return found.astype(dtype)
    return found.copy() if copy else found


def _bool(self: Tensor) -> bool:
    if self._spec.size != 1:
        if self._spec.size == 0:
            raise ArgumentRuntimeError("Boolean value of Tensor with no values is ambiguous")
        raise ArgumentRuntimeError(
            "Boolean value of Tensor with more than one value is ambiguous (shape "
            f"{list(self.shape)}; use .any() or .all())"
        )
    return bool(host_values(self, why="bool() of a tensor, as in `if`, reads a value").reshape(()).item())


def _number(self: Tensor, name: str) -> Any:
    if self._spec.size != 1:
        raise ArgumentTypeError("only one element tensors can be converted to Python scalars")
    return host_values(self, why=f"{name}() reads a value").reshape(()).item()


def _int(self: Tensor) -> int:
    return int(_number(self, "int"))


def _float(self: Tensor) -> float:
    return float(_number(self, "float"))


def _complex(self: Tensor) -> complex:
    return complex(_number(self, "complex"))


def _index(self: Tensor) -> int:
    if self._spec.size != 1 or self.dtype.category > dtypes.INTEGER:
        raise ArgumentTypeError("only integer tensors of a single element can be converted to an index")
    return int(host_values(self, why="a tensor used as an index reads a value").reshape(()).item())


def _iterate(self: Tensor) -> Iterator[Tensor]:
    if not self._spec.shape:
        raise ArgumentTypeError("iteration over a 0-d tensor")
    return (self[i] for i in range(self._spec.shape[0]))


def _contains(self: Tensor, value: Any) -> bool:
    if not isinstance(value, Tensor | numbers.Number | np.bool_):
        raise ArgumentRuntimeError(
            f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(value)}."
        )
    return bool((self == value).any())


def _reversed(self: Tensor) -> Tensor:
    return self.flip(0) if self._spec.ndim else self


def _format(self: Tensor, spec: str) -> str:
    if self._spec.shape or type(self) not in (Tensor, Constant):
        return object.__format__(self, spec)
    return format(item(self), spec)  # also without a spec: an f-string shows a number


# ------------------------------------------------------------------------------------------ writing


@front(method=["copy_"])
def copy_(input: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Write the values of another tensor, broadcast and converted to this one's dtype and device; returns itself."""
    raw(input)
    recording = not state.state.special or state.grad_enabled.get()
    itself = src is input
    check_writable(input, recording, one_value=itself)
    if itself:
        return input
    spec = input._spec
    if not isinstance(src, Tensor):
        src = Tensor.make(Tensor, src, dtype=spec.dtype, device=spec.device)
    source = to(src, device=spec.device, dtype=spec.dtype)
    if source._spec.shape != spec.shape:
        source = expand(source, spec.shape)
    put_over(input, source, "copy", recording)
    return input


@front(method=["fill_"])
def fill_(input: Tensor, value: Any) -> Tensor:
    """Write one value everywhere; also into an expanded view, whose elements all get it."""
    raw(input)
    recording = not state.state.special or state.grad_enabled.get()
    if not isinstance(value, Tensor):
        value = constant(value, input.dtype, input.device)
    check_writable(input, recording, one_value=True)
    put_over(input, filled(to(value, device=input.device, dtype=input.dtype), input.shape), "fill", recording)
    return input


@front(method=["zero_"])
def zero_(input: Tensor) -> Tensor:
    """Write zeros everywhere."""
    return fill_(input, 0)


# ------------------------------------------------------------------------------------------ the graph


@front(method=True, public=False)
def detach(input: Tensor) -> Tensor:
    """Return a tensor that shares storage but no graph: a write to one is seen by the other."""
    return make_detached(input)


@front(method=["detach_"])
def detach_(input: Tensor) -> Tensor:
    """Cut the tensor itself off from its graph; an error for a view."""
    if input._alias is not None and input._alias.root is not None:
        raise AutogradError("Can't detach views in-place. Use detach() instead.")
    input._node = None
    return input


def _get_data(self: Tensor) -> Tensor:
    return make_detached(self)


def _set_data(self: Tensor, value: Tensor) -> None:
    """Give the tensor another value, of any shape, dtype and device; its place in the graph stays."""
    if not isinstance(value, Tensor):
        raise ArgumentTypeError(f"data must be a tensor, got {type(value).__name__}")
    if isinstance(self._node, Leaf) and not value.is_floating_point():
        raise ArgumentError(f"data of a tensor that requires grad must be floating point, got {value.dtype.name}")
    data = raw(value)
    if self._alias is not None:
        leave_storage(self, self._alias)
    self._data = data
    self._spec = value._spec


def leave_storage(self: Tensor, alias: Alias) -> None:
    """Look at the storage no longer; those who go on looking at it do so by themselves."""
    staying = []
    for member in alias.cell.members:
        other = member()
        if other is None or other is self:
            continue
        if other._alias is not None and other._alias.root is self:
            other._alias.root = None
        staying.append(member)
    alias.cell.members = staying
    self._alias = None


def _transposed(self: Tensor) -> Tensor:
    return permute(self, tuple(reversed(range(self._spec.ndim))))


def _matrix_transposed(self: Tensor) -> Tensor:
    if self._spec.ndim < 2:
        raise ArgumentRuntimeError(
            f"tensor.mT is only supported on matrices or batches of matrices. Got {self._spec.ndim}-D tensor."
        )
    return self.transpose(-1, -2)


property_of("data", _get_data, _set_data)
property_of("grad", get_grad, set_grad)
property_of("T", _transposed)
property_of("mT", _matrix_transposed)

_SPECIAL = {
    "__array__": _array, "__bool__": _bool, "__int__": _int, "__float__": _float, "__complex__": _complex,
    "__index__": _index, "__iter__": _iterate, "__contains__": _contains, "__reversed__": _reversed,
    "__format__": _format, "__repr__": printing.text, "__str__": printing.text,
}  # fmt: skip
for _name, _method in _SPECIAL.items():
    setattr(Tensor, _name, _method)

_METHODS = {
    "backward": tensor_backward,
    "retain_grad": retain_grad,
    "register_hook": register_hook,
    "register_post_accumulate_grad_hook": register_post_accumulate_grad_hook,
}
for _name, _method in _METHODS.items():
    setattr(Tensor, _name, _method)


def _deepcopy(self: Tensor, memo: dict[int, Any]) -> Tensor:
    if not self.is_leaf:
        raise AutogradError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment. "
            "(use x.detach().clone())"
        )
    if id(self) in memo:
        return memo[id(self)]  # type: ignore[no-any-return]
    made = new(type(self))
    made._data, made._spec, made._alias, made._node = raw(self), self._spec, None, None
    if self._node is not None:
        made.requires_grad_()
    if self.grad is not None:
        made.grad = _deepcopy(self.grad.detach(), memo)
    made.__dict__.update(self.__dict__)
    memo[id(self)] = made
    return made


def _rebuild(
    cls: type[Tensor], host: np.ndarray[Any, Any], name: str, device: str, requires_grad: bool, attributes: Any
) -> Tensor:
    made: Tensor = Tensor.make(Tensor, host, dtype=dtypes.by_name(name), device=device)
    if cls is not Tensor:
        made = Tensor._make_subclass(cls, made, False)
    made.__dict__.update(attributes)
    return made.requires_grad_() if requires_grad else made


def _reduce(self: Tensor, protocol: Any) -> tuple[Any, ...]:
    if not self.is_leaf:
        raise AutogradError("only leaves of a graph can be pickled: use x.detach()")
    host = np.ascontiguousarray(host_values(self)).reshape(self.shape)
    return _rebuild, (type(self), host, self.dtype.name, str(self.device), self.requires_grad, dict(self.__dict__))


bind("__deepcopy__", _deepcopy)
bind("__reduce_ex__", _reduce)

Handle = RemovableHandle
