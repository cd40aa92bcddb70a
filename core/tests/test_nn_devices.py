"""The same model on NumPy and on JAX: weights, masks and counters bit for bit, results to rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn

pytest.importorskip("jax", reason="the second backend of the comparison, which is not installed")

DEVICES = ("numpy:cpu", "jax:cpu")


class Net(nn.Module):
    def __init__(self, device: str) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1, device=device),
            nn.BatchNorm2d(4, device=device),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0.3),
            nn.Flatten(),
        )
        self.classify = nn.Sequential(
            nn.Linear(64, 8, device=device),
            nn.LayerNorm(8, device=device),
            nn.GELU(),
            nn.Linear(8, 5, device=device),
        )

    def forward(self, x: Any) -> Any:
        return self.classify(self.features(x))


def bits(tensor: Any) -> Any:
    return tensor.detach().cpu().numpy().tobytes()


def test_initial_weights_are_the_same_bits() -> None:
    states = []
    for device in DEVICES:
        dovetail.manual_seed(3)
        model = nn.Sequential(Net(device), nn.Embedding(6, 3, device=device), nn.Bilinear(2, 3, 4, device=device))
        for name in ("normal_", "trunc_normal_", "orthogonal_", "xavier_normal_", "kaiming_normal_"):
            weight = nn.Parameter(dovetail.empty(7, 5, device=device))
            model.register_parameter(name, getattr(nn.init, name)(weight))
        states.append({name: bits(value) for name, value in model.state_dict().items()})
    assert states[0] == states[1]


def test_a_training_step_is_the_same_to_rounding() -> None:
    rng = np.random.default_rng(0)
    images, classes = rng.standard_normal((6, 1, 8, 8)).astype("float32"), rng.integers(0, 5, 6)
    found = []
    for device in DEVICES:
        dovetail.manual_seed(3)
        model = Net(device)
        masks = []
        model.features[4].register_forward_hook(lambda m, args, out, masks=masks: masks.append(out != 0))
        x, y = dovetail.tensor(images, device=device), dovetail.tensor(classes, device=device)
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        assert str(loss.device).startswith(device)
        gradients = {n: p.grad.cpu().numpy() for n, p in model.named_parameters() if p.grad is not None}
        buffers = {n: b.cpu().numpy() for n, b in model.named_buffers()}
        found.append((loss.item(), bits(masks[0]), gradients, buffers))
    (loss_a, mask_a, grads_a, buffers_a), (loss_b, mask_b, grads_b, buffers_b) = found
    assert mask_a == mask_b
    assert loss_a == pytest.approx(loss_b, rel=1e-6)
    assert list(grads_a) == list(grads_b)
    for name, gradient in grads_a.items():
        # A bias before a batch norm has a gradient of nothing but rounding.
        atol = 2e-6 * max(np.abs(gradient).max(), 1.0)
        np.testing.assert_allclose(gradient, grads_b[name], rtol=0, atol=atol, err_msg=name)
    for name, buffer in buffers_a.items():
        np.testing.assert_allclose(buffer, buffers_b[name], rtol=1e-6, err_msg=name)


def test_a_model_moves_with_its_values_and_keeps_its_parameters() -> None:
    model = Net("numpy:cpu").eval()
    before = {name: bits(value) for name, value in model.state_dict().items()}
    objects = list(model.parameters())
    x = dovetail.ones(2, 1, 8, 8)
    expected = model(x).detach().numpy()
    assert model.to("jax:cpu") is model
    assert all(p is q for p, q in zip(objects, model.parameters()))
    assert all(str(value.device).startswith("jax:cpu") for value in model.state_dict().values())
    assert {name: bits(value) for name, value in model.state_dict().items()} == before
    np.testing.assert_allclose(model(x.to("jax:cpu")).detach().cpu().numpy(), expected, rtol=1e-5, atol=1e-6)
    model.cpu()
    target = Net("numpy:cpu")
    target.load_state_dict(model.to("jax:cpu").state_dict())
    assert {name: bits(value) for name, value in target.state_dict().items()} == before
