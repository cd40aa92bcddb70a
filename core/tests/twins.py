"""The same module in dovetail and in PyTorch, with the same weights and inputs: what comes out, and the gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

import dovetail
from dovetail import nn


def build(text: str, dtype: str = "float64", device: str | None = None) -> tuple[Any, Any]:
    """Make both modules; the printed form and the names in the state dict are the same."""
    torch.manual_seed(0)
    theirs = eval("nn." + text, {"nn": torch.nn, "F": torch.nn.functional}).to(getattr(torch, dtype))
    ours = eval("nn." + text, {"nn": nn, "F": nn.functional}).to(getattr(dovetail, dtype))
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    load(ours, theirs)
    return (ours if device is None else ours.to(device)), theirs


def load(ours: Any, theirs: Any) -> None:
    """Give our module the weights of theirs."""
    ours.load_state_dict({k: dovetail.tensor(v.detach().numpy()) for k, v in theirs.state_dict().items()})


def pair(array: Any, device: str | None = None) -> tuple[Any, Any]:
    """One array as a tensor of both; floating ones require gradients."""
    grad = array.dtype.kind == "f"
    ours = dovetail.tensor(array, device=device, requires_grad=grad)
    return ours, torch.tensor(array, requires_grad=grad)


def flat(result: Any) -> Iterator[Any]:
    """The floating tensors of a result, which may be nested tuples."""
    if isinstance(result, list | tuple):
        for part in result:
            yield from flat(part)
    elif result is not None and result.is_floating_point():
        yield result


def check(ours: Any, theirs: Any, what: str = "", rtol: float | None = None) -> None:
    """Same shape, dtype and values."""
    assert (ours is None) == (theirs is None), what
    if theirs is None:
        return
    assert str(ours.dtype).split(".")[1] == str(theirs.dtype).split(".")[1], what
    assert tuple(ours.shape) == tuple(theirs.shape), what
    a, b = ours.detach().cpu().numpy(), theirs.detach().numpy()
    rtol = rtol or {"float64": 1e-10, "float32": 3e-5}.get(str(b.dtype), 0.0)
    # Sums of large terms may leave small elements: these are held against the largest one.
    atol = rtol * float(np.abs(b[np.isfinite(b)]).max(initial=0)) if b.dtype.kind == "f" else 0.0
    np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=what)


def backward(ours: Any, theirs: Any) -> None:
    """Go back from a weighted sum of all floating results of both."""
    rng = np.random.default_rng(8)
    totals: list[Any] = [0, 0]
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        weight = rng.standard_normal(tuple(b.shape)).astype(b.detach().numpy().dtype)
        totals[0] = totals[0] + (a * dovetail.tensor(weight, device=a.device)).sum()
        totals[1] = totals[1] + (b * torch.tensor(weight)).sum()
    for total in totals:
        total.backward()


def compare(ours: Any, theirs: Any, results: tuple[Any, Any], inputs: list[tuple[Any, Any]]) -> None:
    """Results, and after `backward` the gradients of all inputs and parameters, are the same."""
    for a, b in zip(flat(results[0]), flat(results[1]), strict=True):
        check(a, b, "result")
    backward(*results)
    for i, (a, b) in enumerate(inputs):
        check(a.grad, b.grad, f"gradient of input {i}")
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        check(a.grad, b.grad, f"gradient of {name}")
