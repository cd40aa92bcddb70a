"""Regression on a table: the progress of diabetes a year after ten measurements of 442 patients (scikit-learn's data).

python tabular_regression.py [--epochs 40] [--device jax]
"""

import argparse

from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import dovetail as torch
from dovetail import nn
from dovetail.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=40)
parser.add_argument("--device", default=None, help="numpy, jax, cupy:cuda, ...")
options = parser.parse_args()

torch.manual_seed(0)
table = load_diabetes(scaled=True)
parts = train_test_split(table.data * 20, table.target[:, None], test_size=90, random_state=0)
train_x, test_x, train_y, test_y = (torch.tensor(part, dtype=torch.float32) for part in parts)
mean, spread = train_y.mean(), train_y.std()
loader = DataLoader(TensorDataset(train_x, (train_y - mean) / spread), batch_size=32, shuffle=True, drop_last=True)

model = nn.Sequential(
    nn.Linear(10, 32), nn.BatchNorm1d(32), nn.SiLU(), nn.Dropout(0.3), nn.Linear(32, 16), nn.SiLU(), nn.Linear(16, 1)
).to(options.device)
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.1)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=options.epochs)
averaged = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.98))

for epoch in range(options.epochs):
    total = 0.0
    for features, target in loader:
        loss = nn.functional.huber_loss(model(features.to(options.device)), target.to(options.device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        averaged.update_parameters(model)
        total += loss.item()
    schedule.step()
    if (epoch + 1) % max(options.epochs // 5, 1) == 0:
        print(f"epoch {epoch + 1}: loss {total / len(loader):.4f}, rate {schedule.get_last_lr()[0]:.5f}")

# The averaged weights have seen no batch of their own: their running statistics are taken anew.
torch.optim.swa_utils.update_bn((batch[0].to(options.device) for batch in loader), averaged)
averaged.eval()
with torch.no_grad():
    predicted = averaged(test_x.to(options.device)).to(test_y.device) * spread + mean
explained = 1 - ((predicted - test_y) ** 2).sum() / ((test_y - test_y.mean()) ** 2).sum()
print(f"explained variance of 90 other patients: {explained.item():.3f}")
