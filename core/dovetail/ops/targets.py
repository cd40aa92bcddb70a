"""Class targets: what they may be, and the class, weight and share of each place of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail import dtypes
from dovetail.dispatch.reading import host_values
from dovetail.errors import ArgumentError, DovetailError, DtypeError, IndexOutOfRange, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import iota
from dovetail.ops.definition import ValueCheck
from dovetail.ops.losses import check_reduction
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Shape = tuple[int, ...]


def class_dim(ndim: int) -> int:
    """Where the classes are: dimension 1, or 0 of a single sample."""
    return 0 if ndim == 1 else 1


def check_target(input: Spec, target: Spec) -> None:
    """Raise PyTorch's sentences for shapes that do not belong together."""
    a, b = list(input.shape), list(target.shape)
    if not a:
        raise ArgumentError("Expected 1 or more dimensions (got 0)")
    if len(a) <= 2:
        if len(b) > 1:
            hint = f" target.squeeze({len(b) - 1})" if b[-1] == 1 else " target.argmax(1) for one-hot rows"
            raise ShapeError(
                f"0D or 1D target tensor expected, multi-target not supported (input {a}, target {b}: one "
                "class index "
                f"per row; write{hint})"
            )
        if len(a) == 2 and a[:1] != b:
            raise ArgumentError(f"Expected input batch_size ({a[0]}) to match target batch_size ({b[0] if b else 1}).")
        if len(a) == 1 and b not in ([], [1]):
            raise ShapeError(f"size mismatch (got input: {a}, target: {b})")
        return
    expected = [a[0], *a[2:]]
    if len(b) != len(expected) and len(a) == 4:
        raise ShapeError(
            f"only batches of spatial targets supported (3D tensors) but got targets of dimension: {len(b)} "
            f"(input {a}, "
            f"target {b})"
        )
    if b != expected:
        raise ShapeError(f"Expected target size {expected}, got {b} (size mismatch, input {a}, target {b})")


def check_weight(input: Spec, weight: Spec | None) -> None:
    """Raise unless there is one weight per class."""
    if weight is None:
        return
    classes = input.shape[class_dim(input.ndim)]
    if tuple(weight.shape) != (classes,):
        raise ShapeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight "
            "tensor of "
            f"shape: {list(weight.shape)}"
        )


def index_dtypes(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> list[dtypes.dtype | None]:
    """What scores, class indices and weights are cast to; anything but indices is an error."""
    input, target, weight = inputs
    assert input is not None, "only the weight may be absent"
    assert target is not None, "only the weight may be absent"
    if target.dtype not in (dtypes.int64, dtypes.uint8):
        raise DtypeError(
            f"expected target dtype to be Long or Byte, but got {target.dtype.legacy_name} (class indices: "
            "target.long(); class probabilities have the shape of the input)"
        )
    if not input.dtype.is_floating_point:
        raise DtypeError(f"\"nll_loss\" not implemented for '{input.dtype.legacy_name}' (convert first: x.float())")
    if weight is not None and weight.dtype is not input.dtype:
        raise DtypeError(
            f"expected scalar type {input.dtype.legacy_name} but found {weight.dtype.legacy_name} (weight: "
            "write "
            f"weight.to({input.dtype!r}))"
        )
    return [None, dtypes.int64, None]


def loss_shape(input: Spec, target: Spec, reduction: str) -> Shape:
    """One loss for each place, or one for all."""
    check_reduction(reduction)
    if reduction != "none" or input.ndim == 1:
        return ()
    return (input.shape[0], *input.shape[2:])


def outside(input: Tensor, target: Tensor, *_: Any, ignore_index: int, **__: Any) -> Tensor:
    """Whether a class index does not exist and is not to be ignored."""
    classes: int = input.shape[class_dim(input.ndim)]
    return (((target < 0) | (target >= classes)) & (target != ignore_index)).any()


def outside_error(input: Tensor, target: Tensor, *_: Any, ignore_index: int, **__: Any) -> DovetailError | None:
    """The error for the first class index that does not exist; None if all do."""
    values = host_values(target).reshape(-1)
    classes = input.shape[class_dim(input.ndim)]
    bad = values[((values < 0) | (values >= classes)) & (values != ignore_index)]
    if not bad.size:
        return None
    return IndexOutOfRange(
        f"Target {int(bad[0])} is out of bounds. (class indices of {classes} classes are 0 to {classes - 1}, "
        "or "
        f"ignore_index = {ignore_index})"
    )


def of_indices(input: Spec, target: Spec, *_: Any, **__: Any) -> bool:
    """Whether the target has class indices, and not probabilities."""
    return target.dtype.category == dtypes.INTEGER


BOUNDS = ValueCheck(outside, outside_error, of_indices)


class Rows:
    """The class of each place as a position that exists, which places count, and the weight of each."""

    def __init__(self, target: Tensor, weight: Tensor | None, ignore_index: int, dtype: dtypes.dtype) -> None:
        self.counted = target != ignore_index
        self.classes = select_by(self.counted, target, 0)
        if weight is None:
            self.weights = self.counted.to(dtype)
        else:
            found = weight.detach().index_select(0, self.classes.reshape(-1)).reshape(target.shape)
            self.weights = select_by(self.counted, found, 0)

    def hits(self, count: int, dim: int) -> Tensor:
        """Which class of each place is its target: a mask with the classes in dimension ``dim``."""
        spread = self.classes.unsqueeze(dim)
        numbers = iota(spread.new_zeros(()), count)
        return spread == numbers.reshape((count, *(1,) * (spread.ndim - 1 - dim)))

    def share(self, grad: Tensor, reduction: str) -> Tensor:
        """The gradient of each place's loss."""
        return grad / self.weights.sum() if reduction == "mean" else grad


def single(target: Tensor, ndim: int) -> Tensor:
    """The target of one sample as a 0-d tensor."""
    return target.reshape(()) if ndim == 1 else target
