"""What lazy modules share: the first input decides the shapes of their parameters."""

from __future__ import annotations

from itertools import chain
from typing import Any, ClassVar

from dovetail.errors import ArgumentRuntimeError
from dovetail.nn.errors import ForwardNotImplementedError
from dovetail.nn.module import Module
from dovetail.nn.uninitialized import UninitializedTensor, is_lazy


class LazyModuleMixin(Module):
    """A module whose ``initialize_parameters`` runs before its first forward.

    Put it before the class of the layer among the bases, and make parameters :class:`UninitializedParameter`. After
    the first call, or when a state dict is loaded, the parameters have shapes, and after the first call the module is
    one of ``cls_to_become``.

    >>> import dovetail
    >>> layer = dovetail.nn.LazyLinear(2)
    >>> layer.weight
    <UninitializedParameter>
    >>> layer(dovetail.zeros(4, 3)).shape
    dovetail.Size([4, 2])
    >>> layer
    Linear(in_features=3, out_features=2, bias=True)
    """

    cls_to_become: ClassVar[type[Any] | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = self.register_forward_pre_hook(self._infer_parameters, with_kwargs=True)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give the parameters shapes from the arguments of the first forward; a subclass defines it."""
        raise ForwardNotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self) -> bool:
        """Return whether a parameter or buffer of this module has no shape yet."""
        return any(is_lazy(tensor) for tensor in chain(self._parameters.values(), self._buffers.values()))

    def _infer_parameters(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> None:
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise ArgumentRuntimeError(f"module {self._get_name()} has not been fully initialized")
        for name in ("_initialize_hook", "_load_hook"):
            getattr(module, name).remove()
            delattr(module, name)
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become

    def _lazy_load_hook(self, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
        """Take the shapes of what is about to be loaded."""
        for name, tensor in chain(self._parameters.items(), self._buffers.items()):
            value = state_dict.get(prefix + name)
            if isinstance(tensor, UninitializedTensor) and value is not None and not is_lazy(value):
                tensor.materialize(value.shape)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        # Without a shape there is no value either: the tensor itself says so to whoever loads it.
        for name, tensor in chain(self._parameters.items(), self._persistent_buffers()):
            if is_lazy(tensor):
                destination[prefix + name] = tensor
