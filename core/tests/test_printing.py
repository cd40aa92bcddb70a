"""The printed form of tensors against PyTorch's own text: programs that run with either library."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import printing

Program = Callable[[Any], Any]
INF, NAN = float("inf"), float("nan")
MIXED = [0.1, -20.5, 3.25, 1000.0]


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")


@pytest.fixture(autouse=True)
def _default_options() -> Iterator[None]:
    yield
    printing.set_printoptions(profile="default")


def spread(lib: Any, *shape: int, scale: float = 1.0) -> Any:
    """Numbers without a pattern, the same in both libraries."""
    size = int(np.prod(shape))
    return lib.tensor((np.sin(np.arange(size, dtype=np.float64) * 12.9898) * scale).astype(np.float32).reshape(shape))


def leaf(lib: Any, *shape: int) -> Any:
    return lib.ones(*shape, requires_grad=True)


VALUES: dict[str, Program] = {
    "0-d float": lambda lib: lib.tensor(3.14159265),
    "0-d whole float": lambda lib: lib.tensor(3.0),
    "0-d int": lambda lib: lib.tensor(-7),
    "0-d bool": lambda lib: lib.tensor(True),
    "0-d nan": lambda lib: lib.tensor(NAN),
    "0-d inf": lambda lib: lib.tensor(-INF),
    "0-d zero": lambda lib: lib.tensor(0.0),
    "0-d negative zero": lambda lib: lib.tensor(-0.0),
    "0-d huge": lambda lib: lib.tensor(1.5e12),
    "0-d tiny": lambda lib: lib.tensor(1.5e-12),
    "whole floats": lambda lib: lib.tensor([1.0, 2.0, 3.0]),
    "whole floats and zero": lambda lib: lib.tensor([0.0, -0.0, 10.0]),
    "zeros": lambda lib: lib.zeros(2, 3),
    "fractions": lambda lib: lib.tensor([0.5, 0.25, -0.125]),
    "rounded up": lambda lib: lib.tensor([0.99996, 9.99996]),
    "different widths": lambda lib: lib.tensor([0.5, -10.25, 100.0]),
    "ratio of 1000": lambda lib: lib.tensor([1.0, 1000.5]),
    "ratio above 1000": lambda lib: lib.tensor([0.1, 1000.5]),
    "mixed": lambda lib: lib.tensor(MIXED),
    "whole, ratio above 1000": lambda lib: lib.tensor([1.0, 5000.0]),
    "whole, above 1e8": lambda lib: lib.tensor([2.0e8, 3.0e8]),
    "exactly 1e8": lambda lib: lib.tensor([1.0e8]),
    "below 1e-4": lambda lib: lib.tensor([9.0e-5]),
    "just 1e-4": lambda lib: lib.tensor([1.1e-4]),
    "subnormal": lambda lib: lib.tensor([1.0e-42, 1.0]),
    "float64 beyond float32": lambda lib: lib.tensor([1e-300, 1e300], dtype=lib.float64),
    "nan among fractions": lambda lib: lib.tensor([NAN, 1.5, -2.0]),
    "nan among whole": lambda lib: lib.tensor([NAN, 1.0, -20.0]),
    "infinities among whole": lambda lib: lib.tensor([INF, -INF, 1.0]),
    "infinities among large": lambda lib: lib.tensor([INF, -INF, 1.0e10]),
    "nothing finite": lambda lib: lib.tensor([INF, NAN, -INF]),
    "nothing but nan": lambda lib: lib.tensor([[NAN, NAN]]),
    "zero and nan": lambda lib: lib.tensor([0.0, NAN]),
    "ints": lambda lib: lib.tensor([1, -20, 300]),
    "int table": lambda lib: lib.tensor([[1, 2], [-30, 4]]),
    "int extremes": lambda lib: lib.tensor([2**63 - 1, -(2**63)]),
    "bools": lambda lib: lib.tensor([[True, False], [False, True]]),
    "one bool value": lambda lib: lib.tensor([True, True]),
    "3-d": lambda lib: lib.arange(24).reshape(2, 3, 4),
    "4-d": lambda lib: spread(lib, 2, 2, 2, 2),
    "one column": lambda lib: lib.ones(3, 1),
    "many leading ones": lambda lib: lib.ones(1, 1, 1, 2),
    "long row wraps": lambda lib: spread(lib, 40),
    "long nested rows wrap": lambda lib: spread(lib, 2, 25),
    "long int row wraps": lambda lib: lib.arange(60),
}

LARGE: dict[str, Program] = {
    "exactly the threshold": lambda lib: spread(lib, 1000),
    "above the threshold": lambda lib: spread(lib, 1001),
    "large ints": lambda lib: lib.arange(5000),
    "large table": lambda lib: spread(lib, 40, 50),
    "large int table": lambda lib: lib.arange(2000).reshape(40, 50),
    "large, few rows": lambda lib: spread(lib, 3, 500),
    "large, few columns": lambda lib: spread(lib, 500, 3),
    "large, six rows stay": lambda lib: spread(lib, 6, 300),
    "large, seven rows do not": lambda lib: spread(lib, 7, 300),
    "large 3-d": lambda lib: spread(lib, 20, 20, 20),
    "large 4-d": lambda lib: spread(lib, 2, 9, 9, 9),
    "large bools": lambda lib: lib.zeros(1500, dtype=lib.bool),
    "large, width of what is shown": lambda lib: lib.tensor([1.0] * 3 + [1e7] * 2000 + [1.0] * 3),
    "large with a graph": lambda lib: (leaf(lib, 1200) * 2).reshape(30, 40),
}

DTYPES: dict[str, Program] = {
    "float64": lambda lib: lib.tensor([1.5], dtype=lib.float64),
    "float16": lambda lib: lib.tensor([0.1, 65504.0], dtype=lib.float16),
    "bfloat16": lambda lib: lib.tensor([0.1, 3.0], dtype=lib.bfloat16),
    "whole bfloat16": lambda lib: lib.tensor(MIXED[3:], dtype=lib.bfloat16),
    "int32": lambda lib: lib.tensor([1, 2], dtype=lib.int32),
    "uint8": lambda lib: lib.tensor([0, 255], dtype=lib.uint8),
    "int8": lambda lib: lib.tensor([[-128, 127]], dtype=lib.int8),
    "int16": lambda lib: lib.tensor(5, dtype=lib.int16),
    "empty": lambda lib: lib.tensor([]),
    "empty int": lambda lib: lib.tensor([], dtype=lib.int64),
    "empty bool": lambda lib: lib.zeros(0, dtype=lib.bool),
    "empty table": lambda lib: lib.zeros(2, 0),
    "empty float64 table": lambda lib: lib.zeros(0, 3, dtype=lib.float64),
    "empty that requires grad": lambda lib: lib.zeros(0, 3, requires_grad=True),
    "dtype on a line of its own": lambda lib: spread(lib, 8).double(),
    "dtype beside a table": lambda lib: spread(lib, 3, 9).double(),
}

GRAPH: dict[str, Program] = {
    "leaf": lambda lib: leaf(lib, 2),
    "float64 leaf": lambda lib: lib.ones(2, dtype=lib.float64, requires_grad=True),
    "leaf at the end of a line": lambda lib: lib.full((9,), 0.12345, requires_grad=True),
    "leaf on the next line": lambda lib: lib.full((10,), 0.12345, requires_grad=True),
    "sum": lambda lib: leaf(lib, 3).sum(),
    "table with a graph": lambda lib: leaf(lib, 2, 2) * 0.3,
    "float16 with a graph": lambda lib: leaf(lib, 2).half() * 2,
    "detached": lambda lib: (leaf(lib, 2) * 2).detach(),
    "gradient": lambda lib: gradient(lib),
    "list of tensors": lambda lib: [lib.ones(1), leaf(lib, 1)],
    "pair of max": lambda lib: leaf(lib, 2, 2).max(1).values,
}

OPTIONS: dict[str, tuple[dict[str, Any], Program]] = {
    "precision 2": ({"precision": 2}, lambda lib: spread(lib, 4)),
    "precision 0": ({"precision": 0}, lambda lib: lib.tensor([0.6, 10.25])),
    "precision 8 scientific": ({"precision": 8}, lambda lib: lib.tensor([1e-9, 1.0])),
    "sci_mode on": ({"sci_mode": True}, lambda lib: lib.tensor([1.0, 2.0])),
    "sci_mode on, fractions": ({"sci_mode": True}, lambda lib: lib.tensor([1.5, -INF])),
    "sci_mode off": ({"sci_mode": False}, lambda lib: lib.tensor([1e-9, 1e9])),
    "sci_mode off, whole": ({"sci_mode": False}, lambda lib: lib.tensor([1e10, 1.0])),
    "threshold": ({"threshold": 5}, lambda lib: spread(lib, 10)),
    "threshold and edges": ({"threshold": 5, "edgeitems": 1}, lambda lib: spread(lib, 4, 4)),
    "no edges": ({"threshold": 5, "edgeitems": 0}, lambda lib: spread(lib, 10)),
    "no edges, table": ({"threshold": 5, "edgeitems": 0}, lambda lib: spread(lib, 4, 4)),
    "no edges, small": ({"edgeitems": 0}, lambda lib: spread(lib, 2, 2)),
    "linewidth": ({"linewidth": 40}, lambda lib: spread(lib, 3, 10)),
    "linewidth too small for one": ({"linewidth": 5}, lambda lib: spread(lib, 3)),
    "linewidth and suffix": ({"linewidth": 30}, lambda lib: leaf(lib, 4) * 0.5),
    "short": ({"profile": "short"}, lambda lib: spread(lib, 40, 40)),
    "full": ({"profile": "full"}, lambda lib: spread(lib, 1100)),
    "short with precision": ({"profile": "short", "precision": 1}, lambda lib: spread(lib, 3)),
}

FORMS: dict[str, Program] = {
    "str": lambda lib: str(lib.tensor([1.5])),
    "f-string of a tensor": lambda lib: f"{lib.tensor([1.5, 2.0])}",
    "f-string of a number": lambda lib: f"{lib.tensor(1.23456):.2f}",
    "f-string of an int, padded": lambda lib: f"{lib.tensor(7):5d}|",
    "f-string of a number without a form": lambda lib: f"{lib.tensor(1.5)}",
    "format of item": lambda lib: format(lib.tensor(0.12345).item(), ".3f"),
    "shape": lambda lib: repr(lib.ones(2, 3).shape),
    "size of dtype": lambda lib: repr(lib.ones(2).dtype),
}


NODES: dict[str, Program] = {
    "add": lambda lib: leaf(lib, 2) + 1,
    "sub": lambda lib: leaf(lib, 2) - leaf(lib, 2),
    "mul": lambda lib: 2 * leaf(lib, 2),
    "div": lambda lib: leaf(lib, 2) / 2,
    "neg": lambda lib: -leaf(lib, 2),
    "power": lambda lib: leaf(lib, 2) ** 2,
    "power of tensors": lambda lib: leaf(lib, 2) ** leaf(lib, 2),
    "number to a power": lambda lib: 2 ** leaf(lib, 2),
    "square": lambda lib: leaf(lib, 2).square(),
    "exp": lambda lib: leaf(lib, 2).exp(),
    "sigmoid": lambda lib: leaf(lib, 2).sigmoid(),
    "relu": lambda lib: leaf(lib, 2).relu(),
    "clamp": lambda lib: leaf(lib, 2).clamp(min=0),
    "clamp by tensors": lambda lib: leaf(lib, 2).clamp(lib.zeros(2), lib.ones(2)),
    "sum": lambda lib: leaf(lib, 2, 3).sum(),
    "sum over a dimension": lambda lib: leaf(lib, 2, 3).sum(0),
    "sum that keeps": lambda lib: leaf(lib, 2, 3).sum((0, 1), keepdim=True),
    "mean": lambda lib: leaf(lib, 2, 3).mean(),
    "mean over a dimension": lambda lib: leaf(lib, 2, 3).mean(1),
    "max": lambda lib: leaf(lib, 2, 3).max(),
    "min along": lambda lib: leaf(lib, 2, 3).min(1, keepdim=True).values,
    "matmul": lambda lib: leaf(lib, 2, 3) @ lib.ones(3, 4),
    "matrix and vector": lambda lib: leaf(lib, 2, 3) @ lib.ones(3),
    "vectors": lambda lib: leaf(lib, 3) @ lib.ones(3),
    "mm": lambda lib: leaf(lib, 2, 3).mm(lib.ones(3, 4)),
    "bmm": lambda lib: leaf(lib, 2, 2, 3).bmm(lib.ones(2, 3, 4)),
    "linear": lambda lib: lib.nn.functional.linear(leaf(lib, 2, 3), lib.ones(4, 3), lib.ones(4)),
    "linear without bias": lambda lib: lib.nn.functional.linear(leaf(lib, 2, 3), lib.ones(4, 3)),
    "module": lambda lib: lib.nn.Linear(3, 4)(lib.ones(2, 3)),
    "view": lambda lib: leaf(lib, 2, 3).view(-1),
    "reshape": lambda lib: leaf(lib, 2, 3).reshape(3, 2),
    "flatten": lambda lib: leaf(lib, 2, 3).flatten(),
    "t": lambda lib: leaf(lib, 2, 3).t(),
    "transpose": lambda lib: leaf(lib, 2, 3, 4).transpose(1, 2),
    "permute": lambda lib: leaf(lib, 2, 3, 4).permute(2, 0, 1),
    "squeeze": lambda lib: leaf(lib, 2, 1).squeeze(1),
    "unsqueeze": lambda lib: leaf(lib, 2).unsqueeze(0),
    "expand": lambda lib: leaf(lib, 3).expand(2, 3),
    "clone": lambda lib: leaf(lib, 2).clone(),
    "conversion": lambda lib: leaf(lib, 2).double(),
    "position": lambda lib: leaf(lib, 2, 3)[0],
    "slice": lambda lib: leaf(lib, 2, 3)[0:1],
    "column": lambda lib: leaf(lib, 2, 3)[:, 1],
    "position and slice": lambda lib: leaf(lib, 2, 3)[0, 1:],
    "new axis": lambda lib: leaf(lib, 2)[None],
    "where": lambda lib: lib.where(lib.ones(2) > 0, leaf(lib, 2), lib.zeros(2)),
    "masked_fill": lambda lib: leaf(lib, 2).masked_fill(lib.ones(2) > 0, 1.0),
    "log_softmax": lambda lib: lib.nn.functional.log_softmax(leaf(lib, 2, 3), dim=1),
    "mse_loss": lambda lib: lib.nn.MSELoss()(leaf(lib, 2), lib.zeros(2)),
    "nll_loss": lambda lib: lib.nn.functional.nll_loss(leaf(lib, 1, 3), lib.tensor([0])),
    "cross_entropy": lambda lib: lib.nn.CrossEntropyLoss()(leaf(lib, 1, 3), lib.tensor([0])),
    "layer_norm": lambda lib: lib.nn.LayerNorm(3)(leaf(lib, 2, 3)),
    "group_norm": lambda lib: lib.nn.GroupNorm(2, 4)(leaf(lib, 2, 4)),
    "batch_norm": lambda lib: lib.nn.BatchNorm1d(3)(leaf(lib, 2, 3)),
    "cat": lambda lib: lib.cat([leaf(lib, 2), leaf(lib, 2)]),
    "stack": lambda lib: lib.stack([leaf(lib, 2), leaf(lib, 2)]),
    "gelu": lambda lib: lib.nn.GELU()(leaf(lib, 2)),
    "softmax": lambda lib: leaf(lib, 2).softmax(0),
    "norm": lambda lib: leaf(lib, 2).norm(),
    "std": lambda lib: leaf(lib, 2).std(),
    "prod": lambda lib: leaf(lib, 2).prod(),
    "cumsum": lambda lib: leaf(lib, 2).cumsum(0),
    "embedding": lambda lib: lib.nn.Embedding(3, 2)(lib.tensor([0])),
    "conv2d": lambda lib: lib.nn.Conv2d(1, 2, 3)(lib.ones(1, 1, 4, 4)),
    "max_pool2d": lambda lib: lib.nn.MaxPool2d(2)(leaf(lib, 1, 1, 4, 4)),
    "copy into": lambda lib: (leaf(lib, 2) * 2).copy_(lib.zeros(2)),
    "write into a row": lambda lib: written(lib),
    "add in place": lambda lib: (leaf(lib, 2) * 2).add_(1),
}
"""What tutorials print or name, by the node that PyTorch makes of it."""


def written(lib: Any) -> Any:
    made = leaf(lib, 2, 3) * 2
    made[0] = lib.zeros(3)
    return made


def gradient(lib: Any) -> Any:
    x = lib.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x * x * 0.3).sum().backward()
    return x.grad


def translated(text: str) -> str:
    return text.replace("torch.", "dovetail.")


def assert_same(ours: str, theirs: str) -> None:
    """Equal texts; a dtype's longer name may push itself and what follows to the next line."""
    theirs = translated(theirs)
    if "dtype=" in theirs and ours != theirs:
        assert max(map(len, ours.splitlines())) <= 80
        ours, theirs = (re.sub(r",\s+(?=[a-z])", ", ", text) for text in (ours, theirs))
    assert ours == theirs


CASES = {**VALUES, **LARGE, **DTYPES, **GRAPH, **FORMS}


@pytest.mark.oracle
@pytest.mark.parametrize("case", CASES)
def test_text_is_that_of_pytorch(torch: Any, case: str) -> None:
    program = CASES[case]
    assert_same(repr(program(dovetail)), repr(program(torch)))


@pytest.mark.oracle
@pytest.mark.parametrize("case", NODES)
def test_a_node_has_the_name_of_pytorch(torch: Any, case: str) -> None:
    program = NODES[case]
    ours, theirs = program(dovetail), program(torch)
    assert ours.grad_fn.name() == type(theirs.grad_fn).__name__
    assert f"grad_fn=<{ours.grad_fn.name()}>" in repr(ours)


@pytest.mark.oracle
def test_the_tutorial_walks_a_graph_back(torch: Any) -> None:
    """The page on networks prints three nodes: MSELoss, Linear, ReLU."""

    def names(lib: Any) -> list[str]:
        net = lib.nn.Sequential(lib.nn.Linear(3, 2), lib.nn.ReLU(), lib.nn.Linear(2, 1))
        loss = lib.nn.MSELoss()(net(lib.ones(1, 3)), lib.zeros(1, 1))
        return [loss.grad_fn.name(), loss.grad_fn.next_functions[0][0].name()]

    assert names(dovetail) == names(torch) == ["MseLossBackward0", "AddmmBackward0"]


@pytest.mark.oracle
@pytest.mark.parametrize("case", OPTIONS)
def test_options_do_what_those_of_pytorch_do(torch: Any, case: str) -> None:
    options, program = OPTIONS[case]
    with printing.printoptions(**options):
        ours = repr(program(dovetail))
    torch.set_printoptions(**options)
    try:
        theirs = repr(program(torch))
    finally:
        torch.set_printoptions(profile="default")
    assert_same(ours, theirs)


@pytest.mark.oracle
@pytest.mark.parametrize("seed", range(8))
def test_text_of_random_tensors(torch: Any, seed: int) -> None:
    """Values of every magnitude, with special ones among them, in every shape and floating dtype."""
    rng = np.random.default_rng(seed)
    for _ in range(60):
        shape = tuple(rng.integers(0, 8, size=rng.integers(0, 4)))
        values = rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 10)
        if rng.random() < 0.5:
            values = np.round(values)
        special = rng.random(shape) < 0.1
        values = np.where(special, rng.choice([0.0, -0.0, INF, -INF, NAN], size=shape), values)
        name = str(rng.choice(["float64", "float32", "float16", "bfloat16", "int64", "int8", "bool"]))
        if not name.startswith(("float", "bfloat")):
            values = np.nan_to_num(values, posinf=1, neginf=-1).clip(-100, 100)
        theirs = torch.tensor(values).to(getattr(torch, name))
        host = theirs.double().numpy() if theirs.is_floating_point() else theirs.numpy()
        ours = dovetail.tensor(host, dtype=getattr(dovetail, name))
        assert_same(repr(ours), repr(theirs))


def test_what_the_table_of_a_tutorial_shows() -> None:
    """Without the oracle: the texts that a reader of the tutorials knows."""
    x = dovetail.ones(2, 2, requires_grad=True)
    assert str(x) == "tensor([[1., 1.],\n        [1., 1.]], requires_grad=True)"
    assert str(x + 2) == "tensor([[3., 3.],\n        [3., 3.]], grad_fn=<AddBackward0>)"
    assert str((x + 2).mean()) == "tensor(3., grad_fn=<MeanBackward0>)"
    assert str(dovetail.tensor([1, 2], dtype=dovetail.int32)) == "tensor([1, 2], dtype=dovetail.int32)"


def test_a_device_is_named_where_it_is_not_the_default() -> None:
    pytest.importorskip("jax", reason="JAX is not installed; the extra `jax` has it")
    x = dovetail.ones(2, device="jax:cpu")
    assert str(x) == "tensor([1., 1.], device='jax:cpu:0')"
    with dovetail.use_backend("jax"):
        assert str(x) == "tensor([1., 1.])"
        assert str(dovetail.ones(1, device="numpy:cpu")) == "tensor([1.], device='numpy:cpu:0')"


def test_a_subclass_is_printed_under_its_name() -> None:
    class Distance(dovetail.Tensor):
        pass

    x = Distance._make_subclass(Distance, dovetail.ones(2))
    assert repr(x) == "Distance([1., 1.])"
    parameter = dovetail.nn.Parameter(dovetail.ones(2))
    assert repr(parameter) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"


def test_the_default_dtype_is_not_shown() -> None:
    x = dovetail.tensor([1.5], dtype=dovetail.float64)
    assert repr(x) == "tensor([1.5000], dtype=dovetail.float64)"
    dovetail.set_default_dtype(dovetail.float64)
    try:
        assert repr(x) == "tensor([1.5000])"
        assert repr(x.float()) == "tensor([1.5000], dtype=dovetail.float32)"
    finally:
        dovetail.set_default_dtype(dovetail.float32)


def test_a_view_is_printed_as_it_is_now() -> None:
    base = dovetail.zeros(2, 2)
    row = base[0]
    base += 1
    assert repr(row) == "tensor([1., 1.])"


def test_a_numpy_user_finds_the_options() -> None:
    dovetail.set_printoptions(precision=1, linewidth=100)
    assert printing.get_printoptions() == {
        "precision": 1, "threshold": 1000, "edgeitems": 3, "linewidth": 100, "sci_mode": None,
    }  # fmt: skip
    assert repr(dovetail.tensor([0.25])) == "tensor([0.2])"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"profile": "tall"}, ValueError, "'default', 'short', 'full'"),
        ({"precision": -1}, TypeError, "precision"),
        ({"linewidth": "wide"}, TypeError, "linewidth"),
        ({"colour": True}, TypeError, "colour"),
    ],
)
def test_options_that_mean_nothing_are_errors(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        dovetail.set_printoptions(**options)
    assert repr(dovetail.tensor([0.25])) == "tensor([0.2500])"


def test_options_are_those_of_the_process() -> None:
    dovetail.set_printoptions(precision=2)
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(repr(dovetail.tensor([0.25]))))
    thread.start()
    thread.join()
    assert found == ["tensor([0.25])"]


def test_a_node_is_printed_as_pytorch_prints_it() -> None:
    node = (dovetail.ones(2, requires_grad=True) * 2).grad_fn
    assert repr(node) == f"<MulBackward0 object at {id(node):#x}>"
