"""Aliasing and in-place operations."""

from __future__ import annotations

from typing import Any, Final

from dovetail_conformance.semantics.case import Case, aliasing, refusal


def _written_view(t: Any) -> Any:
    x = t.zeros(2, 2)
    x.view(-1)[0] = 1
    return x


def _zeroed_gradient(t: Any) -> Any:
    w = t.ones(2, requires_grad=True)
    (w * 3).sum().backward()
    w.grad.data.zero_()
    return w.grad


def _filled_weight(t: Any) -> Any:
    m = t.nn.Linear(2, 1)
    m.weight.data.fill_(1)
    return m.weight


def _transposed(t: Any) -> Any:
    x = t.zeros(2, 3)
    x.transpose(0, 1)[2, 0] = 5
    x[:, 1] += 2
    return x


def _detached(t: Any) -> Any:
    x = t.ones(3, requires_grad=True)
    x.detach()[1] = 7
    return x


def _expanded(t: Any) -> Any:
    x = t.zeros(1, 2)
    y = x.expand(3, 2)
    x[0, 1] = 4
    return y


def _differentiable_write(t: Any) -> Any:
    x = t.ones(3, requires_grad=True)
    y = x * 2
    y[1] = 0
    y[2] *= 5
    y.sum().backward()
    return x.grad


def _saved_value(t: Any) -> Any:
    x = t.ones(2, requires_grad=True)
    a = x * 3
    b = a * a
    a.add_(100)
    b.sum().backward()
    return x.grad


def _snapshot(t: Any) -> Any:
    import numpy as np

    source = np.ones(2, np.float32)
    x = t.from_numpy(source)
    source[0] = 9
    y = x * 1
    seen = y.numpy()
    y.add_(5)
    return [x, seen, seen.flags.writeable, y]


def _layout(t: Any) -> Any:
    x = t.zeros(2, 3, 4)
    y = x.permute(2, 0, 1)
    return [list(y.stride()), y.is_contiguous(), y.contiguous().is_contiguous(), list((y + 1).stride())]


def _versions(t: Any) -> Any:
    x = t.zeros(4)
    x[0] = 1
    y = x.view(2, 2)
    y.add_(1)
    return [x._version, y._version]


def _same_tensor(t: Any) -> Any:
    x = t.zeros(2)
    return x.to(x.device) is x


CASES: Final[tuple[Case, ...]] = (
    aliasing("a write through a view is seen through its base", _written_view, [[1.0, 0.0], [0.0, 0.0]]),
    aliasing("w.grad.data.zero_()", _zeroed_gradient, [0.0, 0.0]),
    aliasing("m.weight.data.fill_(1)", _filled_weight, [[1.0, 1.0]]),
    aliasing("writes through a transpose and a column", _transposed, [[0.0, 2.0, 5.0], [0.0, 2.0, 0.0]]),
    aliasing("detach() shares storage", _detached, [1.0, 7.0, 1.0]),
    aliasing("expand() shares storage", _expanded, [[0.0, 4.0]] * 3),
    aliasing("writes are differentiable", _differentiable_write, [2.0, 0.0, 10.0]),
    aliasing("a saved value is the value that was saved", _saved_value, [18.0, 18.0]),
    aliasing("NumPy's memory is not shared", _snapshot, [[1.0, 1.0], [1.0, 1.0], False, [6.0, 6.0]]),
    aliasing("logical strides", _layout, [[1, 12, 4], False, True, [6, 3, 1]]),
    aliasing("_version", _versions, [2, 2]),
    aliasing("to() the device that a tensor is on is the tensor", _same_tensor, True),
    refusal(
        "a write into a whole expanded view",
        lambda t: t.zeros(1, 2).expand(3, 2).add_(1),
        RuntimeError,
        "more than one element of the written-to tensor refers to a single memory location",
    ),
    refusal("view of a transpose", lambda t: t.zeros(2, 3).t().view(-1), RuntimeError, "view", "contiguous"),
)
