"""Orthogonal matrices as functions of any matrix: by the exponential, Cayley's map, or Householder reflections."""

from __future__ import annotations

from typing import Any, Final, cast

import numpy as np

from dovetail import ops
from dovetail.autograd.function import Function
from dovetail.autograd.mode import no_grad
from dovetail.errors import ArgumentError, UnsupportedError
from dovetail.limits import finfo
from dovetail.nn.module import Module
from dovetail.tensor.tensor import Tensor

MAPS: Final = ("matrix_exp", "cayley", "householder")


class _Orthogonal(Module):
    """The parametrization: the lower triangle of its input names an orthogonal matrix of the same shape.

    Sources: Lezcano-Casado and Martinez-Rubio 2019, arXiv:1901.08428; for the ``base`` that it is multiplied with,
    arXiv:1909.09501.
    """

    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool = True) -> None:
        super().__init__()
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        """Return the orthogonal matrix, or matrices."""
        wide = X.shape[-2] < X.shape[-1]
        x = X.transpose(-2, -1) if wide else X
        if self.orthogonal_map == "householder":
            q = _reflections(x)
        else:
            q = self._of_skew(x)
        if "base" in self._buffers:
            q = cast("Tensor", self.base) @ q
        return q.transpose(-2, -1) if wide else q

    def _of_skew(self, x: Tensor) -> Tensor:
        rows, columns = x.shape[-2:]
        lower = x.tril()
        if rows != columns:
            lower = ops.cat([lower, lower.new_zeros((*x.shape[:-1], rows - columns))], -1)
        skew = lower - lower.transpose(-2, -1)
        if self.orthogonal_map == "matrix_exp":
            return ops.matrix_exp(skew)[..., :columns]
        one = ops.eye(rows, dtype=x.dtype, device=x.device)
        inverse: Tensor = _Inverse.apply(one - skew * 0.5)
        return (inverse @ (one + skew * 0.5))[..., :columns]

    @no_grad()
    def right_inverse(self, Q: Tensor) -> Tensor:
        """Return what the map takes to ``Q``; with a base, the matrix nearest in that sense becomes the base."""
        if Q.shape != self.shape:
            raise ArgumentError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {Q.shape}."
            )
        wide = Q.shape[-2] < Q.shape[-1]
        q = Q.transpose(-2, -1) if wide else Q
        if "base" not in self._buffers:
            return self._factors(q, wide)
        rows, columns = q.shape[-2:]
        if rows != columns:
            q = ops.cat([q, ops.randn(*q.shape[:-1], rows - columns, dtype=q.dtype, device=q.device)], -1)
        self.base = q.clone() if rows == columns and _is_orthogonal(q) else _orthogonalised(q)
        minus_one: Tensor = -ops.eye(Q.shape[-2], Q.shape[-1], dtype=Q.dtype, device=Q.device)
        return minus_one.expand(Q.shape).clone()

    def _factors(self, q: Tensor, wide: bool) -> Tensor:
        if self.orthogonal_map != "householder":
            raise UnsupportedError(
                "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                "use_trivialization=False."
            )
        raw, taus = _factored(q)
        # The diagonal keeps the sign of each column alone; a column that was not reflected has the other one.
        diagonal = np.arange(raw.shape[-1])
        signs = np.sign(raw[..., diagonal, diagonal])
        raw[..., diagonal, diagonal] = np.where(taus == 0, -signs, signs)
        found = ops.from_numpy(raw).to(device=q.device, dtype=q.dtype)
        return found.transpose(-2, -1) if wide else found


def _reflections(x: Tensor) -> Tensor:
    """The first columns of the product of Householder reflections that the columns below the diagonal name."""
    rows, columns = x.shape[-2:]
    below = x.tril(-1)
    vectors = below + ops.eye(rows, columns, dtype=x.dtype, device=x.device)
    taus = 2.0 / (1.0 + (below * below).sum(-2))
    q = ops.eye(rows, columns, dtype=x.dtype, device=x.device).expand(x.shape)
    for i in reversed(range(columns)):
        vector = vectors[..., i : i + 1]
        q = q - vector @ (vector.transpose(-2, -1) @ q) * taus[..., i, None, None]
    # As an integer: the sign is a choice, which is not differentiated.
    return q * x.detach().diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)


def _host(q: Tensor) -> Any:
    return q.detach().double().cpu().numpy()


def _factored(q: Tensor) -> tuple[Any, Any]:
    """LAPACK's QR factorisation in its raw form, reflections below the diagonal and R above it, in float64."""
    raw, taus = np.linalg.qr(_host(q), mode="raw")
    return np.array(np.swapaxes(raw, -2, -1)), taus


def _orthogonalised(q: Tensor) -> Tensor:
    """The orthogonal factor of a matrix with the signs that make it depend on it continuously."""
    factor, r = np.linalg.qr(_host(q))
    signs = np.sign(np.diagonal(r, axis1=-2, axis2=-1))
    return ops.from_numpy(factor * signs[..., None, :]).to(device=q.device, dtype=q.dtype)


def _is_orthogonal(q: Tensor) -> bool:
    one = ops.eye(q.shape[-1], dtype=q.dtype, device=q.device).expand(q.shape)
    product: Tensor = q.transpose(-2, -1) @ q
    return bool(ops.allclose(product, one, atol=10.0 * q.shape[-2] * finfo(q.dtype).eps))


class _Inverse(Function):
    """The inverse of a matrix whose symmetric part is the identity.

    Elimination needs no pivots there: every leading block is positive definite in the same sense (G. Golub and C. Van
    Loan, *Matrix Computations*, 4th edition, section 4.3).
    """

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        size = matrix.shape[-1]
        one = ops.eye(size, dtype=matrix.dtype, device=matrix.device).expand(matrix.shape)
        both = ops.cat([matrix, one], -1)
        for i in range(size):
            row = both[..., i : i + 1, :] / both[..., i : i + 1, i : i + 1]
            column = both[..., :, i : i + 1] - one[..., :, i : i + 1]
            both = both - column @ row
        inverse = both[..., size:]
        ctx.save_for_backward(inverse)
        return inverse

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (inverse,) = ctx.saved_tensors
        transposed: Tensor = inverse.transpose(-2, -1)
        return -(transposed @ grad @ transposed)
