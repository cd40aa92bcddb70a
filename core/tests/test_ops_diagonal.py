"""Diagonals are views, also on immutable arrays; triangles, einsum and products of matrices agree with PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import dovetail

Program = Callable[[Any], Any]


def written(t: Any) -> Any:
    x = t.zeros(3, 4).T
    view = x.diagonal(1)
    view.add_(2)
    view[0] = 7
    return x, view, view.stride(), view.storage_offset()


def through_a_graph(t: Any) -> Any:
    x = t.ones(3, 3, dtype=t.float64, requires_grad=True)
    y = x * 2
    y.diagonal().mul_(t.tensor([1.0, 2.0, 3.0]))
    (y * y).sum().backward()
    return x.grad, y.detach()


def batches(t: Any) -> Any:
    x = t.zeros(2, 3, 4)
    t.diagonal(x, -1, 1, 2)[1] = t.tensor([1.0, 2.0])
    return x


def filled(t: Any) -> Any:
    tall, wide, cube = t.zeros(7, 3), t.zeros(2, 4), t.zeros(2, 2, 2)
    return tall.fill_diagonal_(5, wrap=True), wide.fill_diagonal_(1), cube.fill_diagonal_(3)


CASES: dict[str, Program] = {
    "a write is seen": written,
    "in a graph": through_a_graph,
    "of batches": batches,
    "fill_diagonal_": filled,
    "fill a vector": lambda t: t.ones(3).fill_diagonal_(1),
    "embed": lambda t: (t.diag_embed(t.ones(2, 3), 1, 0, 2), t.diagflat(t.ones(2, 2), -1), t.ones(3).diag()),
    "trace of ints": lambda t: t.trace(t.tensor([[1, 2], [3, 4]], dtype=t.int32)),
    "triangles in place": lambda t: (t.ones(3, 3).tril_(), t.ones(3, 3).triu_(1)),
}
EQUATIONS: dict[str, tuple[tuple[int, ...], ...]] = {
    "ij,jk": ((2, 3), (3, 4)),
    "ji": ((2, 3),),
    "ii->i": ((3, 3),),
    "ii": ((3, 3),),
    "iij->j": ((3, 3, 4),),
    "...ij,...jk->...ik": ((2, 1, 2, 3), (4, 3, 2)),
    "...i,...i": ((2, 3), (2, 3)),
    "i...->...": ((2, 3),),
    "...->...": ((2, 3),),
    "b i j , b j k -> b i k": ((1, 2, 3), (5, 3, 4)),
    "ab,bc,cd->ad": ((2, 3), (3, 4), (4, 5)),
    "ij,ij,i->j": ((2, 3), (2, 3), (2,)),
    "ij,kl->": ((2, 3), (4, 5)),
    "i,i": ((3,), (1,)),
    "Ab,bA->": ((2, 3), (3, 2)),
    "aB": ((2, 3),),
    "i->": ((0,),),
    ",ij->ji": ((), (2, 3)),
    "ij,jk->ii": ((2, 3), (3, 4)),
    "ij->i->j": ((2, 3),),
    "ijk": ((2, 3),),
}


@pytest.mark.oracle
@pytest.mark.parametrize("name", CASES)
def test_results_are_those_of_pytorch(oracle: Any, ways: str, name: str) -> None:
    oracle.agree(CASES[name])


@pytest.mark.oracle
@pytest.mark.parametrize("equation", EQUATIONS)
def test_equations_mean_what_they_mean_in_pytorch(oracle: Any, equation: str) -> None:
    def program(t: Any) -> Any:
        operands = [
            (t.arange(1.0, 1 + max(1, dovetail.empty(shape).numel())).reshape(shape or (1,)) * (0.5 + i)).reshape(shape)
            if 0 not in shape else t.ones(shape)
            for i, shape in enumerate(EQUATIONS[equation])
        ]  # fmt: skip
        return t.einsum(equation, *operands), t.einsum(equation, operands)

    oracle.agree(program, 16)


PRODUCTS: dict[str, Program] = {
    "lists of labels": lambda t: t.einsum(t.ones(2, 3), [0, 1], t.ones(3, 4), [1, 2], [0, 2]),
    "labels alone": lambda t: t.einsum(t.ones(2, 3), [1, 0]),
    "chain": lambda t: t.chain_matmul(t.ones(2, 3), t.ones(3, 4), t.ones(4, 1)),
    "ger": lambda t: t.ger(t.ones(2), t.ones(3)),
    "nan does not count with beta 0": lambda t: t.addmm(
        t.full((2, 2), float("nan")), t.ones(2, 3), t.ones(3, 2), beta=0
    ),
    "integers": lambda t: t.addmm(
        t.ones(2, 2, dtype=t.int64), t.ones(2, 2, dtype=t.int64), t.ones(2, 2, dtype=t.int64), alpha=2
    ),
    "in place": lambda t: t.ones(2, 2).addmm_(t.ones(2, 3), t.ones(3, 2), beta=0.5, alpha=2),
    "addmv_ and baddbmm_": lambda t: (
        t.ones(2).addmv_(t.ones(2, 3), t.ones(3)), t.ones(1, 2, 2).baddbmm_(t.ones(1, 2, 3), t.ones(1, 3, 2))
    ),
    "kron": lambda t: t.kron(t.arange(4).reshape(2, 2), t.arange(3)),
    "tensordot by a number": lambda t: t.tensordot(t.ones(2, 3, 4), t.ones(3, 4, 5), 2),
    "cross": lambda t: t.cross(t.tensor([[1.0, 0.0, 0.0]]), t.tensor([[0.0, 1.0, 0.0]]), dim=1),
    "vectors of other lengths": lambda t: t.inner(t.ones(2), t.ones(3)),
}  # fmt: skip


@pytest.mark.oracle
@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_those_of_pytorch(oracle: Any, name: str) -> None:
    oracle.agree(PRODUCTS[name])
