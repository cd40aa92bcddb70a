from __future__ import annotations

from collections import OrderedDict, UserList, namedtuple
from types import MappingProxyType

import numpy as np
import pytest

import dovetail
from dovetail import Tensor
from dovetail.utils.data import DataLoader, Dataset, default_collate, default_convert

Point = namedtuple("Point", ["x", "y"])  # collate is about the plain form


SAMPLES = [
    [1, 2, 3],
    [1.5, 2.5],
    [True, False],
    [1, 1.5],
    ["a", "bc"],
    [b"a", b"bc"],
    [np.float32(1), np.float32(2)],
    [np.float64(1), np.float64(2)],
    [np.int8(1), np.int8(2)],
    [np.bool_(True), np.bool_(False)],
    [np.zeros(3), np.ones(3)],
    [np.zeros((2, 0), np.int32), np.ones((2, 0), np.int32)],
    [np.array(2.0), np.array(3.0)],
    [np.zeros(2, np.int32), np.ones(2, np.float32)],
    [(1, 2.0), (3, 4.0)],
    [[1, "a"], [2, "b"]],
    [range(2), range(2)],
    [Point(1, [2.0]), Point(3, [4.0])],
    [{"a": 1, "b": {"c": np.ones(2)}}, {"b": {"c": np.zeros(2)}, "a": 2, "more": 0}],
    [OrderedDict(b=1, a=2), OrderedDict(a=3, b=4)],
    [MappingProxyType({"a": 1}), MappingProxyType({"a": 2})],
    [UserList([1, 2]), UserList([3, 4])],
    [(), ()],
    [{}, {}],
    [[[1, 2], [3, 4]], [[5, 6], [7, 8]]],
]


def form(value):
    """A structure with its tensors, of either framework, as (dtype, shape, values)."""
    if hasattr(value, "requires_grad"):
        return str(value.dtype).split(".")[-1], tuple(value.shape), value.tolist()
    if isinstance(value, dict | MappingProxyType):
        return type(value).__name__, [(key, form(entry)) for key, entry in value.items()]
    if isinstance(value, list | tuple | UserList):
        return type(value).__name__, [form(entry) for entry in value]
    return type(value).__name__, value


@pytest.mark.oracle
@pytest.mark.parametrize("batch", SAMPLES, ids=lambda batch: f"{type(batch[0]).__name__}-{str(batch[0])[:20]}")
def test_batches_have_the_form_of_pytorchs(batch):
    theirs = pytest.importorskip("torch", reason="the oracle PyTorch is not installed").utils.data
    assert form(default_collate(batch)) == form(theirs.default_collate(batch))


@pytest.mark.oracle
@pytest.mark.parametrize("batch", SAMPLES, ids=lambda batch: f"{type(batch[0]).__name__}-{str(batch[0])[:20]}")
def test_samples_are_converted_as_pytorch_does(batch):
    theirs = pytest.importorskip("torch", reason="the oracle PyTorch is not installed").utils.data
    for sample in batch:
        assert form(default_convert(sample)) == form(theirs.default_convert(sample))


def test_tensors_are_stacked_and_promoted_as_the_framework_does():
    stacked = default_collate([dovetail.tensor([1, 2]), dovetail.tensor([3, 4])])
    assert stacked.tolist() == [[1, 2], [3, 4]]
    assert stacked.dtype is dovetail.int64
    empty = default_collate([dovetail.ones(0, 3), dovetail.ones(0, 3)])
    assert tuple(empty.shape) == (2, 0, 3)
    half = default_collate([dovetail.tensor([1.0], dtype=dovetail.bfloat16)] * 2)
    assert half.dtype is dovetail.bfloat16


def test_numbers_have_pytorchs_types():
    assert default_collate([1.0, 2.0]).dtype is dovetail.float64
    assert default_collate([1, 2]).dtype is dovetail.int64
    assert default_collate([True, False]).dtype is dovetail.bool
    assert default_collate([np.float32(1.0)]).dtype is dovetail.float32


def test_default_dicts_and_types_survive():
    class Mine(dict):
        pass

    joined = default_collate([Mine(a=1), Mine(a=2)])
    assert type(joined) is Mine
    assert isinstance(joined["a"], Tensor)
    assert type(default_collate([OrderedDict(a=1)])) is OrderedDict


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([np.ones(3), np.ones(3), np.ones(2)], r"got \[3\] at entry 0 and \[2\] at entry 2"),
        (
            [{"image": [np.ones((2, 2))]}, {"image": [np.ones((2, 3))]}],
            r"\[2, 3\] at entry 1 at sample\['image'\]",
        ),
        ([[1, 2], [1]], "entry 0 has 2 elements and entry 1 has 1"),
        ([(1, [2, 3]), (1, [2])], r"each element in list of batch should be of equal size.*at sample\[1\]"),
    ],
)
def test_unequal_sizes_name_entry_shapes_and_place(batch, message):
    with pytest.raises(RuntimeError, match=message):
        default_collate(batch)


def test_unequal_tensors_name_entry_and_shapes():
    with pytest.raises(
        RuntimeError,
        match=r"stack expects each tensor to be equal size, but got \[3\] at entry 0 and \[2\] at",
    ):
        default_collate([dovetail.ones(3), dovetail.ones(2)])


@pytest.mark.parametrize(
    "batch",
    [[None], [object()], [1 + 2j], [{1, 2}], [np.array(["a"])], [np.array([None])], [1, "a"],
     [dovetail.ones(2), 1], [[1], 2], [{"a": 1}, 2], [np.ones(2), dovetail.ones(2)]],
    ids=lambda batch: "-".join(type(value).__name__ for value in batch),
)  # fmt: skip
def test_other_types_are_refused_by_name(batch):
    with pytest.raises(TypeError, match=r"default_collate: .*") as caught:
        default_collate(batch)
    assert type(batch[-1]).__name__ in str(caught.value) or "<U1" in str(caught.value) or "object" in str(caught.value)


def test_a_missing_key_is_named():
    with pytest.raises(KeyError, match=r"entry 1 has no key 'a' at sample\['x'\]") as caught:
        default_collate([{"x": {"a": 1}}, {"x": {"b": 1}}])
    assert "'b'" in str(caught.value)


def test_an_empty_batch_is_refused():
    with pytest.raises(TypeError, match="empty"):
        default_collate([])


def test_the_loader_adds_which_sample_it_is():
    class Ragged(Dataset):
        def __len__(self):
            return 20

        def __getitem__(self, index):
            return np.zeros(3 if index != 17 else 4)

    loader = DataLoader(Ragged(), batch_sampler=[[3, 5], [4, 9, 17]])
    batches = iter(loader)
    assert tuple(next(batches).shape) == (2, 3)
    with pytest.raises(
        RuntimeError, match=r"got \[3\] at entry 0 and \[4\] at entry 2.*entry 2 of this batch is sample 17"
    ):
        next(batches)


def test_only_arrays_that_own_their_memory_are_taken_over():
    from dovetail.contract import discovery
    from dovetail.dispatch.adopting import adopt

    host = discovery.host_device()
    own = np.arange(6.0)
    taken = adopt(own, host)
    assert np.shares_memory(taken.numpy(), own)
    assert taken.device is host
    source = np.arange(6.0).reshape(2, 3)
    locked = np.arange(3)
    locked.flags.writeable = False
    for other in (source[0], source.T, source[:, :2], locked):
        copied = adopt(other, host)
        assert not np.shares_memory(copied.numpy(), other)
        assert copied.tolist() == other.tolist()
    view = taken[1:]
    del own
    taken.add_(1)
    assert view.tolist() == [2.0, 3.0, 4.0, 5.0, 6.0]
    assert adopt(np.ones(2, np.float32)).device is dovetail.get_default_device()


def test_arrays_are_copied():
    source = np.zeros((2, 2))
    batch = default_collate(list(source))
    converted = default_convert(source)
    source[:] = 7
    assert batch.tolist() == converted.tolist() == [[0, 0], [0, 0]]
