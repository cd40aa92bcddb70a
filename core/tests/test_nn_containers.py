from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest

import dovetail
from dovetail import nn
from dovetail.errors import DovetailError


class Add(nn.Module):
    def __init__(self, amount: float) -> None:
        super().__init__()
        self.amount = amount

    def forward(self, x: Any) -> Any:
        return x + self.amount

    def extra_repr(self) -> str:
        return str(self.amount)


def amounts(modules: Any) -> list[Any]:
    return [m.amount for m in modules]


# ------------------------------------------------------------------------------------------------- Sequential


def test_sequential_calls_in_order() -> None:
    assert nn.Sequential(Add(1), Add(2))(dovetail.zeros(1)).tolist() == [3.0]
    named = nn.Sequential(OrderedDict([("first", Add(1)), ("second", Add(2))]))
    assert named.first.amount == 1
    assert named[1].amount == 2
    assert list(named._modules) == ["first", "second"]
    assert nn.Sequential()(7) == 7


def test_sequential_is_a_list() -> None:
    model = nn.Sequential(Add(0), Add(1), Add(2), Add(3))
    assert len(model) == 4
    assert amounts(model) == [0, 1, 2, 3]
    assert model[-1].amount == 3
    assert amounts(model[1:3]) == [1, 2]
    assert list(model[1:3]._modules) == ["1", "2"]
    assert type(model[:2]) is nn.Sequential
    model[0] = Add(9)
    assert amounts(model) == [9, 1, 2, 3]
    del model[1]
    assert amounts(model) == [9, 2, 3]
    assert list(model._modules) == ["0", "1", "2"]
    del model[:2]
    assert amounts(model) == [3]
    assert model.append(Add(4)) is model
    assert amounts(model.extend([Add(5), Add(6)])) == [3, 4, 5, 6]
    assert amounts(model.insert(1, Add(8))) == [3, 8, 4, 5, 6]
    assert amounts(model.insert(-1, Add(7))) == [3, 8, 4, 5, 7, 6]
    assert model.pop(0).amount == 3
    assert amounts(model) == [8, 4, 5, 7, 6]


def test_sequential_arithmetic() -> None:
    one, two = nn.Sequential(Add(1)), nn.Sequential(Add(2))
    assert amounts(one + two) == [1, 2]
    assert amounts((one + two) * 2) == [1, 2, 1, 2]
    assert amounts(2 * one) == [1, 1]
    one += two
    assert amounts(one) == [1, 2]
    one *= 2
    assert amounts(one) == [1, 2, 1, 2]
    with pytest.raises(ValueError, match="add operator supports only objects of Sequential class"):
        one.__add__([Add(1)])  # type: ignore[operator]
    with pytest.raises(TypeError, match="unsupported operand type"):
        one * 1.5  # type: ignore[operator]
    with pytest.raises(ValueError, match="Non-positive multiplication factor 0"):
        one * 0


def test_sequential_says_what_it_cannot_do() -> None:
    model = nn.Sequential(Add(1))
    for index in (1, -2):
        with pytest.raises(IndexError, match=f"index {index} is out of range") as caught:
            model[index]
        assert isinstance(caught.value, DovetailError)
    with pytest.raises(IndexError, match="Index out of range: 5"):
        model.insert(5, Add(1))
    with pytest.raises(TypeError, match="module should be of type"):
        model.insert(0, 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        nn.Sequential(3)


# ------------------------------------------------------------------------------------------------- ModuleList


def test_module_list_is_a_list() -> None:
    modules = nn.ModuleList(Add(i) for i in range(3))
    assert len(modules) == 3
    assert amounts(modules) == [0, 1, 2]
    assert type(modules[:2]) is nn.ModuleList
    assert list(modules[1:]._modules) == ["0", "1"]
    modules.insert(0, Add(7))
    modules.insert(99, Add(8))
    assert amounts(modules) == [7, 0, 1, 2, 8]
    modules += [Add(9)]
    assert amounts(modules.__add__([Add(10)])) == [7, 0, 1, 2, 8, 9, 10]
    assert modules.pop(-1).amount == 9
    del modules[0]
    assert amounts(modules) == [0, 1, 2, 8]
    modules[3] = Add(3)
    assert amounts(modules) == [0, 1, 2, 3]
    with pytest.raises(TypeError, match=r"ModuleList.extend should be called with an iterable, but got Add"):
        modules.extend(Add(1))  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError, match=r"Module \[ModuleList\]"):
        modules(1)


def test_a_list_may_be_extended_by_itself() -> None:
    modules = nn.ModuleList([Add(1)])
    assert amounts(modules.extend(modules)) == [1, 1]


def test_module_list_shows_repeats_once() -> None:
    text = repr(nn.ModuleList([Add(1), Add(1), Add(2), nn.Sequential(Add(3)), nn.Sequential(Add(3))]))
    assert text == (
        "ModuleList(\n  (0-1): 2 x Add(1)\n  (2): Add(2)\n  (3-4): 2 x Sequential(\n    (0): Add(3)\n  )\n)"
    )
    assert repr(nn.ModuleList()) == "ModuleList()"


# ------------------------------------------------------------------------------------------------- ModuleDict


def test_module_dict_is_a_dict() -> None:
    modules = nn.ModuleDict({"a": Add(1), "b": Add(2)})
    assert list(modules) == list(modules.keys()) == ["a", "b"]
    assert amounts(modules.values()) == [1, 2]
    assert [k for k, _ in modules.items()] == ["a", "b"]
    assert "a" in modules
    assert len(modules) == 2
    modules["c"] = Add(3)
    modules.update([("a", Add(9))])
    assert amounts(modules.values()) == [9, 2, 3]
    assert modules.pop("b").amount == 2
    del modules["a"]
    assert list(modules) == ["c"]
    modules.clear()
    assert len(modules) == 0
    assert list(nn.ModuleDict(nn.ModuleDict({"x": Add(1)}))) == ["x"]


def test_module_dict_says_what_it_cannot_take() -> None:
    with pytest.raises(TypeError, match=r"ModuleDict.update should be called with an iterable of key/value pairs"):
        nn.ModuleDict(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="ModuleDict update sequence element #0 should be Iterable"):
        nn.ModuleDict([3])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="element #0 has length 3; 2 is required"):
        nn.ModuleDict([("a", Add(1), 2)])  # type: ignore[list-item]
    with pytest.raises(KeyError, match="attribute 'pop' already exists"):
        nn.ModuleDict({"pop": Add(1)})


# ------------------------------------------------------------------------------------------------- parameters


def test_parameter_list() -> None:
    values = nn.ParameterList([dovetail.ones(2), nn.Parameter(dovetail.zeros(3)), "text"])
    assert [n for n, _ in values.named_parameters()] == ["0", "1"]
    assert isinstance(values[0], nn.Parameter)
    assert values[-1] == "text"
    assert len(values) == 3
    assert len(values[:2]) == 2
    values.append(dovetail.ones(1))
    values += [dovetail.ones(1)]
    values[0] = dovetail.full((1,), 5.0)
    assert values[0].tolist() == [5.0]
    assert len(list(values)) == 5
    with pytest.raises(IndexError, match="index 5 is out of range"):
        values[5]
    with pytest.raises(TypeError, match=r"ParameterList.extend should be called with an iterable, but got Tensor"):
        values.extend(dovetail.ones(2))  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="ParameterList should not be called"):
        values(1)


def test_parameter_dict() -> None:
    values = nn.ParameterDict({"b": dovetail.ones(2), "a": dovetail.zeros(1)})
    assert list(values) == ["a", "b"]
    assert list(nn.ParameterDict(OrderedDict([("b", dovetail.ones(1)), ("a", dovetail.ones(1))]))) == [
        "b",
        "a",
    ]
    assert isinstance(values["a"], nn.Parameter)
    values["c"] = 3
    assert values.get("c") == 3
    assert values.get("d", 4) == 4
    assert list(reversed(values)) == ["c", "b", "a"]
    assert values.setdefault("e", dovetail.ones(1)) is values["e"]
    assert values.popitem()[0] == "e"
    assert values.pop("c") == 3
    assert list(values.state_dict()) == ["a", "b"]
    both = values | nn.ParameterDict({"z": dovetail.ones(1)})
    assert list(both) == ["a", "b", "z"]
    assert both["a"] is values["a"]
    assert list(values.fromkeys(["k"], 1).items()) == [("k", 1)]
    assert "a" in values
    assert len(values.copy()) == 2
    values.clear()
    assert len(values) == 0
    with pytest.raises(TypeError, match="cannot be used as a key as it is not a string"):
        values[1] = 2  # type: ignore[index]


def test_containers_train_together() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))
            self.choice = nn.ModuleDict({"relu": nn.ReLU()})
            self.scales = nn.ParameterList([dovetail.ones(2)])

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                x = self.choice["relu"](layer(x)) * self.scales[0]
            return x

    net = Net()
    net(dovetail.ones(1, 2)).sum().backward()
    assert [n for n, p in net.named_parameters() if p.grad is not None] == [
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.weight",
        "layers.1.bias",
        "scales.0",
    ]
