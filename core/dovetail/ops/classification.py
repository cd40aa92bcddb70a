"""Losses of class scores: negative log-likelihood and cross entropy, of class indices or of probabilities.

Class indices are checked before the op. A target equal to ``ignore_index`` counts for nothing; a mean divides
by the sum of the weights of the classes that occur.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dovetail.errors import ArgumentError, ArgumentRuntimeError, AutogradError, DtypeError
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import op
from dovetail.ops.losses import reduced
from dovetail.ops.precision import wider
from dovetail.ops.softmax import log_softmax, softmax
from dovetail.ops.targets import (
    BOUNDS,
    Rows,
    Shape,
    check_target,
    check_weight,
    class_dim,
    index_dtypes,
    loss_shape,
    single,
)
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import Dtypes
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

# -------------------------------------------------------------------------------- negative log-likelihood


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
    rows = Rows(single(target, len(input_shape)), weight, ignore_index, grad.dtype)
    value = -(rows.weights * rows.share(grad, reduction))
    hit = rows.hits(input_shape[dim], dim) & rows.counted.unsqueeze(dim)
    return select_by(hit, value.unsqueeze(dim), 0)


def _nll_shape(input: Spec, target: Spec, weight: Spec | None, *, ignore_index: int, reduction: str) -> Shape:
    check_target(input, target)
    check_weight(input, weight)
    return loss_shape(input, target, reduction)


_CLASSES = Arg((3,), dtype="int64", values=[0, 3, 1])
_WEIGHT = Arg((4,), low=0.5, grad=False)
_SPATIAL = Arg((2, 3), dtype="int64", values=[[0, 3, 1], [2, 2, 0]])


def _nll_dtypes(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    scores = inputs[0]
    assert scores is not None, "only the weight may be absent"
    return Dtypes(index_dtypes(inputs, statics), [scores.dtype])


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
    dtype=_nll_dtypes,
    checks=(BOUNDS,),
    samples=calls(
        call(Arg((3, 4), low=-3, high=0), _CLASSES),
        call(Arg((3, 4), low=-3, high=0), _CLASSES, _WEIGHT, reduction="sum"),
        call(Arg((3, 4), low=-3, high=0), _CLASSES, ignore_index=3, reduction="none"),
        call(Arg((2, 4, 3), low=-3, high=0), _SPATIAL, _WEIGHT, ignore_index=2),
        call(Arg((4,), low=-3, high=0), Arg((), dtype="int64", values=2)),
        errors=_errors(),
    ),
    agree=Agree.running(),
    autocast="float32",
)
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-probability of the target class, times its weight; reduced.

    Shapes: input (C), (N, C) or (N, C, d1, ...) of log-probabilities, target the same without C of class
    indices, weight (C).
    """
    dim = class_dim(input.ndim)
    rows = Rows(single(target, input.ndim), weight, ignore_index, input.dtype)
    picked = input.gather(dim, rows.classes.unsqueeze(dim)).squeeze(dim)
    losses = select_by(rows.counted, -(picked * rows.weights), 0)
    if reduction == "mean":
        return losses.sum() / rows.weights.sum()
    return reduced(losses, reduction)


def _no_weight_gradient(g: Tensor) -> Tensor:
    raise AutogradError(
        "The function 'nll_loss_forward' is not differentiable with respect to argument 'weight'. This input "
        "cannot have "
        "requires_grad True. (pass weight.detach())"
    )


nll_loss.vjp(
    input=lambda g, target, weight, *, specs, reduction, ignore_index: nll_loss_backward(
        g, target, weight, tuple(specs[0].shape), reduction, ignore_index
    ),
    weight=_no_weight_gradient,
)

# ------------------------------------------------------------------------------------------ cross entropy

# Scores that are their own log_softmax: samples of a gradient need the log-probabilities of their input.
_LOGARITHMS = Arg(
    (3, 4),
    values=[[math.log(p) for p in row] for row in ((0.1, 0.2, 0.3, 0.4), (0.25,) * 4, (0.7, 0.1, 0.1, 0.1))],
)


def _like_scores(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    scores = inputs[1]
    assert scores is not None, "only the weight may be absent"
    return Dtypes([None] * len(inputs), [scores.dtype])


@op(
    shape=lambda grad, input, *others, **statics: input.shape,
    dtype=_like_scores,
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

    Here a is (1 - s) w[y] and b is s w / C with the smoothing s. A kernel reads p off the ``log_probs`` that
    the forward pass has returned; this decomposition computes it from the input, on which it depends.
    """
    dim = class_dim(input.ndim)
    count = input.shape[dim]
    rows = Rows(single(target, input.ndim), weight, ignore_index, input.dtype)
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
                "Expected floating point type for target with class probabilities, got "
                f"{target.dtype.legacy_name} "
                "(class indices have no dimension for the classes)"
            )
        if ignore_index >= 0:
            raise ArgumentRuntimeError("ignore_index is not supported for floating point target")
        if not input.ndim:
            raise ArgumentError("Expected 1 or more dimensions (got 0)")
    else:
        check_target(input, target)
    check_weight(input, weight)
    return [loss_shape(input, target, reduction), input.shape]


def _entropy_dtypes(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    input, target, _ = inputs
    assert input is not None, "only the weight may be absent"
    assert target is not None, "only the weight may be absent"
    if not _is_probabilities(input, target):
        return Dtypes(index_dtypes(inputs, statics), [input.dtype, wider(input.dtype)])
    common = rules.result_type(inputs)
    if not input.dtype.is_floating_point:
        raise DtypeError(f"\"log_softmax\" not implemented for '{input.dtype.legacy_name}' (convert first: x.float())")
    return Dtypes([common] * 3, [common, wider(common)])


@op(
    shape=_entropy_shape,
    dtype=_entropy_dtypes,
    outputs=("out", "log_probs"),
    hidden=1,
    checks=(BOUNDS,),
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
    backward_name="NllLossBackward0",
    autocast="float32",
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

    Shapes: input (C), (N, C) or (N, C, d1, ...), target the same without C (indices) or the same
    (probabilities), weight (C). Smoothing mixes the target with the uniform distribution (arXiv:1512.00567).

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
    rows = Rows(single(target, input.ndim), weight, ignore_index, input.dtype)
    terms = log_probs if weight is None else log_probs * _along_classes(weight.detach(), input.ndim)
    smooth = select_by(rows.counted, -terms.sum(dim), 0)
    smooth = smooth.sum() / rows.weights.sum() if reduction == "mean" else reduced(smooth, reduction)
    share: float = label_smoothing / input.shape[dim]
    return loss * (1 - label_smoothing) + smooth * share


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
