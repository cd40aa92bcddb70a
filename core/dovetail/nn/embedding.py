"""Embedding: a table of vectors that indices are looked up in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from dovetail import ops
from dovetail.autograd.mode import no_grad
from dovetail.errors import ArgumentError
from dovetail.nn import functional as F
from dovetail.nn import init
from dovetail.nn.functional.embedding import row_index
from dovetail.nn.module import Module
from dovetail.nn.parameter import Parameter, fresh

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.dtypes import dtype as Dtype
    from dovetail.tensor.tensor import Tensor


class TableShapeError(ArgumentError, AssertionError):
    """A table of vectors whose shape is not what was announced."""


class Embedding(Module):
    """A table of ``num_embeddings`` vectors of length ``embedding_dim``, drawn from the normal distribution.

    Shapes: input (*) of integers, output (*, embedding_dim).

    Args:
        padding_idx: a row that starts at zero and gets no gradient.
        max_norm: rows that are looked up and are longer are shortened first, in place; ``norm_type`` is the
            p.
        scale_grad_by_freq: divide the gradient of a row by how often it occurs in the input.
        sparse: accepted; the gradient is dense.

    >>> import dovetail
    >>> dovetail.nn.Embedding(10, 3)(dovetail.tensor([1, 5])).shape
    dovetail.Size([2, 3])
    """

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = None if padding_idx is None else row_index(padding_idx, num_embeddings)
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        if _weight is None:
            values = ops.empty((num_embeddings, embedding_dim), device=device, dtype=dtype)
            self.weight = fresh(values, requires_grad=not _freeze)
            self.reset_parameters()
        else:
            if tuple(_weight.shape) != (num_embeddings, embedding_dim):
                raise TableShapeError(
                    "Shape of weight does not match num_embeddings and embedding_dim: "
                    f"{tuple(_weight.shape)} and {(num_embeddings, embedding_dim)}"
                )
            self.weight = Parameter(_weight, requires_grad=not _freeze)

    def reset_parameters(self) -> None:
        """Draw the vectors anew; the padding row is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    def forward(self, input: Tensor) -> Tensor:
        """Return the vectors that the indices name."""
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        """Return the sizes, and the options that differ from their defaults."""
        parts = [f"{self.num_embeddings}", f"{self.embedding_dim}"]
        if self.padding_idx is not None:
            parts.append(f"padding_idx={self.padding_idx}")
        if self.max_norm is not None:
            parts.append(f"max_norm={self.max_norm}")
        if self.norm_type != 2:
            parts.append(f"norm_type={self.norm_type}")
        if self.scale_grad_by_freq:
            parts.append(f"scale_grad_by_freq={self.scale_grad_by_freq}")
        if self.sparse:
            parts.append("sparse=True")
        return ", ".join(parts)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Self:
        """Return an embedding with the rows of a matrix; frozen unless told otherwise."""
        if embeddings.dim() != 2:
            raise TableShapeError(
                f"Embeddings parameter is expected to be 2-dimensional, got shape {tuple(embeddings.shape)}"
            )
        rows, columns = embeddings.shape
        return cls(
            rows,
            columns,
            _weight=embeddings,
            _freeze=freeze,
            padding_idx=padding_idx,
            max_norm=max_norm,
            norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq,
            sparse=sparse,
        )
