"""Random draws: words of the shared stream, and distributions made of them element by element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail import dtypes, settings
from dovetail.contract.device import Device
from dovetail.contract.selection import default_device, resolve
from dovetail.errors import ArgumentError, ArgumentRuntimeError
from dovetail.ops.definition import NoDecomposition, Number, front, op
from dovetail.ops.shape import packed
from dovetail.random import streams
from dovetail.random.generator import Generator, default_generator
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import Dtypes
from dovetail.record.samples import Arg, call, calls
from dovetail.tensor.tensor import Tensor

_RANDOM = "random numbers do not depend on anything"
_STATE = Arg((3,), dtype="int64", values=[7, 0, 3])
_WORDS = Arg((5,), dtype="uint32", values=[0, 1, 2**31, 2**32 - 1, 123456789])
_WIDE = Arg((5,), dtype="uint64", values=[0, 1, 2**63, 2**64 - 1, 123456789123456789])


def _word_dtype(inputs: Any, statics: dict[str, Any]) -> Dtypes:
    return Dtypes([None], [dtypes.uint32 if statics["width"] == 32 else dtypes.uint64])


@op(
    shape=lambda state, *, shape, width: tuple(shape),
    dtype=_word_dtype,
    internal=True,
    nondifferentiable=_RANDOM,
    samples=calls(call(_STATE, (3, 5), 32), call(_STATE, (7,), 64), call(_STATE, (0,), 64), dtypes=("int",)),
    agree=Agree.stream(),
)
def random_words(state: Tensor, shape: Sequence[int], width: int) -> Tensor:
    """Words of the Philox4x64-10 stream from ``state`` (seed, stream, offset) on, as uint32 or uint64."""
    raise NoDecomposition


@op(
    shape=rules.like_first,
    dtype=rules.target,
    internal=True,
    nondifferentiable=_RANDOM,
    samples=calls(
        call(_WORDS, dtype=dtypes.float32), call(_WIDE, dtype=dtypes.float64), call(_WORDS, dtype=dtypes.float16),
        call(_WORDS, dtype=dtypes.float32, low=-1.0, high=3.0), dtypes=("int",),
    ),
    agree=Agree.distribution(),
)  # fmt: skip
def uniform_from_words(words: Tensor, *, dtype: dtypes.dtype, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Uniform numbers of ``[low, high)``: the leading bits of each word."""
    raise NoDecomposition


@op(
    shape=rules.like_first,
    dtype=rules.target,
    internal=True,
    nondifferentiable=_RANDOM,
    samples=calls(
        call(_WORDS, dtype=dtypes.float32), call(_WIDE, dtype=dtypes.float64), call(_WORDS, dtype=dtypes.bfloat16),
        dtypes=("int",),
    ),
    agree=Agree.distribution(),
)  # fmt: skip
def normal_from_words(words: Tensor, *, dtype: dtypes.dtype, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Normal numbers: the inverse distribution function of each word, in float64, rounded once."""
    raise NoDecomposition


@op(
    shape=rules.like_first,
    dtype=rules.fixed(dtypes.int64),
    internal=True,
    nondifferentiable=_RANDOM,
    samples=calls(call(_WIDE, low=-3, high=10), dtypes=("int",)),
    agree=Agree.distribution(),
)
def randint_from_words(words: Tensor, *, low: int, high: int) -> Tensor:
    """Integers of ``[low, high)``: the high part of each word times the range."""
    raise NoDecomposition


@op(
    shape=rules.like_first,
    dtype=rules.fixed(dtypes.int64),
    internal=True,
    nondifferentiable=_RANDOM,
    samples=calls(call(_WIDE), dtypes=("int",)),
    agree=Agree.distribution(),
)
def permutation_from_words(words: Tensor) -> Tensor:
    """The order of the words: a permutation of the positions."""
    raise NoDecomposition


@op(
    shape=rules.like_first,
    dtype=rules.truth,
    internal=True,
    nondifferentiable=_RANDOM,
    samples=calls(call(_WORDS, p=0.25), call(_WORDS, p=0.0), call(_WORDS, p=1.0), dtypes=("int",)),
    agree=Agree.distribution(),
)
def bernoulli_from_words(words: Tensor, *, p: float) -> Tensor:
    """True with one probability for all: each word compared with a threshold."""
    raise NoDecomposition


@op(
    shape=rules.like_first,
    dtype=rules.truth,
    internal=True,
    nondifferentiable=_RANDOM,
    samples=calls(call(_WORDS, Arg((5,), low=0, high=1)), dtypes=("float",)),
    agree=Agree.distribution(),
)
def bernoulli_each_from_words(words: Tensor, p: Tensor) -> Tensor:
    """True with a probability of its own for each element."""
    raise NoDecomposition


# ------------------------------------------------------------------------------------------ drawing


def draw(shape: Sequence[int], width: int, device: Device, generator: Generator | None) -> Tensor:
    """Take words of the stream from a generator (the default one)."""
    source = default_generator if generator is None else generator
    size = tuple(shape)
    return random_words(source.reserve(streams.blocks(size, width), device), size, width)


def draw_uniform(
    shape: Sequence[int], dtype: dtypes.dtype, device: Device, generator: Generator | None, low: float, high: float
) -> Tensor:
    """Uniform numbers of ``[low, high)``."""
    words = draw(shape, streams.word_width(dtype.host), device, generator)
    return uniform_from_words(words, dtype=dtype, low=float(low), high=float(high))


def draw_normal(
    shape: Sequence[int], dtype: dtypes.dtype, device: Device, generator: Generator | None, mean: float, std: float
) -> Tensor:
    """Normal numbers."""
    if std < 0:
        raise ArgumentRuntimeError(f"normal expects std >= 0.0, but found std {std}")
    words = draw(shape, streams.word_width(dtype.host), device, generator)
    return normal_from_words(words, dtype=dtype, mean=float(mean), std=float(std))


def dropout_mask(shape: Sequence[int], keep: float, device: Device, generator: Generator | None = None) -> Tensor:
    """A bool tensor that is True with probability ``keep``."""
    return bernoulli_from_words(draw(shape, 32, device, generator), p=float(keep))


def _place(device: Any) -> Device:
    return default_device() if device is None else resolve(device)


def _leaf(t: Tensor, requires_grad: bool) -> Tensor:
    return t.requires_grad_() if requires_grad else t


def _floating(dtype: dtypes.dtype | None, name: str) -> dtypes.dtype:
    kind = dtype or settings.current.default_dtype
    if not kind.is_floating_point:
        raise ArgumentRuntimeError(f"\"{name}\" not implemented for '{kind.legacy_name}'")
    return kind


@front(method=False)
def rand(
    *size: Any, generator: Generator | None = None, dtype: dtypes.dtype | None = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Uniform numbers of [0, 1): multiples of 2^-24 in float32 and of 2^-53 in float64.

    >>> import dovetail
    >>> _ = dovetail.manual_seed(0)
    >>> dovetail.rand(2).shape
    dovetail.Size([2])
    """
    kind = _floating(dtype, "rand")
    return _leaf(draw_uniform(packed(size), kind, _place(device), generator, 0.0, 1.0), requires_grad)


@front(method=False)
def randn(
    *size: Any, generator: Generator | None = None, dtype: dtypes.dtype | None = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Standard normal numbers (inverse distribution function after Wichura, AS 241, 1988)."""
    kind = _floating(dtype, "randn")
    return _leaf(draw_normal(packed(size), kind, _place(device), generator, 0.0, 1.0), requires_grad)


@front(method=False)
def randint(
    low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None,
    dtype: dtypes.dtype | None = None, device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Integers of ``[low, high)``: ``randint(10, (3,))`` or ``randint(3, 10, (3,))``."""
    if size is None:
        low, high, size = 0, low, high
    return draw_integers(low, high, packed((size,)), dtype or dtypes.int64, _place(device), generator)


def draw_integers(
    low: int, high: int, shape: Sequence[int], dtype: dtypes.dtype, device: Device, generator: Generator | None
) -> Tensor:
    """Integers of ``[low, high)`` in a dtype."""
    if high <= low:
        raise ArgumentRuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    found = randint_from_words(draw(shape, 64, device, generator), low=int(low), high=int(high))
    return found.to(dtype)


@front(method=False)
def randperm(
    n: int, *, generator: Generator | None = None, dtype: dtypes.dtype | None = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A random permutation of 0 to n - 1: the order of n 64-bit words."""
    if n < 0:
        raise ArgumentError(f"n must be non-negative, got {n}")
    return permutation_from_words(draw((n,), 64, _place(device), generator)).to(dtype or dtypes.int64)


@front(method=False)
def rand_like(
    input: Tensor, *, dtype: dtypes.dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Uniform numbers with the shape, dtype and device of a tensor."""
    return rand(input.shape, dtype=dtype or input.dtype, device=device or input.device, requires_grad=requires_grad)


@front(method=False)
def randn_like(
    input: Tensor, *, dtype: dtypes.dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Standard normal numbers with the shape, dtype and device of a tensor."""
    return randn(input.shape, dtype=dtype or input.dtype, device=device or input.device, requires_grad=requires_grad)


@front(method=False)
def randint_like(
    input: Tensor, low: int, high: int | None = None, *, dtype: dtypes.dtype | None = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Integers with the shape, dtype and device of a tensor."""
    first, last = (0, low) if high is None else (low, high)
    return draw_integers(first, last, input.shape, dtype or input.dtype, _place(device or input.device), None)


@front(method=False)
def normal(
    mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None,
    dtype: dtypes.dtype | None = None, device: Any = None,
) -> Tensor:  # fmt: skip
    """Normal numbers with a mean and a standard deviation, each a number or a tensor."""
    tensors = [v for v in (mean, std) if isinstance(v, Tensor)]
    if not tensors:
        kind = _floating(dtype, "normal")
        return draw_normal(packed((size,)), kind, _place(device), generator, mean, std)
    shape = rules.broadcast_shapes(*(t.shape for t in tensors))
    plain = draw_normal(shape, tensors[0].dtype, tensors[0].device, generator, 0.0, 1.0)
    scaled: Tensor = plain * std + mean
    return scaled


@front(method=True)
def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """Ones with the probabilities that the tensor holds (or with one probability ``p``), else zeros."""
    words = draw(input.shape, 32, input.device, generator)
    if p is not None:
        return bernoulli_from_words(words, p=_probability(p)).to(input.dtype)
    _floating(input.dtype, "bernoulli")
    return bernoulli_each_from_words(words, input).to(input.dtype)


def _probability(p: Number) -> float:
    if not 0 <= p <= 1:
        raise ArgumentRuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")
    return float(p)


@front(method=True)
def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Positions drawn with the (unnormalised) probabilities of each row, with or without replacement.

    Without replacement by the largest ``log(u) / p`` keys (Efraimidis and Spirakis 2006), with it by the inverse of
    the cumulative sums.
    """
    rows = input.to(dtypes.float64) if input.ndim > 1 else input.to(dtypes.float64).unsqueeze(0)
    if not replacement and num_samples > rows.shape[1]:
        raise ArgumentRuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    if replacement:
        uniform = draw_uniform((rows.shape[0], num_samples), dtypes.float64, input.device, generator, 0.0, 1.0)
        edges = rows.cumsum(-1)
        levels = uniform * edges[:, -1:]
        found = (levels.unsqueeze(-1) >= edges.unsqueeze(1)).to(dtypes.int64).sum(-1)
    else:
        uniform = draw_uniform(rows.shape, dtypes.float64, input.device, generator, 0.0, 1.0)
        keys = (1 - uniform).log() / rows
        found = keys.argsort(-1, descending=True)[:, :num_samples]
    return found if input.ndim > 1 else found.squeeze(0)


# ------------------------------------------------------------------------------------------ in place


@front(method=["uniform_"])
def uniform_(self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Write uniform numbers of ``[from_, to)``."""
    return self.copy_(draw_uniform(self.shape, _floating(self.dtype, "uniform_"), self.device, generator, from_, to))


@front(method=["normal_"])
def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Write normal numbers."""
    return self.copy_(draw_normal(self.shape, _floating(self.dtype, "normal_"), self.device, generator, mean, std))


@front(method=["bernoulli_"])
def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Write ones with probability ``p`` (a number or a tensor), else zeros."""
    words = draw(self.shape, 32, self.device, generator)
    if isinstance(p, Tensor):
        return self.copy_(bernoulli_each_from_words(words, p.expand(self.shape)))
    return self.copy_(bernoulli_from_words(words, p=_probability(p)))


@front(method=["random_"])
def random_(
    self: Tensor, from_: int | None = None, to: int | None = None, *, generator: Generator | None = None
) -> Tensor:
    """Write integers of ``[from_, to)``; without bounds all that the dtype represents exactly."""
    first, last = (0, from_) if to is None else (from_ or 0, to)
    if last is None:
        bits = (
            8 * self.dtype.itemsize - 1
            if self.dtype.category == dtypes.INTEGER
            else {2: 11, 4: 24, 8: 53}[self.dtype.itemsize]
        )
        last = 2**bits
    return self.copy_(draw_integers(first, last, self.shape, dtypes.int64, self.device, generator))


@front(method=["exponential_"])
def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Write exponentially distributed numbers of rate ``lambd``."""
    uniform = draw_uniform(self.shape, dtypes.float64, self.device, generator, 0.0, 1.0)
    return self.copy_(-(1 - uniform).log() / lambd)
