"""A curve through measurements by LBFGS: how wide the petals of irises are, given their length (R. A. Fisher's data).

python lbfgs_curve.py [--steps 10] [--device jax]
"""

import argparse

from sklearn.datasets import load_iris

import dovetail as torch

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=10)
parser.add_argument("--device", default=None, help="numpy, jax, cupy:cuda, ...")
options = parser.parse_args()

flowers = load_iris().data
length, width = (torch.tensor(flowers[:, i], dtype=torch.float64, device=options.device) for i in (2, 3))

# width = low + rise * sigmoid(slope * (length - middle)): a logistic curve with four unknowns
curve = torch.tensor([0.2, 2.0, 1.0, 4.0], dtype=torch.float64, device=options.device, requires_grad=True)
optimizer = torch.optim.LBFGS([curve], lr=1.0, max_iter=2, line_search_fn="strong_wolfe")


def misfit() -> torch.Tensor:
    """The mean square of what the curve misses, with its gradient."""
    optimizer.zero_grad()
    low, rise, slope, middle = curve
    loss = ((low + rise * torch.sigmoid(slope * (length - middle)) - width) ** 2).mean()
    loss.backward()
    return loss


for step in range(options.steps):
    loss = optimizer.step(misfit)
    if (step + 1) % max(options.steps // 5, 1) == 0:
        print(f"step {step + 1}: loss {loss.item():.6f}")
low, rise, slope, middle = curve.tolist()
print(f"width = {low:.4f} + {rise:.4f} sigmoid({slope:.4f} (length - {middle:.4f}))")
