"""Softmax and its logarithm along a dimension, and their gradients in terms of the result.

The maximum is subtracted first, so nothing overflows (P. Blanchard, D. Higham and N. Higham, *Accurately
computing the log-sum-exp and softmax functions*, IMA J. Numer. Anal. 41, 2021).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dovetail import dtypes
from dovetail.errors import DtypeError
from dovetail.ops.definition import op
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import DtypeRule, Dtypes, normalize_dim
from dovetail.record.samples import Arg, Samples, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Shape = tuple[int, ...]


def _shape(input: Spec, **_: Any) -> Shape:
    return input.shape


def _canonical(input: Spec, *others: Spec, dim: int, dtype: dtypes.dtype | None = None) -> dict[str, Any]:
    return {"dim": normalize_dim(dim, input.ndim), "dtype": dtype}


def _computed(name: str) -> DtypeRule:
    """The type that ``dtype`` asks for, which the input is converted to first; it must be floating."""

    def rule(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
        first = inputs[0]
        assert first is not None, "the first input is never absent"
        kind: dtypes.dtype = statics["dtype"] or first.dtype
        if not kind.is_floating_point:
            raise DtypeError(
                f"\"{name}\" not implemented for '{kind.legacy_name}' (convert the input first: "
                f"{name}(x.float(), ...), or name a floating dtype=)"
            )
        return Dtypes([kind], [kind])

    return rule


def _samples(name: str) -> Samples:
    return calls(
        call(Arg((2, 5)), 1),
        call(Arg((3, 4, 2), low=-30, high=30), -2),
        call(Arg((4,)), 0),
        call(Arg(()), 0),
        call(Arg((0, 3)), 0),
        call(Arg((2, 3)), 0, dtype=dtypes.float64),
        call(Arg((2, 3), low=-800, high=800), 1),
        errors=(
            error(RuntimeError, f"\"{name}\" not implemented for 'Long'", Arg((3,), dtype="int64"), 0),
            error(IndexError, "Dimension out of range", Arg((3,)), 2),
        ),
    )


_GRADIENTS = calls(call(Arg((2, 5)), Arg((2, 5), low=0.1, high=0.4), 1), call(Arg(()), Arg(()), 0))


def _along(backward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda g, out, *, dim: backward(g, out, dim)


@op(
    shape=rules.like_first,
    dtype=rules.same,
    canon=rules.canonical_dim,
    internal=True,
    samples=_GRADIENTS,
    agree=Agree.running(),
)
def softmax_backward(grad: Tensor, output: Tensor, dim: int) -> Tensor:
    """``y * (g - sum(g * y))`` for the result y of softmax."""
    return output * (grad - (grad * output).sum(dim, True))


@op(
    shape=_shape,
    dtype=_computed("softmax"),
    canon=_canonical,
    method=True,
    samples=_samples("softmax"),
    agree=Agree.running(),
    autocast={"accelerator": "float32"},
)
def softmax(input: Tensor, dim: int, dtype: dtypes.dtype | None = None) -> Tensor:
    """``exp(x) / sum(exp(x))`` along a dimension; NaN where the largest element is infinite or NaN.

    ``dtype`` is the type that the input is converted to first.

    >>> import dovetail
    >>> dovetail.softmax(dovetail.zeros(2), dim=0)
    tensor([0.5000, 0.5000])
    """
    if not input.numel():
        return input.exp()
    powers = (input - input.amax(dim, True)).exp()
    return powers / powers.sum(dim, True)


softmax.vjp(input=_along(softmax_backward))


@op(
    shape=rules.like_first,
    dtype=rules.same,
    canon=rules.canonical_dim,
    internal=True,
    samples=_GRADIENTS,
    agree=Agree.running(),
)
def log_softmax_backward(grad: Tensor, output: Tensor, dim: int) -> Tensor:
    """``g - exp(y) * sum(g)`` for the result y of log_softmax."""
    return grad - output.exp() * grad.sum(dim, True)


@op(
    shape=_shape,
    dtype=_computed("log_softmax"),
    canon=_canonical,
    method=True,
    samples=_samples("log_softmax"),
    agree=Agree.running(),
    autocast={"accelerator": "float32"},
)
def log_softmax(input: Tensor, dim: int, dtype: dtypes.dtype | None = None) -> Tensor:
    """``x - log(sum(exp(x)))`` along a dimension: the logarithm of softmax, also where that is 0."""
    if not input.numel():
        return input.exp()
    shifted = input - input.amax(dim, True)
    return shifted - shifted.exp().sum(dim, True).log()


log_softmax.vjp(input=_along(log_softmax_backward))


@op(samples=_samples("softmax"), agree=Agree.running(), backward_name="SoftmaxBackward0")
def softmin(input: Tensor, dim: int, dtype: dtypes.dtype | None = None) -> Tensor:
    """``softmax(-x)`` along a dimension."""
    return softmax(-input, dim, dtype)
