from __future__ import annotations

import pytest

import dovetail
from dovetail.errors import DovetailError
from dovetail.utils.data import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)


class Squares(Dataset):
    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if not -self.count <= index < self.count:
            raise IndexError(index)
        return index * index


class Counting(IterableDataset):
    def __init__(self, start, stop):
        self.start, self.stop = start, stop

    def __iter__(self):
        return iter(range(self.start, self.stop))

    def __len__(self):
        return self.stop - self.start


def test_the_abstract_dataset_names_every_missing_method():
    class Nothing(Dataset):
        pass

    class Half(Dataset):
        def __len__(self):
            return 1

    with pytest.raises(NotImplementedError, match=r"Nothing .* does not define __getitem__ and __len__") as caught:
        Nothing()[0]
    assert isinstance(caught.value, DovetailError)
    with pytest.raises(NotImplementedError, match=r"Half .* does not define __getitem__:"):
        Half()[0]


def test_the_abstract_stream_names_iter_and_has_no_positions():
    class Nothing(IterableDataset):
        pass

    with pytest.raises(TypeError, match=r"Nothing .* does not define __iter__"):
        iter(Nothing())
    with pytest.raises(NotImplementedError, match="iterate over it"):
        Counting(0, 2)[0]


def test_tensor_dataset_cuts_rows():
    data = TensorDataset(dovetail.arange(6).reshape(3, 2), dovetail.tensor([1.0, 2.0, 3.0]))
    assert len(data) == 3
    row, value = data[1]
    assert row.tolist() == [2, 3]
    assert value.item() == 2.0
    assert [row.tolist() for row, _ in data] == [[0, 1], [2, 3], [4, 5]]
    assert data[-1][1].item() == 3.0


@pytest.mark.parametrize("lengths", [(2, 3), (0, 1)])
def test_tensor_dataset_refuses_lengths_that_differ(lengths):
    with pytest.raises(AssertionError, match=r"Size mismatch between tensors.*\[{}, {}\]".format(*lengths)) as caught:
        TensorDataset(*(dovetail.ones(length, 2) for length in lengths))
    assert isinstance(caught.value, DovetailError)


def test_tensor_dataset_needs_a_tensor():
    with pytest.raises(ValueError, match="At least one tensor"):
        TensorDataset()


def test_concat_looks_up_positions_from_both_ends():
    data = ConcatDataset([Squares(3), Squares(2), Squares(0), Squares(1)])
    assert len(data) == 6
    assert data.cumulative_sizes == [3, 5, 5, 6]
    assert [data[i] for i in range(6)] == [0, 1, 4, 0, 1, 0]
    assert [data[i] for i in range(-6, 0)] == [0, 1, 4, 0, 1, 0]
    assert list(Squares(2) + Squares(2)) == [0, 1, 0, 1]


@pytest.mark.parametrize("index", [6, -7])
def test_concat_refuses_positions_outside(index):
    data = ConcatDataset([Squares(3), Squares(3)])
    with pytest.raises(IndexError, match=f"index {index}, length 6"):
        data[index]


def test_concat_needs_datasets_with_positions():
    with pytest.raises(AssertionError, match="should not be an empty iterable"):
        ConcatDataset([])
    with pytest.raises(AssertionError, match=r"does not support IterableDataset \(entry 1\): use ChainDataset"):
        ConcatDataset([Squares(1), Counting(0, 1)])


def test_chain_runs_one_stream_after_the_other():
    chain = Counting(0, 2) + Counting(5, 7)
    assert isinstance(chain, ChainDataset)
    assert list(chain) == [0, 1, 5, 6]
    assert len(chain) == 4
    with pytest.raises(AssertionError, match="entry 1 is Squares"):
        list(ChainDataset([Counting(0, 1), Squares(1)]))


def test_stack_gives_tuples_or_dicts():
    assert StackDataset(Squares(3), ["a", "b", "c"])[2] == (4, "c")
    by_name = StackDataset(x=Squares(3), y=["a", "b", "c"])
    assert by_name[1] == {"x": 1, "y": "b"}
    assert len(by_name) == 3
    assert by_name.__getitems__([0, 2]) == [{"x": 0, "y": "a"}, {"x": 4, "y": "c"}]


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "At least one dataset"),
        ((Squares(1),), {"x": Squares(1)}, "both types are given"),
        ((Squares(1), Squares(2)), {}, r"Size mismatch between datasets.*\[1, 2\]"),
    ],
)
def test_stack_refuses_what_does_not_fit(args, kwargs, message):
    with pytest.raises(ValueError, match=message):
        StackDataset(*args, **kwargs)


def test_a_read_of_several_must_give_as_many():
    class Short(Squares):
        def __getitems__(self, indices):
            return [0]

    with pytest.raises(ValueError, match=r"Short.__getitems__ returned 1 samples for 2 indices"):
        Subset(Short(3), [0, 1]).__getitems__([0, 1])


def test_subset_maps_positions():
    part = Subset(Squares(10), [3, 5, 3])
    assert len(part) == 3
    assert [part[i] for i in range(3)] == [9, 25, 9]
    assert part.__getitems__([2, 1]) == [9, 25]
    rows = Subset(TensorDataset(dovetail.arange(5)), [4, 2])[[1, 0]]
    assert rows[0].tolist() == [2, 4]


@pytest.mark.parametrize(
    ("lengths", "sizes"),
    [
        ([7, 3], [7, 3]),
        ([10, 0], [10, 0]),
        ([0.33, 0.33, 0.34], [4, 3, 3]),
        ([0.5, 0.5], [5, 5]),
        ([1.0], [10]),
    ],
)
def test_random_split_covers_everything_once(lengths, sizes):
    parts = random_split(Squares(10), lengths, generator=dovetail.Generator().manual_seed(3))
    assert [len(part) for part in parts] == sizes
    assert sorted(index for part in parts for index in part.indices) == list(range(10))


def test_random_split_is_random_and_follows_the_seed():
    def order(seed):
        parts = random_split(Squares(100), [60, 40], generator=dovetail.Generator().manual_seed(seed))
        return [index for part in parts for index in part.indices]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1) != list(range(100))
    dovetail.manual_seed(5)
    first = random_split(Squares(20), [20])[0].indices
    dovetail.manual_seed(5)
    assert random_split(Squares(20), [20])[0].indices == first


@pytest.mark.parametrize("lengths", [[3, 3], [11], [0.5, 0.6], [-1, 11], [0.3, 0.3]])
def test_random_split_refuses_sums_that_do_not_fit(lengths):
    with pytest.raises(ValueError, match="Sum of input lengths does not equal the length of the input dataset"):
        random_split(Squares(10), lengths)


def test_random_split_refuses_a_fraction_outside():
    with pytest.raises(ValueError, match="Fraction at index 0 is not between 0 and 1"):
        random_split(Squares(10), [-0.5, 1.5])


def test_random_split_warns_of_an_empty_part():
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        random_split(Squares(3), [0.95, 0.05])
