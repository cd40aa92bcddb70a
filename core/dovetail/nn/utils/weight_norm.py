"""Weight normalisation by a hook before each forward: w = g v / |v| (Salimans and Kingma, arXiv:1602.07868)."""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

from dovetail.errors import ArgumentError, ArgumentRuntimeError
from dovetail.nn.module import Module
from dovetail.nn.parameter import Parameter
from dovetail.nn.uninitialized import is_lazy
from dovetail.tensor.tensor import Tensor

Net = TypeVar("Net", bound=Module)


def norm_except_dim(v: Tensor, dim: int) -> Tensor:
    """Return the 2-norm over all dimensions but one, which keep size 1; of all values together for ``dim`` -1."""
    if dim == -1:
        return v.norm(2)
    dims = [d for d in range(v.ndim) if d != dim % v.ndim]
    # Without other dimensions each value is its own length.
    return v.norm(2, dims, keepdim=True) if dims else v.abs()


def normalised_weight(v: Tensor, g: Tensor, dim: int) -> Tensor:
    """Return g v / |v| with the norm of :func:`norm_except_dim`."""
    return v * (g / norm_except_dim(v, dim))


class WeightNorm:
    """The hook that computes the weight from its length and direction before each forward."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Tensor:
        """Return the weight for the length and direction that the module has now."""
        return normalised_weight(getattr(module, self.name + "_v"), getattr(module, self.name + "_g"), self.dim)

    @staticmethod
    def apply(module: Module, name: str, dim: int | None) -> WeightNorm:
        """Replace a parameter by its length and direction, and register the hook."""
        if _hook_of(module, name) is not None:
            raise ArgumentRuntimeError(f"Cannot register two weight_norm hooks on the same parameter {name}")
        hook = WeightNorm(name, dim)
        weight = getattr(module, name)
        if is_lazy(weight):
            raise ArgumentError(
                "The module passed to `WeightNorm` can't have uninitialized parameters. Make sure to run the dummy "
                "forward before applying weight normalization"
            )
        del module._parameters[name]
        module.register_parameter(name + "_g", Parameter(norm_except_dim(weight, hook.dim).detach()))
        module.register_parameter(name + "_v", Parameter(weight.data))
        setattr(module, name, hook.compute_weight(module))
        module.register_forward_pre_hook(hook)
        return hook

    def remove(self, module: Module) -> None:
        """Make the weight a parameter again."""
        weight = self.compute_weight(module)
        delattr(module, self.name)
        del module._parameters[self.name + "_g"]
        del module._parameters[self.name + "_v"]
        setattr(module, self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def _hook_of(module: Module, name: str) -> int | None:
    found = (k for k, h in module._forward_pre_hooks.items() if isinstance(h, WeightNorm) and h.name == name)
    return next(found, None)


def weight_norm(module: Net, name: str = "weight", dim: int | None = 0) -> Net:
    """Train the length and the direction of a parameter separately, as ``<name>_g`` and ``<name>_v``.

    ``dim`` is the dimension along which each slice has a length of its own; None means one length for all. It is the
    older form of :func:`dovetail.nn.utils.parametrizations.weight_norm`.

    Raises:
        ArgumentRuntimeError: the parameter is normalised already.
    """
    warnings.warn(
        "`nn.utils.weight_norm` is deprecated in favor of `nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
        stacklevel=2,
    )
    WeightNorm.apply(module, name, dim)
    return module


def remove_weight_norm(module: Net, name: str = "weight") -> Net:
    """Make a parameter that :func:`weight_norm` has divided one again.

    Raises:
        ArgumentError: it is not divided.
    """
    key = _hook_of(module, name)
    if key is None:
        raise ArgumentError(f"weight_norm of '{name}' not found in {module}")
    module._forward_pre_hooks[key].remove(module)  # type: ignore[attr-defined]  # a WeightNorm, by _hook_of
    del module._forward_pre_hooks[key]
    return module
