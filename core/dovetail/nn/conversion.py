"""Changing all tensors of a model at once: device, dtype, mode, gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from dovetail import dtypes, ops
from dovetail.autograd.mode import no_grad
from dovetail.contract.device import Device
from dovetail.errors import ArgumentError, ArgumentTypeError
from dovetail.nn.parameter import Parameter
from dovetail.nn.state import Stateful
from dovetail.nn.uninitialized import still_lazy
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.dtypes import dtype as Dtype

    DeviceLike = Device | str | int


class Convertible(Stateful):
    """The fourth layer of :class:`Module`: ``to`` and its kin, train and eval, gradients on and off."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace the values of all parameters, gradients and buffers by ``fn`` of them.

        The parameters stay the same objects, so an optimizer that was made before goes on working.
        """
        if recurse:
            for child in self.children():
                child._apply(fn)
        for parameter in self._parameters.values():
            if parameter is not None:
                _convert_parameter(parameter, fn)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = still_lazy(buffer, fn(buffer))
        return self

    # -------------------------------------------------------------------------------------- device and dtype

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move the model to a device, to a floating-point dtype, or both, in place, and return it.

        Called as ``to(device)``, ``to(dtype)``, ``to(device, dtype)``, ``to(tensor)``. A dtype is taken by
        floating point tensors alone; counters and indices keep theirs.

        Raises:
            ArgumentTypeError: a dtype that is not floating point or complex, or an argument that is none of
                these.

        >>> import dovetail
        >>> layer = dovetail.nn.Linear(2, 2).to(dovetail.float64)
        >>> layer.weight.dtype
        dovetail.float64
        """
        device, dtype, non_blocking = _parse_to(args, kwargs)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise ArgumentTypeError(
                "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                f"dtype={dtype}; an integer tensor of its own goes through tensor.to({dtype})"
            )

        def convert(tensor: Tensor) -> Tensor:
            floating = tensor.is_floating_point() or tensor.is_complex()
            wanted = dtype if floating and dtype is not None else tensor.dtype
            place = tensor.device if device is None else device
            return tensor.to(device=place, dtype=wanted, non_blocking=non_blocking)

        return self._apply(convert)

    def cpu(self) -> Self:
        """Move the model to the CPU."""
        return self._apply(lambda t: t.cpu())

    def cuda(self, device: DeviceLike | None = None) -> Self:
        """Move the model to a CUDA device."""
        return self._apply(lambda t: t.cuda(device))

    def type(self, dst_type: Dtype | str) -> Self:
        """Cast every parameter and buffer, whatever its dtype, to ``dst_type``."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self) -> Self:
        """Cast the floating-point parameters and buffers to float32."""
        return self._cast(dtypes.float32)

    def double(self) -> Self:
        """Cast the floating-point parameters and buffers to float64."""
        return self._cast(dtypes.float64)

    def half(self) -> Self:
        """Cast the floating-point parameters and buffers to float16."""
        return self._cast(dtypes.float16)

    def bfloat16(self) -> Self:
        """Cast the floating-point parameters and buffers to bfloat16."""
        return self._cast(dtypes.bfloat16)

    def _cast(self, dtype: Dtype) -> Self:
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def to_empty(self, *, device: Device | str | None, recurse: bool = True) -> Self:
        """Move the model to a device without its values, which are to be written afterwards."""
        return self._apply(lambda t: ops.empty_like(t, device=device), recurse=recurse)

    def share_memory(self) -> Self:
        """Return the module: worker processes are sent the values of its tensors."""
        return self._apply(lambda t: t.share_memory_())

    # ---------------------------------------------------------------------------------------------- the mode

    def train(self, mode: bool = True) -> Self:
        """Set the training mode, which dropout and batch norm look at, in this module and all below it."""
        if not isinstance(mode, bool):
            raise ArgumentError(f"training mode is expected to be boolean, got {mode!r}")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Set evaluation mode: the same as ``train(False)``."""
        return self.train(False)

    # ---------------------------------------------------------------------------------------------- gradients

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Say for all parameters whether they collect gradients; False freezes the module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or with ``set_to_none=False`` fill them with zeros."""
        for parameter in self.parameters():
            gradient = parameter.grad
            if gradient is None:
                continue
            if set_to_none:
                parameter.grad = None
            else:
                # Detached, since the gradient of a backward with create_graph has a graph of its own.
                parameter.grad = gradient.detach().zero_()


def _convert_parameter(parameter: Parameter, fn: Callable[[Tensor], Tensor]) -> None:
    with no_grad():
        gradient = parameter.grad
        converted = fn(parameter)
        if converted is not parameter:
            # A gradient has its tensor's dtype and device, so the old one must not meet the new values.
            parameter.grad = None
            parameter.data = converted
        if gradient is not None:
            parameter.grad = fn(gradient).requires_grad_(gradient.requires_grad)


def _parse_to(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, bool]:
    """Sort the arguments of ``to`` into device, dtype and non_blocking, by what they are."""
    given = dict(kwargs)
    given.pop("memory_format", None)  # a hint about strides in memory, which a backend decides by itself
    non_blocking = bool(given.pop("non_blocking", False))
    other = given.pop("tensor", None) if "tensor" in given else None
    device, dtype = given.pop("device", None), given.pop("dtype", None)
    if given:
        raise ArgumentTypeError(f"to() got an unexpected keyword argument '{next(iter(given))}'")
    for position, value in enumerate(args):
        if isinstance(value, Tensor):
            other = value
        elif isinstance(value, dtypes.dtype):
            dtype = value
        elif isinstance(value, bool) and position > 0:
            non_blocking = non_blocking or (value and position < 3)
        elif isinstance(value, (Device, str, int)):
            device = value
        elif value is not None:
            raise ArgumentTypeError(
                "to() received an invalid combination of arguments - got "
                f"({', '.join(type(a).__name__ for a in args)}), but expected (device), (dtype), (device, "
                "dtype) or (tensor)"
            )
    if other is not None:
        return other.device, other.dtype, non_blocking
    return device, dtype, non_blocking
