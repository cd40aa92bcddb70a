"""Pruning: parameters with values masked to zero, chosen at random or by their size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from dovetail import ops
from dovetail.errors import ArgumentError, ArgumentTypeError, DimensionError
from dovetail.nn.module import Module
from dovetail.nn.utils.convert_parameters import parameters_to_vector
from dovetail.nn.utils.pruning import (
    Amount,
    BasePruningMethod,
    CustomFromMask,
    Identity,
    PruningContainer,
    find_hook,
)
from dovetail.tensor.tensor import Tensor

__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]

Net = TypeVar("Net", bound=Module)


class _Unstructured(Amount):
    """Single values, those with the smallest scores first."""

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount: float) -> None:
        self._set_amount(amount)

    def _scores(self, t: Tensor) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the mask of before with so many zeros more."""
        count = self._count(t.numel())
        mask = default_mask.clone()
        if count:
            lowest = self._scores(t).reshape(-1).topk(count, largest=False).indices
            mask.view(-1)[lowest] = 0
        return mask


class RandomUnstructured(_Unstructured):
    """Prunes values at random."""

    def _scores(self, t: Tensor) -> Tensor:
        return ops.rand_like(t)


class L1Unstructured(_Unstructured):
    """Prunes the values that are nearest to zero."""

    def _scores(self, t: Tensor) -> Tensor:
        return t.abs()


class _Structured(Amount):
    """Whole slices along a dimension, those with the smallest scores first."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        self._set_amount(amount)
        self.dim = dim

    def _scores(self, t: Tensor, others: list[int]) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Return the mask of before with so many slices of zeros more."""
        if t.ndim <= 1:
            raise ArgumentError(
                "Structured pruning can only be applied to multidimensional tensors. Found tensor of shape "
                f"{t.shape} with {t.ndim} dims"
            )
        if self.dim >= t.ndim:
            raise DimensionError(f"Invalid index {self.dim} for tensor of size {t.shape}")
        dim = self.dim % t.ndim
        size = t.shape[dim]
        count = self._count(size)
        if not count:
            return default_mask
        scores = self._scores(t, [d for d in range(t.ndim) if d != dim])
        kept = ops.ones_like(scores).index_fill(0, scores.topk(count, largest=False).indices, 0)
        return default_mask * kept.reshape([size if d == dim else 1 for d in range(t.ndim)]).to(default_mask.dtype)


class RandomStructured(_Structured):
    """Prunes slices at random."""

    def _scores(self, t: Tensor, others: list[int]) -> Tensor:
        return ops.rand_like(t.select(others[0], 0) if len(others) == 1 else t.sum(others))


class LnStructured(_Structured):
    """Prunes the slices whose n-norm is smallest."""

    def __init__(self, amount: float, n: float, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def _scores(self, t: Tensor, others: list[int]) -> Tensor:
        return t.norm(self.n, others)


# ------------------------------------------------------------------------------------------------ functions


def identity(module: Net, name: str) -> Net:
    """Give a parameter a mask of ones and return the module."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Net, name: str, amount: float) -> Net:
    """Prune values of a parameter at random: a number of them or a fraction; return the module.

    >>> import dovetail
    >>> from dovetail.nn.utils import prune
    >>> layer = prune.random_unstructured(dovetail.nn.Linear(4, 3), "weight", amount=5)
    >>> int((layer.weight == 0).sum())
    5
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(
    module: Net, name: str, amount: float, importance_scores: Tensor | None = None
) -> Net:
    """Prune the values of a parameter that are nearest to zero, or have the lowest scores; return the module."""
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Net, name: str, amount: float, dim: int) -> Net:
    """Prune slices of a parameter along a dimension at random; return the module."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Net, name: str, amount: float, n: float, dim: int, importance_scores: Tensor | None = None
) -> Net:
    """Prune the slices of a parameter along a dimension whose n-norm is smallest; return the module."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Net, name: str, mask: Tensor) -> Net:
    """Prune a parameter where a mask is zero; return the module."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: Mapping[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Prune several parameters together: the amount is of all their values, wherever they are.

    Raises:
        ArgumentTypeError: ``parameters`` are no iterable, or the method is not an unstructured one.
    """
    if not isinstance(parameters, Iterable):
        raise ArgumentTypeError("global_unstructured(): parameters is not an Iterable")
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, Mapping):
        raise ArgumentTypeError("global_unstructured(): importance_scores must be of type dict")
    chosen = [(module, name, getattr(module, name)) for module, name in parameters]
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise ArgumentTypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    container = PruningContainer()
    container._tensor_name = method._tensor_name = "all"
    container.add_pruning_method(method)
    values = parameters_to_vector([scores.get((module, name), tensor).detach() for module, name, tensor in chosen])
    masks = [getattr(module, name + "_mask", ops.ones_like(tensor.detach())) for module, name, tensor in chosen]
    mask = container.compute_mask(values, parameters_to_vector(masks))
    start = 0
    for module, name, tensor in chosen:
        part = mask[start : start + tensor.numel()].reshape(tensor.shape)
        custom_from_mask(module, name, part)
        start += tensor.numel()


def remove(module: Net, name: str) -> Net:
    """Make a pruned parameter an ordinary one, with its zeros; return the module.

    Raises:
        ArgumentError: it is not pruned.
    """
    found = find_hook(module, name)
    if found is None:
        raise ArgumentError(
            f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed"
        )
    key, hook = found
    hook.remove(module)
    del module._forward_pre_hooks[key]
    return module


def is_pruned(module: Module) -> bool:
    """Return whether a parameter of this module or one below it is pruned."""
    return any(find_hook(part) is not None for part in module.modules())
