"""Every public name of torch.nn is there, with PyTorch's parameters, or is left out for a reason."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType
from typing import Any

import pytest

import dovetail
from dovetail import nn

torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
pytestmark = pytest.mark.oracle

QUANTIZED = "quantized modules"
HELPER = "a helper of PyTorch's own layers, public by accident of its file"
IMPORTED = "a module or type that its file imports"
FLOAT8 = "matrix products of 8-bit floats and of groups, which exist for single CUDA generations"
LEFT_OUT: dict[str, dict[str, str]] = {
    "torch.nn": {
        "intrinsic": QUANTIZED,
        "qat": QUANTIZED,
        "quantizable": QUANTIZED,
        "quantized": QUANTIZED,
        "common_types": HELPER,
        "factory_kwargs": HELPER,
        "grad": "gradients of convolutions by name; autograd.grad gives them",
        "parallel": "several devices in one process; DataParallel itself is there",
    },
    "torch.nn.functional": {
        **dict.fromkeys(("BroadcastingList1", "BroadcastingList2", "BroadcastingList3"), IMPORTED),
        **dict.fromkeys(("Callable", "DType", "Optional", "TYPE_CHECKING", "Tensor", "torch", "np"), IMPORTED),
        **dict.fromkeys(("dataclasses", "importlib", "math", "warnings", "grad"), IMPORTED),
        **dict.fromkeys(("handle_torch_function", "has_torch_function", "has_torch_function_unary"), HELPER),
        **dict.fromkeys(("has_torch_function_variadic", "assert_int_or_pair", "boolean_dispatch"), HELPER),
        **dict.fromkeys(("reproducibility_notes", "sparse_support_notes", "tf32_notes"), HELPER),
        **dict.fromkeys(("GRID_SAMPLE_INTERPOLATION_MODES", "GRID_SAMPLE_PADDING_MODES"), HELPER),
        **dict.fromkeys(("ScalingType", "SwizzleType", "grouped_mm", "scaled_grouped_mm", "scaled_mm"), FLOAT8),
    },
    "torch.nn.init": dict.fromkeys(("Literal", "ParamSpec", "Tensor", "torch"), IMPORTED),
    "torch.nn.utils": {},
    "torch.nn.utils.parametrize": {},
    "torch.nn.utils.parametrizations": {},
    "torch.nn.utils.prune": {},
    "torch.nn.modules.module": {},
}
PLACES = list(LEFT_OUT)


def public(place: Any) -> list[str]:
    """What a module offers: its ``__all__``, else its names without an underscore."""
    if place.__name__ == "torch.nn.utils.prune":
        names = [name for name, value in vars(place).items() if getattr(value, "__module__", "") == place.__name__]
    elif hasattr(place, "__all__") and place.__name__ not in ("torch.nn", "torch.nn.utils"):
        names = list(place.__all__)
    else:
        names = dir(place)
    return [name for name in names if not name.startswith("_")]


def both(place: str) -> tuple[ModuleType, ModuleType]:
    return importlib.import_module(place.replace("torch", "dovetail", 1)), importlib.import_module(place)


@pytest.mark.parametrize("place", PLACES)
def test_every_name_is_there_or_left_out_for_a_reason(place: str) -> None:
    ours, theirs = both(place)
    missing = {name for name in public(theirs) if not hasattr(ours, name)}
    assert missing - {"annotations"} <= set(LEFT_OUT[place]), "say why, or add it"
    present = {name for name in LEFT_OUT[place] if hasattr(ours, name)}
    assert present <= {name for name, why in LEFT_OUT[place].items() if why in (IMPORTED, HELPER)}, "is there by now"


def described(function: Any) -> list[tuple[str, Any, Any]] | None:
    """Names, kinds and defaults; None where Python cannot say them, as of functions in C++ and of wrappers."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_KEYWORD and p.name == "kwargs" for p in parameters) and len(parameters) == 2:
        return None
    return [(p.name, p.kind, p.default) for p in parameters]


@pytest.mark.parametrize("place", PLACES)
def test_functions_take_pytorchs_parameters(place: str) -> None:
    ours, theirs = both(place)
    compared = 0
    for name in public(theirs):
        expected = getattr(theirs, name)
        if not inspect.isfunction(expected) or not hasattr(ours, name):
            continue
        signature = described(expected)
        if signature is not None:
            compared += 1
            assert described(getattr(ours, name)) == signature, name
    assert compared or place == "torch.nn"


def test_methods_of_modules() -> None:
    elsewhere = {"ipu", "mtia", "xpu"}
    typing = {"T_destination", "call_super_init", "dump_patches"}
    for kind in ("Module", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"):
        ours, theirs = getattr(nn, kind), getattr(torch.nn, kind)
        names = [name for name in dir(theirs) if not name.startswith("_")]
        assert {name for name in names if not hasattr(ours, name)} <= elsewhere | typing, kind
        for name in names:
            expected = inspect.getattr_static(theirs, name)
            if inspect.isfunction(expected) and name not in elsewhere and not hasattr(expected, "__wrapped__"):
                mine, yours = described(getattr(ours, name)), described(expected)
                if mine is not None and yours is not None:
                    assert [n for n, _, _ in mine] == [n for n, _, _ in yours], f"{kind}.{name}"


def test_normalize_writes_where_it_is_told() -> None:
    x, out = dovetail.tensor([[3.0, 4.0]]), dovetail.empty(1, 2)
    assert nn.functional.normalize(x, out=out) is out
    assert dovetail.allclose(out, dovetail.tensor([[0.6, 0.8]]))
