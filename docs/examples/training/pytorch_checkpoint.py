"""Weights that PyTorch has saved, taken over and taught something new, without PyTorch installed.

`digits_mlp.pt` beside this file was written by PyTorch 2.13: `torch.save(model.state_dict(), "digits_mlp.pt")` of the
network below, trained on upright digits. Here its first layers are kept as they are and its last one learns digits
that lie on their side.

    python pytorch_checkpoint.py [--epochs 100] [--device jax] [--checkpoint FILE]
"""

import argparse
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import dovetail as torch
from dovetail import nn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=100)
parser.add_argument("--device", default=None, help="numpy, jax, cupy:cuda, ...")
parser.add_argument("--checkpoint", type=Path, default=Path(__file__).with_name("digits_mlp.pt"))
options = parser.parse_args()

torch.manual_seed(0)
digits = load_digits()
parts = train_test_split(digits.images / 16, digits.target, test_size=360, stratify=digits.target, random_state=0)
train_x, test_x = (torch.tensor(part, dtype=torch.float32, device=options.device) for part in parts[:2])
train_y, test_y = (torch.tensor(part, device=options.device) for part in parts[2:])

model = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 10))
model.load_state_dict(torch.load(options.checkpoint))
model.to(options.device)


def accuracy(images: torch.Tensor) -> float:
    """The share of the test images that the network names."""
    with torch.no_grad():
        return (model(images).argmax(1) == test_y).float().mean().item()


def lying(images: torch.Tensor) -> torch.Tensor:
    """The images turned by a quarter."""
    return torch.rot90(images, 1, (1, 2))


print(f"as PyTorch left it: {accuracy(test_x):.3f} of upright digits, {accuracy(lying(test_x)):.3f} of lying ones")

for parameter in model.parameters():
    parameter.requires_grad_(False)
head = model[-1]
head.reset_parameters()
head.requires_grad_(True)
optimizer = torch.optim.Adam(head.parameters(), lr=3e-2)
for epoch in range(options.epochs):
    loss = nn.functional.cross_entropy(model(lying(train_x)), train_y, label_smoothing=0.05)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if (epoch + 1) % max(options.epochs // 5, 1) == 0:
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}, {accuracy(lying(test_x)):.3f} of lying digits")
