"""Setting ``.data``, and views in place: who shares which storage afterwards is as in PyTorch."""

from __future__ import annotations

from typing import Any

import pytest

import dovetail


def programs() -> list[Any]:
    def view_is_written_afterwards(f: Any) -> list[Any]:
        x = f.arange(6.0)
        y = x.view(2, 3)
        x.data = f.ones(2)
        y.mul_(2)
        return [x.tolist(), y.tolist()]

    def tensor_is_written_afterwards(f: Any) -> list[Any]:
        x = f.arange(4.0)
        y, z = x[1:], x.detach()
        x.data = f.zeros(3)
        x.add_(1)
        z.mul_(3)
        return [x.tolist(), y.tolist(), z.tolist()]

    def stale_view_is_read_afterwards(f: Any) -> list[Any]:
        x = f.arange(4.0)
        y = x.view(2, 2)
        x.add_(1)
        x.data = f.zeros(4)
        return [x.tolist(), y.tolist()]

    def parameter_keeps_its_place(f: Any) -> list[Any]:
        p = f.nn.Parameter(f.ones(2, 2))
        flat = p.detach().view(-1)
        p.data = f.full((3,), 2.0)
        flat.zero_()
        (p * p).sum().backward()
        return [p.tolist(), p.grad.tolist(), flat.tolist()]

    def shape_in_place_keeps_the_storage(f: Any) -> list[Any]:
        x = f.arange(6.0).view(2, 3).clone()
        y = x.view(-1)
        x.unsqueeze_(0)
        x.add_(1)
        before = [x.tolist(), y.tolist()]
        y.mul_(2)
        return [before, x.tolist(), y.tolist(), tuple(x.shape), x.stride()]

    def shape_in_place_keeps_the_graph(f: Any) -> list[Any]:
        a = f.ones(3, requires_grad=True)
        x = a * 2
        part = x[1:]
        x.unsqueeze_(0)
        ((x * x).sum() + part.sum()).backward()
        return [a.grad.tolist(), tuple(x.shape)]

    def transposed_in_place_is_written(f: Any) -> list[Any]:
        x = f.arange(6.0).reshape(2, 3).clone()
        x.t_()
        x[0] = 7.0
        return [x.tolist(), x.stride(), x.is_contiguous(), tuple(f.zeros(2, 3, 4).transpose_(0, 2).shape)]

    def nothing_to_squeeze(f: Any) -> list[Any]:
        x = f.ones(1, 3, 1)
        x.squeeze_()
        return [tuple(x.shape), x.squeeze_(0) is x, tuple(f.ones(2, 3).swapaxes_(0, 1).shape)]

    return [
        shape_in_place_keeps_the_storage,
        shape_in_place_keeps_the_graph,
        transposed_in_place_is_written,
        nothing_to_squeeze,
        view_is_written_afterwards,
        tensor_is_written_afterwards,
        stale_view_is_read_afterwards,
        parameter_keeps_its_place,
    ]


@pytest.mark.oracle
@pytest.mark.parametrize("program", programs(), ids=lambda p: p.__name__)
def test_as_in_pytorch(program: Any) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    assert program(dovetail) == program(torch)


def test_a_leaf_keeps_its_shape() -> None:
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place"):
        dovetail.ones(2, requires_grad=True).unsqueeze_(0)
