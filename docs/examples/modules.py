"""The network from ready-made modules."""

import math

import dovetail as torch

torch.manual_seed(0)
x = torch.linspace(-math.pi, math.pi, 200).unsqueeze(1)
y = torch.sin(x)

model = torch.nn.Sequential(
    torch.nn.Linear(1, 32),
    torch.nn.Tanh(),
    torch.nn.Linear(32, 1),
)
loss_function = torch.nn.MSELoss()

for step in range(2000):
    loss = loss_function(model(x), y)
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.1 * p.grad
    if step % 500 == 499:
        print(f"step {step + 1}: loss {loss.item():.6f}")
print(model)
