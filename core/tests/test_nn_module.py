from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import dovetail
from dovetail import nn
from dovetail.errors import DovetailError, ShapeError


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(4, 3)
        self.fc2 = nn.Linear(3, 2)

    def forward(self, x: Any) -> Any:
        return self.fc2(self.fc1(x).relu())


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = Net()
        self.scale = nn.Parameter(dovetail.ones(1))
        self.register_buffer("steps", dovetail.zeros(()))

    def forward(self, x: Any) -> Any:
        return self.net(x) * self.scale


# ----------------------------------------------------------------------------------------------- registration


def test_assignment_registers_by_kind() -> None:
    module = nn.Module()
    module.weight = nn.Parameter(dovetail.ones(1))
    module.child = nn.Linear(1, 1)
    module.state = nn.Buffer(dovetail.ones(1))
    module.plain = dovetail.ones(1)
    module.number = 3
    assert list(module._parameters) == ["weight"]
    assert list(module._modules) == ["child"]
    assert list(module._buffers) == ["state"]
    assert {"plain", "number"} <= set(module.__dict__)


def test_a_name_stands_for_one_thing_at_a_time() -> None:
    module = nn.Module()
    module.x = 3
    module.x = nn.Parameter(dovetail.ones(1))
    assert "x" not in module.__dict__
    with pytest.raises(TypeError, match=r"cannot assign .*Linear' as parameter 'x'"):
        module.x = nn.Linear(1, 1)
    del module.x
    module.x = nn.Linear(1, 1)
    assert "x" not in module._parameters
    del module.x
    module.register_buffer("x", dovetail.ones(1), persistent=False)
    module.x = nn.Parameter(dovetail.ones(1))
    assert "x" not in module._buffers
    assert "x" not in module._non_persistent_buffers_set


def test_none_keeps_the_name_of_a_parameter_reserved() -> None:
    layer = nn.Linear(2, 2)
    layer.bias = None
    assert layer.bias is None
    assert list(layer.state_dict()) == ["weight"]
    layer.bias = nn.Parameter(dovetail.ones(2))
    assert list(layer.state_dict()) == ["weight", "bias"]


def test_a_tensor_is_no_parameter() -> None:
    layer = nn.Linear(2, 2)
    with pytest.raises(TypeError, match=r"cannot assign .* as parameter 'weight'.*wrap it: nn.Parameter"):
        layer.weight = dovetail.ones(2, 2)  # type: ignore[assignment]


def test_a_number_is_no_module_and_no_buffer() -> None:
    module = nn.Module()
    module.child = nn.Linear(1, 1)
    module.register_buffer("state", dovetail.ones(1))
    with pytest.raises(TypeError, match="cannot assign 'int' as child module 'child'"):
        module.child = 3
    with pytest.raises(TypeError, match="cannot assign 'int' as buffer 'state'"):
        module.state = 3
    module.child = None
    module.state = None
    assert module.child is None
    assert module.state is None


def test_a_tensor_replaces_a_buffer_and_it_stays_what_it_was() -> None:
    module = nn.Module()
    module.register_buffer("a", dovetail.zeros(1))
    module.register_buffer("b", dovetail.zeros(1), persistent=False)
    module.a = dovetail.ones(1)
    module.b = dovetail.ones(1)
    assert list(module._buffers) == ["a", "b"]
    assert list(module.state_dict()) == ["a"]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (lambda: nn.Parameter(dovetail.ones(1)), "parameters"),
        (lambda: nn.Linear(1, 1), "module"),
        (lambda: nn.Buffer(dovetail.ones(1)), "buffer"),
    ],
)
def test_before_init_there_is_no_registration(value: Any, kind: str) -> None:
    class Early(nn.Module):
        def __init__(self) -> None:
            self.x = value()

    with pytest.raises(AttributeError, match=rf"cannot assign {kind} before Module.__init__\(\) call") as caught:
        Early()
    assert "super().__init__()" in str(caught.value)
    assert isinstance(caught.value, DovetailError)


@pytest.mark.parametrize("name", ["a.b", "", "forward"])
def test_names_that_cannot_be(name: str) -> None:
    module = nn.Module()
    for register, value in (
        (module.register_parameter, nn.Parameter(dovetail.ones(1))),
        (module.register_buffer, dovetail.ones(1)),
        (module.add_module, nn.Linear(1, 1)),
    ):
        with pytest.raises(KeyError, match=r"already exists|can't"):
            register(name, value)  # type: ignore[operator]


def test_a_computed_tensor_is_no_parameter_of_a_module() -> None:
    module = nn.Module()
    computed = nn.Parameter(dovetail.ones(1)) * 2
    with pytest.raises(TypeError, match="object to parameter 'x'"):
        module.register_parameter("x", computed)  # type: ignore[arg-type]


def test_a_missing_attribute_says_so_and_helps() -> None:
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'wieght'") as caught:
        nn.Linear(1, 1).wieght  # noqa: B018
    assert caught.value.name == "wieght"
    assert isinstance(caught.value.obj, nn.Linear)


def test_hasattr_and_del() -> None:
    layer = nn.Linear(1, 1)
    assert hasattr(layer, "weight")
    del layer.weight
    assert not hasattr(layer, "weight")
    with pytest.raises(AttributeError):
        del layer.weight


def test_dir_lists_members_but_no_numbers() -> None:
    names = dir(nn.Sequential(nn.Linear(1, 1)))
    assert "0" not in names
    assert {"weight", "bias", "forward", "training"} <= set(dir(nn.Linear(1, 1)))


def test_the_constructor_takes_no_arguments() -> None:
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'size'"):
        nn.Module(size=3)
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        nn.Module(3)


# ------------------------------------------------------------------------------------------------------- tree


def test_names_of_members() -> None:
    model = Nested()
    assert [n for n, _ in model.named_modules()] == ["", "net", "net.fc1", "net.fc2"]
    assert [n for n, _ in model.named_parameters()] == [
        "scale",
        "net.fc1.weight",
        "net.fc1.bias",
        "net.fc2.weight",
        "net.fc2.bias",
    ]
    assert [n for n, _ in model.named_parameters(recurse=False)] == ["scale"]
    assert [n for n, _ in model.named_parameters(prefix="m", recurse=False)] == ["m.scale"]
    assert [n for n, _ in model.named_buffers()] == ["steps"]
    assert [n for n, _ in model.named_children()] == ["net"]
    assert len(list(model.parameters())) == 5
    assert len(list(model.buffers())) == 1


def test_what_is_used_twice_is_given_once() -> None:
    shared = nn.Linear(2, 2)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    assert [n for n, _ in model.named_parameters()] == ["0.weight", "0.bias"]
    assert len(list(model.named_parameters(remove_duplicate=False))) == 4
    assert [n for n, _ in model.named_modules()] == ["", "0", "1"]
    assert [n for n, _ in model.named_modules(remove_duplicate=False)] == ["", "0", "1", "2"]
    assert len(list(model.children())) == 2
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_a_deep_chain_does_not_recurse() -> None:
    model: nn.Module = nn.Linear(1, 1)
    for _ in range(3000):
        outer = nn.Module()
        outer.m = model
        model = outer
    assert len(list(model.modules())) == 3001


def test_by_path() -> None:
    model = Nested()
    assert model.get_submodule("") is model
    assert model.get_submodule("net.fc1") is model.net.fc1
    assert model.get_parameter("net.fc1.weight") is model.net.fc1.weight
    assert model.get_buffer("steps") is model.steps
    with pytest.raises(AttributeError, match=r"Net has no attribute `fc9`.*fc1, fc2"):
        model.get_submodule("net.fc9")
    with pytest.raises(AttributeError, match=r"`scale` is not an nn.Module"):
        model.get_submodule("scale")
    with pytest.raises(AttributeError, match=r"`steps` is not an nn.Parameter"):
        model.get_parameter("steps")
    with pytest.raises(AttributeError, match="`scale` is not a buffer"):
        model.get_buffer("scale")


def test_set_submodule() -> None:
    model = Nested()
    replacement = nn.Linear(3, 7)
    model.set_submodule("net.fc2", replacement)
    assert model.net.fc2 is replacement
    with pytest.raises(AttributeError, match="has no attribute `fc3`"):
        model.set_submodule("net.fc3", replacement, strict=True)
    model.set_submodule("net.fc3", replacement)
    assert model.net.fc3 is replacement
    with pytest.raises(ValueError, match="without a target name"):
        model.set_submodule("", replacement)
    with pytest.raises(AttributeError, match=r"`scale` is not an nn.Module"):
        model.set_submodule("scale", replacement)


def test_apply_goes_from_the_leaves_up() -> None:
    seen: list[str] = []
    model = Nested()
    assert model.apply(lambda m: seen.append(type(m).__name__)) is model
    assert seen == ["Linear", "Linear", "Net", "Nested"]


# ------------------------------------------------------------------------------------------------------- mode


def test_train_and_eval_reach_everything() -> None:
    model = Nested()
    assert all(m.training for m in model.modules())
    assert model.eval() is model
    assert not any(m.training for m in model.modules())
    model.net.train()
    assert [m.training for m in model.modules()] == [False, True, True, True]
    with pytest.raises(ValueError, match="training mode is expected to be boolean"):
        model.train("yes")  # type: ignore[arg-type]


def test_requires_grad_and_zero_grad() -> None:
    model = Net()
    model(dovetail.ones(1, 4)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad(set_to_none=False)
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert float(parameter.grad.abs().sum()) == 0.0
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    assert model.requires_grad_(False) is model
    assert not any(p.requires_grad for p in model.parameters())
    assert not model(dovetail.ones(1, 4)).requires_grad


def test_zero_grad_of_a_gradient_with_a_graph() -> None:
    weight = nn.Parameter(dovetail.tensor([2.0]))
    module = nn.Module()
    module.weight = weight
    (weight**3).sum().backward(create_graph=True)
    module.zero_grad(set_to_none=False)
    assert weight.grad is not None
    assert not weight.grad.requires_grad
    assert weight.grad.tolist() == [0.0]


# ------------------------------------------------------------------------------------------------- conversion


def test_to_a_dtype_keeps_parameters_the_same_objects() -> None:
    model = Nested()
    model.register_buffer("count", dovetail.tensor(3))
    before = dict(model.named_parameters())
    model(dovetail.ones(1, 4)).sum().backward()
    assert model.to(dovetail.float64) is model
    assert all(before[n] is p for n, p in model.named_parameters())
    assert all(p.dtype is dovetail.float64 for p in model.parameters())
    assert all(p.grad is not None and p.grad.dtype is dovetail.float64 for p in model.parameters())
    assert all(p.requires_grad and p.is_leaf for p in model.parameters())
    assert model.steps.dtype is dovetail.float64
    assert model.count.dtype is dovetail.int64
    model(dovetail.ones(1, 4, dtype=dovetail.float64)).sum().backward()


@pytest.mark.parametrize(("method", "dtype"), [("float", "float32"), ("double", "float64"), ("half", "float16")])
def test_named_casts(method: str, dtype: str) -> None:
    model = getattr(Nested().double(), method)()
    assert {str(p.dtype).split(".")[1] for p in model.parameters()} == {dtype}


def test_to_takes_a_tensor_or_keywords() -> None:
    model = Net()
    assert model.to(dovetail.ones(1, dtype=dovetail.float64)).fc1.weight.dtype is dovetail.float64
    assert model.to(dtype=dovetail.float32, device="cpu").fc1.weight.dtype is dovetail.float32
    assert model.to("cpu", dovetail.float64, True).fc1.weight.dtype is dovetail.float64
    assert model.cpu().fc1.weight.device.type == "cpu"


def test_to_refuses_what_it_cannot_do() -> None:
    with pytest.raises(TypeError, match=r"nn.Module.to only accepts floating point or complex dtypes"):
        Net().to(dovetail.int64)
    with pytest.raises(TypeError, match="to\\(\\) received an invalid combination of arguments"):
        Net().to([1])
    with pytest.raises(TypeError, match="unexpected keyword argument 'dvice'"):
        Net().to(dvice="cpu")


def test_shared_parameters_stay_shared() -> None:
    shared = nn.Linear(2, 2)
    model = nn.Sequential(shared, shared).double()
    assert model[0].weight is model[1].weight


def test_to_empty_keeps_shapes() -> None:
    model = Net().to_empty(device="cpu")
    assert tuple(model.fc1.weight.shape) == (3, 4)


# ----------------------------------------------------------------------------------------- copies and strings


def test_deepcopy_and_pickle_are_independent_and_equal() -> None:
    model = Nested().eval()
    model.net.fc1.weight.requires_grad_(False)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert not twin.training
        assert repr(twin) == repr(model)
        assert not twin.net.fc1.weight.requires_grad
        for (name, a), (_, b) in zip(model.named_parameters(), twin.named_parameters()):
            assert a is not b, name
            assert a.tolist() == b.tolist()
        x = dovetail.ones(2, 4)
        assert model(x).tolist() == twin(x).tolist()


def test_an_old_pickle_gets_the_tables_that_were_added_since() -> None:
    layer = nn.Linear(1, 1)
    state = layer.__getstate__()
    del state["_forward_hooks_always_called"]
    twin = nn.Linear.__new__(nn.Linear)
    twin.__setstate__(state)
    assert tuple(twin(dovetail.ones(1, 1)).shape) == (1, 1)


def test_repr_nests() -> None:
    class Described(nn.Module):
        def extra_repr(self) -> str:
            return "first\nsecond"

    assert repr(Described()) == "Described(\n  first\n  second\n)"
    assert repr(Nested()) == (
        "Nested(\n"
        "  (net): Net(\n"
        "    (fc1): Linear(in_features=4, out_features=3, bias=True)\n"
        "    (fc2): Linear(in_features=3, out_features=2, bias=True)\n"
        "  )\n"
        ")"
    )
    assert repr(nn.Module()) == "Module()"


def test_a_module_without_forward_says_so() -> None:
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match=r'Module \[Empty\] is missing the required "forward" function'):
        Empty()(1)


# ------------------------------------------------------------------------------------------ place of an error


def test_an_error_names_the_module() -> None:
    with pytest.raises(ShapeError) as caught:
        Nested()(dovetail.ones(1, 5))
    assert caught.value.__notes__ == ["in net.fc1 (Linear) of Nested"]


def test_the_place_of_a_module_called_alone() -> None:
    with pytest.raises(ShapeError) as caught:
        nn.Linear(2, 2)(dovetail.ones(1, 5))
    assert caught.value.__notes__ == ["in Linear"]


def test_the_place_when_a_grandchild_is_called_directly() -> None:
    class Direct(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Sequential(nn.Linear(2, 2))

        def forward(self, x: Any) -> Any:
            return self.block[0](x)

    with pytest.raises(ShapeError) as caught:
        nn.Sequential(nn.Identity(), Direct())(dovetail.ones(1, 5))
    assert caught.value.__notes__ == ["in 1.block.0 (Linear) of Sequential"]


def test_other_errors_are_left_alone() -> None:
    class Broken(nn.Module):
        def forward(self, x: Any) -> Any:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError) as caught:
        nn.Sequential(Broken())(1)
    assert not hasattr(caught.value, "__notes__")
