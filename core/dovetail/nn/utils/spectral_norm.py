"""Spectral normalisation by a hook before each forward (Miyato et al. 2018, arXiv:1802.05957)."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from dovetail import ops
from dovetail.autograd.mode import no_grad
from dovetail.errors import ArgumentError, ArgumentRuntimeError
from dovetail.nn import functional as F
from dovetail.nn.module import Module
from dovetail.nn.parameter import Parameter
from dovetail.nn.transposed_convolution import TransposedConvolution
from dovetail.nn.uninitialized import is_lazy
from dovetail.tensor.tensor import Tensor

Net = TypeVar("Net", bound=Module)


def weight_matrix(weight: Tensor, dim: int) -> Tensor:
    """Return a weight as a matrix whose rows belong to dimension ``dim``."""
    if dim != 0:
        weight = weight.permute(dim, *(d for d in range(weight.ndim) if d != dim))
    return weight.reshape(weight.shape[0], -1)


def rows_of(module: Module, dim: int | None) -> int:
    """Return the dimension of the outputs: 1 in transposed convolutions, else 0, if none is asked for."""
    if dim is not None:
        return dim
    return 1 if isinstance(module, TransposedConvolution) else 0


class SpectralNorm:
    """The hook that divides the weight by its largest singular value, which power iterations follow."""

    _version = 1

    def __init__(
        self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        if n_power_iterations <= 0:
            raise ArgumentError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.name = name
        self.dim = dim
        self.n_power_iterations = n_power_iterations
        self.eps = eps

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Tensor:
        """Return the weight over its largest singular value; in training the vectors take a step, in place."""
        weight: Tensor = getattr(module, self.name + "_orig")
        u: Tensor = getattr(module, self.name + "_u")
        v: Tensor = getattr(module, self.name + "_v")
        matrix = weight_matrix(weight, self.dim)
        if do_power_iteration:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(matrix.t() @ u, dim=0, eps=self.eps))
                    u.copy_(F.normalize(matrix @ v, dim=0, eps=self.eps))
                u, v = u.clone(), v.clone()
        return weight / u.dot(matrix @ v)

    def remove(self, module: Module) -> None:
        """Make the weight a parameter again."""
        with no_grad():
            weight = self.compute_weight(module, do_power_iteration=False)
        for suffix in ("", "_u", "_v", "_orig"):
            delattr(module, self.name + suffix)
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, do_power_iteration=module.training))

    @staticmethod
    def apply(module: Module, name: str, n_power_iterations: int, dim: int, eps: float) -> SpectralNorm:
        """Keep a parameter as ``<name>_orig``, add its vectors as buffers, and register the hooks."""
        if any(isinstance(h, SpectralNorm) and h.name == name for h in module._forward_pre_hooks.values()):
            raise ArgumentRuntimeError(f"Cannot register two spectral_norm hooks on the same parameter {name}")
        hook = SpectralNorm(name, n_power_iterations, dim, eps)
        weight = module._parameters[name]
        if weight is None:
            raise ArgumentError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
        if is_lazy(weight):
            raise ArgumentError(
                "The module passed to `SpectralNorm` can't have uninitialized parameters. Make sure to run the dummy "
                "forward before applying spectral normalization"
            )
        with no_grad():
            rows, columns = weight_matrix(weight, dim).shape
            u = F.normalize(weight.new_empty(rows).normal_(0, 1), dim=0, eps=eps)
            v = F.normalize(weight.new_empty(columns).normal_(0, 1), dim=0, eps=eps)
        delattr(module, name)
        module.register_parameter(name + "_orig", weight)
        # Something of that name must exist, for code that initialises weights; as a parameter it would be trained.
        setattr(module, name, weight.data)
        module.register_buffer(name + "_u", u)
        module.register_buffer(name + "_v", v)
        module.register_forward_pre_hook(hook)
        module._register_state_dict_hook(VersionHook(hook))
        module._register_load_state_dict_pre_hook(OldFormatHook(hook))
        return hook


class VersionHook:
    """Writes the version of the format into the metadata of a state dict."""

    def __init__(self, fn: SpectralNorm) -> None:
        self.fn = fn

    def __call__(
        self, module: Module, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any]
    ) -> None:
        versions = local_metadata.setdefault("spectral_norm", {})
        versions[self.fn.name + ".version"] = self.fn._version


class OldFormatHook:
    """Completes a state dict of before version 1, which has the weight and u, but no v."""

    def __init__(self, fn: SpectralNorm) -> None:
        self.fn = fn

    def __call__(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        version = local_metadata.get("spectral_norm", {}).get(self.fn.name + ".version")
        key = prefix + self.fn.name
        written_by_hand = all(key + s in state_dict for s in ("_orig", "_u", "_v")) and key not in state_dict
        if version is not None or written_by_hand:
            return
        missing = [key + s for s in ("_orig", "", "_u") if key + s not in state_dict]
        if missing:
            missing_keys.extend(missing if strict else ())
            return
        original, weight, u = (state_dict[key + s].detach().cpu().numpy() for s in ("_orig", "", "_u"))
        del state_dict[key]
        # v is what u = W v / |W v| and u W v = sigma make it; W / sigma is what was saved.
        axes = (self.fn.dim, *(d for d in range(original.ndim) if d != self.fn.dim))
        matrix = original.transpose(axes).reshape(original.shape[self.fn.dim], -1)
        v = np.linalg.pinv(matrix.T @ matrix) @ matrix.T @ u
        v = v * ((original / weight).mean() / (u @ (matrix @ v)))
        state_dict[key + "_v"] = ops.from_numpy(v.astype(original.dtype))


def spectral_norm(
    module: Net, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Net:
    """Divide a parameter by its largest singular value before each forward; return the module.

    It is the older form of :func:`dovetail.nn.utils.parametrizations.spectral_norm`.

    Raises:
        ArgumentError: no power iteration, or a parameter that does not exist yet.
        ArgumentRuntimeError: the parameter is normalised already.
    """
    SpectralNorm.apply(module, name, n_power_iterations, rows_of(module, dim), eps)
    return module


def remove_spectral_norm(module: Net, name: str = "weight") -> Net:
    """Take away what :func:`spectral_norm` has added; the weight keeps its normalised value.

    Raises:
        ArgumentError: there is nothing to take away.
    """
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, SpectralNorm) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            break
    else:
        raise ArgumentError(f"spectral_norm of '{name}' not found in {module}")
    tables: tuple[dict[int, Any], ...] = (module._state_dict_hooks, module._load_state_dict_pre_hooks)
    for table in tables:
        for key, wrapped in list(table.items()):
            if isinstance(wrapped.function, (VersionHook, OldFormatHook)) and wrapped.function.fn.name == name:
                del table[key]
    return module
