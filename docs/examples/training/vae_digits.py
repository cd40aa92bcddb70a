"""A variational autoencoder on scikit-learn's digits, and a picture of digits that nobody has written.

python vae_digits.py [--epochs 40] [--device jax] [--picture digits.png]
"""

import argparse

from sklearn.datasets import load_digits

import dovetail as torch
from dovetail import nn
from dovetail.nn import functional
from dovetail.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=40)
parser.add_argument("--device", default=None, help="numpy, jax, cupy:cuda, ...")
parser.add_argument("--picture", default="digits.png")
options = parser.parse_args()

torch.manual_seed(0)
images = torch.tensor(load_digits().data / 16, dtype=torch.float32)
loader = DataLoader(TensorDataset(images), batch_size=128, shuffle=True, drop_last=True)


class Autoencoder(nn.Module):
    """An image to a normal distribution over eight numbers, and a draw of it back to an image (arXiv:1312.6114)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2 * 8))
        self.decoder = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64))

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        mean, log_variance = self.encoder(image).chunk(2, dim=1)
        draw = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        return self.decoder(draw), mean, log_variance


model = Autoencoder().to(options.device)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

for epoch in range(options.epochs):
    total = 0.0
    for (image,) in loader:
        image = image.to(options.device)
        scores, mean, log_variance = model(image)
        missed = functional.binary_cross_entropy_with_logits(scores, image, reduction="sum")
        # the distance of the draws' distribution from the standard normal one, which new digits are drawn from
        distance = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
        loss = (missed + distance) / len(image)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    if (epoch + 1) % max(options.epochs // 5, 1) == 0:
        print(f"epoch {epoch + 1}: loss {total / len(loader):.3f}")

with torch.no_grad():
    drawn = model.decoder(torch.randn(32, 8, device=options.device)).sigmoid()
rows = drawn.view(4, 8, 8, 8).permute(0, 2, 1, 3).reshape(32, 64)
import matplotlib.image  # noqa: E402  # only now: training needs no pictures

matplotlib.image.imsave(options.picture, rows.numpy(force=True), cmap="gray_r", vmin=0, vmax=1)
print(f"32 new digits: {options.picture}")
