"""Rows looked up by index, and indices as rows with a single one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dovetail import dtypes
from dovetail.dispatch.reading import host_values
from dovetail.errors import (
    ArgumentError,
    ArgumentRuntimeError,
    DovetailError,
    DtypeError,
    IndexOutOfRange,
    ShapeError,
)
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import iota
from dovetail.ops.definition import ValueCheck, front, op
from dovetail.ops.gathering import index_add, index_select
from dovetail.record import rules
from dovetail.record.agree import Agree, Growth
from dovetail.record.rules import Dtypes
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

# ------------------------------------------------------------------------------------------ embedding


def _outside(input: Tensor, weight: Tensor, **_: Any) -> Tensor:
    rows: int = weight.shape[0]
    return ((input < 0) | (input >= rows)).any()


def _outside_error(input: Tensor, weight: Tensor, **_: Any) -> DovetailError | None:
    values = host_values(input).reshape(-1)
    rows = weight.shape[0]
    bad = values[(values < 0) | (values >= rows)]
    if not bad.size:
        return None
    return IndexOutOfRange(
        f"index out of range in self (in embedding: index {int(bad[0])} is out of bounds for dimension 0 "
        "with size "
        f"{rows})"
    )


def _canonical(input: Spec, weight: Spec, *, padding_idx: int | None) -> dict[str, Any]:
    if weight.ndim != 2:
        raise ShapeError(f"'weight' must be 2-D (embedding: got weight of shape {list(weight.shape)})")
    rows = weight.shape[0]
    if padding_idx is None:
        return {"padding_idx": None}
    if not -rows <= padding_idx < rows:
        raise ArgumentError(f"Padding_idx must be within num_embeddings (got {padding_idx} and {rows} embeddings)")
    return {"padding_idx": padding_idx % rows}


def _lookup_dtypes(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    indices, weight = inputs
    assert indices is not None, "an embedding has indices"
    assert weight is not None, "an embedding has a weight"
    if indices.dtype not in rules.INDEX_TYPES:
        raise DtypeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; "
            "but got "
            f"{indices.dtype.legacy_name} instead (while checking arguments for embedding; write x.long())"
        )
    return Dtypes([None, None], [weight.dtype])


_POSITIONS = Arg((2, 3), dtype="int64", values=[[0, 3, 3], [1, 0, 3]])


@op(
    shape=lambda grad, indices, *, num_weights, padding_idx: (num_weights, grad.shape[-1]),
    dtype=rules.same,
    internal=True,
    samples=calls(
        call(Arg((2, 3, 2)), _POSITIONS, 4, None),
        call(Arg((2, 3, 2)), _POSITIONS, 5, 3),
        call(Arg((0, 2)), Arg((0,), dtype="int64", values=[]), 4, None),
    ),
    agree=Agree.terms(k=Growth(linear=1)),
)
def embedding_backward(grad: Tensor, indices: Tensor, num_weights: int, padding_idx: int | None) -> Tensor:
    """The gradients of the rows: those of every place that looked one up, added; 0 for the padding row."""
    places = indices.reshape(-1)
    rows = grad.reshape((math.prod(indices.shape), grad.shape[-1]))
    if padding_idx is not None:
        rows = select_by((places == padding_idx).unsqueeze(1), 0, rows)
    return index_add(grad.new_zeros((num_weights, grad.shape[-1])), 0, places, rows)


@op(
    shape=lambda input, weight, *, padding_idx: (*input.shape, weight.shape[1]),
    dtype=_lookup_dtypes,
    canon=_canonical,
    checks=(ValueCheck(_outside, _outside_error),),
    samples=calls(
        call(_POSITIONS, Arg((4, 2))),
        call(_POSITIONS, Arg((5, 2)), padding_idx=3, grad=False),
        call(Arg((), dtype="int64", values=2), Arg((4, 2)), padding_idx=-1, grad=False),
        call(Arg((0,), dtype="int64", values=[]), Arg((4, 2))),
        errors=(
            error(IndexError, "index out of range in self", Arg((1,), dtype="int64", values=[5]), Arg((4, 2))),
            error(
                IndexError,
                "index -1 is out of bounds for dimension 0 with size 4",
                Arg((1,), dtype="int64", values=[-1]),
                Arg((4, 2)),
            ),
            error(RuntimeError, "scalar types: Long, Int; but got Float", Arg((1,)), Arg((4, 2))),
            error(RuntimeError, "'weight' must be 2-D", _POSITIONS, Arg((4,))),
            error(ValueError, "Padding_idx must be within num_embeddings", _POSITIONS, Arg((4, 2)), 9),
        ),
    ),
    agree=Agree.exact(),
)
def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """The rows of ``weight`` that the indices name; the row ``padding_idx`` gets no gradient.

    Shapes: input (...) of integers, weight (rows, features); result (..., features).

    >>> import dovetail
    >>> dovetail.nn.functional.embedding(dovetail.tensor([1]), dovetail.tensor([[0.0], [5.0]]))
    tensor([[5.]])
    """
    found = index_select(weight, 0, input.reshape(-1))
    return found.reshape((*input.shape, weight.shape[1]))


embedding.vjp(
    weight=lambda g, input, *, specs, padding_idx: embedding_backward(g, input, specs[1].shape[0], padding_idx)
)
embedding_backward.vjp(
    grad=lambda g, indices, *, padding_idx: _without_padding(embedding(indices, g), indices, padding_idx)
)


def _without_padding(rows: Tensor, indices: Tensor, padding_idx: int | None) -> Tensor:
    return rows if padding_idx is None else select_by((indices == padding_idx).unsqueeze(-1), 0, rows)


# ------------------------------------------------------------------------------------------ one-hot


def _no_class(input: Tensor, *, num_classes: int) -> Tensor:
    return ((input < 0) | (input >= num_classes)).any()


def _no_class_error(input: Tensor, *, num_classes: int) -> DovetailError:
    values = host_values(input)
    if values.size and values.min() < 0:
        return ArgumentRuntimeError(f"Class values must be non-negative. (got {int(values.min())})")
    return ArgumentRuntimeError(
        f"Class values must be smaller than num_classes. (got {int(values.max())} and {num_classes} classes)"
    )


@op(
    shape=lambda input, *, num_classes: (*input.shape, num_classes),
    dtype=rules.fixed(dtypes.int64),
    checks=(ValueCheck(_no_class, _no_class_error),),
    nondifferentiable="classes are integers",
    internal=True,
    samples=calls(
        call(Arg((2, 3), dtype="int64", values=[[0, 3, 3], [1, 0, 3]]), 4),
        call(Arg((), dtype="int64", values=2), 3),
        call(Arg((0,), dtype="int64", values=[]), 3),
        dtypes=("int",),
        errors=(
            error(RuntimeError, "Class values must be non-negative.", Arg((1,), dtype="int64", values=[-1]), 3),
            error(
                RuntimeError,
                "Class values must be smaller than num_classes.",
                Arg((1,), dtype="int64", values=[3]),
                3,
            ),
        ),
    ),
    agree=Agree.exact(),
)
def one_hot_rows(input: Tensor, num_classes: int) -> Tensor:
    """For each class index a row of zeros with a one at that place."""
    numbers = iota(input.new_zeros((), dtype=dtypes.int64), num_classes)
    return (input.unsqueeze(-1) == numbers).to(dtypes.int64)


@front(method=False)
def one_hot(input: Tensor, num_classes: int = -1) -> Tensor:
    """For each class index a row of zeros with a one at that place, as int64.

    Without ``num_classes`` the largest index decides, so the shape depends on values and a captured program
    refuses it.

    >>> import dovetail
    >>> dovetail.nn.functional.one_hot(dovetail.tensor([1, 0]), 3)
    tensor([[0, 1, 0],
            [1, 0, 0]])
    """
    if input.dtype is not dtypes.int64:
        raise ArgumentRuntimeError(
            f"one_hot is only applicable to index tensor of type LongTensor. (got {input.dtype.name}; write x.long())"
        )
    if num_classes < 0:
        if not input.numel():
            raise ArgumentRuntimeError("Can not infer total number of classes from empty tensor.")
        why = "one_hot() without num_classes has a shape that depends on values"
        num_classes = max(int(host_values(input, why=why).max()) + 1, 1)
    return one_hot_rows(input, num_classes)
