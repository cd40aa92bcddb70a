"""Losses of class scores: negative log-likelihood and cross entropy, of class indices or of probabilities.

Class indices are checked before the op. A target equal to ``ignore_index`` counts for nothing; a mean divides by the
sum of the weights of the classes that occur.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dovetail import dtypes
from dovetail.dispatch.reading import host_values
from dovetail.errors import (
    ArgumentError,
    ArgumentRuntimeError,
    AutogradError,
    DovetailError,
    DtypeError,
    IndexOutOfRange,
    ShapeError,
)
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import iota
from dovetail.ops.definition import ValueCheck, op
from dovetail.ops.losses import check_reduction, reduced
from dovetail.ops.precision import wider
from dovetail.ops.softmax import log_softmax, softmax
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import Dtypes
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Shape = tuple[int, ...]

# ------------------------------------------------------------------------------------------ what targets may be


def class_dim(ndim: int) -> int:
    """Where the classes are: dimension 1, or 0 of a single sample."""
    return 0 if ndim == 1 else 1


def _check_target(input: Spec, target: Spec) -> None:
    """Raise PyTorch's sentences for shapes that do not belong together."""
    a, b = list(input.shape), list(target.shape)
    if not a:
        raise ArgumentError("Expected 1 or more dimensions (got 0)")
    if len(a) <= 2:
        if len(b) > 1:
            hint = f" target.squeeze({len(b) - 1})" if b[-1] == 1 else " target.argmax(1) for one-hot rows"
            raise ShapeError(
                f"0D or 1D target tensor expected, multi-target not supported (input {a}, target {b}: one class index "
                f"per row; write{hint})"
            )
        if len(a) == 2 and a[:1] != b:
            raise ArgumentError(
                f"Expected input batch_size ({a[0]}) to match target batch_size ({b[0] if b else 1})."
            )
        if len(a) == 1 and b not in ([], [1]):
            raise ShapeError(f"size mismatch (got input: {a}, target: {b})")
        return
    expected = [a[0], *a[2:]]
    if len(b) != len(expected) and len(a) == 4:
        raise ShapeError(
            f"only batches of spatial targets supported (3D tensors) but got targets of dimension: {len(b)} (input {a}, "
            f"target {b})"
        )
    if b != expected:
        raise ShapeError(f"Expected target size {expected}, got {b} (size mismatch, input {a}, target {b})")


def _check_weight(input: Spec, weight: Spec | None) -> None:
    if weight is None:
        return
    classes = input.shape[class_dim(input.ndim)]
    if tuple(weight.shape) != (classes,):
        raise ShapeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
            f"shape: {list(weight.shape)}"
        )


def _index_dtypes(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> list[dtypes.dtype | None]:
    """What scores, class indices and weights are cast to; anything but indices is an error."""
    input, target, weight = inputs
    assert input is not None and target is not None, "only the weight may be absent"
    if target.dtype not in (dtypes.int64, dtypes.uint8):
        raise DtypeError(
            f"expected target dtype to be Long or Byte, but got {target.dtype.legacy_name} (class indices: "
            "target.long(); class probabilities have the shape of the input)"
        )
    if not input.dtype.is_floating_point:
        raise DtypeError(
            f"\"nll_loss\" not implemented for '{input.dtype.legacy_name}' (convert first: x.float())"
        )
    if weight is not None and weight.dtype is not input.dtype:
        raise DtypeError(
            f"expected scalar type {input.dtype.legacy_name} but found {weight.dtype.legacy_name} (weight: write "
            f"weight.to({input.dtype!r}))"
        )
    return [None, dtypes.int64, None]


def _loss_shape(input: Spec, target: Spec, reduction: str) -> Shape:
    check_reduction(reduction)
    if reduction != "none" or input.ndim == 1:
        return ()
    return (input.shape[0], *input.shape[2:])


def _outside(input: Tensor, target: Tensor, *_: Any, ignore_index: int, **__: Any) -> Tensor:
    classes = input.shape[class_dim(input.ndim)]
    return (((target < 0) | (target >= classes)) & (target != ignore_index)).any()


def _outside_error(
    input: Tensor, target: Tensor, *_: Any, ignore_index: int, **__: Any
) -> DovetailError | None:
    values = host_values(target).reshape(-1)
    classes = input.shape[class_dim(input.ndim)]
    bad = values[((values < 0) | (values >= classes)) & (values != ignore_index)]
    if not bad.size:
        return None
    return IndexOutOfRange(
        f"Target {int(bad[0])} is out of bounds. (class indices of {classes} classes are 0 to {classes - 1}, or "
        f"ignore_index = {ignore_index})"
    )


def _of_indices(input: Spec, target: Spec, *_: Any, **__: Any) -> bool:
    return target.dtype.category == dtypes.INTEGER


_BOUNDS = ValueCheck(_outside, _outside_error, _of_indices)

# ------------------------------------------------------------------------------------------ rows and classes


class _Rows:
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


def _single(target: Tensor, ndim: int) -> Tensor:
    """The target of one sample as a 0-d tensor."""
    return target.reshape(()) if ndim == 1 else target


# ------------------------------------------------------------------------------------------ negative log-likelihood


@op(
    shape=lambda grad, target, weight, *, input_shape, reduction, ignore_index: tuple(input_shape),
    dtype=rules.same,
    internal=True,
    samples=calls(
        call(Arg(()), Arg((3,), dtype="int64", values=[0, 3, 1]), None, (3, 4), "mean", -100),
        call(
            Arg((2, 3)),
            Arg((2, 3), dtype="int64", values=[[0, 3, 1], [2, 2, 0]]),
            Arg((4,), grad=False),
            (2, 4, 3),
            "none",
            2,
        ),
    ),
    agree=Agree.running(),
)
def nll_loss_backward(
    grad: Tensor,
    target: Tensor,
    weight: Tensor | None,
    input_shape: Sequence[int],
    reduction: str,
    ignore_index: int,
) -> Tensor:
    """Minus weight times gradient at the class of each place, 0 elsewhere."""
    dim = class_dim(len(input_shape))
    rows = _Rows(_single(target, len(input_shape)), weight, ignore_index, grad.dtype)
    value = -(rows.weights * rows.share(grad, reduction))
    hit = rows.hits(input_shape[dim], dim) & rows.counted.unsqueeze(dim)
    return select_by(hit, value.unsqueeze(dim), 0)


def _nll_shape(input: Spec, target: Spec, weight: Spec | None, *, ignore_index: int, reduction: str) -> Shape:
    _check_target(input, target)
    _check_weight(input, weight)
    return _loss_shape(input, target, reduction)


_CLASSES = Arg((3,), dtype="int64", values=[0, 3, 1])
_WEIGHT = Arg((4,), low=0.5, grad=False)
_SPATIAL = Arg((2, 3), dtype="int64", values=[[0, 3, 1], [2, 2, 0]])


def _errors() -> tuple[Any, ...]:
    scores = Arg((3, 4))
    return (
        error(
            RuntimeError,
            "0D or 1D target tensor expected",
            scores,
            Arg((3, 1), dtype="int64", values=[[0], [1], [2]]),
        ),
        error(RuntimeError, ".squeeze(1)", scores, Arg((3, 1), dtype="int64", values=[[0], [1], [2]])),
        error(IndexError, "Target 7 is out of bounds", scores, Arg((3,), dtype="int64", values=[0, 7, 1])),
        error(IndexError, "Target -1 is out of bounds", scores, Arg((3,), dtype="int64", values=[0, -1, 1])),
        error(
            ValueError,
            "Expected input batch_size (3) to match target batch_size (2).",
            scores,
            Arg((2,), dtype="int64", values=[0, 1]),
        ),
        error(RuntimeError, "expected target dtype to be Long or Byte", scores, Arg((3,))),
        error(
            RuntimeError,
            "weight tensor should be defined either for all 4 classes",
            scores,
            _CLASSES,
            Arg((3,)),
        ),
        error(
            RuntimeError,
            "Expected target size [2, 3], got [2, 2]",
            Arg((2, 4, 3)),
            Arg((2, 2), dtype="int64", values=[[0, 0], [0, 0]]),
        ),
    )


@op(
    shape=_nll_shape,
    dtype=lambda inputs, statics: Dtypes(_index_dtypes(inputs, statics), [inputs[0].dtype]),  # type: ignore[union-attr]  # never absent
    checks=(_BOUNDS,),
    samples=calls(
        call(Arg((3, 4), low=-3, high=0), _CLASSES),
        call(Arg((3, 4), low=-3, high=0), _CLASSES, _WEIGHT, reduction="sum"),
        call(Arg((3, 4), low=-3, high=0), _CLASSES, ignore_index=3, reduction="none"),
        call(Arg((2, 4, 3), low=-3, high=0), _SPATIAL, _WEIGHT, ignore_index=2),
        call(Arg((4,), low=-3, high=0), Arg((), dtype="int64", values=2)),
        errors=_errors(),
    ),
    agree=Agree.running(),
)
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-probability of the target class, times its weight; reduced.

    Shapes: input (C), (N, C) or (N, C, d1, ...) of log-probabilities, target the same without C of class indices,
    weight (C).
    """
    dim = class_dim(input.ndim)
    rows = _Rows(_single(target, input.ndim), weight, ignore_index, input.dtype)
    picked = input.gather(dim, rows.classes.unsqueeze(dim)).squeeze(dim)
    losses = select_by(rows.counted, -(picked * rows.weights), 0)
    if reduction == "mean":
        return losses.sum() / rows.weights.sum()
    return reduced(losses, reduction)


def _no_weight_gradient(g: Tensor) -> Tensor:
    raise AutogradError(
        "The function 'nll_loss_forward' is not differentiable with respect to argument 'weight'. This input cannot have "
        "requires_grad True. (pass weight.detach())"
    )


nll_loss.vjp(
    input=lambda g, target, weight, *, specs, reduction, ignore_index: nll_loss_backward(
        g, target, weight, tuple(specs[0].shape), reduction, ignore_index
    ),
    weight=_no_weight_gradient,
)

# ------------------------------------------------------------------------------------------ cross entropy

# Scores that are their own log_softmax: samples of a gradient need log-probabilities that are those of their input.
_LOGARITHMS = Arg(
    (3, 4),
    values=[[math.log(p) for p in row] for row in ((0.1, 0.2, 0.3, 0.4), (0.25,) * 4, (0.7, 0.1, 0.1, 0.1))],
)


@op(
    shape=lambda grad, input, *others, **statics: input.shape,
    dtype=lambda inputs, statics: Dtypes([None] * len(inputs), [inputs[1].dtype]),  # type: ignore[union-attr]  # never absent
    internal=True,
    samples=calls(
        call(Arg(()), _LOGARITHMS, _LOGARITHMS, _CLASSES, None, "mean", -100, 0.0, grad=False),
        call(Arg((3,)), _LOGARITHMS, _LOGARITHMS, _CLASSES, Arg((4,)), "none", 1, 0.1, grad=False),
    ),
    agree=Agree.running(),
)
def cross_entropy_backward(
    grad: Tensor,
    input: Tensor,
    log_probs: Tensor,
    target: Tensor,
    weight: Tensor | None,
    reduction: str,
    ignore_index: int,
    label_smoothing: float,
) -> Tensor:
    """``((a + sum b) p - b - a onehot(y))`` times the gradient of each place.

    Here a is (1 - s) w[y] and b is s w / C with the smoothing s. A kernel reads p off the ``log_probs`` that the forward
    pass has returned; this decomposition computes it from the input, on which it depends.
    """
    dim = class_dim(input.ndim)
    count = input.shape[dim]
    rows = _Rows(_single(target, input.ndim), weight, ignore_index, input.dtype)
    hit = rows.weights.unsqueeze(dim) * (1 - label_smoothing)
    spread: Any = hit
    smooth: Any = 0
    if label_smoothing:
        smooth = input.new_full((count,), label_smoothing / count)
        if weight is not None:
            smooth = smooth * weight.detach()
        smooth = smooth.reshape((count, *(1,) * (input.ndim - 1 - dim)))
        spread = hit + smooth.sum()
    slope = softmax(input, dim) * spread - smooth - select_by(rows.hits(count, dim), hit, 0)
    share = rows.share(grad, reduction)
    share = share.unsqueeze(dim) if share.ndim else share
    return select_by(rows.counted.unsqueeze(dim), slope * share, 0)


def _is_probabilities(input: Spec | Tensor, target: Spec | Tensor) -> bool:
    """Whether the target has class probabilities: it has the shape of the scores."""
    return tuple(input.shape) == tuple(target.shape)


def _entropy_shape(
    input: Spec,
    target: Spec,
    weight: Spec | None,
    *,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> list[Shape]:
    if not 0 <= label_smoothing <= 1:
        raise ArgumentRuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if _is_probabilities(input, target):
        if not target.dtype.is_floating_point:
            raise DtypeError(
                f"Expected floating point type for target with class probabilities, got {target.dtype.legacy_name} "
                "(class indices have no dimension for the classes)"
            )
        if ignore_index >= 0:
            raise ArgumentRuntimeError("ignore_index is not supported for floating point target")
        if not input.ndim:
            raise ArgumentError("Expected 1 or more dimensions (got 0)")
    else:
        _check_target(input, target)
    _check_weight(input, weight)
    return [_loss_shape(input, target, reduction), input.shape]


def _entropy_dtypes(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    input, target, _ = inputs
    assert input is not None and target is not None, "only the weight may be absent"
    if not _is_probabilities(input, target):
        return Dtypes(_index_dtypes(inputs, statics), [input.dtype, wider(input.dtype)])
    common = rules.result_type(inputs)
    if not input.dtype.is_floating_point:
        raise DtypeError(
            f"\"log_softmax\" not implemented for '{input.dtype.legacy_name}' (convert first: x.float())"
        )
    return Dtypes([common] * 3, [common, wider(common)])


@op(
    shape=_entropy_shape,
    dtype=_entropy_dtypes,
    outputs=("out", "log_probs"),
    hidden=1,
    checks=(_BOUNDS,),
    samples=calls(
        call(Arg((3, 4)), _CLASSES),
        call(Arg((3, 4)), _CLASSES, _WEIGHT, reduction="sum"),
        call(Arg((3, 4)), _CLASSES, ignore_index=3, reduction="none"),
        call(Arg((3, 4)), _CLASSES, _WEIGHT, ignore_index=3, label_smoothing=0.1),
        call(Arg((2, 4, 3)), _SPATIAL, _WEIGHT, ignore_index=2),
        call(Arg((4,)), Arg((), dtype="int64", values=2)),
        call(Arg((3, 4)), Arg((3, 4), low=0, high=1)),
        call(
            Arg((2, 4, 3)),
            Arg((2, 4, 3), low=0, high=1),
            Arg((4,), low=0.5),
            reduction="none",
            label_smoothing=0.1,
        ),
        errors=(
            *_errors(),
            error(
                RuntimeError,
                "label_smoothing must be between 0.0 and 1.0. Got: 1.5",
                Arg((3, 4)),
                _CLASSES,
                label_smoothing=1.5,
            ),
            error(
                RuntimeError,
                "ignore_index is not supported for floating point target",
                Arg((3, 4)),
                Arg((3, 4)),
                ignore_index=1,
            ),
            error(
                RuntimeError,
                "Expected floating point type for target with class probabilities",
                Arg((3,)),
                _CLASSES,
            ),
        ),
    ),
    agree=Agree.running(),
)
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross entropy of unnormalised scores with class indices, or with class probabilities; reduced.

    Shapes: input (C), (N, C) or (N, C, d1, ...), target the same without C (indices) or the same (probabilities),
    weight (C). Smoothing mixes the target with the uniform distribution (arXiv:1512.00567).

    >>> import dovetail
    >>> dovetail.nn.functional.cross_entropy(dovetail.zeros(1, 4), dovetail.tensor([2]))
    tensor(1.3863)
    """
    dim = class_dim(input.ndim)
    log_probs = log_softmax(input, dim)
    if _is_probabilities(input, target):
        return _of_probabilities(log_probs, target, weight, reduction, label_smoothing)
    loss = nll_loss(log_probs, target, weight, ignore_index, reduction)
    if not label_smoothing:
        return loss
    rows = _Rows(_single(target, input.ndim), weight, ignore_index, input.dtype)
    terms = log_probs if weight is None else log_probs * _along_classes(weight.detach(), input.ndim)
    smooth = select_by(rows.counted, -terms.sum(dim), 0)
    smooth = smooth.sum() / rows.weights.sum() if reduction == "mean" else reduced(smooth, reduction)
    return loss * (1 - label_smoothing) + smooth * (label_smoothing / input.shape[dim])


def _along_classes(weight: Tensor, ndim: int) -> Tensor:
    """The weights of the classes, broadcastable to scores of so many dimensions."""
    return weight.reshape((weight.shape[0], *(1,) * (ndim - 1 - class_dim(ndim))))


def _of_probabilities(
    log_probs: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float
) -> Tensor:
    dim = class_dim(log_probs.ndim)
    count = log_probs.shape[dim]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / count
    terms = log_probs * target
    if weight is not None:
        terms = terms * _along_classes(weight, log_probs.ndim)
    losses = -terms.sum(dim)
    if reduction == "mean":
        return losses.sum() / math.prod(losses.shape)
    return reduced(losses, reduction)


@cross_entropy.vjp
def _cross_entropy_gradient(
    g: Tensor,
    input: Tensor,
    log_probs: Tensor,
    target: Tensor,
    weight: Tensor | None,
    *,
    reduction: str,
    ignore_index: int,
    label_smoothing: float,
    needs: Any,
) -> Any:
    if needs[2]:
        _no_weight_gradient(g)
    return (
        cross_entropy_backward(g, input, log_probs, target, weight, reduction, ignore_index, label_smoothing),
        None,
        None,
    )
