"""Pruning methods: which values of a tensor are masked, and the hook that masks them."""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

from dovetail import ops
from dovetail.errors import ArgumentError, ArgumentTypeError, DimensionError
from dovetail.nn.errors import ModuleAttributeError
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dovetail.nn.module import Module


class PruningError(ArgumentError, AssertionError):
    """A tensor that cannot be pruned as asked."""


class BasePruningMethod(ABC):
    """A way to choose what is pruned: a subclass defines ``compute_mask``, and says of which kind it is.

    ``PRUNING_TYPE`` is "unstructured" (single values, of those that are left), "structured" (whole slices along
    ``dim``) or "global" (a mask for all). An instance is the hook that masks the tensor before each forward.
    """

    PRUNING_TYPE: ClassVar[str]
    _tensor_name: str

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the mask for a tensor: ones where values stay, never where ``default_mask`` is zero."""

    def apply_mask(self, module: Module) -> Tensor:
        """Return the original tensor times its mask."""
        mask: Tensor = getattr(module, self._tensor_name + "_mask")
        original: Tensor = getattr(module, self._tensor_name + "_orig")
        return mask.to(original.dtype) * original

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> BasePruningMethod:
        """Prune a parameter: it becomes ``<name>_orig`` times the buffer ``<name>_mask``.

        A parameter that is pruned already is pruned further, among what is left.

        Raises:
            PruningError: scores of another shape than the parameter.
        """
        method = cls._composed(module, name, *args, **kwargs)
        original = getattr(module, name)
        scores = original if importance_scores is None else importance_scores
        if scores.shape != original.shape:
            raise PruningError(
                f"importance_scores should have the same shape as parameter {name} of {module}, got {scores.shape} vs "
                f"{original.shape}"
            )
        again = isinstance(method, PruningContainer)
        before = getattr(module, name + "_mask").detach().clone() if again else ops.ones_like(original.detach())
        # Computed before anything is changed, so that a mistake leaves the module as it was.
        mask = method.compute_mask(scores.detach(), default_mask=before)
        if not again:
            module.register_parameter(name + "_orig", original)
            del module._parameters[name]
        else:
            _take_hook(module, name)
        module.register_buffer(name + "_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    @classmethod
    def _composed(cls, module: Module, name: str, *args: Any, **kwargs: Any) -> BasePruningMethod:
        method = cls(*args, **kwargs)
        method._tensor_name = name
        old = find_hook(module, name)
        if old is None:
            return method
        container = PruningContainer(*(old[1] if isinstance(old[1], PruningContainer) else [old[1]]))
        container._tensor_name = name
        container.add_pruning_method(method)
        return container

    def prune(
        self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None
    ) -> Tensor:
        """Return a pruned tensor, without any module."""
        scores = t if importance_scores is None else importance_scores
        if scores.shape != t.shape:
            raise PruningError(
                f"importance_scores should have the same shape as tensor t, got {scores.shape} vs {t.shape}"
            )
        before = ops.ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, default_mask=before)

    def remove(self, module: Module) -> None:
        """Make the pruned tensor an ordinary parameter again; what was pruned stays zero."""
        name = self._tensor_name
        weight = self.apply_mask(module)
        if hasattr(module, name):
            delattr(module, name)
        original = module._parameters.pop(name + "_orig")
        assert original is not None, "a pruned parameter has its original"
        original.data = weight.detach()
        del module._buffers[name + "_mask"]
        setattr(module, name, original)


def find_hook(module: Module, name: str | None = None) -> tuple[int, BasePruningMethod] | None:
    """Return the pruning hook of a tensor, or of any, with its key."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and name in (None, hook._tensor_name):
            return key, hook
    return None


def _take_hook(module: Module, name: str) -> None:
    found = find_hook(module, name)
    if found is not None:
        del module._forward_pre_hooks[found[0]]


class PruningContainer(BasePruningMethod):
    """Several pruning methods of one tensor, each applied to what those before it have left."""

    PRUNING_TYPE = "container"

    def __init__(self, *args: BasePruningMethod) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        if args:
            self._tensor_name = args[0]._tensor_name
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod | None) -> None:
        """Add a method for the same tensor.

        Raises:
            ArgumentTypeError: it is no pruning method.
            ArgumentError: it is for another tensor.
        """
        if method is None:
            return
        if not isinstance(method, BasePruningMethod):
            raise ArgumentTypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if self._tensor_name != method._tensor_name:
            raise ArgumentError(
                f"Can only add pruning methods acting on the parameter named '{self._tensor_name}' to PruningContainer "
                f"{self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: int) -> BasePruningMethod:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the mask that the last method makes of the one before."""
        method = self._pruning_methods[-1]
        left = _left(method, t, default_mask)
        mask = default_mask.to(t.dtype).clone()
        mask[left] = method.compute_mask(t[left], default_mask=default_mask[left]).to(t.dtype)
        return mask


def _left(method: BasePruningMethod, t: Tensor, mask: Tensor) -> Any:
    """What a method may still choose from, as an index."""
    kind = method.PRUNING_TYPE
    if kind == "unstructured":
        return mask == 1
    if kind == "global":
        return (slice(None),) * t.ndim
    if kind != "structured":
        raise ArgumentError(f"Unrecognized PRUNING_TYPE {kind}")
    dim = getattr(method, "dim", None)
    if dim is None:
        raise ModuleAttributeError(
            'Pruning methods of PRUNING_TYPE "structured" need to have the attribute `dim` defined.'
        )
    if not -t.ndim <= dim < t.ndim:
        raise DimensionError(f"Index is out of bounds for tensor with dimensions {t.ndim}")
    others = [d for d in range(t.ndim) if d != dim % t.ndim]
    return (*[slice(None)] * (dim % t.ndim), mask.sum(others) != 0)


class Identity(BasePruningMethod):
    """Prunes nothing, but makes the mask and the original, for a mask that is written by hand."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the mask of before."""
        return default_mask


class CustomFromMask(BasePruningMethod):
    """Prunes where a given mask is zero."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the given mask, where the one of before leaves anything."""
        if default_mask.shape != self.mask.shape:
            raise PruningError(
                f"default_mask shape {default_mask.shape} must match self.mask shape {self.mask.shape}"
            )
        return default_mask * self.mask.to(default_mask.dtype)


class Amount(BasePruningMethod):
    """What the methods that take an amount share: a number of values or slices, or a fraction of them.

    Raises:
        ArgumentTypeError: an amount that is no number.
        ArgumentError: a negative amount, or a fraction above 1.
    """

    amount: float

    def _set_amount(self, amount: Any) -> Self:
        if not isinstance(amount, numbers.Real):
            raise ArgumentTypeError(f"Invalid type for amount: {amount}. Must be int or float.")
        whole = isinstance(amount, numbers.Integral)
        value = float(amount)
        if value < 0 or (not whole and value > 1.0):
            raise ArgumentError(
                f"amount={amount} should either be a float in the range [0, 1] or a non-negative integer"
            )
        self.amount = int(value) if whole else value
        return self

    def _count(self, size: int) -> int:
        """How many of so many are pruned."""
        if isinstance(self.amount, int):
            if self.amount > size:
                raise ArgumentError(
                    f"amount={self.amount} should be smaller than the number of parameters to prune={size}"
                )
            return self.amount
        return round(self.amount * size)
