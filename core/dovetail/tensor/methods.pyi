"""What the op records bind to Tensor. Written by ``python -m dovetail.describe``."""

from __future__ import annotations

import builtins
import numpy as _numpy
from collections.abc import Iterator as _Iterator
from collections.abc import Sequence as _Sequence
from dovetail import dtypes as _dtypes
from dovetail.autograd import hooks as _hooks
from dovetail.autograd.backward import Tensors as _Tensors
from dovetail.autograd.hooks import RemovableHandle as _RemovableHandle
from dovetail.ops.aggregation import Dtype as _Dtype2
from dovetail.ops.creation import Place as _Place
from dovetail.ops.creation import Subclass as _Subclass
from dovetail.ops.definition import Number as _Number
from dovetail.ops.floating_parts import MantissaExponent as _MantissaExponent
from dovetail.ops.rearrangement import Dims as _Dims2
from dovetail.ops.reduction import Dims as _Dims
from dovetail.ops.results import MinMax as _MinMax
from dovetail.ops.results import ValuesIndices as _ValuesIndices
from dovetail.ops.scan import Dtype as _Dtype
from dovetail.random.generator import Generator as _Generator
from dovetail.tensor.tensor import Tensor
from typing import Any as _Any
from typing import Self as _Self

class TensorMethods:
    __slots__ = ()
    @property
    def H(self) -> Tensor: ...
    @property
    def T(self) -> Tensor: ...
    def __abs__(self) -> Tensor:
        """Absolute value of each element; its gradient at 0 is 0."""
    def __add__(self, other: Tensor | _Number) -> Tensor:
        """Sum of each pair of elements, ``input + alpha * other``; logical or for bools."""
    def __and__(self, other: Tensor | _Number) -> Tensor:
        """Bits set in both elements of each pair; logical and for bools."""
    def __array__(
        self,
        dtype: _Any = None,
        copy: builtins.bool | None = None,
    ) -> _numpy.ndarray[_Any, _Any]: ...
    def __bool__(self) -> builtins.bool: ...
    def __complex__(self) -> builtins.complex: ...
    def __contains__(self, value: _Any) -> builtins.bool: ...
    def __deepcopy__(self, memo: builtins.dict[builtins.int, _Any]) -> Tensor: ...
    def __dlpack__(self) -> _Any:
        """Return the array as a DLPack capsule; read-only where the taker understands that, else a copy."""
    def __dlpack_device__(self) -> builtins.tuple[builtins.int, builtins.int]:
        """Return kind and number of the device in DLPack's terms."""
    def __eq__(self, other: _Any) -> Tensor:  # type: ignore[override]
        """Whether the elements of each pair are equal."""
    def __float__(self) -> builtins.float: ...
    def __floordiv__(self, other: Tensor | _Number) -> Tensor:
        """Quotient rounded towards minus infinity; an integer division by zero is an error."""
    def __format__(self, spec: builtins.str) -> builtins.str: ...
    def __ge__(self, other: Tensor | _Number) -> Tensor:
        """Whether the left element of each pair is greater or equal."""
    def __getitem__(self, index: _Any) -> Tensor:
        """``x[index]``: a view for positions, slices, None and ``...``; a copy for tensors, lists and masks."""
    def __gt__(self, other: Tensor | _Number) -> Tensor:
        """Whether the left element of each pair is greater."""
    def __iadd__(self, other: Tensor | _Number) -> _Self:
        """Sum of each pair of elements, ``input + alpha * other``; logical or for bools."""
    def __iand__(self, other: Tensor | _Number) -> _Self:
        """Bits set in both elements of each pair; logical and for bools."""
    def __ifloordiv__(self, other: Tensor | _Number) -> _Self:
        """Quotient rounded towards minus infinity; an integer division by zero is an error."""
    def __ilshift__(self, other: Tensor | _Number) -> _Self:
        """The bits of each integer moved ``other`` places up: ``input * 2**other`` in the type."""
    def __imod__(self, other: Tensor | _Number) -> _Self:
        """Remainder with the sign of the divisor: ``remainder(-7, 3)`` is 2."""
    def __imul__(self, other: Tensor | _Number) -> _Self:
        """Product of each pair of elements; logical and for bools."""
    def __index__(self) -> builtins.int: ...
    def __int__(self) -> builtins.int: ...
    def __invert__(self) -> Tensor:
        """Every bit of each element turned; logical not for bools."""
    def __ior__(self, other: Tensor | _Number) -> _Self:
        """Bits set in one of the elements of each pair; logical or for bools."""
    def __ipow__(self, exponent: Tensor | _Number) -> Tensor:
        """In-place form of ``pow``."""
    def __irshift__(self, other: Tensor | _Number) -> _Self:
        """The bits of each integer moved ``other`` places down: ``input / 2**other`` rounded down."""
    def __isub__(self, other: Tensor | _Number) -> _Self:
        """Difference of each pair of elements, ``input - alpha * other``; not for bools."""
    def __iter__(self) -> _Iterator[Tensor]: ...
    def __itruediv__(self, other: Tensor | _Number) -> _Self:
        """Quotient of each pair of elements, always floating; with ``rounding_mode`` "trunc" or "floor" rounded so."""
    def __ixor__(self, other: Tensor | _Number) -> _Self:
        """Bits set in exactly one of the elements of each pair; logical xor for bools."""
    def __le__(self, other: Tensor | _Number) -> Tensor:
        """Whether the left element of each pair is less or equal."""
    def __lshift__(self, other: Tensor | _Number) -> Tensor:
        """The bits of each integer moved ``other`` places up: ``input * 2**other`` in the type."""
    def __lt__(self, other: Tensor | _Number) -> Tensor:
        """Whether the left element of each pair is less."""
    def __matmul__(self, other: Tensor) -> Tensor:
        """Matrix product of the last two dimensions, batches broadcast; vectors count as a row or a column."""
    def __mod__(self, other: Tensor | _Number) -> Tensor:
        """Remainder with the sign of the divisor: ``remainder(-7, 3)`` is 2."""
    def __mul__(self, other: Tensor | _Number) -> Tensor:
        """Product of each pair of elements; logical and for bools."""
    def __ne__(self, other: _Any) -> Tensor:  # type: ignore[override]
        """Whether the elements of each pair differ."""
    def __neg__(self) -> Tensor:
        """Each element with the other sign."""
    def __or__(self, other: Tensor | _Number) -> Tensor:
        """Bits set in one of the elements of each pair; logical or for bools."""
    def __pos__(self) -> Tensor:
        """The tensor itself."""
    def __pow__(self, exponent: Tensor | _Number) -> Tensor:
        """Power of each element. Squares and cubes are products; all else is one correctly bounded power."""
    def __radd__(self, other: Tensor | _Number) -> Tensor:
        """Sum of each pair of elements, ``input + alpha * other``; logical or for bools."""
    def __rand__(self, other: Tensor | _Number) -> Tensor:
        """Bits set in both elements of each pair; logical and for bools."""
    def __reduce_ex__(self, protocol: _Any) -> builtins.tuple[_Any, ...]: ...
    def __repr__(self) -> builtins.str:
        """Return the printed form of a tensor: values, and what they alone do not show."""
    def __reversed__(self) -> Tensor: ...
    def __rfloordiv__(self, other: Tensor | _Number) -> Tensor:
        """Quotient rounded towards minus infinity; an integer division by zero is an error."""
    def __rlshift__(self, other: Tensor | _Number) -> Tensor:
        """The bits of each integer moved ``other`` places up: ``input * 2**other`` in the type."""
    def __rmatmul__(self, other: _Any) -> Tensor: ...
    def __rmod__(self, other: Tensor | _Number) -> Tensor:
        """Remainder with the sign of the divisor: ``remainder(-7, 3)`` is 2."""
    def __rmul__(self, other: Tensor | _Number) -> Tensor:
        """Product of each pair of elements; logical and for bools."""
    def __ror__(self, other: Tensor | _Number) -> Tensor:
        """Bits set in one of the elements of each pair; logical or for bools."""
    def __rpow__(self, base: _Any) -> Tensor: ...
    def __rrshift__(self, other: Tensor | _Number) -> Tensor:
        """The bits of each integer moved ``other`` places down: ``input / 2**other`` rounded down."""
    def __rshift__(self, other: Tensor | _Number) -> Tensor:
        """The bits of each integer moved ``other`` places down: ``input / 2**other`` rounded down."""
    def __rsub__(self, other: Tensor | _Number) -> Tensor:
        """Difference of each pair of elements, ``input - alpha * other``; not for bools."""
    def __rtruediv__(self, other: Tensor | _Number) -> Tensor:
        """Quotient of each pair of elements, always floating; with ``rounding_mode`` "trunc" or "floor" rounded so."""
    def __rxor__(self, other: Tensor | _Number) -> Tensor:
        """Bits set in exactly one of the elements of each pair; logical xor for bools."""
    def __setitem__(self, index: _Any, value: _Any) -> None:
        """``x[index] = value``: differentiable, in place, the value broadcast and converted to the tensor's dtype."""
    def __str__(self) -> builtins.str:
        """Return the printed form of a tensor: values, and what they alone do not show."""
    def __sub__(self, other: Tensor | _Number) -> Tensor:
        """Difference of each pair of elements, ``input - alpha * other``; not for bools."""
    def __truediv__(self, other: Tensor | _Number) -> Tensor:
        """Quotient of each pair of elements, always floating; with ``rounding_mode`` "trunc" or "floor" rounded so."""
    def __xor__(self, other: Tensor | _Number) -> Tensor:
        """Bits set in exactly one of the elements of each pair; logical xor for bools."""
    @staticmethod
    def _make_subclass(
        cls: builtins.type[_Subclass],
        data: Tensor,
        requires_grad: builtins.bool = False,
    ) -> _Subclass:
        """Make a leaf of a subclass that has the value of a tensor now (and shares its array until one is written)."""
    def abs(self) -> Tensor:
        """Absolute value of each element; its gradient at 0 is 0."""
    def abs_(self) -> _Self:
        """Absolute value of each element; its gradient at 0 is 0."""
    def absolute(self) -> Tensor:
        """Absolute value of each element; its gradient at 0 is 0."""
    def absolute_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``abs``."""
    def acos(self) -> Tensor:
        """Angle in [0, pi] with that cosine; NaN outside of [-1, 1]."""
    def acos_(self) -> _Self:
        """Angle in [0, pi] with that cosine; NaN outside of [-1, 1]."""
    def acosh(self) -> Tensor:
        """Inverse hyperbolic cosine of each element; NaN below 1."""
    def acosh_(self) -> _Self:
        """Inverse hyperbolic cosine of each element; NaN below 1."""
    def add(self, other: Tensor | _Number, *, alpha: _Number = 1) -> Tensor:
        """Sum of each pair of elements, ``input + alpha * other``; logical or for bools."""
    def add_(self, other: Tensor | _Number, *, alpha: _Number = 1) -> _Self:
        """Sum of each pair of elements, ``input + alpha * other``; logical or for bools."""
    def addbmm(self, batch1: Tensor, batch2: Tensor, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor:
        """``beta * input + alpha * sum(batch1 @ batch2)``, summed over the batch."""
    def addbmm_(self, batch1: Tensor, batch2: Tensor, *, beta: _Number = 1, alpha: _Number = 1) -> _Self:
        """``beta * input + alpha * sum(batch1 @ batch2)``, summed over the batch."""
    def addcdiv(self, tensor1: Tensor, tensor2: Tensor, *, value: _Number = 1) -> Tensor:
        """``input + value * tensor1 / tensor2``."""
    def addcdiv_(self, tensor1: Tensor, tensor2: Tensor, *, value: _Number = 1) -> _Self:
        """``input + value * tensor1 / tensor2``."""
    def addcmul(self, tensor1: Tensor, tensor2: Tensor, *, value: _Number = 1) -> Tensor:
        """``input + value * tensor1 * tensor2``."""
    def addcmul_(self, tensor1: Tensor, tensor2: Tensor, *, value: _Number = 1) -> _Self:
        """``input + value * tensor1 * tensor2``."""
    def addmm(self, mat1: Tensor, mat2: Tensor, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor:
        """``beta * input + alpha * (mat1 @ mat2)`` of matrices."""
    def addmm_(self, mat1: Tensor, mat2: Tensor, *, beta: _Number = 1, alpha: _Number = 1) -> _Self:
        """``beta * input + alpha * (mat1 @ mat2)`` of matrices."""
    def addmv(self, mat: Tensor, vec: Tensor, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor:
        """``beta * input + alpha * (mat @ vec)`` of a matrix and a vector."""
    def addmv_(self, mat: Tensor, vec: Tensor, *, beta: _Number = 1, alpha: _Number = 1) -> _Self:
        """``beta * input + alpha * (mat @ vec)`` of a matrix and a vector."""
    def addr(self, vec1: Tensor, vec2: Tensor, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor:
        """``beta * input + alpha * outer(vec1, vec2)``."""
    def addr_(self, vec1: Tensor, vec2: Tensor, *, beta: _Number = 1, alpha: _Number = 1) -> _Self:
        """``beta * input + alpha * outer(vec1, vec2)``."""
    def adjoint(self) -> Tensor:
        """The conjugate transpose of each matrix: the last two dimensions exchanged."""
    def all(self, dim: _Dims = None, keepdim: builtins.bool = False) -> Tensor:
        """Whether no element is zero; True of nothing."""
    def allclose(
        self,
        other: Tensor,
        rtol: builtins.float = 1e-05,
        atol: builtins.float = 1e-08,
        equal_nan: builtins.bool = False,
    ) -> builtins.bool:
        """Whether all pairs are close."""
    def amax(self, dim: _Dims = None, keepdim: builtins.bool = False) -> Tensor:
        """Largest element over dimensions; NaN if there is one; equal elements share the gradient."""
    def amin(self, dim: _Dims = None, keepdim: builtins.bool = False) -> Tensor:
        """Smallest element over dimensions; NaN if there is one; equal elements share the gradient."""
    def aminmax(self, *, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> _MinMax:
        """The smallest and the largest element, of all or along a dimension; NaN if there is one."""
    def angle(self) -> Tensor:
        """The angle of each number in the complex plane: 0 for positive ones, pi for negative ones, nan for nan."""
    def any(self, dim: _Dims = None, keepdim: builtins.bool = False) -> Tensor:
        """Whether an element is not zero; False of nothing."""
    def arccos(self) -> Tensor:
        """Angle in [0, pi] with that cosine; NaN outside of [-1, 1]."""
    def arccos_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``acos``."""
    def arccosh(self) -> Tensor:
        """Inverse hyperbolic cosine of each element; NaN below 1."""
    def arccosh_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``acosh``."""
    def arcsin(self) -> Tensor:
        """Angle in [-pi/2, pi/2] with that sine; NaN outside of [-1, 1]."""
    def arcsin_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``asin``."""
    def arcsinh(self) -> Tensor:
        """Inverse hyperbolic sine of each element."""
    def arcsinh_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``asinh``."""
    def arctan(self) -> Tensor:
        """Angle in [-pi/2, pi/2] with that tangent."""
    def arctan2(self, other: Tensor | _Number) -> Tensor:
        """Angle in [-pi, pi] of the point whose ordinate is ``input`` and whose abscissa is ``other``."""
    def arctan2_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``atan2``."""
    def arctan_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``atan``."""
    def arctanh(self) -> Tensor:
        """Inverse hyperbolic tangent of each element; inf at 1, NaN beyond."""
    def arctanh_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``atanh``."""
    def argmax(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """Position of the first largest element (of the first NaN if there is one), in the flat tensor without ``dim``."""
    def argmin(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """Position of the first smallest element (of the first NaN if there is one), in the flat tensor without ``dim``."""
    def argsort(
        self,
        dim: builtins.int = -1,
        descending: builtins.bool = False,
        *,
        stable: builtins.bool = False,
    ) -> Tensor:
        """Positions that put a dimension in order: NaN counts as the largest, and ties always keep theirs."""
    def argwhere(self) -> Tensor:
        """The positions of the elements that are not zero, one row each."""
    def asin(self) -> Tensor:
        """Angle in [-pi/2, pi/2] with that sine; NaN outside of [-1, 1]."""
    def asin_(self) -> _Self:
        """Angle in [-pi/2, pi/2] with that sine; NaN outside of [-1, 1]."""
    def asinh(self) -> Tensor:
        """Inverse hyperbolic sine of each element."""
    def asinh_(self) -> _Self:
        """Inverse hyperbolic sine of each element."""
    def atan(self) -> Tensor:
        """Angle in [-pi/2, pi/2] with that tangent."""
    def atan2(self, other: Tensor | _Number) -> Tensor:
        """Angle in [-pi, pi] of the point whose ordinate is ``input`` and whose abscissa is ``other``."""
    def atan2_(self, other: Tensor | _Number) -> _Self:
        """Angle in [-pi, pi] of the point whose ordinate is ``input`` and whose abscissa is ``other``."""
    def atan_(self) -> _Self:
        """Angle in [-pi/2, pi/2] with that tangent."""
    def atanh(self) -> Tensor:
        """Inverse hyperbolic tangent of each element; inf at 1, NaN beyond."""
    def atanh_(self) -> _Self:
        """Inverse hyperbolic tangent of each element; inf at 1, NaN beyond."""
    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: builtins.bool | None = None,
        create_graph: builtins.bool = False,
        inputs: _Tensors | None = None,
    ) -> None:
        """Add the gradient of this tensor to the ``grad`` of every leaf that it was computed from."""
    def baddbmm(self, batch1: Tensor, batch2: Tensor, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor:
        """``beta * input + alpha * (batch1 @ batch2)`` of batches of matrices."""
    def baddbmm_(self, batch1: Tensor, batch2: Tensor, *, beta: _Number = 1, alpha: _Number = 1) -> _Self:
        """``beta * input + alpha * (batch1 @ batch2)`` of batches of matrices."""
    def bernoulli(
        self,
        p: builtins.float | None = None,
        *,
        generator: _Generator | None = None,
    ) -> Tensor:
        """Ones with the probabilities that the tensor holds (or with one probability ``p``), else zeros."""
    def bernoulli_(self, p: _Any = 0.5, *, generator: _Generator | None = None) -> Tensor:
        """Write ones with probability ``p`` (a number or a tensor), else zeros."""
    def bfloat16(self) -> Tensor:
        """Return the tensor as bfloat16."""
    def bincount(self, weights: Tensor | None = None, minlength: builtins.int = 0) -> Tensor:
        """How often each non-negative integer occurs in a vector, or the sum of its weights."""
    def bitwise_and(self, other: Tensor | _Number) -> Tensor:
        """Bits set in both elements of each pair; logical and for bools."""
    def bitwise_and_(self, other: Tensor | _Number) -> _Self:
        """Bits set in both elements of each pair; logical and for bools."""
    def bitwise_left_shift(self, other: Tensor | _Number) -> Tensor:
        """The bits of each integer moved ``other`` places up: ``input * 2**other`` in the type."""
    def bitwise_left_shift_(self, other: Tensor | _Number) -> _Self:
        """The bits of each integer moved ``other`` places up: ``input * 2**other`` in the type."""
    def bitwise_not(self) -> Tensor:
        """Every bit of each element turned; logical not for bools."""
    def bitwise_not_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``bitwise_not``: its result in the tensor's own dtype."""
    def bitwise_or(self, other: Tensor | _Number) -> Tensor:
        """Bits set in one of the elements of each pair; logical or for bools."""
    def bitwise_or_(self, other: Tensor | _Number) -> _Self:
        """Bits set in one of the elements of each pair; logical or for bools."""
    def bitwise_right_shift(self, other: Tensor | _Number) -> Tensor:
        """The bits of each integer moved ``other`` places down: ``input / 2**other`` rounded down."""
    def bitwise_right_shift_(self, other: Tensor | _Number) -> _Self:
        """The bits of each integer moved ``other`` places down: ``input / 2**other`` rounded down."""
    def bitwise_xor(self, other: Tensor | _Number) -> Tensor:
        """Bits set in exactly one of the elements of each pair; logical xor for bools."""
    def bitwise_xor_(self, other: Tensor | _Number) -> _Self:
        """Bits set in exactly one of the elements of each pair; logical xor for bools."""
    def bmm(self, mat2: Tensor) -> Tensor:
        """Products of two batches of matrices."""
    def bool(self) -> Tensor:
        """Return the tensor as bool."""
    def broadcast_to(self, shape: _Sequence[builtins.int]) -> Tensor:
        """Expanded to a shape."""
    def byte(self) -> Tensor:
        """Return the tensor as uint8."""
    def ceil(self) -> Tensor:
        """The smallest integer that is not below each element."""
    def ceil_(self) -> _Self:
        """The smallest integer that is not below each element."""
    def char(self) -> Tensor:
        """Return the tensor as int8."""
    def chunk(self, chunks: builtins.int, dim: builtins.int = 0) -> builtins.tuple[Tensor, ...]:
        """Views of at most so many pieces of one length along a dimension; the last may be shorter."""
    def clamp(self, min: Tensor | _Number | None = None, max: Tensor | _Number | None = None) -> Tensor:
        """Each element moved into ``[min, max]`` (numbers or tensors); the gradient at the edges is 1."""
    def clamp_(self, min: Tensor | _Number | None = None, max: Tensor | _Number | None = None) -> _Self:
        """Each element moved into ``[min, max]`` (numbers or tensors); the gradient at the edges is 1."""
    def clamp_max(self, max: _Any) -> Tensor:
        """Each element that is not larger than ``max``, else ``max``."""
    def clamp_max_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``clamp_max``: its result in the tensor's own dtype."""
    def clamp_min(self, min: _Any) -> Tensor:
        """Each element that is not smaller than ``min``, else ``min``."""
    def clamp_min_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``clamp_min``: its result in the tensor's own dtype."""
    def clip(self, min: Tensor | _Number | None = None, max: Tensor | _Number | None = None) -> Tensor:
        """Each element moved into ``[min, max]`` (numbers or tensors); the gradient at the edges is 1."""
    def clip_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``clamp``."""
    def clone(self) -> Tensor:
        """A copy with storage of its own, through which gradients flow."""
    def conj(self) -> Tensor:
        """The complex conjugate, which of real numbers is the tensor itself."""
    def conj_physical(self) -> Tensor:
        """The complex conjugate, which of real numbers is the tensor itself."""
    def contiguous(self, *, memory_format: _Any = None) -> Tensor:
        """The tensor itself if its elements lie in row-major order, else a copy that does."""
    def copy_(self, src: _Any, non_blocking: builtins.bool = False) -> Tensor:
        """Write the values of another tensor, broadcast and converted to this one's dtype and device; returns itself."""
    def copysign(self, other: Tensor | _Number) -> Tensor:
        """The size of each element of ``input`` with the sign of ``other``; integers become floating."""
    def copysign_(self, other: Tensor | _Number) -> _Self:
        """The size of each element of ``input`` with the sign of ``other``; integers become floating."""
    def corrcoef(self) -> Tensor:
        """Pearson's correlation coefficients of the rows, which are variables; each is at most 1 in size."""
    def cos(self) -> Tensor:
        """Cosine of each element, in radians."""
    def cos_(self) -> _Self:
        """Cosine of each element, in radians."""
    def cosh(self) -> Tensor:
        """Hyperbolic cosine of each element."""
    def cosh_(self) -> _Self:
        """Hyperbolic cosine of each element."""
    def count_nonzero(self, dim: _Dims = None) -> Tensor:
        """How many elements are not zero."""
    def cov(
        self,
        *,
        correction: builtins.int = 1,
        fweights: Tensor | None = None,
        aweights: Tensor | None = None,
    ) -> Tensor:
        """The covariances of the rows, which are variables, over the columns, which are observations."""
    def cpu(self) -> Tensor:
        """Return the tensor on the CPU: of its own backend if that has one, else the host."""
    def cross(self, other: Tensor, dim: builtins.int | None = None) -> Tensor:
        """The vector product along a dimension of size 3: the first one, if none is named."""
    def cuda(self, device: _Any = None) -> Tensor:
        """Return the tensor on a CUDA device."""
    def cummax(self, dim: builtins.int) -> _ValuesIndices:
        """Largest element up to each one along a dimension, and its position; the gradient goes there."""
    def cummin(self, dim: builtins.int) -> _ValuesIndices:
        """Smallest element up to each one along a dimension, and its position; the gradient goes there."""
    def cumprod(self, dim: builtins.int, *, dtype: _Dtype | None = None) -> Tensor:
        """Product of all elements up to each one along a dimension; integers and bools multiply in int64."""
    def cumprod_(self, dim: builtins.int, *, dtype: _Dtype | None = None) -> _Self:
        """Product of all elements up to each one along a dimension; integers and bools multiply in int64."""
    def cumsum(self, dim: builtins.int, *, dtype: _Dtype | None = None) -> Tensor:
        """Sum of all elements up to each one along a dimension; integers and bools add up in int64."""
    def cumsum_(self, dim: builtins.int, *, dtype: _Dtype | None = None) -> _Self:
        """Sum of all elements up to each one along a dimension; integers and bools add up in int64."""
    @property
    def data(self) -> Tensor: ...
    @data.setter
    def data(self, value: Tensor) -> None:
        """Give the tensor another value, of any shape, dtype and device; its place in the graph stays."""
    def deg2rad(self) -> Tensor:
        """Degrees as radians."""
    def deg2rad_(self) -> _Self:
        """Degrees as radians."""
    def detach(self) -> Tensor:
        """Return a tensor that shares storage but no graph: a write to one is seen by the other."""
    def detach_(self) -> Tensor:
        """Cut the tensor itself off from its graph; an error for a view."""
    def diag(self, diagonal: builtins.int = 0) -> Tensor:
        """The matrix with a vector on its diagonal, or a copy of a diagonal of a matrix."""
    def diag_embed(
        self,
        offset: builtins.int = 0,
        dim1: builtins.int = -2,
        dim2: builtins.int = -1,
    ) -> Tensor:
        """Matrices at ``dim1`` and ``dim2`` with the last dimension on a diagonal, zeros elsewhere."""
    def diagflat(self, offset: builtins.int = 0) -> Tensor:
        """The matrix with all elements of a tensor on a diagonal."""
    def diagonal(
        self,
        offset: builtins.int = 0,
        dim1: builtins.int = 0,
        dim2: builtins.int = 1,
    ) -> Tensor:
        """A diagonal of two dimensions as the last dimension, sharing storage; ``offset`` counts to the right."""
    def diagonal_scatter(
        self,
        src: Tensor,
        offset: builtins.int = 0,
        dim1: builtins.int = 0,
        dim2: builtins.int = 1,
    ) -> Tensor:
        """A copy of the tensor with other values on a diagonal."""
    def diff(
        self,
        n: builtins.int = 1,
        dim: builtins.int = -1,
        prepend: Tensor | None = None,
        append: Tensor | None = None,
    ) -> Tensor:
        """Differences of neighbours along a dimension, ``n`` times; of bools whether they differ."""
    def digamma(self) -> Tensor:
        """The derivative of ``lgamma`` at each element; NaN at negative integers."""
    def digamma_(self) -> _Self:
        """The derivative of ``lgamma`` at each element; NaN at negative integers."""
    def dist(self, other: Tensor, p: _Number = 2) -> Tensor:
        """The p-norm of all differences ``input - other`` together."""
    def div(self, other: Tensor | _Number, *, rounding_mode: builtins.str | None = None) -> Tensor:
        """Quotient of each pair of elements, always floating; with ``rounding_mode`` "trunc" or "floor" rounded so."""
    def div_(self, other: Tensor | _Number, *, rounding_mode: builtins.str | None = None) -> _Self:
        """Quotient of each pair of elements, always floating; with ``rounding_mode`` "trunc" or "floor" rounded so."""
    def divide(self, other: Tensor | _Number, *, rounding_mode: builtins.str | None = None) -> Tensor:
        """Quotient of each pair of elements, always floating; with ``rounding_mode`` "trunc" or "floor" rounded so."""
    def divide_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``div``."""
    def dot(self, tensor: Tensor) -> Tensor:
        """Sum of the products of two vectors."""
    def double(self) -> Tensor:
        """Return the tensor as float64."""
    def dsplit(self, indices_or_sections: _Any) -> builtins.tuple[Tensor, ...]:
        """Views of pieces along dimension 2, as ``tensor_split``, of one length."""
    def eq(self, other: Tensor | _Number) -> Tensor:
        """Whether the elements of each pair are equal."""
    def eq_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``eq``: its result in the tensor's own dtype."""
    def equal(self, other: Tensor) -> builtins.bool:
        """Whether both tensors have the same shape and equal elements."""
    def erf(self) -> Tensor:
        """The error function, ``2 / sqrt(pi)`` times the integral of ``exp(-t^2)`` from 0 to each element."""
    def erf_(self) -> _Self:
        """The error function, ``2 / sqrt(pi)`` times the integral of ``exp(-t^2)`` from 0 to each element."""
    def erfc(self) -> Tensor:
        """``1 - erf(x)`` of each element, with all its digits where that is small."""
    def erfc_(self) -> _Self:
        """``1 - erf(x)`` of each element, with all its digits where that is small."""
    def erfinv(self) -> Tensor:
        """The inverse of erf: infinite at -1 and 1, NaN beyond."""
    def erfinv_(self) -> _Self:
        """The inverse of erf: infinite at -1 and 1, NaN beyond."""
    def exp(self) -> Tensor:
        """e to the power of each element."""
    def exp2(self) -> Tensor:
        """2 to the power of each element."""
    def exp2_(self) -> _Self:
        """2 to the power of each element."""
    def exp_(self) -> _Self:
        """e to the power of each element."""
    def expand(self, *sizes: builtins.int | _Sequence[builtins.int]) -> Tensor:
        """Dimensions of size 1 repeated without copying, sharing storage; -1 keeps a size."""
    def expand_as(self, other: Tensor) -> Tensor:
        """Expanded to the shape of another tensor."""
    def expm1(self) -> Tensor:
        """``exp(x) - 1`` of each element, without the loss of digits near 0."""
    def expm1_(self) -> _Self:
        """``exp(x) - 1`` of each element, without the loss of digits near 0."""
    def exponential_(self, lambd: builtins.float = 1.0, *, generator: _Generator | None = None) -> Tensor:
        """Write exponentially distributed numbers of rate ``lambd``."""
    def fill_(self, value: _Any) -> Tensor:
        """Write one value everywhere; also into an expanded view, whose elements all get it."""
    def fill_diagonal_(self, fill_value: _Number, wrap: builtins.bool = False) -> Tensor:
        """Write one value on the main diagonal of all dimensions; ``wrap`` goes on below in a tall matrix."""
    def fix(self) -> Tensor:
        """Each element without its fraction."""
    def fix_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``trunc``."""
    def flatten(self, start_dim: builtins.int = 0, end_dim: builtins.int = -1) -> Tensor:
        """The dimensions from ``start_dim`` to ``end_dim`` made one."""
    def flip(self, *dims: builtins.int | _Sequence[builtins.int]) -> Tensor:
        """A copy with the order of elements reversed along dimensions."""
    def fliplr(self) -> Tensor:
        """A copy with the order of columns reversed."""
    def flipud(self) -> Tensor:
        """A copy with the order of rows reversed."""
    def float(self) -> Tensor:
        """Return the tensor as float32."""
    def float_power(self, exponent: Tensor | _Number) -> Tensor:
        """Power of each element, computed and given in float64."""
    def float_power_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``float_power``: its result in the tensor's own dtype."""
    def floor(self) -> Tensor:
        """The largest integer that is not above each element."""
    def floor_(self) -> _Self:
        """The largest integer that is not above each element."""
    def floor_divide(self, other: Tensor | _Number) -> Tensor:
        """Quotient rounded towards minus infinity; an integer division by zero is an error."""
    def floor_divide_(self, other: Tensor | _Number) -> _Self:
        """Quotient rounded towards minus infinity; an integer division by zero is an error."""
    def fmax(self, other: Tensor) -> Tensor:
        """The larger of each pair; where one is NaN, the other."""
    def fmin(self, other: Tensor) -> Tensor:
        """The smaller of each pair; where one is NaN, the other."""
    def fmod(self, other: Tensor | _Number) -> Tensor:
        """Remainder with the sign of the dividend: ``fmod(-7, 3)`` is -1."""
    def fmod_(self, other: Tensor | _Number) -> _Self:
        """Remainder with the sign of the dividend: ``fmod(-7, 3)`` is -1."""
    def frac(self) -> Tensor:
        """The fraction of each element, with its sign: ``x - trunc(x)``."""
    def frac_(self) -> _Self:
        """The fraction of each element, with its sign: ``x - trunc(x)``."""
    def frexp(self) -> _MantissaExponent:
        """Each number as ``mantissa * 2**exponent`` with a mantissa from 0.5 to below 1 in size, and an int32 exponent."""
    def gather(self, dim: builtins.int, index: Tensor) -> Tensor:
        """``out[i][j] = input[index[i][j]][j]`` for ``dim`` 0, and so on: one element per element of ``index``."""
    def ge(self, other: Tensor | _Number) -> Tensor:
        """Whether the left element of each pair is greater or equal."""
    def ge_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``ge``: its result in the tensor's own dtype."""
    def ger(self, vec2: Tensor) -> Tensor:
        """The product of every element of one vector with every element of another."""
    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward has added up."""
    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        """Set or clear the gradient; its shape, dtype and device must be the tensor's."""
    def greater(self, other: Tensor | _Number) -> Tensor:
        """Whether the left element of each pair is greater."""
    def greater_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``gt``: its result in the tensor's own dtype."""
    def greater_equal(self, other: Tensor | _Number) -> Tensor:
        """Whether the left element of each pair is greater or equal."""
    def greater_equal_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``ge``: its result in the tensor's own dtype."""
    def gt(self, other: Tensor | _Number) -> Tensor:
        """Whether the left element of each pair is greater."""
    def gt_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``gt``: its result in the tensor's own dtype."""
    def half(self) -> Tensor:
        """Return the tensor as float16."""
    def hardshrink(self, lambd: builtins.float = 0.5) -> Tensor:
        """Each element where it is outside ``[-lambd, lambd]`` (or NaN), 0 elsewhere."""
    def heaviside(self, values: Tensor) -> Tensor:
        """0 below 0, 1 above, and ``values`` at 0; 0 for NaN."""
    def heaviside_(self, values: Tensor) -> _Self:
        """0 below 0, 1 above, and ``values`` at 0; 0 for NaN."""
    def histc(self, bins: builtins.int = 100, min: _Number = 0, max: _Number = 0) -> Tensor:
        """How many elements fall into each of ``bins`` equal intervals between ``min`` and ``max``."""
    def hsplit(self, indices_or_sections: _Any) -> builtins.tuple[Tensor, ...]:
        """Views of pieces along dimension 1, as ``tensor_split``, of one length."""
    def hypot(self, other: Tensor) -> Tensor:
        """sqrt(x^2 + y^2) of each pair, without overflow on the way; its gradient at (0, 0) is NaN."""
    def hypot_(self, other: Tensor) -> _Self:
        """sqrt(x^2 + y^2) of each pair, without overflow on the way; its gradient at (0, 0) is NaN."""
    def i0(self) -> Tensor:
        """The modified Bessel function of the first kind of order 0."""
    def i0_(self) -> _Self:
        """The modified Bessel function of the first kind of order 0."""
    def index_add(
        self,
        dim: builtins.int,
        index: Tensor,
        source: Tensor,
        *,
        alpha: _Number = 1,
    ) -> Tensor:
        """``input`` with the slices of ``source`` added at positions of a dimension; repeated positions accumulate."""
    def index_add_(
        self,
        dim: builtins.int,
        index: Tensor,
        source: Tensor,
        *,
        alpha: _Number = 1,
    ) -> _Self:
        """``input`` with the slices of ``source`` added at positions of a dimension; repeated positions accumulate."""
    def index_copy(self, dim: builtins.int, index: Tensor, source: Tensor) -> Tensor:
        """``input`` with the slices of ``source`` put at positions of a dimension; of repeated positions the last wins."""
    def index_copy_(self, dim: builtins.int, index: Tensor, source: Tensor) -> _Self:
        """``input`` with the slices of ``source`` put at positions of a dimension; of repeated positions the last wins."""
    def index_fill(self, dim: builtins.int, index: Tensor, value: Tensor | _Number) -> Tensor:
        """A copy of the tensor with one value in the slices of a dimension that a vector of positions names."""
    def index_fill_(self, dim: builtins.int, index: Tensor, value: Tensor | _Number) -> _Self:
        """A copy of the tensor with one value in the slices of a dimension that a vector of positions names."""
    def index_put(
        self,
        indices: _Sequence[Tensor | None],
        values: Tensor,
        accumulate: builtins.bool = False,
    ) -> Tensor:
        """A copy with values put at the positions that a tuple of index tensors names, or added there."""
    def index_put_(
        self,
        indices: _Sequence[Tensor | None],
        values: Tensor,
        accumulate: builtins.bool = False,
    ) -> Tensor:
        """Put values at the positions that a tuple of index tensors names, or add them there; returns the tensor."""
    def index_reduce(
        self,
        dim: builtins.int,
        index: Tensor,
        source: Tensor,
        reduce: builtins.str,
        *,
        include_self: builtins.bool = True,
    ) -> Tensor:
        """``input`` with slices of ``source`` reduced into positions of a dimension: "prod", "mean", "amax" or "amin"."""
    def index_reduce_(
        self,
        dim: builtins.int,
        index: Tensor,
        source: Tensor,
        reduce: builtins.str,
        *,
        include_self: builtins.bool = True,
    ) -> Tensor:
        """In-place form of ``index_reduce``."""
    def index_select(self, dim: builtins.int, index: Tensor) -> Tensor:
        """The slices of a dimension that a vector of positions names, as a copy."""
    def inner(self, other: Tensor) -> Tensor:
        """Sums of products over the last dimension of both tensors, for all pairs of the others."""
    def int(self) -> Tensor:
        """Return the tensor as int32."""
    def is_conj(self) -> builtins.bool:
        """Whether a conjugation is put off: never."""
    def is_nonzero(self) -> builtins.bool:
        """Tell whether the only element of a tensor is not zero."""
    def is_pinned(self, device: _Any = None) -> builtins.bool:
        """Whether the memory is page-locked: never by itself."""
    def is_shared(self) -> builtins.bool:
        """Whether other processes see what is written into the tensor: they never do."""
    def is_signed(self) -> builtins.bool:
        """Tell whether the dtype of a tensor has negative numbers."""
    def isclose(
        self,
        other: Tensor,
        rtol: builtins.float = 1e-05,
        atol: builtins.float = 1e-08,
        equal_nan: builtins.bool = False,
    ) -> Tensor:
        """Whether ``|input - other| <= atol + rtol * |other|`` for each pair."""
    def isfinite(self) -> Tensor:
        """Whether each element is neither infinite nor NaN."""
    def isinf(self) -> Tensor:
        """Whether each element is an infinity."""
    def isnan(self) -> Tensor:
        """Whether each element is NaN."""
    def isneginf(self) -> Tensor:
        """Whether each element is negative infinity."""
    def isposinf(self) -> Tensor:
        """Whether each element is positive infinity."""
    def isreal(self) -> Tensor:
        """Whether each element has no imaginary part: always, as no dtype has one."""
    def item(self) -> _Number:
        """Return the value of a tensor of one element as a Python number."""
    def kron(self, other: Tensor) -> Tensor:
        """Every element of one tensor times the whole of the other, laid out as blocks."""
    def kthvalue(
        self,
        k: builtins.int,
        dim: builtins.int = -1,
        keepdim: builtins.bool = False,
    ) -> _ValuesIndices:
        """The ``k``-th smallest element of a dimension, counted from 1, and its position."""
    def ldexp(self, other: Tensor) -> Tensor:
        """``input * 2 ** other``."""
    def ldexp_(self, other: Tensor) -> _Self:
        """``input * 2 ** other``."""
    def le(self, other: Tensor | _Number) -> Tensor:
        """Whether the left element of each pair is less or equal."""
    def le_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``le``: its result in the tensor's own dtype."""
    def lerp(self, end: Tensor, weight: Tensor | _Number) -> Tensor:
        """``input + weight * (end - input)``."""
    def lerp_(self, end: Tensor, weight: Tensor | _Number) -> _Self:
        """``input + weight * (end - input)``."""
    def less(self, other: Tensor | _Number) -> Tensor:
        """Whether the left element of each pair is less."""
    def less_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``lt``: its result in the tensor's own dtype."""
    def less_equal(self, other: Tensor | _Number) -> Tensor:
        """Whether the left element of each pair is less or equal."""
    def less_equal_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``le``: its result in the tensor's own dtype."""
    def lgamma(self) -> Tensor:
        """Logarithm of the size of the gamma function at each element; inf at 0 and at negative integers."""
    def lgamma_(self) -> _Self:
        """Logarithm of the size of the gamma function at each element; inf at 0 and at negative integers."""
    def log(self) -> Tensor:
        """Natural logarithm of each element; -inf of 0, NaN of negative numbers."""
    def log10(self) -> Tensor:
        """Logarithm to the base 10 of each element."""
    def log10_(self) -> _Self:
        """Logarithm to the base 10 of each element."""
    def log1p(self) -> Tensor:
        """``log(1 + x)`` of each element, without the loss of digits near 0."""
    def log1p_(self) -> _Self:
        """``log(1 + x)`` of each element, without the loss of digits near 0."""
    def log2(self) -> Tensor:
        """Logarithm to the base 2 of each element."""
    def log2_(self) -> _Self:
        """Logarithm to the base 2 of each element."""
    def log_(self) -> _Self:
        """Natural logarithm of each element; -inf of 0, NaN of negative numbers."""
    def log_softmax(self, dim: builtins.int, dtype: _dtypes.dtype | None = None) -> Tensor:
        """``x - log(sum(exp(x)))`` along a dimension: the logarithm of softmax, also where that is 0."""
    def logaddexp(self, other: Tensor) -> Tensor:
        """``log(exp(x) + exp(y))`` of each pair, without overflow."""
    def logaddexp2(self, other: Tensor) -> Tensor:
        """``log2(2**x + 2**y)`` of each pair, without overflow."""
    def logcumsumexp(self, dim: builtins.int) -> Tensor:
        """Logarithm of the running sum of exponentials along a dimension, without overflow."""
    def logical_and(self, other: Tensor) -> Tensor:
        """Whether both elements of each pair are not zero."""
    def logical_and_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``logical_and``: its result in the tensor's own dtype."""
    def logical_not(self) -> Tensor:
        """Whether each element is zero."""
    def logical_not_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``logical_not``: its result in the tensor's own dtype."""
    def logical_or(self, other: Tensor) -> Tensor:
        """Whether one element of each pair is not zero."""
    def logical_or_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``logical_or``: its result in the tensor's own dtype."""
    def logical_xor(self, other: Tensor) -> Tensor:
        """Whether exactly one element of each pair is not zero."""
    def logical_xor_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``logical_xor``: its result in the tensor's own dtype."""
    def logit(self, eps: builtins.float | None = None) -> Tensor:
        """``log(x / (1 - x))``, the inverse of sigmoid; with ``eps`` of x moved into ``[eps, 1 - eps]``."""
    def logit_(self, eps: builtins.float | None = None) -> _Self:
        """``log(x / (1 - x))``, the inverse of sigmoid; with ``eps`` of x moved into ``[eps, 1 - eps]``."""
    def logsumexp(self, dim: _Dims, keepdim: builtins.bool = False) -> Tensor:
        """Logarithm of the sum of exponentials over dimensions, without overflow; -inf of nothing."""
    def long(self) -> Tensor:
        """Return the tensor as int64."""
    def lt(self, other: Tensor | _Number) -> Tensor:
        """Whether the left element of each pair is less."""
    def lt_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``lt``: its result in the tensor's own dtype."""
    @property
    def mH(self) -> Tensor:
        """The conjugate transpose of each matrix: the last two dimensions exchanged."""
    @property
    def mT(self) -> Tensor: ...
    def masked_fill(self, mask: Tensor, value: Tensor | _Number) -> Tensor:
        """A value where the mask holds, else the element."""
    def masked_fill_(self, mask: Tensor, value: Tensor | _Number) -> _Self:
        """A value where the mask holds, else the element."""
    def masked_scatter(self, mask: Tensor, source: Tensor) -> Tensor:
        """The elements of ``source`` in order, where the mask holds; elsewhere the element."""
    def masked_scatter_(self, mask: Tensor, source: Tensor) -> _Self:
        """The elements of ``source`` in order, where the mask holds; elsewhere the element."""
    def masked_select(self, mask: Tensor) -> Tensor:
        """The elements where the mask holds, in one dimension."""
    def matmul(self, other: Tensor) -> Tensor:
        """Matrix product of the last two dimensions, batches broadcast; vectors count as a row or a column."""
    def matrix_exp(self) -> Tensor:
        """The exponential of each square matrix, by scaling, a Taylor polynomial, and squaring."""
    def matrix_power(self, n: builtins.int) -> Tensor:
        """The product of ``n`` copies of a square matrix, by repeated squaring; ``n`` must not be negative."""
    def max(self, dim: _Any = None, keepdim: builtins.bool = False, *, other: _Any = None) -> _Any:
        """Largest element; along ``dim`` values and positions; with another tensor the larger of each pair."""
    def maximum(self, other: Tensor | _Number) -> Tensor:
        """The larger of each pair, NaN if one of them is; equal values share the gradient by halves."""
    def mean(
        self,
        dim: _Dims = None,
        keepdim: builtins.bool = False,
        *,
        dtype: _dtypes.dtype | None = None,
    ) -> Tensor:
        """Mean over dimensions (all by default) of a floating tensor; NaN of nothing."""
    def median(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> _Any:
        """The lower of the two middle values, of all elements or along a dimension with its position."""
    def min(self, dim: _Any = None, keepdim: builtins.bool = False, *, other: _Any = None) -> _Any:
        """Smallest element; along ``dim`` values and positions; with another tensor the smaller of each pair."""
    def minimum(self, other: Tensor | _Number) -> Tensor:
        """The smaller of each pair, NaN if one of them is; equal values share the gradient by halves."""
    def mm(self, mat2: Tensor) -> Tensor:
        """Product of two matrices."""
    def mode(self, dim: builtins.int = -1, keepdim: builtins.bool = False) -> _ValuesIndices:
        """The most frequent value along a dimension, the smallest of several, with the last position that it has."""
    def moveaxis(
        self,
        source: builtins.int | _Sequence[builtins.int],
        destination: builtins.int | _Sequence[builtins.int],
    ) -> Tensor:
        """Dimensions moved to other places, the rest in their order."""
    def movedim(
        self,
        source: builtins.int | _Sequence[builtins.int],
        destination: builtins.int | _Sequence[builtins.int],
    ) -> Tensor:
        """Dimensions moved to other places, the rest in their order."""
    def msort(self) -> Tensor:
        """The values of the first dimension in order."""
    def mul(self, other: Tensor | _Number) -> Tensor:
        """Product of each pair of elements; logical and for bools."""
    def mul_(self, other: Tensor | _Number) -> _Self:
        """Product of each pair of elements; logical and for bools."""
    def multinomial(
        self,
        num_samples: builtins.int,
        replacement: builtins.bool = False,
        *,
        generator: _Generator | None = None,
    ) -> Tensor:
        """Positions drawn with the (unnormalised) probabilities of each row, with or without replacement."""
    def multiply(self, other: Tensor | _Number) -> Tensor:
        """Product of each pair of elements; logical and for bools."""
    def multiply_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``mul``."""
    def mv(self, vec: Tensor) -> Tensor:
        """Product of a matrix and a vector."""
    def nan_to_num(
        self,
        nan: builtins.float | None = None,
        posinf: builtins.float | None = None,
        neginf: builtins.float | None = None,
    ) -> Tensor:
        """Numbers for NaN (0) and for the infinities (the largest and the smallest number of the type)."""
    def nan_to_num_(
        self,
        nan: builtins.float | None = None,
        posinf: builtins.float | None = None,
        neginf: builtins.float | None = None,
    ) -> _Self:
        """Numbers for NaN (0) and for the infinities (the largest and the smallest number of the type)."""
    def nanmean(
        self,
        dim: _Dims = None,
        keepdim: builtins.bool = False,
        *,
        dtype: _Dtype2 | None = None,
    ) -> Tensor:
        """Mean over dimensions of the elements that are not NaN."""
    def nanmedian(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> _Any:
        """As ``median``, of the elements that are not NaN."""
    def nanquantile(
        self,
        q: Tensor | _Number,
        dim: builtins.int | None = None,
        keepdim: builtins.bool = False,
        *,
        interpolation: builtins.str = 'linear',
    ) -> Tensor:
        """The :func:`quantile` of the elements that are no nan."""
    def nansum(
        self,
        dim: _Dims = None,
        keepdim: builtins.bool = False,
        *,
        dtype: _Dtype2 | None = None,
    ) -> Tensor:
        """Sum over dimensions in which NaN counts as 0."""
    def narrow(self, dim: builtins.int, start: builtins.int, length: builtins.int) -> Tensor:
        """``length`` positions of a dimension from ``start`` on, sharing storage."""
    def ne(self, other: Tensor | _Number) -> Tensor:
        """Whether the elements of each pair differ."""
    def ne_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``ne``: its result in the tensor's own dtype."""
    def neg(self) -> Tensor:
        """Each element with the other sign."""
    def neg_(self) -> _Self:
        """Each element with the other sign."""
    def negative(self) -> Tensor:
        """Each element with the other sign."""
    def negative_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``neg``."""
    def new(self, *args: _Any, device: _Any = None) -> Tensor:
        """A tensor of the same dtype and device: of values, or of sizes, which leaves the values open."""
    def new_empty(
        self,
        *size: _Any,
        dtype: _dtypes.dtype | None = None,
        device: _Place = None,
        requires_grad: builtins.bool = False,
    ) -> Tensor:
        """Make a tensor with the dtype and device of this one, without a promise about its values."""
    def new_full(
        self,
        size: _Any,
        fill_value: _Number,
        *,
        dtype: _dtypes.dtype | None = None,
        device: _Place = None,
        requires_grad: builtins.bool = False,
    ) -> Tensor:
        """Make a tensor of one value with the dtype and device of this one."""
    def new_ones(
        self,
        *size: _Any,
        dtype: _dtypes.dtype | None = None,
        device: _Place = None,
        requires_grad: builtins.bool = False,
    ) -> Tensor:
        """Make ones with the dtype and device of this tensor."""
    def new_tensor(
        self,
        data: _Any,
        *,
        dtype: _dtypes.dtype | None = None,
        device: _Place = None,
        requires_grad: builtins.bool = False,
    ) -> Tensor:
        """Make a tensor of data with the dtype and device of this one."""
    def new_zeros(
        self,
        *size: _Any,
        dtype: _dtypes.dtype | None = None,
        device: _Place = None,
        requires_grad: builtins.bool = False,
    ) -> Tensor:
        """Make zeros with the dtype and device of this tensor."""
    def nonzero(self, *, as_tuple: builtins.bool = False) -> _Any:
        """The positions of the elements that are not zero, one row each; as a tuple of vectors per dimension on request."""
    def norm(
        self,
        p: _Any = 'fro',
        dim: _Dims = None,
        keepdim: builtins.bool = False,
        *,
        dtype: _dtypes.dtype | None = None,
    ) -> Tensor:
        """The ``p``-norm over dimensions, ``sum(|x|^p)^(1/p)``: by default of all elements with p = 2."""
    def normal_(
        self,
        mean: builtins.float = 0.0,
        std: builtins.float = 1.0,
        *,
        generator: _Generator | None = None,
    ) -> Tensor:
        """Write normal numbers."""
    def not_equal(self, other: Tensor | _Number) -> Tensor:
        """Whether the elements of each pair differ."""
    def not_equal_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``ne``: its result in the tensor's own dtype."""
    def numpy(self, *, force: builtins.bool = False) -> _numpy.ndarray[_Any, _Any]:
        """Return the values as a read-only NumPy array, without a copy where the machine allows; it never changes."""
    def outer(self, vec2: Tensor) -> Tensor:
        """The product of every element of one vector with every element of another."""
    def permute(self, *dims: builtins.int | _Sequence[builtins.int]) -> Tensor:
        """The dimensions in another order, sharing storage."""
    def pin_memory(self, device: _Any = None) -> Tensor:
        """The tensor itself: transfers take the way that the backend has."""
    def polygamma(self, n: builtins.int) -> Tensor:
        """The ``n``-th derivative of ``digamma`` at each element."""
    def positive(self) -> Tensor:
        """The tensor itself."""
    def pow(self, exponent: Tensor | _Number) -> Tensor:
        """Power of each element. Squares and cubes are products; all else is one correctly bounded power."""
    def pow_(self, exponent: Tensor | _Number) -> Tensor:
        """In-place form of ``pow``."""
    def prod(
        self,
        dim: _Dims = None,
        keepdim: builtins.bool = False,
        *,
        dtype: _Dtype2 | None = None,
    ) -> Tensor:
        """Product over dimensions (all by default); integers and bools multiply in int64, an empty product is 1."""
    def put(self, index: Tensor, source: Tensor, accumulate: builtins.bool = False) -> Tensor:
        """A copy of the tensor with elements put at positions of the flat tensor, or added there."""
    def put_(self, index: Tensor, source: Tensor, accumulate: builtins.bool = False) -> Tensor:
        """In-place form of ``put``."""
    def quantile(
        self,
        q: Tensor | _Number,
        dim: builtins.int | None = None,
        keepdim: builtins.bool = False,
        *,
        interpolation: builtins.str = 'linear',
    ) -> Tensor:
        """The value below which a fraction ``q`` of the elements lies, along a dimension or of all; nan if one is nan."""
    def rad2deg(self) -> Tensor:
        """Radians as degrees."""
    def rad2deg_(self) -> _Self:
        """Radians as degrees."""
    def random_(
        self,
        from_: builtins.int | None = None,
        to: builtins.int | None = None,
        *,
        generator: _Generator | None = None,
    ) -> Tensor:
        """Write integers of ``[from_, to)``; without bounds all that the dtype represents exactly."""
    def ravel(self) -> Tensor:
        """All elements in one dimension."""
    @property
    def real(self) -> Tensor:
        """The real part, which is the tensor itself."""
    def reciprocal(self) -> Tensor:
        """1 divided by each element."""
    def reciprocal_(self) -> _Self:
        """1 divided by each element."""
    def register_hook(self, hook: _hooks.Hook) -> _RemovableHandle:
        """Call ``hook(grad)`` when the gradient of this tensor is known; a tensor it returns takes its place."""
    def register_post_accumulate_grad_hook(self, hook: _hooks.Hook) -> _RemovableHandle:
        """Call ``hook(tensor)`` after a gradient was added to ``grad`` of this leaf."""
    def relu(self) -> Tensor:
        """The larger of each element and 0, NaN for NaN; the gradient at 0 is 0."""
    def relu_(self) -> _Self:
        """The larger of each element and 0, NaN for NaN; the gradient at 0 is 0."""
    def remainder(self, other: Tensor | _Number) -> Tensor:
        """Remainder with the sign of the divisor: ``remainder(-7, 3)`` is 2."""
    def remainder_(self, other: Tensor | _Number) -> _Self:
        """Remainder with the sign of the divisor: ``remainder(-7, 3)`` is 2."""
    def renorm(self, p: _Number, dim: builtins.int, maxnorm: _Number) -> Tensor:
        """Each slice along a dimension scaled down so that its p-norm is at most ``maxnorm``."""
    def renorm_(self, p: _Number, dim: builtins.int, maxnorm: _Number) -> _Self:
        """Each slice along a dimension scaled down so that its p-norm is at most ``maxnorm``."""
    def repeat(self, *repeats: builtins.int | _Sequence[builtins.int]) -> Tensor:
        """A copy of the tensor so many times along each dimension; more numbers than dimensions make new ones."""
    def repeat_interleave(
        self,
        repeats: _Any = None,
        dim: builtins.int | None = None,
        *,
        output_size: builtins.int | None = None,
    ) -> Tensor:
        """Every slice of a dimension so many times in a row; without ``dim`` of the flat tensor."""
    def reshape(self, *shape: _Any) -> Tensor:
        """The same elements in another shape: a view where the strides allow it, else a copy."""
    def reshape_as(self, other: Tensor) -> Tensor:
        """The same elements in the shape of another tensor."""
    def resolve_conj(self) -> Tensor:
        """The tensor itself: no conjugation is put off."""
    def resolve_neg(self) -> Tensor:
        """The tensor itself: no negation is put off."""
    def retain_grad(self) -> None:
        """Keep the gradient of this tensor in ``grad`` during backward, though it is no leaf."""
    def roll(self, shifts: _Dims2, dims: _Dims2 | None = None) -> Tensor:
        """A copy whose elements moved along dimensions, round the end; without ``dims`` in the flat tensor."""
    def rot90(self, k: builtins.int = 1, dims: _Sequence[builtins.int] = ...) -> Tensor:
        """A copy turned by 90 degrees ``k`` times, from the first towards the second of two dimensions."""
    def round(self, *, decimals: builtins.int = 0) -> Tensor:
        """The nearest integer to each element, halves to even; ``decimals`` keeps digits after the point."""
    def round_(self, *, decimals: builtins.int = 0) -> _Self:
        """The nearest integer to each element, halves to even; ``decimals`` keeps digits after the point."""
    def rsqrt(self) -> Tensor:
        """``1 / sqrt(x)`` of each element; inf of 0."""
    def rsqrt_(self) -> _Self:
        """``1 / sqrt(x)`` of each element; inf of 0."""
    def scatter(
        self,
        dim: builtins.int,
        index: Tensor,
        src: _Any = None,
        *,
        value: _Any = None,
        reduce: builtins.str | None = None,
    ) -> Tensor:
        """``input`` with elements of ``src`` (or one value) put at the positions of ``index`` along a dimension."""
    def scatter_(self, dim: builtins.int, index: Tensor, src: _Any = None, **params: _Any) -> Tensor:
        """In-place form of ``scatter``."""
    def scatter_add(self, dim: builtins.int, index: Tensor, src: Tensor) -> Tensor:
        """``input`` with elements of ``src`` added at the positions of ``index``; repeated positions accumulate."""
    def scatter_add_(self, dim: builtins.int, index: Tensor, src: Tensor) -> Tensor:
        """In-place form of ``scatter_add``."""
    def scatter_reduce(
        self,
        dim: builtins.int,
        index: Tensor,
        src: Tensor,
        reduce: builtins.str,
        *,
        include_self: builtins.bool = True,
    ) -> Tensor:
        """Each position's element together with all elements of ``src`` that ``index`` sends there, reduced."""
    def scatter_reduce_(
        self,
        dim: builtins.int,
        index: Tensor,
        src: Tensor,
        reduce: builtins.str,
        *,
        include_self: builtins.bool = True,
    ) -> Tensor:
        """In-place form of ``scatter_reduce``."""
    def select(self, dim: builtins.int, index: builtins.int) -> Tensor:
        """The slice at one position of a dimension, sharing storage."""
    def select_scatter(self, src: Tensor, dim: builtins.int, index: builtins.int) -> Tensor:
        """A copy of the tensor with another slice at one position of a dimension."""
    def sgn(self) -> Tensor:
        """-1, 0 or 1 by the sign of each element, as ``sign``."""
    def sgn_(self) -> _Self:
        """-1, 0 or 1 by the sign of each element, as ``sign``."""
    def share_memory_(self) -> Tensor:
        """The tensor itself: a worker process is sent its values."""
    def short(self) -> Tensor:
        """Return the tensor as int16."""
    def sigmoid(self) -> Tensor:
        """``1 / (1 + exp(-x))`` of each element, with all its digits in both tails."""
    def sigmoid_(self) -> _Self:
        """``1 / (1 + exp(-x))`` of each element, with all its digits in both tails."""
    def sign(self) -> Tensor:
        """-1, 0 or 1 by the sign of each element; 0 for NaN and for both zeros. Its gradient is 0."""
    def sign_(self) -> _Self:
        """-1, 0 or 1 by the sign of each element; 0 for NaN and for both zeros. Its gradient is 0."""
    def signbit(self) -> Tensor:
        """Whether each element has a minus, also -0. and not NaN."""
    def sin(self) -> Tensor:
        """Sine of each element, in radians."""
    def sin_(self) -> _Self:
        """Sine of each element, in radians."""
    def sinc(self) -> Tensor:
        """``sin(pi x) / (pi x)``, which is 1 at 0."""
    def sinc_(self) -> _Self:
        """``sin(pi x) / (pi x)``, which is 1 at 0."""
    def sinh(self) -> Tensor:
        """Hyperbolic sine of each element."""
    def sinh_(self) -> _Self:
        """Hyperbolic sine of each element."""
    def slice_scatter(
        self,
        src: Tensor,
        dim: builtins.int = 0,
        start: builtins.int | None = None,
        end: builtins.int | None = None,
        step: builtins.int = 1,
    ) -> Tensor:
        """A copy of the tensor with other slices from ``start`` to ``end`` of a dimension."""
    def softmax(self, dim: builtins.int, dtype: _dtypes.dtype | None = None) -> Tensor:
        """``exp(x) / sum(exp(x))`` along a dimension; NaN where the largest element is infinite or NaN."""
    def sort(
        self,
        dim: builtins.int = -1,
        descending: builtins.bool = False,
        *,
        stable: builtins.bool = False,
    ) -> _ValuesIndices:
        """A dimension in order, and the positions the elements had; NaN is the largest, ties keep their order."""
    def split(
        self,
        split_size_or_sections: builtins.int | _Sequence[builtins.int],
        dim: builtins.int = 0,
    ) -> builtins.tuple[Tensor, ...]:
        """Views of pieces along a dimension, of one length (the last may be shorter) or of the lengths given."""
    def split_with_sizes(
        self,
        split_sizes: _Sequence[builtins.int],
        dim: builtins.int = 0,
    ) -> builtins.tuple[Tensor, ...]:
        """Views of pieces of the given lengths along a dimension."""
    def sqrt(self) -> Tensor:
        """Square root of each element; its gradient at 0 is infinite."""
    def sqrt_(self) -> _Self:
        """Square root of each element; its gradient at 0 is infinite."""
    def square(self) -> Tensor:
        """Square of each element."""
    def square_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``square``: its result in the tensor's own dtype."""
    def squeeze(self, dim: builtins.int | _Sequence[builtins.int] | None = None) -> Tensor:
        """Without the dimensions of size 1: all of them, or those named (others stay)."""
    def squeeze_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``squeeze``: the tensor itself takes the shape; it shares what it shared."""
    def std(
        self,
        dim: _Any = None,
        unbiased: builtins.bool | None = None,
        keepdim: builtins.bool = False,
        *,
        correction: _Number | None = None,
    ) -> Tensor:
        """Standard deviation over dimensions, the root of ``var``; where it is 0, so is the gradient."""
    def sub(self, other: Tensor | _Number, *, alpha: _Number = 1) -> Tensor:
        """Difference of each pair of elements, ``input - alpha * other``; not for bools."""
    def sub_(self, other: Tensor | _Number, *, alpha: _Number = 1) -> _Self:
        """Difference of each pair of elements, ``input - alpha * other``; not for bools."""
    def subtract(self, other: Tensor | _Number, *, alpha: _Number = 1) -> Tensor:
        """Difference of each pair of elements, ``input - alpha * other``; not for bools."""
    def subtract_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``sub``."""
    def sum(
        self,
        dim: _Dims = None,
        keepdim: builtins.bool = False,
        *,
        dtype: _dtypes.dtype | None = None,
    ) -> Tensor:
        """Sum over dimensions (all by default); integers and bools add up in int64, an empty sum is 0."""
    def sum_to_size(self, *size: _Any) -> Tensor:
        """Summed over the dimensions that broadcasting had added or stretched, down to a shape."""
    def swapaxes(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        """Two dimensions exchanged, sharing storage."""
    def swapaxes_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``transpose``: the tensor itself takes the shape; it shares what it shared."""
    def swapdims(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        """Two dimensions exchanged, sharing storage."""
    def swapdims_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``transpose``: the tensor itself takes the shape; it shares what it shared."""
    def t(self) -> Tensor:
        """The transpose of a matrix; tensors of fewer dimensions as they are."""
    def t_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``t``: the tensor itself takes the shape; it shares what it shared."""
    def take(self, index: Tensor) -> Tensor:
        """The elements of the flat tensor at positions, in the shape of ``index``; -1 is the last."""
    def take_along_dim(self, indices: Tensor, dim: builtins.int | None = None) -> Tensor:
        """The elements at positions along a dimension, shapes broadcast; of the flat tensor without ``dim``."""
    def tan(self) -> Tensor:
        """Tangent of each element, in radians."""
    def tan_(self) -> _Self:
        """Tangent of each element, in radians."""
    def tanh(self) -> Tensor:
        """Hyperbolic tangent of each element."""
    def tanh_(self) -> _Self:
        """Hyperbolic tangent of each element."""
    def tensor_split(
        self,
        indices_or_sections: _Any,
        dim: builtins.int = 0,
    ) -> builtins.tuple[Tensor, ...]:
        """Views of pieces along a dimension: so many of nearly one length, or cut at the positions given."""
    def tile(self, *dims: builtins.int | _Sequence[builtins.int]) -> Tensor:
        """As ``repeat``, but fewer numbers than dimensions count for the last ones."""
    def to(
        self,
        *args: _Any,
        device: _Any = None,
        dtype: _dtypes.dtype | None = None,
        non_blocking: builtins.bool = False,
        copy: builtins.bool = False,
        memory_format: _Any = None,
    ) -> Tensor:
        """Return the tensor with another dtype, on another device, or both; itself when nothing changes."""
    def tolist(self) -> _Any:
        """Return the values as nested lists of Python numbers."""
    def topk(
        self,
        k: builtins.int,
        dim: builtins.int = -1,
        largest: builtins.bool = True,
        sorted: builtins.bool = True,
    ) -> _ValuesIndices:
        """The ``k`` largest (or smallest) elements of a dimension in order, and their positions."""
    def trace(self) -> Tensor:
        """Sum of the main diagonal of a matrix."""
    def transpose(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        """Two dimensions exchanged, sharing storage."""
    def transpose_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``transpose``: the tensor itself takes the shape; it shares what it shared."""
    def tril(self, diagonal: builtins.int = 0) -> Tensor:
        """Matrices with zeros above a diagonal."""
    def tril_(self, diagonal: builtins.int = 0) -> _Self:
        """Matrices with zeros above a diagonal."""
    def triu(self, diagonal: builtins.int = 0) -> Tensor:
        """Matrices with zeros below a diagonal."""
    def triu_(self, diagonal: builtins.int = 0) -> _Self:
        """Matrices with zeros below a diagonal."""
    def true_divide(
        self,
        other: Tensor | _Number,
        *,
        rounding_mode: builtins.str | None = None,
    ) -> Tensor:
        """Quotient of each pair of elements, always floating; with ``rounding_mode`` "trunc" or "floor" rounded so."""
    def true_divide_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``div``."""
    def trunc(self) -> Tensor:
        """Each element without its fraction."""
    def trunc_(self) -> _Self:
        """Each element without its fraction."""
    def type(self, dtype: _dtypes.dtype | builtins.str | None = None) -> _Any:
        """Return the name of the tensor's type, or the tensor in another dtype."""
    def type_as(self, other: Tensor) -> Tensor:
        """Return the tensor in the dtype of another one."""
    def unbind(self, dim: builtins.int = 0) -> builtins.tuple[Tensor, ...]:
        """Views of the slices at every position of a dimension."""
    def unflatten(self, dim: builtins.int, sizes: _Sequence[builtins.int]) -> Tensor:
        """One dimension divided into several."""
    def unfold(self, dimension: builtins.int, size: builtins.int, step: builtins.int) -> Tensor:
        """The windows of a dimension as a further, last dimension; a copy, where PyTorch gives a view."""
    def uniform_(
        self,
        from_: builtins.float = 0.0,
        to: builtins.float = 1.0,
        *,
        generator: _Generator | None = None,
    ) -> Tensor:
        """Write uniform numbers of ``[from_, to)``."""
    def unique(
        self,
        sorted: builtins.bool = True,
        return_inverse: builtins.bool = False,
        return_counts: builtins.bool = False,
        dim: builtins.int | None = None,
    ) -> _Any:
        """The different elements (or slices of ``dim``) in order; on request the place of each and their numbers."""
    def unique_consecutive(
        self,
        return_inverse: builtins.bool = False,
        return_counts: builtins.bool = False,
        dim: builtins.int | None = None,
    ) -> _Any:
        """The first of each run of equal elements (or slices of ``dim``); on request runs of each and lengths."""
    def unsqueeze(self, dim: builtins.int) -> Tensor:
        """With a dimension of size 1 at ``dim``."""
    def unsqueeze_(self, *args: _Any, **params: _Any) -> Tensor:
        """In-place form of ``unsqueeze``: the tensor itself takes the shape; it shares what it shared."""
    def var(
        self,
        dim: _Any = None,
        unbiased: builtins.bool | None = None,
        keepdim: builtins.bool = False,
        *,
        correction: _Number | None = None,
    ) -> Tensor:
        """Variance over dimensions: the squares of distances from the mean, divided by n - ``correction``."""
    def vdot(self, other: Tensor) -> Tensor:
        """Sum of the products of two vectors."""
    def view(self, *shape: _Any) -> Tensor:
        """The same storage in another shape (one size may be -1), or the same values in another dtype."""
    def view_as(self, other: Tensor) -> Tensor:
        """The same storage in the shape of another tensor."""
    def vsplit(self, indices_or_sections: _Any) -> builtins.tuple[Tensor, ...]:
        """Views of pieces along dimension 0, as ``tensor_split``, of one length."""
    def where(self, condition: Tensor, other: _Any) -> Tensor:
        """The tensor where the condition holds, else ``other``."""
    def xlogy(self, other: Tensor | _Number) -> Tensor:
        """``x * log(y)`` of each pair, 0 where x is 0 unless y is NaN."""
    def xlogy_(self, other: Tensor | _Number) -> _Self:
        """``x * log(y)`` of each pair, 0 where x is 0 unless y is NaN."""
    def zero_(self) -> Tensor:
        """Write zeros everywhere."""
    def __hash__(self) -> builtins.int: ...
