from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import dovetail
from dovetail.utils.data import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)


def generator(seed):
    return dovetail.Generator().manual_seed(seed)


def test_sequential_is_in_order():
    sampler = SequentialSampler(range(5))
    assert list(sampler) == [0, 1, 2, 3, 4]
    assert len(sampler) == 5


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_random_is_a_permutation_of_plain_ints(count):
    order = list(RandomSampler(range(count), generator=generator(0)))
    assert sorted(order) == list(range(count))
    assert all(type(index) is int for index in order)


def test_random_follows_the_generator_and_moves_on():
    sampler = RandomSampler(range(50), generator=generator(4))
    first, second = list(sampler), list(sampler)
    assert first != second
    again = RandomSampler(range(50), generator=generator(4))
    assert [list(again), list(again)] == [first, second]


def test_random_without_a_generator_follows_the_seed_of_the_process():
    dovetail.manual_seed(7)
    sampler = RandomSampler(range(50))
    first, second = list(sampler), list(sampler)
    dovetail.manual_seed(7)
    assert [list(sampler), list(sampler)] == [first, second]
    assert first != second


def test_random_beyond_the_length_is_one_permutation_after_the_other():
    sampler = RandomSampler(range(10), num_samples=25, generator=generator(0))
    order = list(sampler)
    assert len(order) == len(sampler) == 25
    assert sorted(order[:10]) == sorted(order[10:20]) == list(range(10))
    assert len(set(order[20:])) == 5
    assert len(list(RandomSampler(range(10), num_samples=3, generator=generator(0)))) == 3


def test_random_with_replacement_is_uniform_and_the_same_in_any_chunks(monkeypatch):
    order = list(RandomSampler(range(5), replacement=True, num_samples=20_000, generator=generator(1)))
    counts = Counter(order)
    assert set(counts) == set(range(5))
    # 5 standard deviations of a binomial of 20000 draws with p = 1/5 are 283.
    assert all(abs(count - 4000) < 283 for count in counts.values())
    monkeypatch.setattr("dovetail.utils.data.sampler.CHUNK", 64)
    assert list(RandomSampler(range(5), replacement=True, num_samples=20_000, generator=generator(1))) == order


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"replacement": 1}, TypeError, "replacement should be a boolean value, but got replacement=1"),
        (
            {"num_samples": 0},
            ValueError,
            "num_samples should be a positive integer value, but got num_samples=0",
        ),
        ({"num_samples": 2.5}, ValueError, "num_samples should be a positive integer value"),
        ({"num_samples": True}, ValueError, "num_samples should be a positive integer value"),
    ],
)
def test_random_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        RandomSampler(range(3), **arguments)


def test_random_refuses_nothing_to_draw_from():
    with pytest.raises(ValueError, match="num_samples=0"):
        RandomSampler([])


def test_subset_random_gives_each_of_its_positions_once():
    sampler = SubsetRandomSampler([5, 9, 2, 7], generator=generator(0))
    assert sorted(sampler) == [2, 5, 7, 9]
    assert len(sampler) == 4
    assert len({tuple(sampler) for _ in range(20)}) > 5


def test_weighted_with_replacement_has_the_frequencies_of_its_weights():
    sampler = WeightedRandomSampler([0.0, 1.0, 3.0, 0.0, 4.0], 40_000, generator=generator(2))
    counts = Counter(sampler)
    assert set(counts) == {1, 2, 4}
    for index, share in ((1, 1 / 8), (2, 3 / 8), (4, 4 / 8)):
        deviation = (40_000 * share * (1 - share)) ** 0.5
        assert abs(counts[index] - 40_000 * share) < 5 * deviation


def test_weighted_without_replacement_draws_one_after_the_other():
    counts = Counter()
    source = generator(3)
    for _ in range(4000):
        drawn = list(WeightedRandomSampler([1.0, 2.0, 0.0, 5.0], 3, replacement=False, generator=source))
        assert sorted(drawn) == [0, 1, 3]
        counts[tuple(drawn)] += 1
    # The first in proportion to the weights, then the second among the rest.
    for order, share in (((3, 1, 0), 5 / 8 * 2 / 3), ((3, 0, 1), 5 / 8 / 3), ((1, 3, 0), 2 / 8 * 5 / 6)):
        deviation = (4000 * share * (1 - share)) ** 0.5
        assert abs(counts[order] - 4000 * share) < 5 * deviation


def test_weighted_never_draws_a_weight_of_zero(monkeypatch):
    weights = [0.0, 1.0, 0.0, 1.0, 0.0]
    edges = np.array([0.0, 0.5, np.nextafter(0.5, 0), np.nextafter(1, 0)])
    monkeypatch.setattr("dovetail.utils.data.draws.uniform", lambda count, generator: edges[:count])
    assert list(WeightedRandomSampler(weights, 4)) == [1, 3, 1, 3]
    # Rounding: the product of the total and the largest number below 1 may be the total itself.
    monkeypatch.setattr("dovetail.utils.data.draws.uniform", lambda count, generator: np.ones(count))
    assert list(WeightedRandomSampler(weights, 1)) == [3]


def test_weighted_takes_tensors_and_arrays():
    for weights in (dovetail.tensor([1.0, 0.0]), np.array([1, 0]), (True, False)):
        assert list(WeightedRandomSampler(weights, 3)) == [0, 0, 0]


@pytest.mark.parametrize(
    ("weights", "arguments", "error", "message"),
    [
        ([[1.0]], {}, ValueError, r"1d sequence but given weights have shape \(1, 1\)"),
        ([1.0], {"replacement": 3}, TypeError, "replacement should be a boolean"),
        ([1.0], {"num_samples": 0}, ValueError, "num_samples should be a positive integer"),
    ],
)
def test_weighted_refuses_at_once(weights, arguments, error, message):
    with pytest.raises(error, match=message):
        WeightedRandomSampler(weights, **{"num_samples": 2, **arguments})


@pytest.mark.parametrize(
    ("weights", "replacement", "message"),
    [
        ([1.0, -1.0], True, "encountering probability entry < 0"),
        ([1.0, float("nan")], True, "infinity or NaN"),
        ([1.0, float("inf")], True, "infinity or NaN"),
        ([0.0, 0.0], True, "sum of probabilities <= 0"),
        ([1.0, 0.0], False, "cannot sample n_sample > prob_dist"),
    ],
)
def test_weighted_refuses_weights_that_are_no_distribution(weights, replacement, message):
    with pytest.raises(RuntimeError, match=message):
        list(WeightedRandomSampler(weights, 2, replacement))


@pytest.mark.parametrize("count", range(8))
@pytest.mark.parametrize("size", [1, 2, 3, 10])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_cut_the_order_into_pieces(count, size, drop_last):
    sampler = BatchSampler(range(count), size, drop_last)
    batches = list(sampler)
    assert len(sampler) == len(batches)
    assert [index for batch in batches for index in batch] == list(range(count - count % size if drop_last else count))
    assert all(isinstance(batch, list) and len(batch) == size for batch in batches[:-1])


@pytest.mark.parametrize(("size", "drop_last"), [(0, False), (-1, False), (1.5, False), (True, False), (2, 1)])
def test_batches_refuse(size, drop_last):
    with pytest.raises(ValueError, match=r"batch_size should be a positive|drop_last should be a boolean"):
        BatchSampler(range(3), size, drop_last)


def test_the_abstract_sampler_names_iter():
    class Nothing(Sampler):
        pass

    with pytest.raises(NotImplementedError, match="Nothing is a Sampler that does not define __iter__"):
        iter(Nothing())


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("count", [1, 5, 12, 13])
def test_distributed_parts_are_of_one_size_and_cover(count, drop_last):
    samplers = [DistributedSampler(range(count), 4, rank, seed=1, drop_last=drop_last) for rank in range(4)]
    parts = [list(sampler) for sampler in samplers]
    assert {len(part) for part in parts} == {len(samplers[0])}
    together = [index for row in zip(*parts, strict=True) for index in row]
    if drop_last:
        assert len(set(together)) == len(together) == count - count % 4
    else:
        assert set(together) == set(range(count))
    for sampler in samplers:
        sampler.set_epoch(1)
    if count == 13:
        assert [list(sampler) for sampler in samplers] != parts


@pytest.mark.parametrize("rank", [-1, 2, None])
def test_distributed_refuses_a_rank_outside(rank):
    with pytest.raises(ValueError, match="rank"):
        DistributedSampler(range(3), 2, rank)


@pytest.mark.oracle
class TestAgainstPyTorch:
    """Where no draw is involved the orders are PyTorch's; where one is, their form is."""

    def test_orders(self):
        theirs = pytest.importorskip("torch", reason="the oracle PyTorch is not installed").utils.data
        for count, size in ((0, 3), (7, 3), (9, 3)):
            for drop_last in (False, True):
                expected = theirs.BatchSampler(theirs.SequentialSampler(range(count)), size, drop_last)
                found = BatchSampler(SequentialSampler(range(count)), size, drop_last)
                assert list(found) == list(expected)
                assert len(found) == len(expected)

    @pytest.mark.parametrize("drop_last", [False, True])
    def test_distributed(self, drop_last):
        theirs = pytest.importorskip("torch", reason="the oracle PyTorch is not installed").utils.data
        for count in (1, 3, 8, 10):
            for rank in range(4):
                arguments = {"num_replicas": 4, "rank": rank, "shuffle": False, "drop_last": drop_last}
                expected = theirs.DistributedSampler(range(count), **arguments)
                found = DistributedSampler(range(count), **arguments)
                assert list(found) == list(expected)

    @pytest.mark.parametrize("count", [3, 10, 25])
    def test_random_forms(self, count):
        torch = pytest.importorskip("torch", reason="the oracle PyTorch is not installed")
        for arguments in (
            {},
            {"num_samples": 7},
            {"num_samples": 31},
            {"replacement": True, "num_samples": 31},
        ):
            expected = list(
                torch.utils.data.RandomSampler(range(count), generator=torch.Generator().manual_seed(0), **arguments)
            )
            found = list(RandomSampler(range(count), generator=generator(0), **arguments))
            assert len(found) == len(expected)
            if not arguments.get("replacement"):
                # Each full round is a permutation in both: every prefix has as many repetitions.
                for end in range(len(found) + 1):
                    assert max(Counter(found[:end]).values(), default=0) == max(
                        Counter(expected[:end]).values(), default=0
                    )
