"""Parametrizations that are often wanted: weight norm, spectral norm, orthogonal matrices."""

from __future__ import annotations

from typing import Any, TypeVar

from dovetail import ops
from dovetail.autograd.mode import no_grad
from dovetail.errors import ArgumentError, DimensionError
from dovetail.nn import functional as F
from dovetail.nn.module import Module
from dovetail.nn.utils.orthogonal import MAPS, _Orthogonal
from dovetail.nn.utils.parametrize import register_parametrization
from dovetail.nn.utils.spectral_norm import rows_of, weight_matrix
from dovetail.nn.utils.weight_norm import norm_except_dim, normalised_weight
from dovetail.tensor.tensor import Tensor

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

Net = TypeVar("Net", bound=Module)


class _WeightNorm(Module):
    """g v / |v|."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return normalised_weight(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except_dim(weight, self.dim), weight


class _SpectralNorm(Module):
    """The weight over its largest singular value, which power iterations follow in training."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise DimensionError(
                f"Dimension out of range (expected to be in range of [-{weight.ndim}, {weight.ndim - 1}] but got {dim})"
            )
        if n_power_iterations <= 0:
            raise ArgumentError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim = dim % weight.ndim
        self.eps = eps
        if weight.ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = weight_matrix(weight.detach(), self.dim)
            u, v = (ops.empty_like(matrix[:, 0]).normal_(), ops.empty_like(matrix[0]).normal_())
            self.register_buffer("_u", F.normalize(u, dim=0, eps=eps))
            self.register_buffer("_v", F.normalize(v, dim=0, eps=eps))
            # So many that the value is good from the first forward on.
            self._power_method(matrix, 15)

    @no_grad()
    def _power_method(self, matrix: Tensor, n_power_iterations: int) -> None:
        for _ in range(n_power_iterations):
            self._u.copy_(F.normalize(matrix @ self._v, dim=0, eps=self.eps))
            self._v.copy_(F.normalize(matrix.t() @ self._u, dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = weight_matrix(weight, self.dim)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        # Copies: the next forward moves the vectors before this one's backward may have run.
        return weight / self._u.clone().dot(matrix @ self._v.clone())

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def weight_norm(module: Net, name: str = "weight", dim: int | None = 0) -> Net:
    """Train length and direction of a parameter separately: w = g v / |v| (arXiv:1602.07868).

    The two are ``parametrizations.<name>.original0`` and ``original1``; state dicts of the older form, with
    ``<name>_g`` and ``<name>_v``, load as well. ``dim`` is the dimension along which each slice has a length of its
    own; None means one length for all.
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def take_older_names(state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
        older = [f"{prefix}{name}_{suffix}" for suffix in "gv"]
        if all(key in state_dict for key in older):
            for position, key in enumerate(older):
                state_dict[f"{prefix}parametrizations.{name}.original{position}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(take_older_names)
    return module


def spectral_norm(
    module: Net, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Net:
    """Divide a parameter by its largest singular value (Miyato et al. 2018, arXiv:1802.05957).

    In training each forward takes ``n_power_iterations`` steps towards its singular vectors. ``dim`` is the dimension
    of the outputs: 1 in transposed convolutions, else 0.

    Raises:
        ArgumentError: no such tensor, or no power iteration.
    """
    weight = _tensor_of(module, name)
    return register_parametrization(
        module, name, _SpectralNorm(weight, n_power_iterations, rows_of(module, dim), eps)
    )


def orthogonal(
    module: Net, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Net:
    """Keep a matrix, or each of a batch, orthogonal: Q^T Q = 1, or Q Q^T = 1 where it is wider than high.

    Args:
        orthogonal_map: "matrix_exp", "cayley" or "householder"; by default the first for square matrices, the last
            for others.
        use_trivialization: multiply by a fixed orthogonal matrix, so that the tensor can be assigned to (Lezcano-Casado
            2019, arXiv:1909.09501).

    Raises:
        ArgumentError: no such tensor, fewer than two dimensions, or another map.
    """
    weight = _tensor_of(module, name)
    if weight.ndim < 2:
        raise ArgumentError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder"
    if orthogonal_map not in MAPS:
        raise ArgumentError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)


def _tensor_of(module: Module, name: str) -> Tensor:
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ArgumentError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return weight
