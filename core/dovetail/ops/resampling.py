"""Resampling of one dimension: each result a weighted sum of elements that sizes alone decide.

The gradient is another such sum, so both orders stay among the two ops. Several dimensions are resampled one
after the other, for every kind is separable.
"""

from __future__ import annotations

from typing import Any

from dovetail import dtypes
from dovetail.errors import DtypeError
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import tensor
from dovetail.ops.definition import op
from dovetail.ops.gathering import index_select
from dovetail.ops.precision import wider
from dovetail.ops.resampling_taps import Sampling, Taps
from dovetail.record.agree import Agree, Growth
from dovetail.record.rules import Dtypes, normalize_dim
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

AGREE = Agree.terms(k=Growth(linear=1, plus=2))


def _dtype(inputs: Any, statics: dict[str, Any]) -> Dtypes:
    kind = inputs[0].dtype
    if not kind.is_floating_point and not (kind is dtypes.uint8 and statics["how"].kind.startswith("nearest")):
        raise DtypeError(f"\"upsample_{statics['how'].kind}\" not implemented for '{kind.legacy_name}'")
    return Dtypes([None], [kind])


def _canonical(input: Spec, *, dim: int, how: Any) -> dict[str, Any]:
    return {"dim": normalize_dim(dim, input.ndim), "how": Sampling(*how)}


def _resized(shape: Any, dim: int, size: int) -> tuple[int, ...]:
    return tuple(size if d == dim else n for d, n in enumerate(shape))


def _sampled(input: Tensor, dim: int, taps: Taps) -> Tensor:
    """The weighted sums of a table along a dimension."""
    spread = [taps.positions.shape[1] if d == dim else 1 for d in range(input.ndim)]
    total: Tensor | None = None
    for positions, weights, inside in zip(*taps, strict=True):
        part = index_select(input, dim, tensor(positions, device=input.device))
        if not (weights[inside] == 1).all():
            part = part * tensor(weights, dtype=input.dtype, device=input.device).reshape(spread)
        if not inside.all():
            part = select_by(tensor(inside, device=input.device).reshape(spread), part, 0)
        total = part if total is None else total + part
    assert total is not None, "a table has at least one tap"
    return total


@op(
    shape=lambda input, *, dim, how: _resized(input.shape, dim, how.after),
    dtype=_dtype,
    canon=_canonical,
    internal=True,
    samples=calls(
        call(Arg((2, 3)), 1, ("nearest", 3, 6)),
        call(Arg((2, 5)), 1, ("nearest-exact", 5, 3)),
        call(Arg((3, 4)), 0, ("linear", 3, 5)),
        call(Arg((2, 4, 2)), 1, ("linear", 4, 3, True)),
        call(Arg((2, 4)), -1, ("cubic", 4, 7, False, 1.8)),
        call(Arg((2, 7)), 1, ("linear", 7, 3, False, None, True)),
        call(Arg((2, 5)), 1, ("lanczos", 5, 4, False, None, True)),
        call(Arg((2, 5)), 1, ("windows", 5, 3)),
        errors=(error(RuntimeError, "not implemented for 'Int'", Arg((2, 3), dtype="int32"), 1, ("linear", 3, 6)),),
    ),
    agree=AGREE,
)
def resample(input: Tensor, dim: int, how: tuple[Any, ...]) -> Tensor:
    """A dimension resampled; ``how`` is a :class:`Sampling`."""
    sampling = Sampling(*how)
    wide = wider(input.dtype)
    times = sampling.repeats
    if times:
        shape = tuple(input.shape)
        spread = input.unsqueeze(dim + 1).expand((*shape[: dim + 1], times, *shape[dim + 1 :]))
        return spread.reshape(_resized(shape, dim, sampling.after))
    if wide is not input.dtype and not sampling.kind.startswith("nearest"):
        return _sampled(input.to(wide), dim, sampling.taps()).to(input.dtype)
    return _sampled(input, dim, sampling.taps())


@op(
    shape=lambda grad, *, dim, how: _resized(grad.shape, dim, how.before),
    dtype=_dtype,
    canon=_canonical,
    internal=True,
    samples=calls(
        call(Arg((2, 6)), 1, ("nearest", 3, 6)),
        call(Arg((2, 3)), 1, ("nearest-exact", 5, 3)),
        call(Arg((5, 4)), 0, ("linear", 3, 5)),
        call(Arg((2, 3, 2)), 1, ("linear", 4, 3, True)),
        call(Arg((2, 7)), -1, ("cubic", 4, 7, False, 1.8)),
        call(Arg((2, 3)), 1, ("linear", 7, 3, False, None, True)),
    ),
    agree=AGREE,
)
def resample_backward(grad: Tensor, dim: int, how: tuple[Any, ...]) -> Tensor:
    """The gradient of :func:`resample`: for each element the results that it went into."""
    sampling = Sampling(*how)
    wide = wider(grad.dtype)
    if wide is not grad.dtype:
        return resample_backward(grad.to(wide), dim, how).to(grad.dtype)
    times = sampling.repeats
    if times:
        shape = tuple(grad.shape)
        return grad.reshape((*shape[:dim], sampling.before, times, *shape[dim + 1 :])).sum(dim + 1)
    return _sampled(grad, dim, sampling.adjoint())


resample.vjp(input=lambda g, *, dim, how: resample_backward(g, dim, how))
resample_backward.vjp(grad=lambda g, *, dim, how: resample(g, dim, how))
