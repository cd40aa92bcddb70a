"""Weight norm and spectral norm by hooks, fusion with batch norm, calls with other parameters, no initialisation."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn
from dovetail.func import functional_call

pytestmark = pytest.mark.filterwarnings("ignore:`.*nn.utils.weight_norm` is deprecated:FutureWarning")
CASES = [
    ("Linear(4, 3)", "weight_norm({m})", "remove_weight_norm({m})", (2, 4)),
    ("Linear(4, 3)", "weight_norm({m}, 'bias', dim=None)", "remove_weight_norm({m}, 'bias')", (2, 4)),
    ("Conv2d(2, 3, 2)", "weight_norm({m}, dim=1)", "remove_weight_norm({m})", (1, 2, 4, 4)),
    ("Linear(4, 3)", "spectral_norm({m})", "remove_spectral_norm({m})", (2, 4)),
    ("ConvTranspose2d(2, 3, 2)", "spectral_norm({m}, n_power_iterations=2)", "remove_spectral_norm({m})",
     (1, 2, 4, 4)),
]  # fmt: skip


def torch_module() -> Any:
    return pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")


def pair(torch: Any, layer: str, how: str = "m") -> list[Any]:
    """The layer in both frameworks with the same values."""
    made = []
    for framework in (dovetail, torch):
        spaces = {"nn": framework.nn, "u": framework.nn.utils}
        spaces["m"] = eval("nn." + layer, spaces)
        made.append(eval(("u." if how != "m" else "") + how, spaces))
    ours, theirs = made
    ours.load_state_dict({k: dovetail.tensor(v.detach().numpy()) for k, v in theirs.state_dict().items()})
    return made


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.oracle
@pytest.mark.parametrize(("layer", "how", "back", "shape"), CASES)
def test_hooks_compute_the_weight(layer: str, how: str, back: str, shape: tuple[int, ...]) -> None:
    torch = torch_module()
    ours, theirs = pair(torch, layer, how.replace("{m}", "m"))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x = np.random.default_rng(0).standard_normal(shape).astype("float32")
    for mode in (True, True, False):
        outputs = [m.train(mode)(f.tensor(x)) for m, f in ((ours, dovetail), (theirs, torch))]
        close(*outputs)
    for output in outputs:
        (output * output).sum().backward()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(a.grad, b.grad)
    for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        close(a, b)
    with dovetail.no_grad():
        ours(dovetail.tensor(x))  # a weight that is part of a graph cannot be copied, as in PyTorch
    close(copy.deepcopy(ours)(dovetail.tensor(x)), outputs[0])
    for module, framework in ((ours, dovetail), (theirs, torch)):
        eval("u." + back.replace("{m}", "m"), {"u": framework.nn.utils, "m": module})
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert not ours._forward_pre_hooks
    assert not ours._load_state_dict_pre_hooks
    for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        close(a, b)


@pytest.mark.oracle
def test_state_dicts_of_before_the_second_vector() -> None:
    torch = torch_module()
    ours, theirs = (m.double() for m in pair(torch, "Linear(3, 3)", "spectral_norm(m)"))
    for _ in range(30):
        theirs(torch.ones(1, 3, dtype=torch.float64))
    old = {k: v.detach().clone() for k, v in theirs.state_dict().items() if not k.endswith("_v")}
    old["weight"] = theirs.weight.detach().clone()
    theirs.load_state_dict(dict(old))
    ours.load_state_dict({k: dovetail.tensor(v.numpy()) for k, v in old.items()})
    np.testing.assert_allclose(ours.weight_v.numpy(), theirs.weight_v.numpy(), rtol=1e-3)
    with pytest.raises(RuntimeError, match=r'Missing key.*"weight_u"'):
        ours.load_state_dict({k: dovetail.tensor(v.numpy()) for k, v in old.items() if k != "weight_u"})


def test_two_hooks_and_none() -> None:
    layer = nn.utils.spectral_norm(nn.utils.weight_norm(nn.Linear(2, 2), "bias"))
    with pytest.raises(RuntimeError, match="Cannot register two spectral_norm hooks"):
        nn.utils.spectral_norm(layer)
    with pytest.raises(RuntimeError, match="Cannot register two weight_norm hooks"):
        nn.utils.weight_norm(layer, "bias")
    with pytest.raises(ValueError, match="weight_norm of 'weight' not found"):
        nn.utils.remove_weight_norm(layer)
    with pytest.raises(ValueError, match="spectral_norm of 'bias' not found"):
        nn.utils.remove_spectral_norm(layer, "bias")
    with pytest.raises(ValueError, match="can't have uninitialized parameters"):
        nn.utils.spectral_norm(nn.LazyLinear(2))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_is_folded_in(bias: bool, affine: bool) -> None:
    cases: list[tuple[Any, Any, Any, dict[str, Any]]] = [
        (nn.Conv2d(2, 4, 3, bias=bias), nn.BatchNorm2d(4, affine=affine), dovetail.randn(2, 2, 5, 5), {}),
        (nn.ConvTranspose1d(2, 4, 3, bias=bias), nn.BatchNorm1d(4, affine=affine), dovetail.randn(2, 2, 5),
         {"transpose": True}),
        (nn.Linear(3, 4, bias=bias), nn.BatchNorm1d(4, affine=affine), dovetail.randn(5, 3), {}),
    ]  # fmt: skip
    for layer, norm, x, options in cases:
        for _ in range(3):
            norm(layer(x))
        expected = norm.eval()(layer.eval()(x))
        if isinstance(layer, nn.Linear):
            fused: Any = nn.utils.fuse_linear_bn_eval(layer, norm)
        else:
            fused = nn.utils.fuse_conv_bn_eval(layer, norm, **options)
        assert type(fused) is type(layer)
        np.testing.assert_allclose(fused(x).detach().numpy(), expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    with pytest.raises(AssertionError, match="Fusion only for eval"):
        nn.utils.fuse_linear_bn_eval(nn.Linear(2, 2), nn.BatchNorm1d(2))


def test_no_initialisation() -> None:
    dovetail.manual_seed(3)
    layer = nn.utils.skip_init(nn.Linear, 3, 2, dtype=dovetail.float64)
    assert layer.weight.shape == (2, 3)
    assert layer.weight.dtype is dovetail.float64
    drawn = dovetail.rand(1)
    dovetail.manual_seed(3)
    assert dovetail.equal(drawn, dovetail.rand(1))
    with pytest.raises(RuntimeError, match="must support a 'device' arg"):
        nn.utils.skip_init(nn.ReLU)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(2, 2, bias=False)
        self.b = nn.Linear(2, 2, bias=False)
        self.b.weight = self.a.weight
        self.register_buffer("count", dovetail.zeros(()))

    def forward(self, x: Any, scale: float = 1.0) -> Any:
        self.count = self.count + 1
        return self.b(self.a(x)) * scale


def test_a_call_with_other_parameters_leaves_the_module() -> None:
    net = Tied()
    before = net.a.weight
    new = {"a.weight": dovetail.eye(2, requires_grad=True) * 3}
    x = dovetail.ones(1, 2)
    assert functional_call(net, new, x, {"scale": 2.0}).tolist() == [[18.0, 18.0]]
    assert net.a.weight is net.b.weight is before
    values = {"count": dovetail.tensor(5.0)}
    functional_call(net, values, (x,))
    assert values["count"].item() == 6.0
    assert net.count.item() == 1.0  # by the first call, which did not name it
    untied = functional_call(net, new, x, tie_weights=False)
    np.testing.assert_allclose(untied.detach().numpy(), net.b(x * 3).detach().numpy(), rtol=1e-6)


def test_gradients_of_a_call_with_other_parameters() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    values = {name: p.detach().clone().requires_grad_() for name, p in net.named_parameters()}
    first, second = dict(list(values.items())[:2]), dict(list(values.items())[2:])
    functional_call(net, [first, second], dovetail.ones(4, 2)).sum().backward()
    net(dovetail.ones(4, 2)).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None
        np.testing.assert_allclose(values[name].grad.numpy(), parameter.grad.numpy(), rtol=1e-6)


def test_names_that_do_not_fit() -> None:
    net = Tied()
    x = dovetail.ones(1, 2)
    with pytest.raises(ValueError, match=r"multiple values for keys \['a.weight', 'b.weight'\], which are tied"):
        functional_call(net, {"a.weight": dovetail.eye(2), "b.weight": dovetail.ones(2, 2)}, x)
    with pytest.raises(RuntimeError, match=r"has no parameter or buffer 'a\.offset'"):
        functional_call(net, {"a.offset": dovetail.ones(2)}, x)
    with pytest.raises(RuntimeError, match=r"Missing key\(s\): 'b.weight', 'count'"):
        functional_call(net, {"a.weight": dovetail.eye(2)}, x, strict=True)
    with pytest.raises(ValueError, match="appeared in multiple dictionaries"):
        functional_call(net, [{"count": dovetail.ones(())}, {"count": dovetail.ones(())}], x)
    with pytest.warns(FutureWarning, match=r"Please use `func\.functional_call`"):
        nn.utils.stateless.functional_call(net, {}, x)
