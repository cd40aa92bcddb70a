"""A module of one's own, trained in batches, saved and loaded again."""

import math
import os
import tempfile

import dovetail as torch
import dovetail.nn as nn
import dovetail.nn.functional as F
from dovetail.utils.data import DataLoader, TensorDataset


class TwoLayers(nn.Module):
    """Two linear maps with a hyperbolic tangent between them."""

    def __init__(self, hidden):
        super().__init__()
        self.first = nn.Linear(1, hidden)
        self.second = nn.Linear(hidden, 1)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


torch.manual_seed(0)
x = torch.linspace(-math.pi, math.pi, 256).unsqueeze(1)
y = torch.sin(x)
loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)

model = TwoLayers(32)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for _ in range(200):
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = F.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()

model.eval()
with torch.no_grad():
    print(f"loss {F.mse_loss(model(x), y).item():.6f}")

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "two_layers.pt")
    torch.save(model.state_dict(), path)
    other = TwoLayers(32)
    other.load_state_dict(torch.load(path))
print("loaded model agrees:", torch.equal(other(x), model(x)))
