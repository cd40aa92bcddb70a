"""One training run: seeded, with its history."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dovetail import nn, optim
from dovetail.autograd.mode import no_grad
from dovetail.demo import digits
from dovetail.demo.network import DigitsNet
from dovetail.dispatch.reading import host_values
from dovetail.program.compiled import compile as compile_step
from dovetail.random.generator import manual_seed
from dovetail.tensor.tensor import Tensor
from dovetail.utils.data import DataLoader

BATCH = 64
RATE = 3e-3


@dataclass
class Run:
    """What a training run has seen and reached."""

    device: str
    losses: list[float] = field(default_factory=list)
    """The mean training loss of each epoch."""
    steps: list[float] = field(default_factory=list)
    """The loss of each step."""
    accuracies: list[float] = field(default_factory=list)
    """The share of test images that are recognised, after each epoch."""
    seconds: float = 0.0
    model: DigitsNet | None = None


Progress = Callable[[int, int, float], None]
"""``progress(step, steps, loss)``, called after every step."""


class Trainer:
    """A model, its optimizer and its data, on the default device; seeded once, then a matter of calls."""

    def __init__(self, seed: int = 0, *, compiled: bool = True) -> None:
        manual_seed(seed)
        self.model = DigitsNet()
        self.optimizer = optim.Adam(self.model.parameters(), lr=RATE)
        self.loss = nn.CrossEntropyLoss()
        data = digits.load()
        # all batches have one size, so that a captured step fits every one of them
        self.train = DataLoader(data.train, batch_size=BATCH, shuffle=True, drop_last=True)
        self.test = DataLoader(data.test, batch_size=len(data.test))
        self.take = compile_step(self.step) if compiled else self.step

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """One step of Adam on a batch; returns its loss."""
        self.optimizer.zero_grad()
        loss: Tensor = self.loss(self.model(images), labels)
        loss.backward()
        self.optimizer.step()
        return loss

    def accuracy(self) -> float:
        """The share of test images that are recognised."""
        self.model.eval()
        right = total = 0
        with no_grad():
            for images, labels in self.test:
                found = host_values(self.model(images).argmax(1))
                right += int((found == host_values(labels)).sum())
                total += len(labels)
        self.model.train()
        return right / total


def train(epochs: int, seed: int = 0, *, progress: Progress | None = None, compiled: bool = True) -> Run:
    """Train the network on the default device."""
    started = time.perf_counter()
    trainer = Trainer(seed, compiled=compiled)
    run = Run(str(trainer.model.classifier.weight.device), model=trainer.model)
    total = epochs * len(trainer.train)
    for _ in range(epochs):
        losses: list[Any] = []
        for images, labels in trainer.train:
            loss = float(trainer.take(images, labels))
            losses.append(loss)
            run.steps.append(loss)
            if progress is not None:
                progress(len(run.steps), total, loss)
        run.losses.append(float(np.mean(losses)))
        run.accuracies.append(trainer.accuracy())
    run.seconds = time.perf_counter() - started
    return run
