from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import dovetail
from dovetail import nn
from dovetail.errors import DovetailError


def test_a_parameter_is_a_leaf_tensor_that_requires_gradients() -> None:
    parameter = nn.Parameter(dovetail.ones(2))
    assert isinstance(parameter, dovetail.Tensor)
    assert parameter.requires_grad
    assert parameter.is_leaf
    assert parameter.grad is None


def test_a_parameter_made_under_no_grad_requires_gradients() -> None:
    with dovetail.no_grad():
        parameter = nn.Parameter(dovetail.ones(2))
    assert parameter.requires_grad


def test_requires_grad_can_be_left_out() -> None:
    assert not nn.Parameter(dovetail.ones(2), requires_grad=False).requires_grad
    assert not nn.Parameter(dovetail.tensor([1, 2]), requires_grad=False).requires_grad


def test_a_parameter_of_ints_cannot_require_gradients() -> None:
    with pytest.raises(RuntimeError, match="Only Tensors of floating point and complex dtype can require gradients"):
        nn.Parameter(dovetail.tensor([1, 2]))


def test_without_data_it_is_empty() -> None:
    assert tuple(nn.Parameter().shape) == (0,)
    assert tuple(nn.Buffer().shape) == (0,)


def test_a_list_is_refused_with_the_fix() -> None:
    with pytest.raises(TypeError, match=r"must be a Tensor, got list; write nn\.Parameter\(dovetail\.tensor"):
        nn.Parameter([1.0])  # type: ignore[arg-type]


def test_it_shares_its_values_with_the_data() -> None:
    data = dovetail.zeros(2)
    parameter = nn.Parameter(data)
    data.fill_(3)
    assert parameter.tolist() == [3.0, 3.0]
    parameter.data.fill_(1)
    assert data.tolist() == [1.0, 1.0]


def test_what_an_op_makes_of_it_is_a_plain_tensor_in_its_graph() -> None:
    parameter = nn.Parameter(dovetail.ones(2))
    result = parameter * 2
    assert type(result) is dovetail.Tensor
    result.sum().backward()
    assert parameter.grad is not None
    assert parameter.grad.tolist() == [2.0, 2.0]


def test_gradients_accumulate_in_the_parameter() -> None:
    parameter = nn.Parameter(dovetail.ones(2))
    for _ in range(2):
        (parameter * 3).sum().backward()
    assert parameter.grad is not None
    assert parameter.grad.tolist() == [6.0, 6.0]


@pytest.mark.parametrize("requires_grad", [True, False])
def test_deepcopy_and_pickle_keep_the_class_and_the_flag(requires_grad: bool) -> None:
    parameter = nn.Parameter(dovetail.tensor([1.0, 2.0]), requires_grad)
    for twin in (copy.deepcopy(parameter), pickle.loads(pickle.dumps(parameter))):
        assert type(twin) is nn.Parameter
        assert twin.requires_grad is requires_grad
        assert twin.tolist() == [1.0, 2.0]
        twin.data.fill_(0)
        assert parameter.tolist() == [1.0, 2.0]


def test_deepcopy_keeps_what_is_shared_shared() -> None:
    parameter = nn.Parameter(dovetail.ones(1))
    first, second = copy.deepcopy([parameter, parameter])
    assert first is second


def test_pickle_keeps_attributes() -> None:
    parameter = nn.Parameter(dovetail.ones(1))
    parameter.group = "decay"  # type: ignore[attr-defined]
    assert pickle.loads(pickle.dumps(parameter)).group == "decay"


def test_a_buffer_keeps_whether_it_is_persistent() -> None:
    buffer = nn.Buffer(dovetail.ones(2), persistent=False)
    assert isinstance(buffer, dovetail.Tensor)
    assert not buffer.requires_grad
    for twin in (copy.deepcopy(buffer), pickle.loads(pickle.dumps(buffer))):
        assert type(twin) is nn.Buffer
        assert twin.persistent is False
        assert twin.tolist() == [1.0, 1.0]


def test_repr_is_pytorchs() -> None:
    parameter = nn.Parameter(dovetail.tensor([1.0, 2.0]))
    assert repr(parameter) == "Parameter containing:\ntensor([1., 2.], requires_grad=True)"


def test_subclasses_stay_what_they_are() -> None:
    class Special(nn.Parameter):
        pass

    special = Special(dovetail.ones(1))
    assert type(special) is Special
    assert type(copy.deepcopy(special)) is Special


def test_numpy_needs_detach() -> None:
    parameter = nn.Parameter(dovetail.ones(2))
    with pytest.raises(DovetailError, match=r"tensor\.detach\(\)\.numpy\(\)"):
        parameter.numpy()
    np.testing.assert_array_equal(parameter.detach().numpy(), np.ones(2))
