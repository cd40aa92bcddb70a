"""A training step through spatial layers runs as a captured program, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail
from dovetail import nn

F = nn.functional


class Net(nn.Module):
    """A little of every family."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect")
        self.up = nn.ConvTranspose2d(2, 2, 3, 2, 1)
        self.deep = nn.Conv3d(2, 2, 2)
        self.head = nn.Linear(2 * 9, 3)

    def forward(self, x: Any) -> Any:
        x = self.conv(x)
        x = F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2) + x
        x = F.interpolate(self.up(x.relu()), scale_factor=1.5, mode="bilinear")
        x = F.adaptive_avg_pool2d(x, 5)
        volume = F.pad(self.deep(dovetail.stack([x, x * x], 2)), (1, 1, 1, 1), "constant", 0.5)
        x = F.max_pool3d(volume, (1, 2, 2), stride=1)[:, :, 0]
        theta = dovetail.eye(2, 3, device=x.device).expand(x.shape[0], 2, 3)
        x = F.grid_sample(x, F.affine_grid(theta, tuple(x.shape), False), align_corners=False)
        x = F.adaptive_max_pool2d(F.lp_pool2d(x.abs() + 0.1, 2, 2, 1), 3)
        return self.head(F.fold(F.unfold(x, 2), 3, 2).flatten(1))


def train(compiled: bool) -> list[float]:
    dovetail.manual_seed(0)
    net = Net()

    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(net(x), y)
        net.zero_grad()
        loss.backward()
        with dovetail.no_grad():
            for parameter in net.parameters():
                parameter.sub_(parameter.grad * 0.05)
        return loss

    run = dovetail.compile(step) if compiled else step
    rng = np.random.default_rng(0)
    x, y = dovetail.tensor(rng.standard_normal((2, 1, 6, 6)).astype("float32")), dovetail.tensor([0, 2])
    return [run(x, y).item() for _ in range(3)]


def test_a_program_gives_what_eager_calls_give() -> None:
    losses = train(compiled=False)
    assert train(compiled=True) == losses
    assert losses[2] < losses[0]
