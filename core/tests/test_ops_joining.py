"""Joining, splitting and rearranging: views share storage, copies do not, and all agrees with PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import dovetail

Program = Callable[[Any], Any]


def grid(t: Any) -> Any:
    return t.arange(6).reshape(2, 3)


CASES: dict[str, Program] = {
    "concat": lambda t: (t.concat([grid(t), grid(t)]), t.concatenate((grid(t), grid(t)), 1)),
    "cat by axis": lambda t: t.cat((grid(t), grid(t)), axis=1),
    "cat promotes": lambda t: t.cat([t.ones(2), t.ones(2, dtype=t.int64)]),
    "cat skips old empty tensors": lambda t: t.cat([t.ones(0, dtype=t.float64), t.ones(2, 2)]),
    "cat of a number": lambda t: t.cat([t.ones(2), t.tensor(3.0)]),
    "stack promotes": lambda t: t.stack([t.tensor(1), t.tensor(2.0)]),
    "block_diag": lambda t: t.block_diag(t.ones(2, 2), t.ones(1, 3), t.ones(2)),
    "atleast": lambda t: (
        t.atleast_1d(t.tensor(1.0)),
        *t.atleast_2d(t.ones(3), t.ones(2, 2)),
        t.atleast_3d(t.ones(2, 2)),
    ),
    "split and others": lambda t: (*t.hsplit(grid(t), 3), *t.vsplit(grid(t), [1]), *t.dsplit(t.ones(1, 1, 2), 2)),
    "hsplit unevenly": lambda t: t.hsplit(grid(t), 2),
    "tensor_split": lambda t: (*t.tensor_split(t.arange(7), 3), *t.tensor_split(t.arange(7), (2, 5))),
    "tensor_split at a tensor": lambda t: t.tensor_split(t.arange(7), t.tensor([2, 5])),
    "split_with_sizes": lambda t: grid(t).split_with_sizes([1, 2], 1),
    "unbind": lambda t: grid(t).unbind(1),
    "unbind a 0-d tensor": lambda t: t.tensor(1.0).unbind(),
    "repeat_interleave": lambda t: (
        t.repeat_interleave(grid(t), 2),
        t.repeat_interleave(grid(t), t.tensor([1, 2]), dim=0),
        t.repeat_interleave(grid(t), t.tensor([2]), dim=1),
        t.repeat_interleave(t.tensor([2, 0, 1])),
        grid(t).repeat_interleave(3, dim=-1),
    ),
    "repeat_interleave by the wrong counts": lambda t: t.repeat_interleave(t.ones(3), t.tensor([1, 2])),
    "meshgrid": lambda t: (
        *t.meshgrid(t.arange(2), t.arange(3), indexing="ij"),
        *t.meshgrid([t.arange(2), t.arange(3)], indexing="xy"),
        *t.meshgrid(t.tensor(1), t.arange(3), indexing="ij"),
    ),
    "cartesian_prod": lambda t: (t.cartesian_prod(t.arange(2), t.arange(3)), t.cartesian_prod(t.arange(2))),
    "combinations": lambda t: (t.combinations(t.arange(4), 3), t.combinations(t.arange(3), with_replacement=True)),
    "turning": lambda t: (t.fliplr(grid(t)), t.flipud(grid(t)), grid(t).flip(0, 1), t.rot90(grid(t), 3, (1, 0))),
    "rolling": lambda t: (t.roll(grid(t), 1), grid(t).roll((1, -1), (0, 1)), t.roll(t.ones(0), 1)),
    "tile": lambda t: (t.tile(grid(t), (2,)), grid(t).tile(2, 1, 1), grid(t).repeat(2, 1, 1)),
    "tril_indices": lambda t: (t.tril_indices(3, 2), t.triu_indices(2, 4, 1), t.tril_indices(2, 2, -2)),
}


@pytest.mark.oracle
@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:torch.meshgrid")
def test_results_are_those_of_pytorch(oracle: Any, ways: str, name: str) -> None:
    oracle.agree(CASES[name])


PIECES: dict[str, Callable[[Any], Any]] = {
    "split": lambda x: x.split(2),
    "chunk": lambda x: x.chunk(2),
    "tensor_split": lambda x: x.tensor_split(2),
    "unbind": lambda x: x.unbind(),
}


@pytest.mark.parametrize("name", PIECES)
def test_pieces_share_storage(name: str, ways: str) -> None:
    x = dovetail.zeros(4, 2)
    first = PIECES[name](x)[0]
    first.fill_(1.0)
    assert x.sum().item() == first.numel()


COPIES: dict[str, Callable[[Any], Any]] = {
    "cat of one": lambda x: dovetail.cat([x]),
    "repeat once": lambda x: x.repeat(1, 1),
    "flip nothing": lambda x: x.flip([]),
    "roll by nothing": lambda x: x.roll(0, 0),
    "pad by nothing": lambda x: dovetail.pad(x, (0, 0)),
    "cumsum of one row": lambda x: x.cumsum(0),
    "cumprod of one row": lambda x: x.cumprod(0),
    "sort one row": lambda x: x.sort(0).values,
    "tril": lambda x: x.tril(),
    "diag": lambda x: x.diag(),
    "round": lambda x: x.round(),
    "nan_to_num": lambda x: x.nan_to_num(),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_share_nothing(name: str, ways: str) -> None:
    x = dovetail.ones(1, 2)
    y = COPIES[name](x)
    y.add_(1.0)
    assert x.tolist() == [[1.0, 1.0]]
    x.add_(5.0)
    assert float(y.max()) < 5.0


def test_whole_numbers_are_not_rounded_in_place(ways: str) -> None:
    x = dovetail.tensor([1, 2])
    for rounded in (x.floor(), x.ceil(), x.trunc(), x.round()):
        rounded.add_(1)
    assert x.tolist() == [1, 2]


def test_lists_of_nothing_are_both_kinds_of_error() -> None:
    for kind in (ValueError, RuntimeError):
        with pytest.raises(kind, match="non-empty list of Tensors"):
            dovetail.cat([])
        with pytest.raises(kind, match="non-empty TensorList"):
            dovetail.stack([])


def test_a_tensor_is_no_parameter() -> None:
    with pytest.raises(TypeError, match="read it with"):
        dovetail.roll(dovetail.ones(3), dovetail.tensor(1))
