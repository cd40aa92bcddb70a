"""What all optimizers share: options, groups, closures, numbers that are tensors, gradients through a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.errors import UnsupportedError
from dovetail.optim.optimizer import Optimizer, required

ALL = (
    "SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adagrad", "Adadelta", "RMSprop", "Rprop", "ASGD", "LBFGS",
    "Adafactor", "Muon",
)  # fmt: skip
START = np.random.default_rng(0).normal(size=(4, 3))


def leaf(*shape: int) -> dovetail.Tensor:
    return dovetail.ones(*shape, requires_grad=True)


# ------------------------------------------------------------------------------------------ options and groups


@pytest.mark.oracle
@pytest.mark.parametrize("name", ALL)
def test_defaults_signature_and_repr_are_pytorchs(name: str) -> None:
    import inspect

    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    ours, theirs = (getattr(xp.optim, name) for xp in (dovetail, torch))
    mine, yours = (inspect.signature(cls).parameters for cls in (ours, theirs))
    assert [(p.name, p.kind, p.default) for p in mine.values()] == [(p.name, p.kind, p.default) for p in yours.values()]
    optimizers = [
        cls([(f"w{i}", xp.ones(2, 2, requires_grad=True)) for i in range(2)])
        for cls, xp in ((ours, dovetail), (theirs, torch))
    ]
    assert optimizers[0].defaults == optimizers[1].defaults
    assert repr(optimizers[0]) == repr(optimizers[1])
    assert optimizers[0].state_dict()["param_groups"] == optimizers[1].state_dict()["param_groups"]


BAD: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("SGD", {"lr": -1}, ValueError, "Invalid learning rate: -1"),
    ("SGD", {"momentum": -1}, ValueError, "Invalid momentum value: -1"),
    ("SGD", {"weight_decay": -1}, ValueError, "Invalid weight_decay value: -1"),
    ("SGD", {"nesterov": True}, ValueError, "Nesterov momentum requires a momentum and zero dampening"),
    ("SGD", {"fused": True, "foreach": True}, RuntimeError, "cannot be `True` together"),
    ("Adam", {"fused": True, "differentiable": True}, RuntimeError, "`fused` does not support `differentiable`"),
    ("Adam", {"betas": (1.0, 0.9)}, ValueError, "Invalid beta parameter at index 0: 1.0"),
    ("AdamW", {"betas": (0.9, -0.1)}, ValueError, "Invalid beta parameter at index 1: -0.1"),
    ("AdamW", {"eps": -1}, ValueError, "Invalid epsilon value: -1"),
    ("NAdam", {"momentum_decay": -1}, ValueError, "Invalid momentum_decay value: -1"),
    ("RAdam", {"weight_decay": -1}, ValueError, "Invalid weight_decay value: -1"),
    ("Adamax", {"eps": -1}, ValueError, "Invalid epsilon value: -1"),
    ("Adagrad", {"lr_decay": -1}, ValueError, "Invalid lr_decay value: -1"),
    ("Adagrad", {"initial_accumulator_value": -1}, ValueError, "Invalid initial_accumulator_value value: -1"),
    ("Adadelta", {"rho": 1.5}, ValueError, "Invalid rho value: 1.5"),
    ("RMSprop", {"alpha": -1}, ValueError, "Invalid alpha value: -1"),
    ("Rprop", {"etas": (0.5, 0.9)}, ValueError, "Invalid eta values: 0.5, 0.9"),
    ("ASGD", {"weight_decay": -1}, ValueError, "Invalid weight_decay value: -1"),
    ("LBFGS", {"lr": -1}, ValueError, "Invalid learning rate: -1"),
    ("Adafactor", {"d": 0.5}, ValueError, "Clipping threshold d should be >= 1 but is: 0.5"),
    ("Adafactor", {"beta2_decay": 0.5}, ValueError, "beta2_decay should be <= 0 but is: 0.5"),
    ("Adafactor", {"eps": (None, -1)}, ValueError, "epsilon2 should be >= 0 but is: -1"),
    ("Muon", {"momentum": -1}, ValueError, "momentum should be >= 0 but is: -1"),
    ("Muon", {"adjust_lr_fn": "no"}, ValueError, "Adjust learning rate function no is not supported"),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "options", "kind", "text"), BAD, ids=str)
def test_bad_options_are_refused_in_pytorchs_words(
    name: str, options: dict[str, Any], kind: type[Exception], text: str
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    for xp in (dovetail, torch):
        with pytest.raises(kind) as caught:
            getattr(xp.optim, name)([xp.ones(2, 2, requires_grad=True)], **options)
        assert text in str(caught.value)


def test_bad_parameters_are_refused() -> None:
    w = leaf(2)
    cases: list[tuple[type[Exception], str, Any]] = [
        (ValueError, "can't optimize a non-leaf Tensor", [w * 2]),
        (ValueError, "empty parameter list", []),
        (TypeError, "iterable of Tensors", w),
        (TypeError, "can only optimize Tensors", [1.0]),
        (TypeError, "ordered collections", [{"params": {w}}]),
        (ValueError, "more than one parameter group", [{"params": [w]}, {"params": [w]}]),
        (ValueError, "Some param names are missing", [("w", w), leaf(1)]),
        (ValueError, "cannot add param group without names", [{"params": [("w", w)]}, {"params": [leaf(1)]}]),
    ]
    for kind, text, params in cases:
        with pytest.raises(kind, match=text):
            dovetail.optim.SGD(params, lr=0.1)
    with pytest.raises(TypeError, match="param_group must be a dict"):
        dovetail.optim.SGD([w]).add_param_group([w])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="only supports 2D parameters"):
        dovetail.optim.Muon([w])
    with pytest.raises(ValueError, match="Tensor lr must be 1-element"):
        dovetail.optim.Adam([w], lr=dovetail.ones(2))
    with pytest.warns(UserWarning, match="duplicate parameters"):
        dovetail.optim.SGD([w, w], lr=0.1)
    with pytest.raises(UnsupportedError, match=r"no sparse tensors.*Use dovetail.optim.Adam"):
        dovetail.optim.SparseAdam([w])
    with pytest.raises(ValueError, match="required optimization parameter lr"):
        Optimizer([w], {"lr": required})


def test_groups_have_options_and_parameters_of_their_own() -> None:
    a, b, c = (leaf(2) for _ in range(3))
    optimizer = dovetail.optim.SGD([{"params": a, "lr": 0.5}, {"params": iter([b])}], lr=0.1)
    optimizer.add_param_group({"params": [c], "lr": 1.0, "momentum": 0.9})
    assert [g["lr"] for g in optimizer.param_groups] == [0.5, 0.1, 1.0]
    for p in (a, b, c):
        p.grad = dovetail.ones(2)
    optimizer.step()
    assert [p.tolist()[0] for p in (a, b, c)] == [0.5, pytest.approx(0.9), 0.0]
    assert set(optimizer.state) == {c}, "only momentum has a state"
    optimizer.zero_grad(set_to_none=False)
    kept = a.grad
    assert kept is not None
    assert kept.tolist() == [0, 0]
    optimizer.zero_grad()
    assert a.grad is None


def test_a_closure_is_evaluated_with_gradients_and_its_loss_returned() -> None:
    for name in set(ALL) - {"LBFGS"}:
        w = leaf(2, 2)
        optimizer = getattr(dovetail.optim, name)([w], lr=0.1)

        def closure(w: Any = w, optimizer: Any = optimizer) -> dovetail.Tensor:
            optimizer.zero_grad()
            loss = (w * w).sum()
            loss.backward()
            return loss

        with dovetail.no_grad():
            assert optimizer.step(closure).item() == 4
        assert w.mean().item() < 1


@pytest.mark.oracle
@pytest.mark.parametrize("name", [n for n in ALL if n != "LBFGS"])
def test_numbers_may_be_tensors(name: str) -> None:
    """A rate that is a tensor, and betas and weight decay where PyTorch takes them."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    found = []
    for xp in (torch, dovetail):
        w = xp.tensor(START).requires_grad_()
        more: dict[str, Any] = {"foreach": False} if name in ("Adafactor",) else {}
        if name == "Adam":
            more["betas"] = (xp.tensor(0.8, dtype=xp.float64), xp.tensor(0.9, dtype=xp.float64))
        optimizer = getattr(xp.optim, name)([w], lr=xp.tensor(0.05, dtype=xp.float64), **more)
        for _ in range(3):
            w.grad = w.detach() ** 2
            optimizer.step()
        found.append(w.detach().numpy())
    np.testing.assert_allclose(found[1], found[0], **({"atol": 5e-3} if name == "Muon" else {"rtol": 1e-9}))


# ------------------------------------------------------------------------------------------ gradients through a step


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"weight_decay": 0.1}),
        ("Adam", {"weight_decay": 0.1}),
        ("AdamW", {"amsgrad": True}),
        ("Adagrad", {}),
        ("RMSprop", {"momentum": 0.9}),
        ("Adadelta", {"lr": 1.0}),
    ],
    ids=str,
)
def test_a_differentiable_step_has_pytorchs_gradient(name: str, options: dict[str, Any]) -> None:
    """Of the parameters after a step or two, by the start and by what the gradients were."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    found = []
    for xp in (torch, dovetail):
        first = xp.tensor(START).requires_grad_()
        pull = xp.tensor(START[::-1].copy()).requires_grad_()
        w = first.clone()
        optimizer = getattr(xp.optim, name)([w], **{"lr": 0.1, **options}, differentiable=True)
        for _ in range(1 if "Adam" in name else 2):  # PyTorch differentiates its own Adam once
            w.grad = w.detach().clone() * pull
            optimizer.step()
        (w**2).sum().backward()
        found.append((first.grad.numpy(), pull.grad.numpy()))
    for mine, yours in zip(found[1], found[0], strict=True):
        # PyTorch corrects Adam's bias in float32 where the step is to be differentiated
        close = {"rtol": 2e-4, "atol": 1e-5} if "Adam" in name else {"rtol": 1e-8, "atol": 1e-12}
        np.testing.assert_allclose(mine, yours, **close)


def test_the_gradient_of_a_learning_rate() -> None:
    """A rate that is a tensor and learns: d(w - lr g)^2 / dlr."""
    rate = dovetail.tensor(0.1, dtype=dovetail.float64, requires_grad=True)
    w = dovetail.tensor([3.0], dtype=dovetail.float64).requires_grad_().clone()
    optimizer = dovetail.optim.SGD([w], lr=rate, differentiable=True)
    w.grad = dovetail.tensor([2.0], dtype=dovetail.float64)
    optimizer.step()
    (w**2).sum().backward()
    assert rate.grad is not None
    assert rate.grad.item() == pytest.approx(2 * (3 - 0.2) * -2)


@pytest.mark.parametrize("name", ALL)
def test_the_choice_of_an_implementation_changes_nothing(name: str) -> None:
    """``foreach``, ``fused`` and ``capturable`` are taken wherever PyTorch takes them, and give the same bits."""
    plain = getattr(dovetail.optim, name)([leaf(1, 1)]).defaults
    found = []
    for options in ({}, *({key: True} for key in ("foreach", "fused", "capturable") if key in plain)):
        w = dovetail.tensor(START).requires_grad_()
        optimizer = getattr(dovetail.optim, name)([w], **options)
        for _ in range(3):
            w.grad = w.detach() ** 2
            optimizer.step(lambda: dovetail.tensor(1.0))
        found.append(w.tolist())
    assert all(places == found[0] for places in found)
    assert found[0] != START.tolist()
