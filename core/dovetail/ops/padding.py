"""Making the last dimensions longer (or shorter), with a value or with what is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dovetail.errors import ArgumentRuntimeError, ShapeError, UnsupportedError
from dovetail.ops.arithmetic import remainder
from dovetail.ops.definition import Number, op
from dovetail.ops.gathering import index_select
from dovetail.ops.indexing import narrow
from dovetail.ops.joining import cat
from dovetail.ops.rearrangement import flip, positions
from dovetail.ops.shape import basic_index_put, expand
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.samples import ALL, Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Pairs = tuple[tuple[int, int], ...]
"""(before, after) for every dimension; negative amounts cut away."""


def pairs_of(pad: Sequence[int], ndim: int) -> Pairs:
    """Read PyTorch's list, which begins with the last dimension."""
    given = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    return ((0, 0),) * (ndim - len(given)) + tuple(reversed(given))


def _padded(input: Spec, *, pairs: Pairs, value: Number) -> tuple[int, ...]:
    shape = tuple(n + a + b for n, (a, b) in zip(input.shape, pairs, strict=True))
    left = [n + min(a, 0) + min(b, 0) for n, (a, b) in zip(input.shape, pairs, strict=True)]
    if min(left, default=0) < 0:
        raise ShapeError(f"narrow(): length must be non-negative. (in pad: {list(input.shape)} becomes {list(shape)})")
    return shape


def _inverse(pairs: Pairs) -> Pairs:
    return tuple((-a, -b) for a, b in pairs)


@op(
    shape=_padded,
    dtype=rules.same,
    internal=True,
    samples=calls(
        call(Arg((2, 3)), ((0, 0), (1, 2)), 0),
        call(Arg((2, 3)), ((1, 0), (-1, 1)), 1),
        call(Arg((2, 0)), ((0, 0), (1, 1)), 1),
        dtypes=ALL,
    ),
    agree=Agree.exact(),
)
def constant_pad(input: Tensor, pairs: Pairs, value: Number) -> Tensor:
    """The tensor inside a larger one of a single value; where an amount is negative, cut."""
    for d, (before, after) in enumerate(pairs):
        first, last = max(-before, 0), max(-after, 0)
        if first or last:
            input = narrow(input, d, first, max(input.shape[d] - first - last, 0))
    grown = [(max(a, 0), max(b, 0)) for a, b in pairs]
    if not any(a or b for a, b in grown):
        return input.clone()
    shape = tuple(n + a + b for n, (a, b) in zip(input.shape, grown, strict=True))
    ground = expand(input.new_full((), value), shape)
    pattern = tuple((n, 1) for n in input.shape)
    return basic_index_put(ground, input, tuple(a for a, _ in grown), pattern=pattern)


constant_pad.vjp(input=lambda g, *, pairs: constant_pad(g, _inverse(pairs), 0))


def _reflected(at: Tensor, size: int) -> Tensor:
    last = size - 1
    return last - (last - at.abs()).abs()


def _replicated(at: Tensor, size: int) -> Tensor:
    return at.clamp(0, size - 1)


def _wrapped(at: Tensor, size: int) -> Tensor:
    return remainder(at, size)


_MODES: Final = {"reflect": _reflected, "replicate": _replicated, "circular": _wrapped}


def _check(input: Tensor, pad: Sequence[int], mode: str) -> None:
    """PyTorch's restrictions of the modes that repeat what is there."""
    dims, extra = len(pad) // 2, input.ndim - len(pad) // 2
    if dims > 3 or extra not in (1, 2):
        raise UnsupportedError(
            f"Padding size {len(pad)} is not supported for {input.ndim}D input tensor. (in pad, mode "
            f"{mode!r}: it pads the last 1 to 3 dimensions of a tensor that has one or two more)"
        )
    pairs = pairs_of(pad, input.ndim)
    if mode != "circular":
        _check_sizes(input, pairs[-dims:])
    for d, (before, after) in reversed(list(enumerate(pairs))):
        size = input.shape[d]
        if mode == "reflect" and max(before, after) >= size and (before or after):
            raise ShapeError(
                f"Argument #{4 + 2 * (input.ndim - 1 - d)}: Padding size should be less than the corresponding input "
                f"dimension, but got: padding ({before}, {after}) at dimension {d} of input {list(input.shape)}"
            )
        if mode == "circular" and max(before, after) > size:
            raise ShapeError(
                f"Padding value causes wrapping around more than once. (padding ({before}, {after}) at "
                f"dimension {d} of input {list(input.shape)})"
            )
        left = size + min(before, 0) + min(after, 0)
        if mode == "circular" and (left < 0 or (left == 0 < max(before, after))):
            raise ShapeError(
                f"Negative padding value is resulting in an empty dimension (padding ({before}, {after}) at dimension "
                f"{d} of input {list(input.shape)})"
            )


def _check_sizes(input: Tensor, pairs: Pairs) -> None:
    """What reflecting and replicating want of the input and of the result."""
    dims, shape = len(pairs), list(input.shape)
    if 0 in shape[input.ndim - dims - 1 :]:
        raise ShapeError(
            f"Expected {dims + 1}D or {dims + 2}D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {shape}"
        )
    given = shape[-dims:]
    sizes = [n + before + after for n, (before, after) in zip(given, pairs, strict=True)]
    if max(sizes) < 1 or min(sizes) < 0:
        names = "DHW"[-dims:]
        before_text = ", ".join(f"{name}: {n}" for name, n in zip(names, given, strict=True))
        after_text = " ".join(f"{name}: {n}" for name, n in zip(names, sizes, strict=True))
        raise ShapeError(f"input ({before_text}) is too small. Calculated output {after_text}")


_IMAGE: Final = Arg((1, 2, 3, 4))


@op(
    samples=calls(
        call(Arg((2, 3)), (1, 2)),
        call(Arg((2, 3)), (-1, 1, 0, 1), value=7),
        call(_IMAGE, (1, 2, 2, 1), mode="reflect"),
        call(_IMAGE, (2, 3, -1, 2), mode="replicate"),
        call(_IMAGE, (1, -1, 3, 0), mode="circular"),
        call(Arg((2, 3)), (2, 1), "circular"),
        call(Arg((3,)), ()),
        errors=(
            error(RuntimeError, "Padding length must be divisible by 2", Arg((3,)), (1,)),
            error(RuntimeError, "Padding length should be less than or equal", Arg((3,)), (1, 1, 1, 1)),
            error(RuntimeError, "narrow(): length must be non-negative", Arg((3,)), (-4, 0)),
            error(RuntimeError, "Padding size should be less than", Arg((1, 3)), (3, 0), "reflect"),
            error(RuntimeError, "wrapping around more than once", Arg((1, 3)), (4, 0), "circular"),
            error(NotImplementedError, "not supported for 1D input tensor", Arg((3,)), (1, 0), "reflect"),
            error(NotImplementedError, "Unrecognised padding mode foo", Arg((3,)), (1, 0), "foo"),
            error(RuntimeError, "doesn't take in value argument", Arg((1, 3)), (1, 0), "reflect", 1.0),
        ),
    ),
    agree=Agree.exact(),
)
def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: Number | None = None) -> Tensor:
    """The tensor with its last dimensions made longer: ``(left, right)`` of the last one, and so on.

    ``mode`` is "constant" (with ``value``, 0 by default), "reflect", "replicate" or "circular"; negative
    amounts cut away.

    >>> import dovetail
    >>> dovetail.pad(dovetail.arange(3), (1, 2))
    tensor([0, 0, 1, 2, 0, 0])
    >>> dovetail.pad(dovetail.arange(3).reshape(1, 3), (2, 0), mode="reflect")
    tensor([[2, 1, 0, 1, 2]])
    """
    if len(pad) % 2:
        raise ArgumentRuntimeError(f"Padding length must be divisible by 2 (got {list(pad)})")
    if len(pad) // 2 > input.ndim:
        raise ArgumentRuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got padding "
            f"length {len(pad)} and input of dimension {input.ndim}"
        )
    pairs = pairs_of(pad, input.ndim)
    if mode == "constant":
        return constant_pad(input, pairs, 0 if value is None else value)
    if mode not in _MODES:
        raise UnsupportedError(f"Unrecognised padding mode {mode}")
    if value is not None and value != 0:
        raise ArgumentRuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    _check(input, pad, mode)
    if mode == "circular" or (mode == "reflect" and len(pad) == 6):
        return _repeating(input, pairs, mode)
    return repeating_pad(input, pairs, mode)


def _repeating(input: Tensor, pairs: Pairs, mode: str) -> Tensor:
    for d, (before, after) in enumerate(pairs):
        if before or after:
            input = _longer(input, d, before, after, mode)
    return input


@op(
    internal=True,
    samples=calls(
        call(Arg((1, 2, 3)), ((0, 0), (0, 0), (1, 2)), "reflect"),
        call(Arg((2, 3)), ((0, 0), (-1, 2)), "replicate"),
    ),
    agree=Agree.exact(),
    autocast={"cpu": "float32"},
)
def repeating_pad(input: Tensor, pairs: Pairs, mode: str) -> Tensor:
    """The modes that autocast computes in float32: "replicate", and "reflect" in one and two dimensions."""
    return _repeating(input, pairs, mode)


def _longer(input: Tensor, dim: int, before: int, after: int, mode: str) -> Tensor:
    """One dimension with what repeats before and after it; what is cut away does not come round again."""
    if min(before, after) < 0 and mode == "circular":
        first, last = max(-before, 0), max(-after, 0)
        input = narrow(input, dim, first, input.shape[dim] - first - last)
        before, after = max(before, 0), max(after, 0)
    size = input.shape[dim]
    if min(before, after) < 0 or (max(before, after) > size and mode == "circular"):
        at = positions(max(size + before + after, 0), input) - before
        return index_select(input, dim, _MODES[mode](at, size))
    near, far = _ENDS[mode](input, dim, before, after)
    parts = [*([near] if before else []), input, *([far] if after else [])]
    return cat(parts, dim) if len(parts) > 1 else input


def _mirrored(input: Tensor, dim: int, before: int, after: int) -> tuple[Tensor, Tensor]:
    size = input.shape[dim]
    near = narrow(input, dim, 1, before) if before else input
    far = narrow(input, dim, size - 1 - after, after) if after else input
    return flip(near, dim), flip(far, dim)


def _edges(input: Tensor, dim: int, before: int, after: int) -> tuple[Tensor, Tensor]:
    size = input.shape[dim]

    def spread(position: int, length: int) -> Tensor:
        return expand(narrow(input, dim, position, 1), [length if d == dim else -1 for d in range(input.ndim)])

    return spread(0, before), spread(size - 1, after)


def _opposite(input: Tensor, dim: int, before: int, after: int) -> tuple[Tensor, Tensor]:
    return narrow(input, dim, input.shape[dim] - before, before), narrow(input, dim, 0, after)


_ENDS: Final = {"reflect": _mirrored, "replicate": _edges, "circular": _opposite}
