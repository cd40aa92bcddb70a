"""EmbeddingBag: sums, means or maxima of the vectors that bags of indices name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from dovetail import ops
from dovetail.autograd.mode import no_grad
from dovetail.nn import functional as F
from dovetail.nn import init
from dovetail.nn.embedding import TableShapeError
from dovetail.nn.functional.embedding import row_index
from dovetail.nn.module import Module
from dovetail.nn.parameter import Parameter, fresh

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.dtypes import dtype as Dtype
    from dovetail.tensor.tensor import Tensor


class EmbeddingBag(Module):
    """A table of vectors, drawn from the normal distribution, that are reduced over bags of indices.

    Shapes: input (bags, size), or (n) with offsets (bags) that say where each bag begins; output
    (bags, embedding_dim).

    Args:
        mode: "sum", "mean" or "max".
        include_last_offset: whether the offsets end with where the last bag ends.
        padding_idx: a row that starts at zero, counts for no bag and gets no gradient.
        max_norm, norm_type, scale_grad_by_freq, sparse: as of :class:`Embedding`.

    >>> import dovetail
    >>> dovetail.nn.EmbeddingBag(10, 3)(dovetail.tensor([1, 5, 2]), dovetail.tensor([0, 1])).shape
    dovetail.Size([2, 3])
    """

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.padding_idx = None if padding_idx is None else row_index(padding_idx, num_embeddings)
        if _weight is None:
            self.weight = fresh(ops.empty((num_embeddings, embedding_dim), device=device, dtype=dtype))
            self.reset_parameters()
        else:
            if tuple(_weight.shape) != (num_embeddings, embedding_dim):
                raise TableShapeError(
                    "Shape of weight does not match num_embeddings and embedding_dim: "
                    f"{tuple(_weight.shape)} and {(num_embeddings, embedding_dim)}"
                )
            self.weight = Parameter(_weight)
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset

    def reset_parameters(self) -> None:
        """Draw the vectors anew; the padding row is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    def forward(
        self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None
    ) -> Tensor:
        """Return a vector for each bag."""
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        """Return the sizes and the mode, and the options that differ from their defaults."""
        parts = [f"{self.num_embeddings}, {self.embedding_dim}"]
        if self.max_norm is not None:
            parts.append(f"max_norm={self.max_norm}")
        if self.norm_type != 2:
            parts.append(f"norm_type={self.norm_type}")
        if self.scale_grad_by_freq:
            parts.append(f"scale_grad_by_freq={self.scale_grad_by_freq}")
        parts.append(f"mode={self.mode!r}")
        if self.padding_idx is not None:
            parts.append(f"padding_idx={self.padding_idx}")
        return ", ".join(parts)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> Self:
        """Return an embedding bag with the rows of a matrix; frozen unless told otherwise."""
        if embeddings.dim() != 2:
            raise TableShapeError(
                f"Embeddings parameter is expected to be 2-dimensional, got shape {tuple(embeddings.shape)}"
            )
        rows, columns = embeddings.shape
        made = cls(
            rows,
            columns,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            _weight=embeddings,
            include_last_offset=include_last_offset,
            padding_idx=padding_idx,
        )
        made.weight.requires_grad_(not freeze)
        return made
