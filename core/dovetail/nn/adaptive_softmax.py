"""The adaptive softmax: rare classes share clusters, so that most samples need a short product only."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, cast

from dovetail import ops
from dovetail.errors import ArgumentError, ArgumentRuntimeError, ShapeError
from dovetail.nn import functional as F
from dovetail.nn.containers import ModuleList, Sequential
from dovetail.nn.linear import Linear
from dovetail.nn.module import Module

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.dtypes import dtype as Dtype
    from dovetail.tensor.tensor import Tensor


class ASMoutput(NamedTuple):
    """The log probability of each target, and minus their mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """An approximation of log_softmax for many classes of very different frequency (arXiv:1609.04309).

    Classes are numbered by falling frequency and cut at ``cutoffs``: the first ones are outputs of the head, which has
    one more output for each further cluster; a cluster's own layers have in_features / div_value**i features.

    Shapes: input (N, in_features) or (in_features), target (N) or (); output (N) or (), and a loss ().

    Raises:
        ArgumentError: cutoffs that are not increasing numbers between 1 and n_classes - 1.
        ArgumentRuntimeError: a target that is no class.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
    ) -> None:
        super().__init__()
        _check_cutoffs(cutoffs, n_classes)
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, device=device, dtype=dtype)
        self.tail = ModuleList()
        for position, (start, stop) in enumerate(pairwise(self.cutoffs), start=1):
            width = int(in_features // div_value**position)
            self.tail.append(
                Sequential(
                    Linear(in_features, width, bias=False, device=device, dtype=dtype),
                    Linear(width, stop - start, bias=False, device=device, dtype=dtype),
                )
            )

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        for layer in self.modules():
            if isinstance(layer, Linear):
                layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> ASMoutput:
        """Return the log probability of each target, and minus their mean."""
        _check_target(input_, target_)
        single = target_.ndim == 0
        input, target = (input_.unsqueeze(0), target_.unsqueeze(0)) if single else (input_, target_)
        if bool(((target < 0) | (target >= self.n_classes)).any()):
            raise ArgumentRuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{int(target.min())}, {int(target.max())}] were found. "
            )
        output = input.new_zeros(target.shape[0])
        columns = target.clone()
        for cluster, (low, high) in enumerate(pairwise(self.cutoffs)):
            rows = ((target >= low) & (target < high)).nonzero().squeeze(1)
            if rows.numel():
                scores = F.log_softmax(self.tail[cluster](input.index_select(0, rows)), dim=1)
                own = scores.gather(1, (target.index_select(0, rows) - low).unsqueeze(1)).squeeze(1)
                output = output.index_copy(0, rows, own)
                columns = columns.index_fill(0, rows, self.shortlist_size + cluster)
        head = F.log_softmax(self.head(input), dim=1)
        output = output + head.gather(1, columns.unsqueeze(1)).squeeze(1)
        loss = (-output).mean()
        return ASMoutput(output.squeeze(0) if single else output, loss)

    def log_prob(self, input: Tensor) -> Tensor:
        """Return the log probabilities of all classes: (N, n_classes) of (N, in_features)."""
        head = F.log_softmax(self.head(input), dim=1)
        parts = [head[:, : self.shortlist_size]]
        for position, cluster in enumerate(self.tail):
            column = self.shortlist_size + position
            parts.append(F.log_softmax(cluster(input), dim=1) + head[:, column : column + 1])
        return ops.cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """Return the most probable class of each row; rows that the head decides need no cluster."""
        best = self.head(input).argmax(dim=1)
        rows = (best >= self.shortlist_size).nonzero().squeeze(1)
        if rows.numel():
            found = self.log_prob(input.index_select(0, rows)).argmax(dim=1)
            best = best.index_copy(0, rows, found)
        return cast("Tensor", best)


def _check_cutoffs(cutoffs: Sequence[int], n_classes: int) -> None:
    if len(cutoffs) == 0:
        raise ArgumentError("cutoffs should be a sequence of length larger than 0")
    increasing = all(a < b for a, b in pairwise([0, *cutoffs, n_classes]))
    if not increasing or any(int(c) != c for c in cutoffs):
        raise ArgumentError(
            "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each "
            "value is between 1 and n_classes-1"
        )


def _check_target(input: Tensor, target: Tensor) -> None:
    if target.ndim > 1:
        raise ShapeError("0D or 1D target tensor expected, multi-target not supported")
    if target.ndim == 1 and input.shape[:1] != target.shape:
        raise ShapeError("Input and target should have the same size in the batch dimension.")
    if input.ndim != target.ndim + 1:
        raise ShapeError(
            f"{target.ndim}D target tensor expects {target.ndim + 1}D input tensors, but found inputs with size "
            f"{input.shape}"
        )
