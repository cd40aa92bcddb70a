"""Packing and padding of sequences: data, sizes, order and errors are PyTorch's."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.nn.utils import rnn

torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
pytestmark = pytest.mark.oracle
theirs = torch.nn.utils.rnn

DATA = np.arange(40.0).reshape(5, 4, 2)


def same(ours: Any, expected: Any) -> None:
    """Tensors, None, numbers and tuples of them are equal."""
    if isinstance(expected, list | tuple):
        assert type(ours).__name__ == type(expected).__name__
        assert len(ours) == len(expected)
        for a, b in zip(ours, expected, strict=True):
            same(a, b)
    elif expected is None:
        assert ours is None
    else:
        assert tuple(ours.shape) == tuple(expected.shape)
        np.testing.assert_array_equal(ours.detach().numpy(), expected.detach().numpy())


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize(
    ("lengths", "sort"), [([5, 3, 3, 1], True), ([2, 5, 1, 4], False), ([3, 3, 3, 3], True), ([1, 1, 2, 2], False)]
)
def test_pack_and_pad(lengths: list[int], sort: bool, batch_first: bool) -> None:
    array = DATA.transpose(1, 0, 2) if batch_first else DATA
    x, y = dovetail.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    packed = rnn.pack_padded_sequence(x, lengths, batch_first, sort)
    expected = theirs.pack_padded_sequence(y, torch.tensor(lengths), batch_first, sort)
    same(packed, expected)
    assert packed.steps() == tuple(expected.batch_sizes.tolist())
    for other in (batch_first, not batch_first):
        for options in ({}, {"padding_value": -1.5}, {"total_length": 7}):
            found = rnn.pad_packed_sequence(packed, other, **options)
            same(found, theirs.pad_packed_sequence(expected, other, **options))
    (found[0] * 3).sum().backward()
    padded, _ = theirs.pad_packed_sequence(expected, not batch_first, total_length=7)
    (padded * 3).sum().backward()
    same(x.grad, y.grad)
    same(rnn.unpack_sequence(packed), theirs.unpack_sequence(expected))


def test_lists_of_sequences() -> None:
    arrays = [np.arange(n * 2.0).reshape(n, 2) for n in (3, 1, 2)]
    ours, expected = [dovetail.tensor(a) for a in arrays], [torch.tensor(a) for a in arrays]
    for options in ({}, {"batch_first": True}, {"padding_value": 9.0}, {"padding_side": "left", "batch_first": True}):
        same(rnn.pad_sequence(ours, **options), theirs.pad_sequence(expected, **options))
    same(rnn.pack_sequence(ours, enforce_sorted=False), theirs.pack_sequence(expected, enforce_sorted=False))
    same(rnn.pad_sequence(ours[0]), theirs.pad_sequence(expected[0]))
    for first in (False, True):
        padded = rnn.pad_sequence(ours, first)
        before = padded.shape
        found = rnn.unpad_sequence(padded, dovetail.tensor([3, 1, 2]), first)
        same(found, expected)
        assert padded.shape == before


def test_packed_sequences_convert_and_copy() -> None:
    packed = rnn.pack_sequence([dovetail.ones(2), dovetail.ones(3)], enforce_sorted=False)
    assert packed.to(dovetail.float32) is packed
    for name in ("double", "half", "long", "int", "short", "char", "byte", "float"):
        assert getattr(packed, name)().data.dtype is getattr(packed.data, name)().dtype
        assert getattr(packed, name)().steps() == (2, 2, 1)
    assert packed.cpu() is packed
    assert not packed.is_cuda
    assert packed.pin_memory() is packed
    assert not packed.is_pinned()
    for made in (copy.deepcopy(packed), pickle.loads(pickle.dumps(packed))):
        assert isinstance(made, rnn.PackedSequence)
        assert dovetail.equal(made.data, packed.data)
        assert made.steps() == packed.steps()
    again = rnn.PackedSequence((packed.data, packed.batch_sizes), sorted_indices=packed.sorted_indices)
    assert dovetail.equal(again.unsorted_indices, packed.unsorted_indices)
    with pytest.raises(TypeError, match="a pair of them"):
        rnn.PackedSequence(dovetail.ones(2))


MISTAKES: list[tuple[str, str]] = [
    ("pack_padded_sequence(z(4, 3, 2), [2, 3, 1])", "`lengths` array must be sorted in decreasing order"),
    ("pack_padded_sequence(z(4, 3, 2), [4, 3])", "but got 2 (batch_size=3)"),
    ("pack_padded_sequence(z(4, 3, 2), [4, 3, 0])", "Length of all samples has to be greater than 0"),
    (
        "pad_packed_sequence(pack_sequence([z(3)]), total_length=2)",
        "got total_length=2 and max sequence length being 3",
    ),
    ("pad_sequence([])", "received an empty list of sequences"),
    ("pad_sequence(3)", "pad_sequence: Expected iterable for input sequences"),
    ("pad_sequence([z(2), z(3)], padding_side='middle')", "Expected padding_side to be one of left or right, but got"),
    ("pack_sequence([z(2), z(3)])", "sidestep this requirement if you do not need ONNX exportability."),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES)
def test_mistakes_are_named_as_in_pytorch(text: str, words: str) -> None:
    raised = []
    for framework, module in ((dovetail, rnn), (torch, theirs)):
        with pytest.raises(Exception) as caught:  # noqa: PT011  # the type is compared below
            eval(text, {**vars(module), "z": framework.zeros})
        raised.append(caught.value)
    assert isinstance(raised[0], type(raised[1]))
    assert words in str(raised[0])
    assert words in str(raised[1])


def test_mistakes_that_pytorch_lets_pass_or_explains_badly() -> None:
    with pytest.raises(RuntimeError, match="at most 4 elements"):
        rnn.pack_padded_sequence(dovetail.zeros(4, 3, 2), [5, 3, 1])
    with pytest.raises(RuntimeError, match="at least 2 dimensions"):
        rnn.pack_padded_sequence(dovetail.zeros(4), [4])
    with pytest.raises(RuntimeError, match="need the sizes"):
        rnn.pad_sequence([dovetail.zeros(2, 1), dovetail.zeros(3, 2)])
    with pytest.raises(RuntimeError, match="3 lengths for a batch of 2"):
        rnn.unpad_sequence(dovetail.zeros(2, 4), [1, 2, 3], batch_first=True)
