from __future__ import annotations

import numpy as np
import pytest

import dovetail
from dovetail.errors import DovetailError
from dovetail.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    default_collate,
    get_worker_info,
    random_split,
)
from dovetail.utils.data import fetch as fetch_module


class Squares(Dataset):
    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return float(index), index * index


class Stream(IterableDataset):
    def __init__(self, count):
        self.count = count

    def __iter__(self):
        return iter(range(self.count))


def flat(batches):
    return [number for batch in batches for number in batch]


def lists(loader):
    return [batch.tolist() for batch in loader]


def test_batches_in_order():
    loader = DataLoader(range(5), batch_size=2)
    assert lists(loader) == [[0, 1], [2, 3], [4]]
    assert lists(loader) == [[0, 1], [2, 3], [4]]
    assert len(loader) == 3
    assert lists(DataLoader(range(5), batch_size=2, drop_last=True)) == [[0, 1], [2, 3]]
    assert len(DataLoader(range(5), batch_size=2, drop_last=True)) == 2
    assert lists(DataLoader(range(3))) == [[0], [1], [2]]
    assert get_worker_info() is None


def test_samples_are_put_together():
    x, y = next(iter(DataLoader(Squares(4), batch_size=3)))
    assert (x.dtype, x.tolist()) == (dovetail.float64, [0.0, 1.0, 2.0])
    assert (y.dtype, y.tolist()) == (dovetail.int64, [0, 1, 4])


def test_shuffling_follows_seeds_and_changes_with_the_epoch():
    def epochs(**arguments):
        loader = DataLoader(range(20), batch_size=6, shuffle=True, **arguments)
        return [lists(loader) for _ in range(3)]

    dovetail.manual_seed(1)
    first = epochs()
    assert sorted(flat(first[0])) == list(range(20))
    assert first[0] != first[1] != first[2]
    dovetail.manual_seed(1)
    assert epochs() == first
    dovetail.manual_seed(2)
    assert epochs() != first
    own = epochs(generator=dovetail.Generator().manual_seed(3))
    assert epochs(generator=dovetail.Generator().manual_seed(3)) == own


def test_samplers_of_ones_own():
    assert lists(DataLoader(range(9), 2, sampler=[8, 1, 1])) == [[8, 1], [1]]
    assert lists(DataLoader(range(9), batch_sampler=[[3], [4, 5]])) == [[3], [4, 5]]
    loader = DataLoader(range(9), batch_sampler=BatchSampler(SequentialSampler(range(4)), 3, False))
    assert lists(loader) == [[0, 1, 2], [3]]
    assert loader.batch_size is None
    picked = lists(DataLoader(range(9), 4, sampler=SubsetRandomSampler([2, 4, 6])))
    assert sorted(picked[0]) == [2, 4, 6]


def test_without_batches_each_sample_comes_by_itself():
    samples = list(DataLoader(Squares(3), batch_size=None))
    assert samples == [[0.0, 0], [1.0, 1], [2.0, 4]]
    arrays = list(DataLoader([np.ones(2), np.zeros(2)], batch_size=None))
    assert [array.tolist() for array in arrays] == [[1, 1], [0, 0]]
    assert len(DataLoader(Squares(3), batch_size=None)) == 3


def test_a_collate_of_ones_own_gets_the_list():
    loader = DataLoader(Squares(5), batch_size=2, collate_fn=lambda samples: [y for _, y in samples])
    assert list(loader) == [[0, 1], [4, 9], [16]]


def test_a_dataset_that_reads_several_is_asked_once_per_batch():
    asked = []

    class Several(Squares):
        def __getitems__(self, indices):
            asked.append(list(indices))
            return [self[index] for index in indices]

    assert [y.tolist() for _, y in DataLoader(Several(5), batch_size=2)] == [[0, 1], [4, 9], [16]]
    assert asked == [[0, 1], [2, 3], [4]]


def test_streams():
    assert lists(DataLoader(Stream(5), batch_size=2)) == [[0, 1], [2, 3], [4]]
    assert lists(DataLoader(Stream(5), batch_size=2, drop_last=True)) == [[0, 1], [2, 3]]
    assert list(DataLoader(Stream(3), batch_size=None)) == [0, 1, 2]
    assert lists(DataLoader(Stream(0), batch_size=2)) == []
    with pytest.raises(TypeError, match="no len"):
        len(DataLoader(Stream(5)))


def test_a_stream_longer_than_announced_warns_once():
    class Announced(Stream):
        def __len__(self):
            return 4

    loader = DataLoader(Announced(8), batch_size=2)
    assert lists(loader)[-1] == [6, 7]  # nobody has asked for the length
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="Length of IterableDataset Announced was reported to be 2") as caught:
        assert len(lists(loader)) == 4
    assert len(caught) == 1
    assert len(DataLoader(Announced(4), batch_size=3)) == 2
    assert len(DataLoader(Announced(4), batch_size=3, drop_last=True)) == 1


def test_an_iterator_ends_for_good_and_has_a_length():
    batches = iter(DataLoader(range(3), batch_size=2))
    assert len(batches) == 2
    assert iter(batches) is batches
    assert len(list(batches)) == 2
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(batches)


def test_two_passes_at_once_do_not_meet():
    loader = DataLoader(range(4), batch_size=2)
    assert [(a.tolist(), b.tolist()) for a, b in zip(loader, loader)] == [([0, 1], [0, 1]), ([2, 3], [2, 3])]


def test_a_stopiteration_of_the_dataset_does_not_end_the_epoch():
    class Broken(Squares):
        def __getitem__(self, index):
            if index == 2:
                raise StopIteration
            return index

    batches = iter(DataLoader(Broken(4)))
    assert [next(batches).tolist(), next(batches).tolist()] == [[0], [1]]
    with pytest.raises(RuntimeError, match=r"Broken raised StopIteration for the index \[2\]"):
        next(batches)


# -------------------------------------------------------------------------------------------------- arguments

# What PyTorch notices later, or never.
LAX = (
    {"num_workers": 1.5},
    {"num_workers": True},
    {"prefetch_factor": 0, "num_workers": 1},
    {"generator": 3},
    {"collate_fn": 3},
    {"sampler": 3},
    {"batch_sampler": 3},
    {"worker_init_fn": 3, "num_workers": 1},
)

WRONG = [
    (
        {"num_workers": -1},
        ValueError,
        "num_workers option should be non-negative; use num_workers=0 to disable",
    ),
    ({"num_workers": 1.5}, TypeError, "num_workers should be an int"),
    ({"num_workers": True}, TypeError, "num_workers should be an int"),
    ({"timeout": -1}, ValueError, "timeout option should be non-negative"),
    ({"prefetch_factor": 2}, ValueError, "prefetch_factor option could only be specified in multiprocessing"),
    (
        {"prefetch_factor": 0, "num_workers": 1},
        ValueError,
        "prefetch_factor option should be positive, got 0",
    ),
    ({"persistent_workers": True}, ValueError, "persistent_workers option needs num_workers > 0"),
    ({"sampler": [1], "shuffle": True}, ValueError, "sampler option is mutually exclusive with shuffle"),
    (
        {"batch_sampler": [[1]], "batch_size": 2},
        ValueError,
        "batch_sampler option is mutually exclusive with batch_size",
    ),
    ({"batch_sampler": [[1]], "shuffle": True}, ValueError, "batch_sampler option is mutually exclusive"),
    ({"batch_sampler": [[1]], "sampler": [1]}, ValueError, "batch_sampler option is mutually exclusive"),
    ({"batch_sampler": [[1]], "drop_last": True}, ValueError, "batch_sampler option is mutually exclusive"),
    ({"batch_size": None, "drop_last": True}, ValueError, "batch_size=None option disables auto-batching"),
    ({"batch_size": 0}, ValueError, "batch_size should be a positive integer value, but got batch_size=0"),
    ({"batch_size": 1.5}, ValueError, "batch_size should be a positive integer value"),
    ({"batch_size": True}, ValueError, "batch_size should be a positive integer value"),
    ({"drop_last": 3}, ValueError, "drop_last should be a boolean value, but got drop_last=3"),
    (
        {"multiprocessing_context": "nope", "num_workers": 1},
        ValueError,
        "should specify a valid start method in",
    ),
    ({"multiprocessing_context": "spawn"}, ValueError, "can only be used with multi-process loading"),
    (
        {"multiprocessing_context": 3, "num_workers": 1},
        TypeError,
        "should be a valid context object or a string",
    ),
    ({"generator": 3}, TypeError, "generator should be a Generator"),
    ({"collate_fn": 3}, TypeError, "collate_fn should be a function"),
    ({"sampler": 3}, TypeError, "sampler should be a Sampler or another iterable"),
    ({"batch_sampler": 3}, TypeError, "batch_sampler should be a Sampler or another iterable"),
    ({"worker_init_fn": 3, "num_workers": 1}, TypeError, "worker_init_fn should be a function"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), WRONG, ids=[str(row[0])[:60] for row in WRONG])
def test_arguments_are_checked(arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        DataLoader(range(4), **arguments)
    assert isinstance(caught.value, DovetailError)


@pytest.mark.oracle
@pytest.mark.parametrize(("arguments", "error", "message"), WRONG, ids=[str(row[0])[:60] for row in WRONG])
def test_pytorch_raises_the_same_type_where_it_checks(arguments, error, message):
    theirs = pytest.importorskip("torch", reason="the oracle PyTorch is not installed").utils.data
    if arguments in LAX:
        theirs.DataLoader(range(4), **arguments)
    else:
        with pytest.raises(error):
            theirs.DataLoader(range(4), **arguments)


@pytest.mark.parametrize("arguments", [{"shuffle": True}, {"sampler": [1]}, {"batch_sampler": [[1]]}])
def test_a_stream_has_no_positions(arguments):
    name = next(iter(arguments))
    with pytest.raises(ValueError, match=f"DataLoader with IterableDataset: expected unspecified {name} option"):
        DataLoader(Stream(3), **arguments)
    assert lists(DataLoader(Stream(2), shuffle=False)) == [[0], [1]]


def test_a_dataset_without_a_length_is_named():
    class Endless(Dataset):
        def __getitem__(self, index):
            return index

    with pytest.raises(TypeError, match=r"Endless is a Dataset that does not define __len__.*pass a sampler"):
        DataLoader(Endless())
    assert lists(DataLoader(Endless(), 2, sampler=[5, 6])) == [[5, 6]]


@pytest.mark.parametrize(
    "name", ["batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"]
)
def test_what_makes_the_batches_is_fixed(name):
    loader = DataLoader(range(3))
    with pytest.raises(ValueError, match=f"{name} attribute should not be set after DataLoader is initialized"):
        setattr(loader, name, None)
    loader.collate_fn = lambda samples: samples
    assert list(loader) == [[0], [1], [2]]


def test_arguments_for_other_hardware_are_accepted():
    loader = DataLoader(range(3), pin_memory=True, pin_memory_device="cuda", in_order=False)
    assert lists(loader) == [[0], [1], [2]]
    assert loader.pin_memory is True


# -------------------------------------------------------------------------------------- whole batches at once


def tensors(count):
    return TensorDataset(dovetail.arange(3 * count).reshape(count, 3), dovetail.arange(count).to(dovetail.float32))


def by_sample(dataset, **arguments):
    """The same loader with the short way closed."""
    return DataLoader(dataset, collate_fn=lambda samples: default_collate(samples), **arguments)


def equal(a, b):
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(equal(a[key], b[key]) for key in a)
    return a.dtype is b.dtype and a.device is b.device and a.tolist() == b.tolist()


DATASETS = {
    "tensors": lambda: tensors(11),
    "subset": lambda: Subset(tensors(20), [19, 0, 3, 3, -1, 7]),
    "array subset": lambda: Subset(tensors(20), np.array([19, 0, 3])),
    "subset of subset": lambda: Subset(Subset(tensors(20), list(range(10, 20))), [9, 0, 5]),
    "split": lambda: random_split(tensors(10), [7, 3], dovetail.Generator().manual_seed(0))[0],
    "stack": lambda: StackDataset(tensors(6), TensorDataset(dovetail.ones(6, 2, 2))),
    "named stack": lambda: StackDataset(a=tensors(6), b=Subset(tensors(9), list(range(6)))),
    "empty rows": lambda: TensorDataset(dovetail.ones(4, 0)),
}


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("arguments", [{"batch_size": 4}, {"batch_size": 2, "drop_last": True}, {"batch_size": 1}])
def test_whole_batches_equal_samples_put_together(name, arguments, monkeypatch):
    dataset = DATASETS[name]()
    assert fetch_module.columns_of(dataset) is not None
    expected = list(by_sample(dataset, **arguments))
    # The short way must be the one that runs.
    monkeypatch.setattr(fetch_module, "get_items", lambda *_: pytest.fail("read sample by sample"))
    found = list(DataLoader(dataset, **arguments))
    assert len(found) == len(expected) > 0
    assert all(equal(a, b) for a, b in zip(found, expected))


def test_the_short_way_is_only_for_datasets_that_read_as_themselves():
    class Doubled(TensorDataset):
        def __getitem__(self, index):
            return tuple(2 * part for part in super().__getitem__(index))

    class Shifted(Subset):
        def __getitem__(self, index):
            return super().__getitem__((index + 1) % len(self))

        def __getitems__(self, indices):
            return [self[index] for index in indices]

    assert fetch_module.columns_of(Doubled(dovetail.ones(3))) is None
    assert fetch_module.columns_of(Shifted(tensors(3), [0, 1])) is None
    assert fetch_module.columns_of(ConcatDataset([tensors(3)])) is None
    assert fetch_module.columns_of(StackDataset(tensors(3), Squares(3))) is None
    assert next(iter(DataLoader(Doubled(dovetail.ones(3)), 3)))[0].tolist() == [2, 2, 2]
    assert next(iter(DataLoader(Shifted(tensors(3), [0, 1]), 2)))[1].tolist() == [1, 0]


def test_positions_of_other_kinds_go_sample_by_sample():
    dataset = tensors(5)
    for sampler in (
        [[np.int64(3), 1]],
        [[dovetail.tensor(3), dovetail.tensor(1)]],
        [(3, 1)],
        [np.array([3, 1])],
    ):
        found = next(iter(DataLoader(dataset, batch_sampler=sampler)))
        assert found[1].tolist() == [3.0, 1.0]


@pytest.mark.parametrize("index", [5, -6])
@pytest.mark.parametrize("make", [tensors, lambda count: Subset(tensors(9), list(range(count)))])
def test_a_position_outside_is_the_datasets_own_error(make, index):
    with pytest.raises(IndexError) as slow:
        list(by_sample(make(5), batch_sampler=[[0, index]]))
    with pytest.raises(IndexError) as fast:
        list(DataLoader(make(5), batch_sampler=[[0, index]]))
    assert (type(fast.value), str(fast.value)) == (type(slow.value), str(slow.value))


def test_gradients_flow_through_a_batch():
    weight = dovetail.tensor([1.0, 2.0, 3.0], requires_grad=True)
    for (batch,) in DataLoader(TensorDataset(weight), batch_sampler=[[2, 0, 2]]):
        (batch * dovetail.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert weight.grad.tolist() == [10.0, 0.0, 101.0]


def test_a_batch_is_a_copy():
    source = dovetail.zeros(4)
    (batch,) = next(iter(DataLoader(TensorDataset(source), 4)))
    source.fill_(5)
    assert batch.tolist() == [0, 0, 0, 0]


@pytest.mark.oracle
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3, 4, 20, None])
def test_batches_are_pytorchs(batch_size, drop_last):
    torch = pytest.importorskip("torch", reason="the oracle PyTorch is not installed")
    if batch_size is None and drop_last:
        return
    ours = TensorDataset(dovetail.arange(10), dovetail.arange(20).reshape(10, 2))
    theirs = torch.utils.data.TensorDataset(torch.arange(10), torch.arange(20).reshape(10, 2))
    found = list(DataLoader(ours, batch_size, drop_last=drop_last))
    expected = list(torch.utils.data.DataLoader(theirs, batch_size, drop_last=drop_last))
    assert [[part.tolist() for part in batch] for batch in found] == [
        [part.tolist() for part in batch] for batch in expected
    ]
    assert [type(batch) for batch in found] == [type(batch) for batch in expected]
