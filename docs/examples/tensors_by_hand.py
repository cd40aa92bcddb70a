"""A two-layer network on tensors alone: forward and backward pass written out."""

import math

import dovetail as torch

torch.manual_seed(0)
x = torch.linspace(-math.pi, math.pi, 200).unsqueeze(1)
y = torch.sin(x)

hidden = 32
w1 = torch.randn(1, hidden) * 0.5
b1 = torch.zeros(hidden)
w2 = torch.randn(hidden, 1) * 0.2
b2 = torch.zeros(1)

rate = 0.02
for step in range(2000):
    h = (x @ w1 + b1).tanh()
    prediction = h @ w2 + b2
    difference = prediction - y
    loss = difference.pow(2).mean()

    grad_prediction = 2.0 * difference / difference.numel()
    grad_w2 = h.t() @ grad_prediction
    grad_b2 = grad_prediction.sum(0)
    grad_h = grad_prediction @ w2.t()
    grad_before = grad_h * (1 - h * h)
    grad_w1 = x.t() @ grad_before
    grad_b1 = grad_before.sum(0)

    w1 -= rate * grad_w1
    b1 -= rate * grad_b1
    w2 -= rate * grad_w2
    b2 -= rate * grad_b2
    if step % 500 == 499:
        print(f"step {step + 1}: loss {loss.item():.6f}")
