"""Precision switches: products are computed in the dtype that was asked for, and 16-bit ones are added up in float32.

Libraries have switches that lose bits behind the user's back: TF32, passes of bfloat16, sums in 16 bits, float64 as
float32. They act on large products only, so the op's own samples do not see them. Here every product has 512 terms: of
numbers whose last bits such a switch drops, and of standard normal ones, which must meet the record's tighter factor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

import dovetail
from dovetail.backend.inspection import record
from dovetail_conformance import draw
from dovetail_conformance.calls import array
from dovetail_conformance.judge import Case, exact_matmul, judge
from dovetail_conformance.outcome import Row
from dovetail_conformance.session import Session, quiet

Host = np.ndarray[Any, Any]

TERMS: Final = 512
LOST: Final = {"float32": 2.0**-11, "float64": 2.0**-25, "float16": 2.0**-9, "bfloat16": 2.0**-6}
"""What is added to 1: TF32 and bfloat16 drop it from a float32, float32 from a float64; sums in 16 bits lose it."""


@dataclass(frozen=True)
class Product:
    """One way to multiply: the shapes of the inputs, the call, and both sides of the matrix product that it is."""

    op: str
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    call: Callable[[Any, Any], Any]
    left: Callable[[Host, Host], Host]
    right: Callable[[Host, Host], Host]
    result: Callable[[Host], Host] = lambda out: out
    text: str = "a, b"
    """The arguments as a user writes them."""


def _first(a: Host, b: Host) -> Host:
    return a


def _second(a: Host, b: Host) -> Host:
    return b


def _windows(x: Host, w: Host) -> Host:
    """The part of the images that each result of a convolution sees, as rows."""
    seen = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=tuple(range(2, x.ndim)))
    order = (0, *range(2, x.ndim), 1, *range(x.ndim, seen.ndim))
    return seen.transpose(order).reshape(-1, w[0].size)


def _filters(x: Host, w: Host) -> Host:
    return w.reshape(len(w), -1).T


def _channels_last(out: Host) -> Host:
    return np.moveaxis(out, 1, -1).reshape(-1, out.shape[1])


def _gradient(a: Any, b: Any) -> Any:
    """The gradient of a product in its first operand, whose sum runs over the columns of the second."""
    x = dovetail.zeros(a.shape[0], b.shape[0], dtype=a.dtype, device=a.device, requires_grad=True)
    return dovetail.autograd.grad(x @ b, x, a)[0]


def _weight_gradient(x: Any, g: Any) -> Any:
    """The gradient of a convolution in its kernel: a sum over all places where it lay."""
    w = dovetail.zeros(g.shape[1], x.shape[1], 1, 1, dtype=x.dtype, device=x.device, requires_grad=True)
    return dovetail.autograd.grad(dovetail.conv2d(x, w), w, g)[0]


MATRICES: Final = ((3, TERMS), (TERMS, 2))
ops: Final = dovetail.ops

PRODUCTS: Final[tuple[Product, ...]] = (
    Product("matmul", MATRICES, lambda a, b: a @ b, _first, _second),
    Product("mm", MATRICES, lambda a, b: ops.mm(a, b), _first, _second),
    Product("bmm", ((2, 3, TERMS), (2, TERMS, 2)), lambda a, b: ops.bmm(a, b), _first, _second),
    Product("mv", ((3, TERMS), (TERMS,)), lambda a, b: ops.mv(a, b), _first, _second),
    Product("dot", ((TERMS,), (TERMS,)), lambda a, b: ops.dot(a, b), _first, _second),
    Product("inner", ((3, TERMS), (2, TERMS)), lambda a, b: ops.inner(a, b), _first, lambda a, b: b.T),
    Product("linear", ((3, TERMS), (2, TERMS)), lambda a, b: ops.linear(a, b), _first, lambda a, b: b.T),
    Product(
        "addmm",
        MATRICES,
        lambda a, b: ops.addmm(a.new_zeros((3, 2)), a, b),
        _first,
        _second,
        text="a.new_zeros((3, 2)), a, b",
    ),
    Product(
        "contract",
        MATRICES,
        lambda a, b: ops.contract([a, b], "ij,jk->ik"),
        _first,
        _second,
        text="[a, b], 'ij,jk->ik'",
    ),
    Product("tensordot", MATRICES, lambda a, b: ops.tensordot(a, b, 1), _first, _second, text="a, b, 1"),
    Product("conv1d", ((1, 64, 10), (2, 64, 8)), lambda x, w: ops.conv1d(x, w), _windows, _filters, _channels_last),
    Product(
        "conv2d", ((1, 32, 5, 5), (2, 32, 4, 4)), lambda x, w: ops.conv2d(x, w), _windows, _filters, _channels_last
    ),
    Product("matmul", ((3, TERMS), (2, TERMS)), _gradient, _first, lambda g, b: b.T, text="a, b.T"),
    Product(
        "conv2d_weight_grad",
        ((2, 2, 16, 16), (2, 2, 16, 16)),
        _weight_gradient,
        lambda x, g: np.moveaxis(g, 1, 0).reshape(g.shape[1], -1),
        lambda x, g: np.moveaxis(x, 1, -1).reshape(-1, x.shape[1]),
        lambda out: out.reshape(out.shape[:2]),
        text="b, a, (2, 2, 1, 1), (1, 1), (0, 0), (1, 1), 1",
    ),
)


def precision(session: Session) -> list[Row]:
    """A row per op that multiplies and dtype."""
    rows: dict[tuple[str, str], Row] = {}
    for product in PRODUCTS:
        for dtype in draw.FLOATS:
            row = rows.setdefault((product.op, dtype), Row(product.op, dtype, "precision"))
            if not session.supports(dtype):
                row.status, row.reason = "unsupported", "the backend has no such dtype"
                continue
            rng = np.random.default_rng(session.seed)
            for typical in (False, True):
                _one(session, row, product, dtype, rng, typical)
    return list(rows.values())


def _one(session: Session, row: Row, product: Product, dtype: str, rng: np.random.Generator, typical: bool) -> None:
    kind = draw.named(dtype).host
    a, b = (
        np.asarray(rng.standard_normal(shape) if typical else np.full(shape, 1 + LOST[dtype])).astype(kind)
        for shape in product.shapes
    )
    agree = record(product.op).agree
    assert agree is not None, "an op that multiplies has a class"
    typical = typical and agree.typical is not None
    try:
        with quiet(), dovetail.use_backend(session.device):
            made = product.call(*(dovetail.tensor(h, device=session.device) for h in (a, b)))
            got = product.result(array(made))
    except Exception as error:  # whatever a backend raises is a failure of the cell
        row.fail(f"{product.op}: {type(error).__name__}: {error}")
        return
    exact = exact_matmul(product.left(a, b), product.right(a, b))
    words = f"torch.ops.{product.op}({product.text})"
    case = Case(product.op, dtype, {"a": a, "b": b}, {}, str(session.device), words, elementwise=False)
    row.take(judge(agree, got, exact, case, typical=typical))
