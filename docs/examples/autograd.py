"""The same network with gradients from the tape."""

import math

import dovetail as torch

torch.manual_seed(0)
x = torch.linspace(-math.pi, math.pi, 200).unsqueeze(1)
y = torch.sin(x)

hidden = 32
w1 = (torch.randn(1, hidden) * 0.5).requires_grad_()
b1 = torch.zeros(hidden, requires_grad=True)
w2 = (torch.randn(hidden, 1) * 0.2).requires_grad_()
b2 = torch.zeros(1, requires_grad=True)
parameters = [w1, b1, w2, b2]

for step in range(2000):
    prediction = (x @ w1 + b1).tanh().mm(w2) + b2
    loss = (prediction - y).pow(2).mean()
    loss.backward()
    with torch.no_grad():
        for p in parameters:
            p -= 0.02 * p.grad
            p.grad = None
    if step % 500 == 499:
        print(f"step {step + 1}: loss {loss.item():.6f}")
