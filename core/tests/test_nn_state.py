from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import pytest

import dovetail
from dovetail import nn
from dovetail.errors import DovetailError


def small() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))


def values(model: nn.Module) -> dict[str, Any]:
    return {name: value.tolist() for name, value in model.state_dict().items()}


# ----------------------------------------------------------------------------------------------------- saving


def test_keys_and_metadata() -> None:
    state = small().state_dict()
    assert list(state) == [
        "0.weight",
        "0.bias",
        "1.weight",
        "1.bias",
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
        "2.weight",
        "2.bias",
    ]
    assert isinstance(state, OrderedDict)
    assert state._metadata == {
        "": {"version": 1},
        "0": {"version": 1},
        "1": {"version": 2},
        "2": {"version": 1},
    }


def test_values_alias_the_model_and_need_no_gradient() -> None:
    model = small()
    state = model.state_dict()
    assert not state["0.weight"].requires_grad
    model[0].weight.data.fill_(7)
    assert state["0.weight"].tolist() == [[7.0] * 3] * 2
    assert model.state_dict(keep_vars=True)["0.weight"] is model[0].weight
    model[1].running_mean.fill_(8)
    assert state["1.running_mean"].tolist() == [8.0, 8.0]
    assert model.state_dict(keep_vars=True)["1.running_mean"] is model[1].running_mean


def test_prefix_and_destination() -> None:
    destination: Any = OrderedDict()
    model = nn.Linear(1, 1)
    assert model.state_dict(destination=destination, prefix="m.") is destination
    assert list(destination) == ["m.weight", "m.bias"]
    assert list(model.state_dict(OrderedDict(), "old.")) == ["old.weight", "old.bias"]


def test_what_is_not_persistent_stays_out() -> None:
    module = nn.Module()
    module.register_buffer("kept", dovetail.ones(1))
    module.register_buffer("left", dovetail.ones(1), persistent=False)
    module.also_left = nn.Buffer(dovetail.ones(1), persistent=False)
    module.register_buffer("none", None)
    assert list(module.state_dict()) == ["kept"]
    module.register_buffer("left", dovetail.ones(1))
    assert list(module.state_dict()) == ["kept", "left"]


# ---------------------------------------------------------------------------------------------------- loading


def test_round_trip() -> None:
    source, target = small(), small()
    result = target.load_state_dict(source.state_dict())
    assert values(target) == values(source)
    assert str(result) == repr(result) == "<All keys matched successfully>"
    assert result.missing_keys == []
    target[0].weight.data.fill_(0)
    assert values(target) != values(source)


def test_one_message_for_everything_and_nothing_written() -> None:
    model = small()
    before = values(model)
    state = small().state_dict()
    del state["0.bias"]
    state["extra"] = dovetail.ones(1)
    state["3.weight"] = dovetail.ones(1)
    state["2.weight"] = dovetail.ones(4, 5)
    with pytest.raises(RuntimeError) as caught:
        model.load_state_dict(state)
    text = str(caught.value)
    assert isinstance(caught.value, DovetailError)
    assert text.startswith("Error(s) in loading state_dict for Sequential:\n\t")
    assert 'Missing key(s) in state_dict: "0.bias". ' in text
    assert 'Unexpected key(s) in state_dict: "extra", "3.weight". ' in text
    assert "size mismatch for 2.weight: copying a param with shape" in text
    assert "[4, 5]" in text
    assert "[1, 2]" in text
    assert values(model) == before


def test_not_strict_takes_what_fits_but_no_other_shape() -> None:
    model = small()
    state = OrderedDict({"0.weight": dovetail.ones(2, 3), "extra": dovetail.ones(1)})
    result = model.load_state_dict(state, strict=False)
    assert result.unexpected_keys == ["extra"]
    assert "0.bias" in result.missing_keys
    assert repr(result).startswith("_IncompatibleKeys(missing_keys=['0.bias'")
    assert model[0].weight.tolist() == [[1.0] * 3] * 2
    before = values(model)
    with pytest.raises(RuntimeError, match=r"size mismatch for 0\.weight"):
        model.load_state_dict({"0.weight": dovetail.ones(3, 2), "2.bias": dovetail.full((1,), 9.0)}, strict=False)
    assert values(model) == before


@pytest.mark.parametrize("value", [[1.0], 3, "x"])
def test_what_is_no_tensor_is_named(value: Any) -> None:
    state = small().state_dict()
    state["0.bias"] = value
    with pytest.raises(RuntimeError, match=r'While copying the parameter named "0.bias", expected'):
        small().load_state_dict(state)


def test_what_is_no_dict_is_refused() -> None:
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like, got <class 'list'>"):
        small().load_state_dict([])  # type: ignore[arg-type]


def test_a_wrapped_checkpoint_gets_a_hint() -> None:
    state = {"module." + key: value for key, value in small().state_dict().items()}
    with pytest.raises(RuntimeError) as caught:
        small().load_state_dict(state)
    assert "load {k.removeprefix('module.'): v for k, v in state_dict.items()}" in str(caught.value)
    wrapped = nn.Module()
    wrapped.module = small()
    with pytest.raises(RuntimeError, match=r"load \{'module.' \+ k: v for k, v in state_dict.items\(\)\}"):
        wrapped.load_state_dict(small().state_dict())
    with pytest.raises(RuntimeError) as other:
        small().load_state_dict({"a": dovetail.ones(1)})
    assert "prefix" not in str(other.value)


def test_dtypes_are_converted_by_copying() -> None:
    model = small()
    model.load_state_dict(small().double().state_dict())
    assert model[0].weight.dtype is dovetail.float32


def test_a_scalar_takes_a_tensor_of_one_element() -> None:
    module = nn.Module()
    module.scale = nn.Parameter(dovetail.tensor(1.0))
    module.load_state_dict({"scale": dovetail.tensor([5.0])})
    assert module.scale.item() == 5.0


def test_assign_takes_the_tensors_themselves() -> None:
    model = small()
    model[0].weight.requires_grad_(False)
    old = model[0].weight
    source = small().double().state_dict()
    model.load_state_dict(source, assign=True)
    assert model[0].weight is not old
    assert model[0].weight.dtype is dovetail.float64
    assert isinstance(model[0].weight, nn.Parameter)
    assert not model[0].weight.requires_grad
    assert model[2].weight.requires_grad
    source["0.weight"].fill_(4)
    assert model[0].weight.tolist() == [[4.0] * 3] * 2


def test_assign_takes_parameters_with_the_models_flag() -> None:
    model = small()
    model[0].weight.requires_grad_(False)
    source = small().state_dict(keep_vars=True)
    model.load_state_dict(source, assign=True)
    assert model[0].weight is source["0.weight"]
    assert not model[0].weight.requires_grad
    assert model[0].bias.requires_grad


def test_a_failed_assign_changes_nothing() -> None:
    model = small()
    objects = dict(model.named_parameters())
    state = small().state_dict()
    del state["2.bias"]
    with pytest.raises(RuntimeError, match="Missing key"):
        model.load_state_dict(state, assign=True)
    assert all(objects[name] is parameter for name, parameter in model.named_parameters())


def test_loading_keeps_parameters_the_same_leaves() -> None:
    model = small()
    before = dict(model.named_parameters())
    model.load_state_dict(small().state_dict())
    assert all(before[n] is p and p.requires_grad and p.is_leaf for n, p in model.named_parameters())


def test_batch_norm_reads_state_dicts_without_the_count() -> None:
    model = small()
    state = OrderedDict((k, v) for k, v in small().state_dict().items() if "num_batches" not in k)
    model[1].num_batches_tracked.fill_(5)
    model.load_state_dict(state)
    assert model[1].num_batches_tracked.item() == 5


# ------------------------------------------------------------------------------------------------ extra state


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(dovetail.zeros(1))
        self.calls = 0

    def get_extra_state(self) -> Any:
        return {"calls": self.calls}

    def set_extra_state(self, state: Any) -> None:
        self.calls = state["calls"]


def test_extra_state_goes_along() -> None:
    source, target = nn.Sequential(Counting()), nn.Sequential(Counting())
    source[0].calls = 3
    state = source.state_dict()
    assert state["0._extra_state"] == {"calls": 3}
    target.load_state_dict(state)
    assert target[0].calls == 3
    del state["0._extra_state"]
    with pytest.raises(RuntimeError, match=r'Missing key.*"0._extra_state"'):
        target.load_state_dict(state)
    with pytest.raises(RuntimeError, match=r'Unexpected key.*"_extra_state"'):
        nn.Linear(1, 1).load_state_dict({**nn.Linear(1, 1).state_dict(), "_extra_state": 1})


def test_an_extra_state_that_raises_leaves_the_model_as_it_was() -> None:
    model = nn.Sequential(Counting(), nn.Linear(1, 1), Counting())
    model[0].calls = 1
    state = copy.deepcopy(model.state_dict())
    state["0.weight"] = dovetail.ones(1)
    state["1.weight"] = dovetail.ones(1, 1) * 9
    state["0._extra_state"] = {"calls": 8}
    state["2._extra_state"] = {"broken": 0}
    before = values(model[1]), model[0].weight.tolist()
    with pytest.raises(KeyError, match="calls"):
        model.load_state_dict(state)
    assert (values(model[1]), model[0].weight.tolist()) == before
    assert model[0].calls == 1


# ------------------------------------------------------------------------------------------------------ hooks


def test_saving_hooks() -> None:
    model = small()
    order: list[str] = []
    model[0].register_state_dict_pre_hook(lambda m, prefix, keep: order.append(f"pre {prefix} {keep}"))

    def add(module: nn.Module, state: Any, prefix: str, metadata: Any) -> None:
        order.append(f"post {prefix} {metadata['version']}")
        state[prefix + "note"] = 1

    handle = model[0].register_state_dict_post_hook(add)
    assert "0.note" in model.state_dict()
    assert order == ["pre 0. False", "post 0. 1"]
    handle.remove()
    assert "0.note" not in model.state_dict()
    model.register_state_dict_post_hook(lambda *args: {})  # type: ignore[arg-type, return-value]
    with pytest.raises(RuntimeError, match="state_dict post-hook must return None"):
        model.state_dict()


def test_the_private_saving_hook_may_replace_the_dict() -> None:
    model = nn.Linear(1, 1)
    model._register_state_dict_hook(lambda m, state, prefix, metadata: {"only": 1})
    assert model.state_dict() == {"only": 1}


def test_a_loading_pre_hook_renames_keys() -> None:
    model = nn.Sequential(nn.Linear(1, 1))

    def rename(module: nn.Module, state: Any, prefix: str, *rest: Any) -> None:
        state[prefix + "weight"] = state.pop(prefix + "kernel")

    model[0].register_load_state_dict_pre_hook(rename)
    model.load_state_dict({"0.kernel": dovetail.full((1, 1), 4.0), "0.bias": dovetail.zeros(1)})
    assert model[0].weight.item() == 4.0


def test_the_private_loading_pre_hook_has_no_module() -> None:
    model = nn.Linear(1, 1)
    seen: list[int] = []
    model._register_load_state_dict_pre_hook(lambda *args: seen.append(len(args)))
    model._register_load_state_dict_pre_hook(lambda *args: seen.append(len(args)), with_module=True)
    model.load_state_dict(nn.Linear(1, 1).state_dict())
    assert seen == [7, 8]


def test_a_loading_post_hook_sees_the_new_values_and_may_forgive() -> None:
    model = nn.Linear(1, 1)
    seen: list[float] = []

    def forgive(module: nn.Module, keys: Any) -> None:
        seen.append(module.weight.item())
        keys.missing_keys.clear()

    model.register_load_state_dict_post_hook(forgive)
    model.load_state_dict({"weight": dovetail.full((1, 1), 6.0)})
    assert seen == [6.0]


def test_a_loading_post_hook_that_raises_leaves_the_model_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    before = values(model)

    def fail(module: nn.Module, keys: Any) -> None:
        assert model[0].weight.item() == 5.0
        model[0].weight.requires_grad_(False)
        model[0].extra = nn.Parameter(dovetail.ones(1))
        raise ValueError("no")

    model[1].register_load_state_dict_post_hook(fail)
    state = {key: dovetail.full_like(value, 5.0) for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match="no"):
        model.load_state_dict(state)
    assert values(model) == before
    assert model[0].weight.requires_grad


def test_a_loading_post_hook_may_return_nothing() -> None:
    model = nn.Linear(1, 1)
    model.register_load_state_dict_post_hook(lambda module, keys: keys)  # type: ignore[arg-type, return-value]
    with pytest.raises(AssertionError, match="are not expected to return new values"):
        model.load_state_dict(model.state_dict())


def test_a_module_that_writes_by_itself_is_taken_back_too() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(dovetail.zeros(1))

        def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
            self.weight.data.copy_(state_dict[prefix + "weight"])

    model = nn.Sequential(Own(), nn.Linear(1, 1))
    with pytest.raises(RuntimeError, match="Missing key"):
        model.load_state_dict({"0.weight": dovetail.ones(1)})
    assert model[0].weight.item() == 0.0
    model.load_state_dict(
        {"0.weight": dovetail.ones(1), **{"1." + k: v for k, v in nn.Linear(1, 1).state_dict().items()}}
    )
    assert model[0].weight.item() == 1.0


def test_load_from_state_dict_alone_writes_at_once() -> None:
    layer = nn.Linear(1, 1)
    missing: list[str] = []
    layer._load_from_state_dict({"weight": dovetail.full((1, 1), 2.0)}, "", {}, True, missing, [], [])
    assert layer.weight.item() == 2.0
    assert missing == ["bias"]
