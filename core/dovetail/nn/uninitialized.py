"""Parameters and buffers whose shape the first input decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

from dovetail import ops
from dovetail.errors import ArgumentRuntimeError
from dovetail.nn.parameter import Buffer, Parameter
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dovetail.contract.device import Device
    from dovetail.dtypes import dtype as Dtype


class UninitializedTensor(Tensor):
    """What both share: a device and a dtype, and :meth:`materialize`, which gives them a shape."""

    cls_to_become: ClassVar[type[Tensor]]

    def materialize(
        self, shape: Sequence[int], device: Device | str | None = None, dtype: Dtype | None = None
    ) -> None:
        """Take a shape, with values that are to be written yet, and become an ordinary parameter or buffer."""
        empty = ops.empty(tuple(shape), device=device or self.device, dtype=dtype or self.dtype)
        # The class first: what has no shape cannot be given data either.
        self.__class__ = self.cls_to_become  # type: ignore[assignment]  # what it becomes is no longer lazy
        self.data = empty

    @property
    def shape(self) -> NoReturn:
        """There is none yet.

        Raises:
            ArgumentRuntimeError: always.
        """
        raise ArgumentRuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward` "
            "to initialize the parameters before accessing their attributes."
        )

    def share_memory_(self) -> NoReturn:
        """There is nothing to share.

        Raises:
            ArgumentRuntimeError: always.
        """
        raise ArgumentRuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize the parameters "
            "before calling `module.share_memory()`."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    __str__ = __repr__

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        if id(self) not in memo:
            memo[id(self)] = self._remade()
        found: Self = memo[id(self)]
        return found

    def _remade(self) -> Any:
        raise NotImplementedError


class UninitializedParameter(UninitializedTensor, Parameter):
    """A parameter without a shape, as lazy modules have them before their first input."""

    cls_to_become = Parameter

    def __new__(
        cls, requires_grad: bool = True, device: Device | str | None = None, dtype: Dtype | None = None
    ) -> Self:
        return Tensor._make_subclass(cls, ops.empty(0, device=device, dtype=dtype), requires_grad)

    def __init__(
        self, requires_grad: bool = True, device: Device | str | None = None, dtype: Dtype | None = None
    ) -> None:
        """Keep Tensor's own constructor out: everything was done in ``__new__``."""

    def _remade(self) -> Self:
        return type(self)(self.requires_grad, self.device, self.dtype)

    def __reduce_ex__(self, protocol: Any = None) -> tuple[Any, ...]:
        return type(self), (self.requires_grad, str(self.device), self.dtype)


class UninitializedBuffer(UninitializedTensor, Buffer):
    """A buffer without a shape, as lazy modules have them before their first input."""

    cls_to_become = Tensor

    def __new__(
        cls,
        requires_grad: bool = False,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
        persistent: bool = True,
    ) -> Self:
        buffer = Tensor._make_subclass(cls, ops.empty(0, device=device, dtype=dtype), requires_grad)
        buffer.persistent = persistent
        return buffer

    def __init__(
        self,
        requires_grad: bool = False,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
        persistent: bool = True,
    ) -> None:
        """Keep Tensor's own constructor out: everything was done in ``__new__``."""

    def _remade(self) -> Self:
        return type(self)(self.requires_grad, self.device, self.dtype, self.persistent)

    def __reduce_ex__(self, protocol: Any = None) -> tuple[Any, ...]:
        return type(self), (self.requires_grad, str(self.device), self.dtype, self.persistent)


def is_lazy(param: Any) -> bool:
    """Return whether a parameter or buffer has no shape yet."""
    return isinstance(param, UninitializedTensor)


def still_lazy(buffer: Tensor, converted: Tensor) -> Tensor:
    """Return a converted buffer, which has no shape either if the buffer had none."""
    if not isinstance(buffer, UninitializedBuffer):
        return converted
    return type(buffer)(buffer.requires_grad, converted.device, converted.dtype, buffer.persistent)
