"""Errors: the words that users search for."""

from __future__ import annotations

from typing import Any, Final

from dovetail_conformance.semantics.case import Case, refusal


def _twice(t: Any) -> Any:
    x = t.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    y.backward()


def _not_a_function(t: Any) -> Any:
    x = t.ones(2, requires_grad=True)
    t.autograd.functional.jacobian(x * 2, x)


def _mismatched_state(t: Any) -> Any:
    m = t.nn.Linear(2, 1)
    m.load_state_dict({"weight": t.ones(3, 2), "other": t.ones(1)})


def _softmax_without_dim(t: Any) -> Any:
    return t.nn.functional.softmax(t.ones(2, 3))


def _abstract_data(t: Any) -> Any:
    class Data(t.utils.data.Dataset):  # type: ignore[misc]  # a class of a module that is only known here
        pass

    return Data()[0]


def _channels(t: Any) -> Any:
    return t.nn.functional.conv2d(t.ones(1, 3, 5, 5), t.ones(4, 2, 3, 3))


CASES: Final[tuple[Case, ...]] = (
    refusal(
        "matmul",
        lambda t: t.ones(3, 4) @ t.ones(3, 4),
        RuntimeError,
        "mat1 and mat2 shapes cannot be multiplied (3x4 and 3x4)",
    ),
    refusal(
        "broadcasting",
        lambda t: t.ones(3, 4) + t.ones(3, 5),
        RuntimeError,
        "The size of tensor a (4) must match the size of tensor b (5) at non-singleton dimension 1",
    ),
    refusal(
        "view",
        lambda t: t.ones(6).view(-1, 4),
        RuntimeError,
        "shape '[-1, 4]' is invalid for input of size 6",
    ),
    refusal("channels", _channels, RuntimeError, "[4, 2, 3, 3]", "[1, 3, 5, 5]", "2 channels", "3 channels"),
    refusal(
        "targets of cross entropy",
        lambda t: t.nn.functional.cross_entropy(t.ones(3, 5), t.zeros(3, 1, dtype=t.int64)),
        RuntimeError,
        "0D or 1D target tensor expected",
        "squeeze(1)",
    ),
    refusal(
        "classes of cross entropy",
        lambda t: t.nn.functional.cross_entropy(t.ones(1, 5), t.tensor([7])).item(),
        IndexError,
        "Target 7 is out of bounds",
    ),
    refusal(
        "requires_grad of ints",
        lambda t: t.tensor([1], requires_grad=True),
        RuntimeError,
        "Only Tensors of floating point and complex dtype can require gradients",
    ),
    refusal(
        "backward of several elements",
        lambda t: (t.ones(2, requires_grad=True) * 2).backward(),
        RuntimeError,
        "grad can be implicitly created only for scalar outputs",
        "2",
    ),
    refusal(
        "backward twice",
        _twice,
        RuntimeError,
        "Trying to backward through the graph a second time",
        "retain_graph=True",
    ),
    refusal(
        "backward without a graph",
        lambda t: t.ones(1).sum().backward(),
        RuntimeError,
        "does not require grad and does not have a grad_fn",
    ),
    refusal(
        "in-place on a leaf",
        lambda t: t.ones(2, requires_grad=True).add_(1),
        RuntimeError,
        "a leaf Variable that requires grad is being used in an in-place operation",
    ),
    refusal(
        "numpy() with a graph",
        lambda t: t.ones(2, requires_grad=True).numpy(),
        RuntimeError,
        "Use tensor.detach().numpy() instead",
    ),
    refusal(
        "bool() of several",
        lambda t: bool(t.ones(2)),
        RuntimeError,
        "Boolean value of Tensor with more than one value is ambiguous",
    ),
    refusal(
        "item() of several",
        lambda t: t.ones(2).item(),
        (RuntimeError, ValueError),
        "a Tensor with 2 elements cannot be converted to Scalar",
    ),
    refusal("jacobian of a tensor", _not_a_function, TypeError, "function"),
    refusal("load_state_dict", _mismatched_state, RuntimeError, "bias", "other", "[3, 2]", "[1, 2]"),
    Case("errors", "softmax without dim", _softmax_without_dim, [[1 / 3] * 3] * 2, warns="dim"),
    refusal("abstract Dataset", _abstract_data, NotImplementedError, "__getitem__"),
    refusal("unknown backend", lambda t: t.set_backend("nunpy"), RuntimeError, "nunpy", "Did you mean"),
    refusal("unknown device", lambda t: t.ones(1, device="nonsense:cpu"), RuntimeError, "nonsense"),
    refusal(
        "two devices",
        lambda t: t.ones(3) + t.ones(3, device=t.other),
        RuntimeError,
        "Expected all tensors to be on the same device",
        "[3]",
        ".to(",
    ),
)
