"""Outputs and gradients of every layer are PyTorch's with the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn

torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
pytestmark = pytest.mark.oracle

# Constructor, shapes of the inputs. Integers stand for an index tensor below that bound.
LAYERS: list[tuple[str, list[Any]]] = [
    ("Linear(3, 2)", [(4, 3)]),
    ("Linear(3, 2)", [(3,)]),
    ("Linear(3, 2, bias=False)", [(2, 5, 3)]),
    ("Bilinear(3, 4, 2)", [(5, 3), (5, 4)]),
    ("Bilinear(3, 4, 2, bias=False)", [(2, 5, 3), (2, 5, 4)]),
    ("Identity()", [(2, 3)]),
    ("Flatten()", [(2, 3, 4)]),
    ("Flatten(0, 1)", [(2, 3, 4)]),
    ("Unflatten(1, (2, 3))", [(2, 6, 4)]),
    ("Conv2d(3, 4, 3)", [(2, 3, 7, 6)]),
    ("Conv2d(3, 4, 3)", [(3, 7, 6)]),
    ("Conv2d(3, 4, (2, 3), stride=(2, 1), padding=(1, 2), bias=False)", [(2, 3, 7, 6)]),
    ("Conv2d(4, 6, 3, dilation=2, groups=2)", [(2, 4, 9, 8)]),
    ("Conv2d(4, 4, 3, padding=1, groups=4)", [(2, 4, 5, 5)]),
    ("Conv2d(2, 3, (2, 3), padding='same')", [(1, 2, 5, 6)]),
    ("Conv2d(2, 3, 3, padding='valid')", [(1, 2, 5, 6)]),
    ("Conv2d(2, 3, 3, padding=2, padding_mode='reflect')", [(1, 2, 5, 6)]),
    ("Conv2d(2, 3, 3, padding=(1, 2), padding_mode='replicate')", [(1, 2, 5, 6)]),
    ("Conv2d(2, 3, 3, padding=1, padding_mode='circular')", [(1, 2, 5, 6)]),
    ("Conv2d(2, 3, (2, 3), padding='same', padding_mode='circular')", [(1, 2, 5, 6)]),
    ("Conv1d(4, 6, 3, stride=2, padding=1, groups=2)", [(2, 4, 9)]),
    ("Conv1d(2, 3, 3, padding=2, padding_mode='circular')", [(2, 6)]),
    ("MaxPool1d(3, 2, 1)", [(2, 3, 9)]),
    ("AvgPool1d(3, 2, 1, count_include_pad=False)", [(2, 3, 9)]),
    ("RMSNorm(4)", [(2, 3, 4)]),
    ("RMSNorm((3, 4), eps=1e-2)", [(2, 3, 4)]),
    ("GroupNorm(2, 4)", [(3, 4, 5)]),
    ("GroupNorm(4, 4, bias=False)", [(3, 4, 2, 3)]),
    ("MaxPool2d(2)", [(2, 3, 6, 7)]),
    ("MaxPool2d(2)", [(3, 6, 7)]),
    ("MaxPool2d(3, 2, 1)", [(2, 3, 6, 7)]),
    ("MaxPool2d((2, 3), (1, 2), ceil_mode=True)", [(2, 3, 6, 8)]),
    ("MaxPool2d(2, 1, dilation=2)", [(2, 3, 6, 7)]),
    ("AvgPool2d(2)", [(2, 3, 6, 7)]),
    ("AvgPool2d(3, 2, 1)", [(2, 3, 6, 7)]),
    ("AvgPool2d(3, 2, 1, count_include_pad=False)", [(3, 6, 7)]),
    ("AvgPool2d(3, 2, ceil_mode=True)", [(2, 3, 6, 8)]),
    ("AvgPool2d((2, 3), divisor_override=5)", [(2, 3, 6, 7)]),
    ("AdaptiveAvgPool2d(1)", [(2, 3, 6, 7)]),
    ("AdaptiveAvgPool2d((4, 3))", [(2, 3, 6, 7)]),
    ("AdaptiveAvgPool2d((None, 3))", [(3, 6, 7)]),
    ("BatchNorm1d(3)", [(5, 3)]),
    ("BatchNorm1d(3)", [(5, 3, 4)]),
    ("BatchNorm2d(3)", [(2, 3, 4, 5)]),
    ("BatchNorm2d(3, eps=1e-2, momentum=None)", [(2, 3, 4, 5)]),
    ("BatchNorm2d(3, affine=False)", [(2, 3, 4, 5)]),
    ("BatchNorm2d(3, bias=False)", [(2, 3, 4, 5)]),
    ("BatchNorm2d(3, track_running_stats=False)", [(2, 3, 4, 5)]),
    ("BatchNorm3d(2)", [(2, 2, 3, 2, 2)]),
    ("InstanceNorm1d(3)", [(2, 3, 4)]),
    ("InstanceNorm1d(3, affine=True)", [(3, 4)]),
    ("InstanceNorm2d(3, affine=True, track_running_stats=True)", [(2, 3, 4, 5)]),
    ("InstanceNorm2d(3, affine=True, bias=False, momentum=0.3, eps=1e-2)", [(2, 3, 4, 5)]),
    ("InstanceNorm2d(3, track_running_stats=True)", [(3, 4, 5)]),
    ("InstanceNorm3d(2, affine=True)", [(2, 2, 3, 2, 2)]),
    ("SyncBatchNorm(3)", [(5, 3, 2)]),
    ("LocalResponseNorm(2)", [(2, 5, 4)]),
    ("LocalResponseNorm(3, alpha=0.5, beta=0.6, k=2.0)", [(2, 5, 2, 3)]),
    ("LocalResponseNorm(9, alpha=0.5)", [(2, 4, 2, 3, 2)]),
    ("CrossMapLRN2d(4, alpha=0.5, beta=0.6, k=2)", [(2, 2, 2, 3)]),
    ("LayerNorm(4)", [(2, 3, 4)]),
    ("LayerNorm((3, 4), eps=1e-2)", [(2, 3, 4)]),
    ("LayerNorm(4, elementwise_affine=False)", [(4,)]),
    ("LayerNorm(4, bias=False)", [(2, 3, 4)]),
    ("ReLU()", [(3, 4)]),
    ("ReLU6()", [(3, 4)]),
    ("LeakyReLU(0.2)", [(3, 4)]),
    ("PReLU()", [(3, 4)]),
    ("PReLU(4)", [(3, 4, 2)]),
    ("ELU(0.7)", [(3, 4)]),
    ("CELU(0.7)", [(3, 4)]),
    ("SELU()", [(3, 4)]),
    ("GELU()", [(3, 4)]),
    ("GELU('tanh')", [(3, 4)]),
    ("SiLU()", [(3, 4)]),
    ("Mish()", [(3, 4)]),
    ("Sigmoid()", [(3, 4)]),
    ("Tanh()", [(3, 4)]),
    ("Hardtanh(-0.5, 0.7)", [(3, 4)]),
    ("Hardsigmoid()", [(3, 4)]),
    ("Hardswish()", [(3, 4)]),
    ("Softplus()", [(3, 4)]),
    ("Softplus(3, 2)", [(3, 4)]),
    ("Softsign()", [(3, 4)]),
    ("Tanhshrink()", [(3, 4)]),
    ("Hardshrink(0.4)", [(3, 4)]),
    ("Softshrink(0.4)", [(3, 4)]),
    ("Threshold(0.1, 20)", [(3, 4)]),
    ("LogSigmoid()", [(3, 4)]),
    ("GLU()", [(3, 4)]),
    ("GLU(0)", [(4, 3)]),
    ("Softmax(1)", [(3, 4)]),
    ("LogSoftmax(-1)", [(3, 4)]),
    ("Softmin(0)", [(3, 4)]),
    ("Softmax2d()", [(2, 3, 4, 5)]),
    ("Dropout(0.0)", [(3, 4)]),
    ("Dropout(1.0)", [(3, 4)]),
    ("Dropout1d(1.0)", [(2, 3, 4)]),
    ("Dropout2d(0.0)", [(2, 3, 4, 4)]),
    ("Dropout3d(1.0)", [(2, 3, 4, 4, 2)]),
    ("Embedding(7, 3)", [7]),
    ("Embedding(7, 3, padding_idx=2)", [7]),
    ("Embedding(7, 3, padding_idx=-1)", [7]),
    ("Embedding(7, 3, max_norm=0.5)", [7]),
    ("Embedding(7, 3, max_norm=1.0, norm_type=1.0)", [7]),
    ("Embedding(7, 3, scale_grad_by_freq=True)", [7]),
    ("Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2))", [(6, 3)]),
]

TOLERANCE = {"float32": (2e-5, 2e-6), "float64": (1e-11, 1e-12)}
# PyTorch's own constants are float32 here: 1/6 in hardsigmoid's gradient, 1/alpha in celu's, 1e-12 in BCE's.
ROUNDED_IN_PYTORCH = ("CELU", "Hardsigmoid")
ROUNDED = {"float32": (2e-5, 2e-6), "float64": (1e-7, 1e-8)}


def build(text: str, dtype: str) -> tuple[Any, Any]:
    """Make both layers with the same weights."""
    torch.manual_seed(0)
    theirs = eval("nn." + text, {"nn": torch.nn}).to(getattr(torch, dtype))
    ours = eval("nn." + text, {"nn": nn}).to(getattr(dovetail, dtype))
    ours.load_state_dict({k: dovetail.tensor(v.detach().numpy()) for k, v in theirs.state_dict().items()})
    return ours, theirs


def make_inputs(shapes: list[Any], dtype: str) -> tuple[list[Any], list[Any]]:
    rng = np.random.default_rng(7)
    arrays = []
    for shape in shapes:
        if isinstance(shape, int):
            arrays.append(rng.integers(0, shape, (2, 6)))
        else:
            arrays.append(rng.standard_normal(shape).astype(dtype))
    grad = [a.dtype.kind == "f" for a in arrays]
    return (
        [dovetail.tensor(a, requires_grad=g) for a, g in zip(arrays, grad)],
        [torch.tensor(a, requires_grad=g) for a, g in zip(arrays, grad)],
    )


def check(ours: Any, theirs: Any, dtype: str, what: str, tolerance: Any = TOLERANCE) -> None:
    rtol, atol = tolerance[dtype]
    assert (ours is None) == (theirs is None), what
    if theirs is not None:
        assert str(ours.dtype).split(".")[1] == str(theirs.dtype).split(".")[1], what
        assert tuple(ours.shape) == tuple(theirs.shape), what
        a, b = ours.detach().numpy(), theirs.detach().numpy()
        # Sums of large terms may leave small elements: these are held against the largest one.
        atol = max(atol, rtol * float(np.abs(b).max(initial=0)))
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=what)


def run_both(ours: Any, theirs: Any, shapes: list[Any], dtype: str) -> None:
    inputs, their_inputs = make_inputs(shapes, dtype)
    output, their_output = ours(*inputs), theirs(*their_inputs)
    tolerance = ROUNDED if type(ours).__name__ in ROUNDED_IN_PYTORCH else TOLERANCE
    check(output, their_output, dtype, "output")
    if their_output.requires_grad:
        cotangent = np.random.default_rng(8).standard_normal(tuple(output.shape)).astype(dtype)
        output.backward(dovetail.tensor(cotangent))
        their_output.backward(torch.tensor(cotangent))
        for i, (a, b) in enumerate(zip(inputs, their_inputs)):
            check(a.grad, b.grad, dtype, f"gradient of input {i}", tolerance)
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters()):
        check(a.grad, b.grad, dtype, f"gradient of {name}")
    for (name, a), b in zip(ours.state_dict().items(), theirs.state_dict().values()):
        check(a, b, dtype, f"{name} afterwards")


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("text", "shapes"), LAYERS, ids=[f"{t} {s}" for t, s in LAYERS])
def test_layer(text: str, shapes: list[Any], dtype: str) -> None:
    ours, theirs = build(text, dtype)
    # Twice, so that running statistics move twice; then in evaluation mode, which uses them.
    run_both(ours, theirs, shapes, dtype)
    run_both(ours, theirs, shapes, dtype)
    run_both(ours.eval(), theirs.eval(), shapes, dtype)


LOSSES: list[tuple[str, str]] = [
    *[
        (f"{name}(reduction='{reduction}'{rest})", target)
        for reduction in ("none", "mean", "sum")
        for name, rest, target in [
            ("L1Loss", "", "same"),
            ("MSELoss", "", "same"),
            ("SmoothL1Loss", ", beta=0.5", "same"),
            ("SmoothL1Loss", ", beta=0", "same"),
            ("HuberLoss", ", delta=0.5", "same"),
            ("NLLLoss", "", "classes"),
            ("NLLLoss", ", ignore_index=1", "classes"),
            ("NLLLoss", ", weight=w", "classes"),
            ("CrossEntropyLoss", "", "classes"),
            ("CrossEntropyLoss", ", ignore_index=1, weight=w", "classes"),
            ("CrossEntropyLoss", ", label_smoothing=0.2", "classes"),
            ("CrossEntropyLoss", ", label_smoothing=0.2, weight=w, ignore_index=0", "classes"),
            ("CrossEntropyLoss", "", "probabilities"),
            ("CrossEntropyLoss", ", weight=w, label_smoothing=0.1", "probabilities"),
            ("BCEWithLogitsLoss", "", "probabilities"),
            ("BCEWithLogitsLoss", ", weight=w, pos_weight=w", "probabilities"),
            ("KLDivLoss", ", log_target=True", "same"),
            ("KLDivLoss", "", "probabilities"),
        ]
    ],
    ("KLDivLoss(reduction='batchmean')", "probabilities"),
]


@pytest.mark.parametrize("shape", [(5, 3), (3,), (4, 3, 2)])
@pytest.mark.parametrize(("text", "target"), LOSSES)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss:UserWarning")
def test_loss(text: str, target: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    classes = shape[0] if len(shape) == 1 else shape[1]
    weight = rng.random(classes)
    if text.startswith("BCE") and len(shape) == 3:
        weight = weight[:, None]
    values = rng.standard_normal(shape)
    wanted: Any
    if target == "same":
        wanted = rng.standard_normal(shape)
    elif target == "probabilities":
        wanted = rng.random(shape)
        wanted /= wanted.sum(axis=0 if len(shape) == 1 else 1, keepdims=True)
    else:
        wanted = rng.integers(0, classes, shape[:1] + shape[2:] if len(shape) > 1 else ())
    grads = []
    for framework in (dovetail, torch):
        loss = eval("nn." + text, {"nn": framework.nn, "w": framework.tensor(weight)})
        x = framework.tensor(values, requires_grad=True)
        result = loss(x, framework.tensor(wanted))
        result.backward(framework.ones_like(result))
        grads.append((result, x.grad))
    check(grads[0][0], grads[1][0], "float64", "loss")
    check(grads[0][1], grads[1][1], "float64", "gradient")


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
def test_binary_cross_entropy(reduction: str, weighted: bool) -> None:
    rng = np.random.default_rng(3)
    values, wanted, weight = rng.random((4, 3)), rng.random((4, 3)), rng.random(3)
    values[0, 0], wanted[0, 0] = 0.0, 1.0  # the logarithm is limited to -100
    values[1, 1], wanted[1, 1] = 1.0, 1.0
    results = []
    for framework in (dovetail, torch):
        loss = framework.nn.BCELoss(framework.tensor(weight) if weighted else None, reduction=reduction)
        x = framework.tensor(values, requires_grad=True)
        result = loss(x, framework.tensor(wanted))
        result.backward(framework.ones_like(result))
        results.append((result, x.grad))
    check(results[0][0], results[1][0], "float64", "loss")
    check(results[0][1], results[1][1], "float64", "gradient", ROUNDED)


def test_a_model_trains_as_pytorchs_does() -> None:
    """Twenty steps of plain gradient descent, written out, with the same weights and data."""
    layers = "nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 4)"
    text = f"Sequential({layers})"
    ours, theirs = build(text, "float64")
    rng = np.random.default_rng(0)
    images, classes = rng.standard_normal((8, 1, 8, 8)), rng.integers(0, 4, 8)
    histories = []
    for framework, model in ((dovetail, ours), (torch, theirs)):
        x, y, losses = framework.tensor(images), framework.tensor(classes), []
        for _ in range(20):
            loss = framework.nn.functional.cross_entropy(model(x), y)
            model.zero_grad()
            loss.backward()
            with framework.no_grad():
                for parameter in model.parameters():
                    parameter -= 0.1 * parameter.grad
            losses.append(loss.item())
        histories.append(losses)
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-9)
    assert histories[0][-1] < 0.5 * histories[0][0]
