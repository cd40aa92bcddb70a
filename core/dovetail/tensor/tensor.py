"""Tensor: storage, spec and a graph edge. No maths lives here: operators and methods come from the op records."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from dovetail.errors import ArgumentTypeError, DtypeError
from dovetail.tensor.methods import TensorMethods
from dovetail.tensor.node import Leaf, Node
from dovetail.tensor.storage import contiguous_strides, is_contiguous

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.dtypes import dtype as Dtype
    from dovetail.tensor.spec import Size, Spec
    from dovetail.tensor.storage import Alias


class Tensor(TensorMethods):
    """A multi-dimensional array of one dtype on one device, which may remember how it was computed.

    Made by ``dovetail.tensor(data)`` and by every op. ``shape``, ``dtype`` and ``device`` never change except through
    ``.data``.

    >>> import dovetail
    >>> x = dovetail.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ("_data", "_spec", "_node", "_alias", "_grad", "_writes", "__weakref__", "__dict__")

    # `_data` is read and assigned only by dispatch, aliasing and capture: a deleted slot means a stale alias.
    _data: Any
    _spec: Spec
    _node: Node | None
    _alias: Alias | None
    _grad: Tensor | None
    _writes: int

    __array_ufunc__: ClassVar[None] = None
    """NumPy leaves ``np.ones(2) + t`` to the tensor, so that the graph is kept."""

    refresh: ClassVar[Callable[[Tensor], Any]]
    """Set by aliasing: a write to its storage may have given a view another edge, found when it is asked for."""

    make: ClassVar[Callable[..., Tensor]]
    """Set by the constructor's module: turns data into a tensor."""

    def __new__(cls, data: Any = None, *args: Any, **params: Any) -> Tensor:
        """Return a tensor of the data, as ``dovetail.Tensor([1, 2])`` does: always in the default float type."""
        return cls.make(cls, () if data is None else data, *args, **params)

    # ------------------------------------------------------------------ what it is

    @property
    def shape(self) -> Size:
        """The size of each dimension."""
        return self._spec.shape

    @property
    def dtype(self) -> Dtype:
        """The type of the elements."""
        return self._spec.dtype

    @property
    def device(self) -> Device:
        """Where the elements are."""
        return self._spec.device

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._spec.ndim

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self._spec.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._spec.dtype.itemsize * self._spec.size

    def dim(self) -> int:
        """Return the number of dimensions."""
        return self._spec.ndim

    def numel(self) -> int:
        """Return the number of elements."""
        return self._spec.size

    nelement = numel
    ndimension = dim

    def element_size(self) -> int:
        """Return the bytes of one element."""
        return self._spec.dtype.itemsize

    def size(self, dim: int | None = None) -> Any:
        """Return the shape, or the size of one dimension."""
        return self._spec.shape if dim is None else self._spec.shape[dim]

    def stride(self, dim: int | None = None) -> Any:
        """Return PyTorch's logical strides in elements, or that of one dimension."""
        alias = self._alias
        strides = contiguous_strides(self._spec.shape) if alias is None else alias.strides
        return strides if dim is None else strides[dim]

    def storage_offset(self) -> int:
        """Return where in its storage the first element lies, in elements."""
        return 0 if self._alias is None else self._alias.offset

    def is_contiguous(self) -> bool:
        """Tell whether the elements lie in row-major order, as PyTorch's strides say."""
        return self._alias is None or is_contiguous(self._spec.shape, self._alias.strides)

    def is_floating_point(self) -> bool:
        """Tell whether the elements are real floating-point numbers."""
        return self._spec.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Tell whether the elements are complex numbers."""
        return self._spec.dtype.is_complex

    @property
    def is_cuda(self) -> bool:
        """Whether the tensor is on a device of kind "cuda"."""
        return self._spec.device.type == "cuda"

    # ------------------------------------------------------------------ its edge

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this tensor."""
        return self._edge() is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Make this a leaf that collects gradients, or no longer one; returns itself."""
        if not isinstance(requires_grad, bool | int):
            raise ArgumentTypeError(f"requires_grad must be a bool, got {requires_grad!r}")
        node = self._edge()
        if node is not None and type(node) is not Leaf:
            if requires_grad:
                return self
            raise DtypeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a computed variable "
                "in a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
            )
        if not requires_grad:
            self._node = None
        elif node is None:
            check_can_require_grad(self._spec)
            self._node = Leaf(self)
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was not computed from tensors that require gradients."""
        node = self._edge()
        return node is None or type(node) is Leaf

    @property
    def grad_fn(self) -> Node | None:
        """The node of the call that made this tensor, None for a leaf."""
        node = self._edge()
        return None if type(node) is Leaf else node

    def _edge(self) -> Node | None:
        """The edge as it is now."""
        if self._alias is not None:
            Tensor.refresh(self)
        return self._node

    @property
    def _version(self) -> int:
        """How often the storage was written in place."""
        if self._alias is not None:
            return self._alias.cell.version
        try:
            return self._writes
        except AttributeError:
            return 0

    # ------------------------------------------------------------------ what any object has

    __hash__ = object.__hash__

    def __len__(self) -> int:
        if not self._spec.shape:
            raise ArgumentTypeError("len() of a 0-d tensor")
        return self._spec.shape[0]  # type: ignore[no-any-return]


def check_can_require_grad(spec: Spec) -> None:
    """Raise unless tensors of this spec may collect gradients."""
    if not (spec.dtype.is_floating_point or spec.dtype.is_complex):
        raise DtypeError(
            f"Only Tensors of floating point and complex dtype can require gradients, got {spec.dtype.name} "
            "(convert first: x.float().requires_grad_())"
        )


T_co = TypeVar("T_co", covariant=True)


class _Maker(Protocol):
    """``object.__new__`` as a function that keeps the class it is given."""

    def __call__(self, cls: type[T_co], /) -> T_co: ...


new: _Maker = object.__new__


def wrap(data: Any, spec: Spec, node: Node | None = None) -> Tensor:
    """Make a plain tensor of an array."""
    t = new(Tensor)
    t._data = data
    t._spec = spec
    t._alias = None
    t._node = node
    return t
