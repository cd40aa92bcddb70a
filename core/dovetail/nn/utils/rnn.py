"""Sequences of different lengths in one batch: padded to one length, or packed without padding.

A packed batch has first the first elements of all sequences, then the second ones, and so on; the sequences are
sorted by length, the longest first, and ``batch_sizes`` says how many are still running at each step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Self

from dovetail import dtypes, ops
from dovetail.errors import ArgumentError, ArgumentRuntimeError, ArgumentTypeError, DeviceError, ShapeError
from dovetail.tensor.tensor import Tensor


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """The elements of sequences of different lengths, step by step, as every recurrent module takes and returns them.

    Made by :func:`pack_padded_sequence` and :func:`pack_sequence`. ``batch_sizes`` is an int64 tensor on a CPU;
    ``sorted_indices`` says which sequence of the batch comes first, second and so on in ``data``, and
    ``unsorted_indices`` is the way back; both are None where the batch was sorted already.

    >>> import dovetail
    >>> dovetail.nn.utils.rnn.pack_sequence([dovetail.tensor([1, 2, 3]), dovetail.tensor([4])]).data
    tensor([1, 4, 2, 3])
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not (isinstance(data, list | tuple) and len(data) == 2):
                raise ArgumentTypeError(
                    "PackedSequence takes data and batch_sizes, or a pair of them as its first argument, got "
                    f"{type(data).__name__}"
                )
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise BatchSizesError(
                f"batch_sizes should always be on CPU, got a tensor on {batch_sizes.device}. A PackedSequence is made "
                "by pack_sequence or pack_padded_sequence."
            )
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def steps(self) -> tuple[int, ...]:
        """Return the batch sizes as plain numbers."""
        known: tuple[int, ...] | None = self.__dict__.get("_steps")
        if known is None:
            known = self.__dict__["_steps"] = tuple(self.batch_sizes.tolist())
        return known

    def with_data(self, data: Tensor) -> Self:
        """Return a packed batch of the same lengths and order with other elements."""
        made = type(self)(data, self.batch_sizes, self.sorted_indices, self.unsorted_indices)
        made.__dict__["_steps"] = self.steps()
        return made

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Return the batch with its data converted as by ``Tensor.to``; itself where nothing changes."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        moved = [None if i is None else i.to(data.device) for i in (self.sorted_indices, self.unsorted_indices)]
        made = type(self)(data, self.batch_sizes, *moved)
        made.__dict__["_steps"] = self.steps()
        return made

    def cuda(self, *args: Any, **kwargs: Any) -> Self:
        """Return the batch on a CUDA device."""
        return self.to(self.data.cuda(*args, **kwargs).device)

    def cpu(self) -> Self:
        """Return the batch on the CPU."""
        return self.to("cpu")

    def pin_memory(self) -> Self:
        """Return the batch itself: no backend has pinned memory of its own."""
        return self

    def is_pinned(self) -> bool:
        """Whether the data is in pinned memory: it never is."""
        return False

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a CUDA device."""
        return self.data.device.type == "cuda"

    def double(self) -> Self:
        """Return the batch with float64 data."""
        return self.with_data(self.data.double())

    def float(self) -> Self:
        """Return the batch with float32 data."""
        return self.with_data(self.data.float())

    def half(self) -> Self:
        """Return the batch with float16 data."""
        return self.with_data(self.data.half())

    def long(self) -> Self:
        """Return the batch with int64 data."""
        return self.with_data(self.data.long())

    def int(self) -> Self:
        """Return the batch with int32 data."""
        return self.with_data(self.data.int())

    def short(self) -> Self:
        """Return the batch with int16 data."""
        return self.with_data(self.data.short())

    def char(self) -> Self:
        """Return the batch with int8 data."""
        return self.with_data(self.data.char())

    def byte(self) -> Self:
        """Return the batch with uint8 data."""
        return self.with_data(self.data.byte())


class BatchSizesError(DeviceError, ArgumentError):
    """Batch sizes that are not on a CPU."""


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Return the permutation that undoes another one; None for None.

    >>> import dovetail
    >>> dovetail.nn.utils.rnn.invert_permutation(dovetail.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    return None if permutation is None else ops.argsort(permutation)


def _lengths_of(lengths: Any, batch: int) -> list[int]:
    found = [int(n) for n in (lengths.tolist() if isinstance(lengths, Tensor) else lengths)]
    if len(found) != batch:
        raise ShapeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(found)} (batch_size={batch})"
        )
    if min(found) <= 0:
        raise ArgumentRuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    return found


def _host(values: Sequence[int]) -> Tensor:
    """Plain numbers as an int64 tensor on a CPU."""
    return ops.tensor(list(values), dtype=dtypes.int64, device="cpu")


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack a batch of padded sequences.

    Shapes: input (T, B, *), or (B, T, *) with ``batch_first``; ``lengths`` has B numbers of at most T.

    Raises:
        ArgumentRuntimeError: lengths that are 0 or, with ``enforce_sorted``, grow from one sequence to the next.
        ShapeError: as many lengths as there are not sequences, or one of more than T.
    """
    if input.ndim < 2:
        raise _needs_two(input)
    time, batch = (1, 0) if batch_first else (0, 1)
    found = _lengths_of(lengths, input.shape[batch])
    longest = max(found)
    if longest > input.shape[time]:
        raise ShapeError(
            f"Expected sequences of at most {input.shape[time]} elements, as the input {list(input.shape)} has, but "
            f"`lengths` has {longest}"
        )
    rank = list(range(len(found)))
    if not enforce_sorted:
        rank.sort(key=lambda i: -found[i])
    elif any(a < b for a, b in pairwise(found)):
        raise ArgumentRuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you "
            "do not need ONNX exportability."
        )
    by_step, by_sequence = (1, input.shape[1]) if batch_first else (input.shape[1], 1)
    sizes = [sum(n > step for n in found) for step in range(longest)]
    places = [step * by_step + i * by_sequence for step, size in enumerate(sizes) for i in rank[:size]]
    flat = input.reshape(-1, *input.shape[2:])
    data = ops.index_select(flat, 0, ops.tensor(places, device=input.device))
    order = None if enforce_sorted else ops.tensor(rank, device=input.device)
    packed = PackedSequence(data, _host(sizes), order)
    packed.__dict__["_steps"] = tuple(sizes)
    return packed


def _needs_two(input: Tensor) -> ShapeError:
    return ShapeError(f"Expected an input of at least 2 dimensions, time and batch, got {list(input.shape)}")


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Return a packed batch padded to one length, and the lengths, in the order in which it was packed.

    Shapes: (T, B, *), or (B, T, *) with ``batch_first``, with T the longest length or ``total_length``; (B).

    Raises:
        ArgumentError: ``total_length`` is less than the longest length.
    """
    sizes = sequence.steps()
    longest, batch = len(sizes), sizes[0]
    if total_length is not None:
        if total_length < longest:
            raise ArgumentError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {longest}"
            )
        longest = total_length
    data = sequence.data
    lengths = [sum(size > i for size in sizes) for i in range(batch)]
    by_step, by_sequence = (1, longest) if batch_first else (batch, 1)
    places = [step * by_step + i * by_sequence for step, size in enumerate(sizes) for i in range(size)]
    empty = ops.full((longest * batch, *data.shape[1:]), padding_value, dtype=data.dtype, device=data.device)
    padded = empty.index_copy(0, ops.tensor(places, device=data.device), data)
    padded = padded.reshape(*((batch, longest) if batch_first else (longest, batch)), *data.shape[1:])
    unsorted = sequence.unsorted_indices
    if unsorted is None:
        return padded, _host(lengths)
    back = [int(i) for i in unsorted.tolist()]
    return ops.index_select(padded, 0 if batch_first else 1, unsorted), _host([lengths[i] for i in back])


def pad_sequence(
    sequences: Tensor | Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Stack sequences (L, *) of different lengths, each filled up at one side.

    Shapes: (T, B, *), or (B, T, *) with ``batch_first``, with T the longest length.

    >>> import dovetail
    >>> dovetail.nn.utils.rnn.pad_sequence([dovetail.ones(2), dovetail.ones(1)], batch_first=True)
    tensor([[1., 1.],
            [1., 0.]])
    """
    if not isinstance(sequences, Iterable):
        raise ArgumentRuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    given = list(sequences)
    if not given:
        raise ArgumentRuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise ArgumentRuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    longest = max(s.shape[0] for s in given)
    trailing = given[0].shape[1:]
    rows = []
    for s in given:
        if s.shape[1:] != trailing:
            raise ShapeError(
                f"pad_sequence: all sequences need the sizes {list(trailing)} after the first, got {list(s.shape)}"
            )
        rows.append(_filled(s, longest - s.shape[0], padding_value, padding_side))
    return ops.stack(rows, 0 if batch_first else 1)


def _filled(sequence: Tensor, count: int, value: float, side: str) -> Tensor:
    if not count:
        return sequence
    padding = sequence.new_full((count, *sequence.shape[1:]), value)
    return ops.cat((padding, sequence) if side == "left" else (sequence, padding), 0)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False
) -> list[Tensor]:
    """Return the sequences of a padded batch, each with its own length.

    >>> import dovetail
    >>> dovetail.nn.utils.rnn.unpad_sequence(dovetail.ones(2, 3), [3, 1], batch_first=True)
    [tensor([1., 1., 1.]), tensor([1.])]
    """
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    found = lengths.tolist() if isinstance(lengths, Tensor) else list(lengths)
    if len(found) != rows.shape[0]:
        raise ShapeError(f"unpad_sequence: {len(found)} lengths for a batch of {rows.shape[0]} sequences")
    return [row[: int(n)] for row, n in zip(rows, found, strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of sequences (L, *) of different lengths; the longest first, or with ``enforce_sorted=False``."""
    return pack_padded_sequence(pad_sequence(sequences), [s.shape[0] for s in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return the sequences of a packed batch in the order in which they were packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
