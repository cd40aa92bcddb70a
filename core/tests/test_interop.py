"""Manners: how tensors get on with Python, with NumPy and with other array libraries."""

from __future__ import annotations

import copy
import itertools
import operator
import os
import pickle
import re
import subprocess
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.backend import Array, Backend, BackendSpec, Device, KernelTable
from dovetail.contract import discovery
from dovetail.errors import (
    ArgumentError,
    ArgumentTypeError,
    AutogradError,
    DeviceError,
    DlpackError,
    DovetailError,
    UnsupportedError,
)

Program = Callable[[Any], Any]
T = dovetail.tensor


def leaf(*values: float) -> dovetail.Tensor:
    return T(list(values), requires_grad=True)


def same(x: Any, values: Any, dtype: Any = None) -> None:
    assert isinstance(x, dovetail.Tensor)
    assert x.tolist() == values
    if dtype is not None:
        assert x.dtype is dtype


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")


# ------------------------------------------------------------------------------------------ operands

OPERATORS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "**": operator.pow, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize(
    "other",
    [3, 2.5, True, np.float32(2.5), np.float64(2.5), np.int64(3), np.bool_(True)],
    ids=lambda value: f"{type(value).__name__}",
)
def test_numbers_on_either_side(name: str, other: Any) -> None:
    function = OPERATORS[name]
    x = leaf(1.5, 4.0)
    for result, expected in (
        (function(x, other), [function(v, float(other)) for v in (1.5, 4.0)]),
        (function(other, x), [function(float(other), v) for v in (1.5, 4.0)]),
    ):
        assert isinstance(result, dovetail.Tensor)
        np.testing.assert_allclose(result.detach().numpy(), expected, rtol=1e-6)
        assert result.dtype is (dovetail.bool if result.dtype is dovetail.bool else dovetail.float32)
        if name in "+-***/":
            assert result.requires_grad


@pytest.mark.parametrize("name", ["+", "-", "*", "/", "**", "<", "=="])
@pytest.mark.parametrize("make", [list, tuple, lambda v: np.array(v, np.float32)], ids=["list", "tuple", "array"])
def test_lists_and_arrays_on_either_side(name: str, make: Callable[[Any], Any]) -> None:
    function, x, values = OPERATORS[name], leaf(1.5, 4.0), [2.0, 3.0]
    for result, expected in (
        (function(x, make(values)), [function(a, b) for a, b in zip((1.5, 4.0), values, strict=True)]),
        (function(make(values), x), [function(b, a) for a, b in zip((1.5, 4.0), values, strict=True)]),
    ):
        assert isinstance(result, dovetail.Tensor)
        np.testing.assert_allclose(result.detach().numpy(), expected, rtol=1e-6)


def test_an_array_keeps_its_dtype_and_the_tensor_its_graph() -> None:
    t = leaf(1.0, 2.0)
    result = np.ones(2) + t
    same(result, [2.0, 3.0], dovetail.float64)
    result.sum().backward()
    assert t.grad is not None
    same(t.grad, [1.0, 1.0], dovetail.float32)
    same(np.float32(2) * t, [2.0, 4.0], dovetail.float32)
    same(np.float64(2) * t, [2.0, 4.0], dovetail.float32)
    same(np.eye(2, dtype=np.float32) @ t, [1.0, 2.0])
    same(t @ np.eye(2, dtype=np.float32), [1.0, 2.0])


def test_in_place_operators_take_them_too() -> None:
    x = dovetail.ones(2)
    x += np.ones(2, np.float32)
    x *= [2, 3]
    x -= np.float64(1)
    x /= 2
    same(x, [1.5, 2.5], dovetail.float32)


def test_numpy_leaves_its_functions_to_numpy_arrays() -> None:
    with pytest.raises(TypeError, match="does not support ufuncs"):
        np.sin(dovetail.ones(2))  # type: ignore[call-overload]


class Stranger:
    """Knows how to stand on the right of an operator."""

    def __radd__(self, other: Any) -> str:
        return "asked"

    def __gt__(self, other: Any) -> str:
        return "asked"


def test_python_asks_the_other_side_about_strangers() -> None:
    t = dovetail.ones(2)
    assert t + Stranger() == "asked"
    assert (t < Stranger()) == "asked"


@pytest.mark.parametrize("stranger", [None, "text", {}, object()], ids=lambda value: type(value).__name__)
def test_strangers_are_never_equal_and_cannot_be_added(stranger: Any) -> None:
    for t in (dovetail.ones(2), dovetail.ones(3) + 1):
        assert (t == stranger) is False
        assert (stranger == t) is False
        assert (t != stranger) is True
        for name in ("+", "-", "*", "/", "//", "%", "<", ">="):
            with pytest.raises(TypeError, match=r"not supported|unsupported operand|only integer"):
                OPERATORS[name](t, stranger)
            if not isinstance(stranger, str) or name != "%":
                with pytest.raises(TypeError, match=r"not supported|unsupported operand|can't|can only|only integer"):
                    OPERATORS[name](stranger, t)
        with pytest.raises(TypeError, match="unsupported operand"):
            operator.matmul(t, stranger)


def test_a_function_names_the_operand_that_it_cannot_use() -> None:
    t = dovetail.ones(2)
    with pytest.raises(ArgumentTypeError, match=r"add\(\): unsupported operand of type str: 'x'"):
        dovetail.add(t, "x")  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match=r"add\(\): argument 'other' must be Tensor, not NoneType"):
        dovetail.add(t, None)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match=r"relu\(\): argument 'input' must be Tensor, not NoneType"):
        dovetail.relu(None)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="can't convert an array of type <U1"):
        t + np.array("a")  # type: ignore[operator]


# ------------------------------------------------------------------------------------------ keywords

ALIASED: dict[str, Program] = {
    "sum": lambda x: x.sum(axis=0),
    "sum that keeps": lambda x: x.sum(axis=1, keepdims=True),
    "mean": lambda x: x.mean(axis=(0, 1)),
    "max": lambda x: x.max(axis=1).values,
    "max that keeps": lambda x: x.max(axis=1, keepdims=True).indices,
    "argmax": lambda x: x.argmax(axis=1),
    "softmax": lambda x: x.softmax(axis=1),
    "unsqueeze": lambda x: x.unsqueeze(axis=0),
    "squeeze": lambda x: x[:1].squeeze(axis=0),
}
PLAIN: dict[str, Program] = {
    "sum": lambda x: x.sum(0),
    "sum that keeps": lambda x: x.sum(1, True),
    "mean": lambda x: x.mean((0, 1)),
    "max": lambda x: x.max(1).values,
    "max that keeps": lambda x: x.max(1, True).indices,
    "argmax": lambda x: x.argmax(1),
    "softmax": lambda x: x.softmax(1),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "squeeze": lambda x: x[:1].squeeze(0),
}


@pytest.mark.parametrize("name", ALIASED)
def test_the_words_of_numpy_mean_the_same(name: str) -> None:
    x = T([[1.0, 5.0, 2.0], [4.0, 0.0, 3.0]])
    assert repr(ALIASED[name](x)) == repr(PLAIN[name](x))


def test_the_words_of_numpy_in_functions() -> None:
    x = T([[1.0, 2.0], [3.0, 4.0]])
    same(dovetail.sum(x=x, axis=0), [4.0, 6.0])  # type: ignore[call-arg]
    same(dovetail.cat([x, x], axis=1), [[1.0, 2.0, 1.0, 2.0], [3.0, 4.0, 3.0, 4.0]])  # type: ignore[call-arg]
    same(dovetail.stack([x, x], axis=0)[0], x.tolist())  # type: ignore[call-arg]
    same(dovetail.max(x, axis=0).values, [3.0, 4.0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda x: x.sum(strange=1),
            r"sum\(\) got an unexpected keyword argument 'strange': the call is sum\(input: Tensor",
        ),
        (lambda x: dovetail.add(x, x, beta=1), r"'beta': the call is add\(input: Tensor, other: Tensor \| Number"),
        (lambda x: x.max(strange=1), r"max\(\) got an unexpected keyword argument 'strange': the call is max\("),
        (lambda x: x.unsqueeze(axes=0), r"unexpected keyword argument 'axes'.*unsqueeze\(input: Tensor, dim: int\)"),
        (lambda x: x.max(dim=0, axis=0), r"max\(\) got two words for the same argument among dim, axis"),
        (lambda x: x.sum(0, dim=1), r"sum\(\) got multiple values for argument 'dim'"),
        (lambda x: x.add(), r"add\(\) missing required argument 'other' \(position 2\)"),
        (lambda x: x.exp(1), r"exp\(\) takes 1 positional arguments but 2 were given"),
    ],
)
def test_calls_that_make_no_sense(call: Program, words: str) -> None:
    with pytest.raises(ArgumentTypeError, match=words):
        call(dovetail.ones(2, 2))


# ------------------------------------------------------------------------------------------ Python's protocols


def test_a_tensor_is_known_by_identity() -> None:
    a, b = dovetail.ones(2), dovetail.ones(2)
    assert hash(a) != hash(b)
    assert len({a, b, a}) == 2
    assert {a: 1}[a] == 1
    assert a in {a}
    assert b not in {a}


def test_in_asks_for_a_value() -> None:
    t = T([[1.0, 2.0], [3.0, 4.0]])
    assert 2 in t
    assert 5.0 not in t
    assert np.float32(3) in t
    assert T(4.0) in t
    for stranger in (None, "a", [1]):
        with pytest.raises(RuntimeError, match=r"Tensor\.__contains__ only supports Tensor or scalar"):
            stranger in t  # noqa: B015


def test_a_tensor_in_a_list() -> None:
    """A list compares by identity first and by value then, which has more than one answer."""
    t, u = dovetail.ones(2), dovetail.zeros(2)
    assert t in [t, u]
    with pytest.raises(RuntimeError, match="Boolean value of Tensor with more than one value is ambiguous"):
        t in [u]  # noqa: B015
    assert T(1.0) in [T(0.0), T(1.0)]


def test_iteration() -> None:
    t = T([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    rows = list(t)
    assert [r.tolist() for r in rows] == t.tolist()
    assert all(r.requires_grad for r in rows)
    a, b = t
    (a * b).sum().backward()
    assert t.grad is not None
    assert t.grad.tolist() == [[3.0, 4.0], [1.0, 2.0]]
    assert max(T([3, 7, 5])).item() == 7
    assert [int(x) for x in sorted(T([3, 1, 2]))] == [1, 2, 3]
    assert sum(T([1.0, 2.0])).item() == 3.0
    assert list(zip(T([1, 2]).tolist(), "ab", strict=True)) == [(1, "a"), (2, "b")]
    same(reversed(T([1, 2, 3])), [3, 2, 1])  # type: ignore[arg-type]  # as in PyTorch a tensor, no iterator
    assert list(dovetail.zeros(0, 3)) == []
    with pytest.raises(TypeError, match="iteration over a 0-d tensor"):
        iter(T(1.0))
    with pytest.raises(TypeError, match=r"len\(\) of a 0-d tensor"):
        len(T(1.0))


def test_conversions() -> None:
    assert float(T(2.5)) == 2.5
    assert int(T(2.9)) == 2
    assert int(T([[7]])) == 7
    assert complex(T(2.5)) == 2.5
    assert bool(T([1])) is True
    assert bool(T(0.0)) is False
    assert f"{T(1.23456):.2f}" == "1.23"
    for convert in (float, int, complex):
        with pytest.raises(TypeError, match="only one element tensors can be converted to Python scalars"):
            convert(dovetail.ones(2))
    with pytest.raises(RuntimeError, match="Boolean value of Tensor with no values is ambiguous"):
        bool(dovetail.ones(0))
    with pytest.raises(RuntimeError, match="a Tensor with 2 elements cannot be converted to Scalar"):
        dovetail.ones(2).item()


def test_a_tensor_as_an_index() -> None:
    assert [10, 20, 30][T(1)] == 20
    assert list(range(T(3))) == [0, 1, 2]
    assert "abc"[T([2])] == "c"
    assert np.arange(3)[T(1)] == 1
    assert operator.index(T(True)) == 1
    for t in (T(1.0), dovetail.arange(2)):
        with pytest.raises(TypeError, match="only integer tensors of a single element can be converted to an index"):
            operator.index(t)


def test_attributes_of_its_own() -> None:
    t = dovetail.ones(2)
    t.note = "kept"
    assert copy.copy(t).note == copy.deepcopy(t).note == pickle.loads(pickle.dumps(t)).note == "kept"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        t.nothing  # noqa: B018


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol: int) -> None:
    for t in (
        leaf(1.0, 2.0),
        dovetail.ones(2, 3).t(),
        T([True]),
        T([1.5], dtype=dovetail.bfloat16),
        dovetail.zeros(0, 2, dtype=dovetail.int8),
        dovetail.ones(3).expand(2, 3),
    ):
        again = pickle.loads(pickle.dumps(t, protocol))
        assert repr(again) == repr(t)
        assert (again.dtype, again.device, again.shape) == (t.dtype, t.device, t.shape)
        assert again.requires_grad == t.requires_grad
    with pytest.raises(AutogradError, match=r"only leaves of a graph can be pickled: use x\.detach\(\)"):
        pickle.dumps(leaf(1.0) * 2)


def test_types_and_devices_are_pickled_as_themselves() -> None:
    for thing in (dovetail.float32, dovetail.bfloat16, dovetail.device("cpu"), dovetail.ones(2).shape):
        again = pickle.loads(pickle.dumps(thing))
        assert again == thing
        assert again is thing or isinstance(thing, tuple)
        assert copy.deepcopy(thing) == thing


def test_a_deep_copy_is_another_leaf() -> None:
    t = leaf(1.0, 2.0)
    (t * t).sum().backward()
    again = copy.deepcopy(t)
    assert again.is_leaf
    assert again.requires_grad
    assert again.grad is not None
    assert again.grad is not t.grad
    assert again.grad.tolist() == [2.0, 4.0]
    with dovetail.no_grad():
        again += 1
    assert t.tolist() == [1.0, 2.0]
    pair = copy.deepcopy([t, t])
    assert pair[0] is pair[1]
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(t * 2)


# ------------------------------------------------------------------------------------------ NumPy's arrays


def test_arrays_of_tensors_never_change() -> None:
    t = T([1.0, 2.0])
    array = np.asarray(t)
    assert array.dtype == np.float32
    assert not t.numpy().flags.writeable
    t += 1
    assert array.tolist() == [1.0, 2.0]
    assert np.array(t, dtype=np.float64).dtype == np.float64
    assert np.asarray(T([1.5], dtype=dovetail.bfloat16)).dtype.name == "bfloat16"
    assert np.stack([T([1, 2]), T([3, 4])]).tolist() == [[1, 2], [3, 4]]
    copied = np.array(t, copy=True)
    copied[0] = 9
    assert t.tolist() == [2.0, 3.0]


def test_an_array_of_a_leaf_must_be_asked_for() -> None:
    for ask in (np.asarray, lambda t: t.numpy()):
        with pytest.raises(RuntimeError, match=r"Use tensor\.detach\(\)\.numpy\(\) instead"):
            ask(leaf(1.0))
    assert leaf(1.0).numpy(force=True).tolist() == [1.0]


def test_from_numpy_takes_the_value_of_that_moment() -> None:
    array = np.array([1.0, 2.0])
    t = dovetail.from_numpy(array)
    array[0] = 9
    same(t, [1.0, 2.0], dovetail.float64)
    with pytest.raises(TypeError, match=r"expected np\.ndarray \(got list\)"):
        dovetail.from_numpy([1])  # type: ignore[arg-type]


def test_arrays_of_every_layout_and_byte_order() -> None:
    base = np.arange(12, dtype=np.float32).reshape(3, 4)
    for array in (base.T, base[::2, ::-1], np.asfortranarray(base), base.astype(">f4"), base.astype("<f4")):
        same(T(array), array.tolist(), dovetail.float32)
    frozen = base.copy()
    frozen.flags.writeable = False
    same(T(frozen), base.tolist())


# ------------------------------------------------------------------------------------------ data


@pytest.mark.oracle
@pytest.mark.parametrize(
    "data",
    [1, 1.5, True, [], [[]], [1, 2.5], [True, 2], [[1], [2]], (1, (2)), range(3), [1e400], [2**62],
     np.float64(1.5), np.int8(3), np.array([1, 2], np.uint8), [np.float32(1.5), 2], [[True, False]]],
    ids=repr,
)  # fmt: skip
def test_data_become_what_they_become_in_pytorch(torch: Any, data: Any) -> None:
    ours, theirs = T(data), torch.tensor(data)
    assert ours.dtype.name == str(theirs.dtype).removeprefix("torch.")
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert ours.tolist() == theirs.tolist()


def test_tensors_among_data() -> None:
    same(T([T(1.0), 2]), [1.0, 2.0], dovetail.float32)
    same(T([2, T(1.0)]), [2.0, 1.0])
    same(T([[1, 2], T([3, 4])]), [[1, 2], [3, 4]])
    same(T([1.0, leaf(2.0)[0]]), [1.0, 2.0])
    same(T(T([1, 2])), [1, 2], dovetail.int64)
    assert not T(leaf(1.0)).requires_grad


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ([[1, 2], [3]], ValueError, r"expected sequence of length 2 at dim 1 \(got 1\)"),
        ([[[1, 2], [3]]], ValueError, r"expected sequence of length 2 at dim 2 \(got 1\)"),
        ([1, [2]], ValueError, "a mixture of both"),
        ("text", TypeError, r"new\(\): invalid data type 'str'"),
        (["a", "b"], TypeError, r"new\(\): invalid data type 'str'"),
        (None, RuntimeError, "Could not infer dtype of NoneType"),
        ([1, None], RuntimeError, "Could not infer dtype of NoneType"),
        ({1, 2}, RuntimeError, "Could not infer dtype of set"),
        ((x for x in [1]), RuntimeError, "Could not infer dtype of generator"),
        (2**70, ValueError, "Overflow when unpacking long long"),
        ([1j], NotImplementedError, r"complex tensors \(complex64\) are not supported yet"),
        (np.ones(2, np.complex128), NotImplementedError, r"complex tensors \(complex128\)"),
        (np.array(["2020"], "datetime64[D]"), RuntimeError, "Could not infer dtype"),
    ],
    ids=lambda value: repr(value)[:20] if not isinstance(value, type) else "",
)
def test_data_that_no_tensor_can_hold(data: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        T(data)
    assert isinstance(caught.value, DovetailError)


def test_conversion_on_the_way_in() -> None:
    odd = [float("nan"), float("inf"), -float("inf"), 2.7, -2.7]
    same(T(odd, dtype=dovetail.int32), [0, 2**31 - 1, -(2**31), 2, -2])
    same(T(odd, dtype=dovetail.int64), [0, 2**63 - 1, -(2**63), 2, -2])
    same(T(np.array(odd), dtype=dovetail.uint8), [0, 255, 0, 2, 0])
    same(T([0, 2], dtype=dovetail.bool), [False, True])
    same(T([1, 0], dtype=dovetail.float16), [1.0, 0.0])
    same(T([2**63], dtype=dovetail.uint64), [2**63])
    same(T(np.array([300]), dtype=dovetail.uint8), [44])
    for value, kind in ((300, dovetail.uint8), (-1, dovetail.uint8), (2**31, dovetail.int32)):
        with pytest.raises(
            RuntimeError, match=f"value cannot be converted to type {kind.name} without overflow: {value}"
        ):
            T([value], dtype=kind)


@pytest.mark.parametrize(
    "use",
    [
        lambda: T(1j),
        lambda: dovetail.zeros(2, dtype=dovetail.complex64),
        lambda: dovetail.ones(2) * 1j,
        lambda: dovetail.ones(2).to(dovetail.complex64),
        lambda: dovetail.full((2,), 1j),
        lambda: T([1.0], dtype=dovetail.complex128),
        lambda: dovetail.ones(2).fill_(1j),
    ],
)
def test_complex_numbers_are_refused_for_now(use: Callable[[], Any]) -> None:
    with pytest.raises(UnsupportedError, match=r"complex .*not supported yet"):
        use()


def test_complex_types_exist_where_types_promote() -> None:
    assert dovetail.promote_types(dovetail.float64, dovetail.complex64) is dovetail.complex128
    assert dovetail.complex64.is_complex
    assert dovetail.finfo(dovetail.complex64).dtype == "float32"


# ------------------------------------------------------------------------------------------ DLPack


def test_numpy_takes_a_tensor_without_a_copy_and_may_not_write() -> None:
    t = T([1.0, 2.0, 3.0])
    array = np.from_dlpack(t)
    assert array.tolist() == [1.0, 2.0, 3.0]
    assert not array.flags.writeable
    assert np.shares_memory(array, np.asarray(t))
    t.mul_(2)
    assert array.tolist() == [1.0, 2.0, 3.0], "what somebody else holds is never written in place"
    assert t.tolist() == [2.0, 4.0, 6.0]
    assert t.__dlpack_device__() == (1, 0)


def test_a_taker_of_the_old_protocol_gets_a_copy() -> None:
    class Old:
        def __init__(self, t: dovetail.Tensor) -> None:
            self.t = t

        def __dlpack__(self, **_: Any) -> Any:
            return self.t.__dlpack__()

        def __dlpack_device__(self) -> tuple[int, int]:
            return self.t.__dlpack_device__()

    t = dovetail.ones(2)
    array = np.from_dlpack(Old(t))
    assert array.tolist() == [1.0, 1.0]
    assert not np.shares_memory(array, np.asarray(t))
    with pytest.raises(DlpackError, match="can only have a copy"):
        t.__dlpack__(copy=False)


def test_a_view_is_handed_out_as_it_is_now() -> None:
    base = dovetail.zeros(2, 3)
    column = base[:, 1]
    base += 1
    assert np.from_dlpack(column).tolist() == [1.0, 1.0]


def test_gradients_do_not_travel_by_dlpack() -> None:
    with pytest.raises(BufferError, match=r"Can't export tensors that require gradient, use tensor\.detach\(\)"):
        np.from_dlpack(leaf(1.0))
    assert np.from_dlpack(leaf(1.0).detach()).tolist() == [1.0]


def test_taking_an_array_by_dlpack() -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    t = dovetail.from_dlpack(array)
    array[:] = 0
    same(t, [[0, 1, 2], [3, 4, 5]], dovetail.int16)
    same(dovetail.from_dlpack(T([1.0])), [1.0])
    with pytest.raises(ArgumentTypeError, match="__dlpack__ and __dlpack_device__, got list"):
        dovetail.from_dlpack([1])

    class Elsewhere:
        def __dlpack__(self) -> None: ...

        def __dlpack_device__(self) -> tuple[int, int]:
            return 2, 0

    with pytest.raises(UnsupportedError, match="on another device than the CPU"):
        dovetail.from_dlpack(Elsewhere())


@pytest.mark.oracle
def test_pytorch_and_dovetail_exchange_arrays(torch: Any) -> None:
    given = dovetail.from_dlpack(torch.arange(4.0))
    same(given, [0.0, 1.0, 2.0, 3.0], dovetail.float32)
    assert torch.from_dlpack(T([1, 2])).tolist() == [1, 2]
    with pytest.raises(DlpackError, match="cannot be taken over"):
        dovetail.from_dlpack(torch.ones(2, requires_grad=True))


def test_jax_and_dovetail_exchange_arrays() -> None:
    jnp = pytest.importorskip("jax.numpy", reason="JAX is not installed; the extra `jax` has it")
    same(dovetail.from_dlpack(jnp.arange(3.0)), [0.0, 1.0, 2.0], dovetail.float32)
    assert np.from_dlpack(dovetail.ones(2, device="jax:cpu")).tolist() == [1.0, 1.0]
    assert jnp.from_dlpack(dovetail.ones(2, device="jax:cpu")).tolist() == [1.0, 1.0]
    assert dovetail.ones(2, device="jax:cpu").__dlpack_device__() == (1, 0)


# ------------------------------------------------------------------------------------------ questions


def test_questions_about_objects() -> None:
    t = T([1.5])
    assert dovetail.is_tensor(t)
    assert not dovetail.is_tensor(np.ones(1))
    assert dovetail.is_tensor(dovetail.nn.Parameter(t))
    assert dovetail.is_floating_point(t)
    assert not dovetail.is_floating_point(T([1]))
    assert not dovetail.is_complex(t)
    assert dovetail.numel(dovetail.ones(2, 3)) == 6
    assert dovetail.is_nonzero(t)
    assert not T([0]).is_nonzero()
    assert T([1]).is_signed()
    assert not T([True]).is_signed()
    with pytest.raises(TypeError, match=r"numel\(\): argument 'input' must be Tensor, not list"):
        dovetail.numel([1])  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="Boolean value of Tensor with more than one value is ambiguous"):
        dovetail.is_nonzero(dovetail.ones(2))


@pytest.mark.oracle
def test_names_of_types_are_those_of_pytorch(torch: Any) -> None:
    for name in ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"):
        ours, theirs = (lib.ones(1).to(getattr(lib, name)) for lib in (dovetail, torch))
        assert dovetail.typename(ours) == torch.typename(theirs).replace("torch.", "dovetail.")
    assert dovetail.typename(3) == torch.typename(3)
    assert dovetail.typename("a") == torch.typename("a")


@pytest.mark.oracle
def test_limits_are_those_of_pytorch(torch: Any) -> None:
    for name in ("float32", "float64", "float16", "bfloat16", "complex64"):
        ours, theirs = dovetail.finfo(getattr(dovetail, name)), torch.finfo(getattr(torch, name))
        for field in ("bits", "eps", "max", "min", "smallest_normal", "tiny", "dtype"):
            assert getattr(ours, field) == getattr(theirs, field), (name, field)
        assert repr(ours) == repr(theirs)
    for name in ("int8", "int16", "int32", "int64", "uint8"):
        mine, yours = dovetail.iinfo(getattr(dovetail, name)), torch.iinfo(getattr(torch, name))
        assert [mine.bits, mine.min, mine.max, mine.dtype] == [yours.bits, yours.min, yours.max, yours.dtype]
    assert repr(dovetail.iinfo(dovetail.int32)) == "iinfo(min=-2147483648, max=2147483647, dtype=int32)"
    assert dovetail.finfo() == dovetail.finfo(dovetail.float32)
    assert hash(dovetail.finfo()) == hash(dovetail.finfo(dovetail.float32))
    assert dovetail.iinfo(dovetail.int8) != dovetail.iinfo(dovetail.int16)


def test_limits_of_the_wrong_kind() -> None:
    with pytest.raises(TypeError, match=r"Use iinfo to handle 'dovetail\.int64'"):
        dovetail.finfo(dovetail.int64)
    with pytest.raises(TypeError, match=r"Use finfo to handle 'dovetail\.float32'"):
        dovetail.iinfo(dovetail.float32)


@pytest.mark.oracle
def test_result_types_are_those_of_pytorch(torch: Any) -> None:
    kinds = ["float32", "float64", "int32", "int64", "uint8", "bool", "float16", "bfloat16"]

    def makers(lib: Any) -> list[Any]:
        tensors = [lib.ones(shape).to(getattr(lib, kind)) for kind in kinds for shape in ((2,), ())]
        return [*tensors, 1, 1.5, True]

    for (a, x), (b, y) in itertools.product(zip(makers(dovetail), makers(torch), strict=True), repeat=2):
        expected = str(torch.result_type(x, y)).removeprefix("torch.")
        assert dovetail.result_type(a, b).name == expected, (a, b)
    with pytest.raises(TypeError, match="must be Tensor or Number, not str"):
        dovetail.result_type("a", 1)  # type: ignore[arg-type]


def test_the_default_dtype() -> None:
    assert dovetail.get_default_dtype() is dovetail.float32
    dovetail.set_default_dtype(dovetail.float64)
    try:
        assert dovetail.ones(2).dtype is T(1.5).dtype is dovetail.rand(2).dtype is dovetail.float64
        assert (T([1, 2]) / 2).dtype is (T([1, 2]) + 1.5).dtype is dovetail.float64
        assert dovetail.finfo().dtype == "float64"
        assert T([1]).dtype is dovetail.int64
    finally:
        dovetail.set_default_dtype(dovetail.float32)
    assert (T([1, 2]) / 2).dtype is dovetail.float32
    for wrong in (dovetail.int64, "float32", None, float):
        with pytest.raises(TypeError, match="only floating-point types are supported as the default type"):
            dovetail.set_default_dtype(wrong)  # type: ignore[arg-type]


def test_seeds() -> None:
    assert dovetail.manual_seed(3) is dovetail.default_generator
    first = dovetail.rand(3).tolist()
    assert dovetail.initial_seed() == 3
    state = dovetail.get_rng_state()
    second = dovetail.rand(3).tolist()
    dovetail.set_rng_state(state)
    assert dovetail.rand(3).tolist() == second
    dovetail.manual_seed(3)
    assert dovetail.rand(3).tolist() == first
    assert dovetail.manual_seed(-1).initial_seed() == 2**64 - 1
    assert dovetail.manual_seed(np.int64(7)).initial_seed() == 7  # type: ignore[arg-type]
    assert isinstance(dovetail.seed(), int)
    for wrong in (1.5, "1", True, None):
        with pytest.raises(TypeError, match="a seed is an int"):
            dovetail.manual_seed(wrong)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="at most 64 bits"):
        dovetail.manual_seed(2**64)


# ------------------------------------------------------------------------------------------ waiting, CUDA


class Slow(Backend):
    """A backend whose devices note when somebody waits for them or empties their cache."""

    asked: list[tuple[str, str]]

    def __init__(self, spec: BackendSpec) -> None:
        super().__init__(spec)
        self.asked = []

    @property
    def kernels(self) -> KernelTable:
        return discovery.load("numpy").kernels

    def devices(self) -> Sequence[Device]:
        return [Device.of(self.name, kind, i) for kind in self.spec.kinds for i in range(2)]

    def describe(self, device: Device) -> str:
        return f"Fake {device.index}"

    def synchronize(self, device: Device) -> None:
        self.asked.append(("wait", str(device)))

    def empty_cache(self, device: Device) -> None:
        self.asked.append(("empty", str(device)))

    def from_host(self, array: Any, device: Device) -> Array:
        return array.copy()

    def to_host(self, array: Array) -> Any:
        return array


@pytest.fixture
def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    """A backend with two CUDA devices."""
    module = types.ModuleType("backend_of_the_interop_tests")
    module.Slow = Slow  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    discovery.discover()
    discovery.register(BackendSpec(name="fake", runtime=f"{module.__name__}:Slow", kinds=("cuda",), priority=90))
    runtime = discovery.load("fake")
    assert isinstance(runtime, Slow)
    yield runtime
    discovery.unregister("fake")


def test_synchronize_waits_for_what_is_in_use(fake_cuda: Slow) -> None:
    dovetail.synchronize()
    assert fake_cuda.asked == [("wait", "fake:cuda:0"), ("wait", "fake:cuda:1")]
    fake_cuda.asked.clear()
    dovetail.synchronize("fake:cuda:1")
    assert fake_cuda.asked == [("wait", "fake:cuda:1")]


def test_synchronize_says_what_a_device_found_wrong(fake_cuda: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Slow, "asynchronous", lambda self, device: True)
    x = dovetail.arange(3, device="fake:cuda:0")
    x // dovetail.zeros(3, dtype=dovetail.int64, device="fake:cuda:0")
    with pytest.raises(ZeroDivisionError, match="ZeroDivisionError") as caught:
        dovetail.synchronize()
    assert f"the call was at {__file__}" in caught.value.__notes__[0]
    dovetail.synchronize()


@pytest.mark.filterwarnings("ignore::dovetail.errors.DeviceSubstitutionWarning")
def test_cuda_over_a_backend_that_has_it(fake_cuda: Slow) -> None:
    cuda = dovetail.cuda
    assert cuda.is_available()
    assert cuda.device_count() == 2
    assert cuda.current_device() == 0
    with dovetail.use_backend("fake:cuda:1"):
        assert cuda.current_device() == 1
        assert cuda.get_device_name() == "Fake 1"
    assert [cuda.get_device_name(which) for which in (0, "cuda:1", dovetail.device("fake:cuda:1"))] == [
        "Fake 0", "Fake 1", "Fake 1",
    ]  # fmt: skip
    cuda.synchronize(1)
    cuda.empty_cache()
    assert fake_cuda.asked == [("wait", "fake:cuda:1"), ("empty", "fake:cuda:0"), ("empty", "fake:cuda:1")]
    with pytest.raises(DeviceError, match="Expected a cuda device, but got: numpy:cpu:0"):
        cuda.get_device_name("cpu")


def test_cuda_where_there_is_none() -> None:
    if discovery.usable("cuda"):
        pytest.skip("there is a CUDA device here")
    cuda = dovetail.cuda
    assert not cuda.is_available()
    assert cuda.device_count() == 0
    cuda.empty_cache()
    device = dovetail.device("cuda" if cuda.is_available() else "cpu")
    assert str(dovetail.ones(1).to(device).device) == "numpy:cpu:0"
    for ask in (cuda.current_device, cuda.get_device_name, cuda.synchronize):
        with pytest.raises(DeviceError, match="CUDA was asked for and cannot be used here"):
            ask()


def test_a_seed_for_cuda_is_a_seed_for_all() -> None:
    dovetail.cuda.manual_seed_all(11)
    first = dovetail.rand(2).tolist()
    dovetail.manual_seed(11)
    assert dovetail.rand(2).tolist() == first
    dovetail.cuda.manual_seed(12)
    assert dovetail.initial_seed() == 12
    with pytest.raises(TypeError, match="a seed is an int"):
        dovetail.cuda.manual_seed(1.5)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------ forks

FORK = """
import os, sys, warnings
warnings.simplefilter("ignore")
import dovetail
x = dovetail.ones(2, device="{device}")
y = x + x                        # its kernels are bound now
child = os.fork()
if child == 0:
    try:
        for use in (lambda: x + x, lambda: x.tolist(), lambda: dovetail.ones(2, device="{device}")):
            try:
                print("done", use())
            except dovetail.errors.DovetailError as error:
                print(error)
        print("host", (dovetail.ones(2, device="numpy") + 1).tolist())
    finally:
        sys.stdout.flush()
        os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), (x + x).tolist())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_that_touches_jax_gets_a_clear_error() -> None:
    pytest.importorskip("jax", reason="JAX is not installed; the extra `jax` has it")
    done = subprocess.run(
        [sys.executable, "-c", FORK.format(device="jax:cpu")], capture_output=True, text=True, check=False, timeout=120
    )
    *child, host, parent = done.stdout.splitlines()
    assert len(child) == 3, done.stderr
    for line in child:
        assert re.match(r"backend 'jax' was used before this process was forked.*'spawn'", line)
    assert host == "host [2.0, 2.0]"
    assert parent == "0 [2.0, 2.0]", "the parent goes on"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_backend_that_survives_a_fork_goes_on() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK.format(device="numpy:cpu")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert [line.partition(" ")[0] for line in done.stdout.splitlines()] == ["done", "done", "done", "host", "0"]
