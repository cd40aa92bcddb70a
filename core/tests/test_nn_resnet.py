"""A residual network, written once for both frameworks, with weights that PyTorch has saved (arXiv:1512.03385)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dovetail

torch = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")


def residual_network(framework: Any) -> Any:
    """Return the network in a framework: a stem, two stages of two blocks, the second one narrower and deeper."""
    nn = framework.nn

    class Block(nn.Module):  # type: ignore[misc, name-defined]  # its base is a value
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.relu = nn.ReLU(inplace=True)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.downsample = None
            if stride > 1 or inputs != outputs:
                self.downsample = nn.Sequential(
                    nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
                )

        def forward(self, x: Any) -> Any:
            kept = x if self.downsample is None else self.downsample(x)
            out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
            out += kept
            return self.relu(out)

    class Network(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(8)
            self.relu = nn.ReLU(inplace=True)
            self.maxpool = nn.MaxPool2d(3, 2, 1)
            self.layer1 = nn.Sequential(Block(8, 8, 1), Block(8, 8, 1))
            self.layer2 = nn.Sequential(Block(8, 16, 2), Block(16, 16, 1))
            self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
            self.fc = nn.Linear(16, 5)
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

        def forward(self, x: Any) -> Any:
            x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
            x = self.layer2(self.layer1(x))
            return self.fc(framework.flatten(self.avgpool(x), 1))

    return Network()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A file that PyTorch has written, of a network that has seen a few batches, and the network."""
    torch.manual_seed(0)
    net = residual_network(torch)
    with torch.no_grad():
        for _ in range(3):
            net(torch.randn(4, 3, 32, 32))
    path = tmp_path_factory.mktemp("resnet") / "net.pt"
    torch.save(net.state_dict(), path)
    return path, net


def close(ours: Any, theirs: Any) -> None:
    """Equal to float32 rounding of sums over a few hundred terms, relative to the largest element."""
    a, b = np.asarray(ours.detach().numpy()), theirs.detach().numpy()
    assert np.abs(a - b).max() <= 2e-5 * max(np.abs(b).max(), 1e-3)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("device", ["numpy", "jax"])
def test_outputs_and_gradients_are_pytorchs(saved: tuple[Path, Any], device: str, training: bool) -> None:
    if device == "jax":
        pytest.importorskip("jax", reason="the extra `jax` is not installed")
    path, theirs = saved
    theirs.load_state_dict(torch.load(path, weights_only=True))
    ours = residual_network(dovetail)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(dovetail.load(path))
    ours.to(device).train(training)
    theirs.train(training).zero_grad()

    image = np.random.default_rng(1).standard_normal((2, 3, 32, 32), dtype=np.float32)
    labels = np.array([1, 3])
    mine, other = dovetail.tensor(image, device=device), torch.tensor(image)
    out, expected = ours(mine), theirs(other)
    close(out, expected)
    dovetail.nn.functional.cross_entropy(out, dovetail.tensor(labels, device=device)).backward()
    torch.nn.functional.cross_entropy(expected, torch.tensor(labels)).backward()
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert p.grad is not None, name
        close(p.grad, q.grad)
    for p, q in zip(ours.buffers(), theirs.buffers(), strict=True):
        close(p.double(), q.double())


def test_what_it_saves_pytorch_loads(saved: tuple[Path, Any], tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch", reason="it reads the file as PyTorch's users do")
    path, _ = saved
    ours = residual_network(dovetail)
    ours.load_state_dict(dovetail.load(path))
    dovetail.save(ours.state_dict(), tmp_path / "net.safetensors")
    state = safetensors.load_file(tmp_path / "net.safetensors")
    again = residual_network(torch)
    again.load_state_dict(state)
    for p, q in zip(again.state_dict().values(), torch.load(path, weights_only=True).values(), strict=True):
        assert torch.equal(p, q)
