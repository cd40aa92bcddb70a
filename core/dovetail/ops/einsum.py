"""Einstein's summation, taken apart into diagonals, sums, permutations and products of matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from dovetail.errors import ArgumentRuntimeError, ShapeError
from dovetail.ops.contraction import dot, matmul
from dovetail.ops.definition import front, op
from dovetail.ops.diagonal import diagonal
from dovetail.ops.reduction import sum
from dovetail.ops.shape import expand, permute, reshape
from dovetail.record.agree import Agree, Growth
from dovetail.record.rules import normalize_dim
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.tensor import Tensor

Label = str | int
"""A letter, or a number for each dimension that an ellipsis stands for (counted from the last one)."""
Labels = tuple[Label, ...]

_TERMS: Final = Agree.terms(k=Growth(linear=1), typical=8)

# ------------------------------------------------------------------------------------------ reading


def _letters(term: str, equation: str) -> list[str]:
    """The letters of one operand; "..." as one word."""
    found = []
    i = 0
    while i < len(term):
        if term[i] == " ":
            i += 1
        elif term[i : i + 3] == "...":
            found.append("...")
            i += 3
        elif term[i].isascii() and term[i].isalpha():
            found.append(term[i])
            i += 1
        else:
            raise ArgumentRuntimeError(
                f"einsum(): invalid subscript given at index {equation.find(term) + i} in the equation "
                "string, "
                "subscripts must be in [a-zA-Z]"
            )
    if found.count("...") > 1:
        raise ArgumentRuntimeError("einsum(): found '...' more than once in one operand or in the output")
    return found


def _filled(letters: list[str], extra: int) -> Labels:
    """Letters with the ellipsis as numbers from ``extra`` down to 1."""
    if "..." not in letters:
        return tuple(letters)
    at = letters.index("...")
    return (*letters[:at], *range(extra, 0, -1), *letters[at + 1 :])


def parse(equation: str, operands: Sequence[Tensor]) -> tuple[list[Labels], Labels]:
    """The labels of every operand and of the result."""
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        word = "fewer" if len(operands) < len(terms) else "more"
        raise ArgumentRuntimeError(
            f"einsum(): {word} operands were provided than specified in the equation ({len(operands)} and "
            f"{len(terms)} in {equation!r})"
        )
    inputs = []
    for i, (term, x) in enumerate(zip(terms, operands, strict=True)):
        letters = _letters(term, equation)
        extra = x.ndim - len(letters) + 1 if "..." in letters else 0
        if extra < 0 or ("..." not in letters and len(letters) != x.ndim):
            raise ShapeError(
                f"einsum(): the number of subscripts in the equation ({len(letters) - ('...' in letters)}) "
                f"does not match the number of dimensions ({x.ndim}) for operand {i} and no ellipsis was "
                "given"
            )
        inputs.append(_filled(letters, extra))
    deepest = max((n for labels in inputs for n in labels if isinstance(n, int)), default=0)
    if arrow:
        return inputs, _output(_filled(_letters(right, equation), deepest), inputs)
    every = [n for labels in inputs for n in labels]
    once = sorted(n for n in set(every) if isinstance(n, str) and every.count(n) == 1)
    return inputs, (*range(deepest, 0, -1), *once)


def _output(labels: Labels, inputs: list[Labels]) -> Labels:
    for n in labels:
        if labels.count(n) > 1:
            raise ArgumentRuntimeError(f"einsum(): output subscript {n} appears more than once in the output")
        if all(n not in known for known in inputs):
            raise ArgumentRuntimeError(
                f"einsum(): output subscript {n} does not appear in the equation for any input operand"
            )
    return labels


def _sizes(inputs: Sequence[Labels], operands: Sequence[Tensor]) -> dict[Label, int]:
    """The size of every label; sizes of 1 stretch."""
    sizes: dict[Label, int] = {}
    for i, (labels, x) in enumerate(zip(inputs, operands, strict=True)):
        own: dict[Label, int] = {}
        for n, size in zip(labels, x.shape, strict=True):
            if own.setdefault(n, size) != size:
                raise ShapeError(
                    f"einsum(): subscript {n} is repeated for operand {i} but the sizes don't match, {size} != {own[n]}"
                )
            if sizes.setdefault(n, size) not in (size, 1) and size != 1:
                raise ShapeError(
                    f"einsum(): subscript {n} has size {size} for operand {i} which does not broadcast with "
                    f"previously seen size {sizes[n]}"
                )
            sizes[n] = max(sizes[n], size) if sizes[n] == 1 or size == 1 else size
    return sizes


# ------------------------------------------------------------------------------------------ contracting


def _distinct(x: Tensor, labels: Labels) -> tuple[Tensor, Labels]:
    """Diagonals for labels that an operand has twice."""
    for n in labels:
        while labels.count(n) > 1:
            first = labels.index(n)
            second = labels.index(n, first + 1)
            x = diagonal(x, 0, first, second)
            labels = (*(m for d, m in enumerate(labels) if d not in (first, second)), n)
    return x, labels


def _summed(x: Tensor, labels: Labels, keep: set[Label]) -> tuple[Tensor, Labels]:
    """Sums over the labels that nobody else asks for."""
    gone = [d for d, n in enumerate(labels) if n not in keep]
    return (sum(x, gone), tuple(n for n in labels if n in keep)) if gone else (x, labels)


def _arranged(x: Tensor, labels: Labels, groups: Sequence[Labels], sizes: dict[Label, int]) -> Tensor:
    """The dimensions in the order of groups, each group made one."""
    order = [n for group in groups for n in group]
    moved = permute(x, tuple(labels.index(n) for n in order))
    stretched = expand(moved, tuple(sizes[n] for n in order))
    return reshape(stretched, tuple(math.prod(sizes[n] for n in group) for group in groups))


def _pair(
    x: Tensor, left: Labels, y: Tensor, right: Labels, keep: set[Label], sizes: dict[Label, int]
) -> tuple[Tensor, Labels]:
    """Two operands as one batched product of matrices; without a sum, as a product of elements."""
    x, left = _summed(x, left, keep | set(right))
    y, right = _summed(y, right, keep | set(left))
    batch = tuple(n for n in left if n in right and n in keep)
    inner = tuple(n for n in left if n in right and n not in keep)
    rows = tuple(n for n in left if n not in right)
    columns = tuple(n for n in right if n not in left)
    a = _arranged(x, left, (batch, rows, inner), sizes)
    b = _arranged(y, right, (batch, inner, columns), sizes)
    product: Any = matmul(a, b) if inner else a * b
    labels = (*batch, *rows, *columns)
    return reshape(product, tuple(sizes[n] for n in labels)), labels


def _next_pair(terms: list[Labels], output: Labels, sizes: dict[Label, int]) -> tuple[int, int]:
    """The pair whose product is smallest, the first of equals: it keeps what follows small."""
    if len(terms) == 2:
        return 0, 1
    best, price = (0, 1), math.inf
    for i in range(len(terms)):
        for j in range(i + 1, len(terms)):
            others = {n for k, t in enumerate(terms) if k not in (i, j) for n in t} | set(output)
            size = math.prod(sizes[n] for n in {*terms[i], *terms[j]} if n in others)
            if size < price:
                best, price = (i, j), size
    return best


@op(
    internal=True,
    samples=calls(
        call([Arg((2, 3)), Arg((3, 4))], "ij,jk->ik"),
        call([Arg((3, 3))], "ii->i"),
        call([Arg((3, 3))], "ii"),
        call([Arg((2, 1, 2, 3)), Arg((4, 3, 2))], "...ij,...jk->...ik"),
        call([Arg((2,)), Arg((3,))], "i,j"),
        call([Arg((1, 2, 3)), Arg((5, 3, 4))], "bij,bjk->bik"),
        call([Arg((2, 3)), Arg((3, 4)), Arg((4, 2))], "ab,bc,cd->ad"),
        call([Arg((2, 3)), Arg((2, 3)), Arg((2,))], "ij,ij,i->j"),
        call([Arg((2, 3, 4))], "abc->ca"),
        errors=(
            error(
                RuntimeError,
                "einsum(): subscript j has size 4 for operand 1 which does not broadcast with previously seen size 3",
                [Arg((2, 3)), Arg((4, 5))],
                "ij,jk",
            ),
            error(RuntimeError, "output subscript k does not appear", [Arg((2, 3))], "ij->ijk"),
            error(RuntimeError, "output subscript i appears more than once", [Arg((2, 3))], "ij->ii"),
            error(RuntimeError, "fewer operands were provided", [Arg((2, 3))], "ij,jk"),
            error(RuntimeError, "number of subscripts in the equation (2)", [Arg((2, 3, 4))], "ij"),
            error(RuntimeError, "invalid subscript given at index 1", [Arg((2, 3))], "i%"),
            error(RuntimeError, "subscript i is repeated for operand 0", [Arg((2, 3))], "ii->i"),
        ),
    ),
    agree=_TERMS,
    autocast={"accelerator": "lower"},
)
def contract(operands: Sequence[Tensor], equation: str) -> Tensor:
    """Sums of products of elements, as an equation of letters says: see ``einsum``."""
    inputs, output = parse(equation, operands)
    sizes = _sizes(inputs, operands)
    pairs = [_distinct(x, labels) for x, labels in zip(operands, inputs, strict=True)]
    tensors, terms = [x for x, _ in pairs], [labels for _, labels in pairs]
    while len(tensors) > 1:
        i, j = _next_pair(terms, output, sizes)
        y, right = tensors.pop(j), terms.pop(j)
        x, left = tensors.pop(i), terms.pop(i)
        keep = {n for t in terms for n in t} | set(output)
        x, left = _pair(x, left, y, right, keep, sizes)
        tensors.append(x)
        terms.append(left)
    x, labels = _summed(tensors[0], terms[0], set(output))
    return permute(x, tuple(labels.index(n) for n in output))


@front(autocast={"accelerator": "lower"})
def einsum(equation: Any, *operands: Any) -> Tensor:
    """Sums of products over letters that the result does not have: ``einsum("ij,jk->ik", a, b)`` is ``a @ b``.

    Without an arrow the result has the letters that occur once, in alphabetical order. "..." stands for
    leading dimensions that broadcast. Also in the form ``einsum(a, [0, 1], b, [1, 2], [0, 2])``.

    >>> import dovetail
    >>> dovetail.einsum("i,i->", dovetail.ones(3), dovetail.ones(3))
    tensor(3.)
    """
    if not isinstance(equation, str):
        return _from_lists([equation, *operands])
    several = operands[0] if len(operands) == 1 and not isinstance(operands[0], Tensor) else operands
    return contract(list(several), equation)


def _from_lists(arguments: list[Any]) -> Tensor:
    """The form in which each operand is followed by the list of its labels, numbers below 52."""
    result = arguments.pop() if len(arguments) % 2 else None
    words = [_word(labels) for labels in arguments[1::2]]
    equation = ",".join(words) + ("" if result is None else "->" + _word(result))
    return contract(arguments[::2], equation)


def _word(labels: Sequence[Any]) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return "".join("..." if n is Ellipsis else letters[n] for n in labels)


# ------------------------------------------------------------------------------------------ tensordot


@op(
    samples=calls(
        call(Arg((2, 3, 4)), Arg((3, 4, 5))),
        call(Arg((2, 3)), Arg((3, 2)), dims=([0, 1], [1, 0])),
        call(Arg((2, 3)), Arg((4, 2)), 0),
        call(Arg((2, 3, 2)), Arg((4, 3)), dims=((-2,), (1,))),
        errors=(
            error(
                RuntimeError,
                "contracted dimensions need to match, but first has size 3 in dim 1 and second has size 4 in dim 0",
                Arg((2, 3)),
                Arg((4, 5)),
                1,
            ),
        ),
    ),
    agree=_TERMS,
    autocast={"accelerator": "widest"},
)
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Sums of products over dimensions of both: the last of ``a`` and first of ``b``, or two lists.

    >>> import dovetail
    >>> dovetail.tensordot(dovetail.ones(2, 3), dovetail.ones(3, 2), dims=1)
    tensor([[3., 3.],
            [3., 3.]])
    """
    if isinstance(dims, int):
        if dims < 0:
            raise ArgumentRuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        dims = (range(a.ndim - dims, a.ndim), range(dims))
    left = [normalize_dim(d, a.ndim) for d in dims[0]]
    right = [normalize_dim(d, b.ndim) for d in dims[1]]
    if len(left) != len(right):
        raise ArgumentRuntimeError("both dimension lists should have same length")
    for d, e in zip(left, right, strict=True):
        if a.shape[d] != b.shape[e]:
            raise ShapeError(
                f"contracted dimensions need to match, but first has size {a.shape[d]} in dim {d} and second "
                f"has size {b.shape[e]} in dim {e}"
            )
    rows = [d for d in range(a.ndim) if d not in left]
    columns = [e for e in range(b.ndim) if e not in right]
    inner = math.prod(a.shape[d] for d in left)
    height, width = (math.prod(t.shape[d] for d in kept) for t, kept in ((a, rows), (b, columns)))
    first = reshape(permute(a, (*rows, *left)), (height, inner))
    second = reshape(permute(b, (*right, *columns)), (inner, width))
    # One number: no product of matrices to PyTorch, and so in full precision under autocast on a CPU.
    whole = height == width == 1
    product = dot(reshape(first, (inner,)), reshape(second, (inner,))) if whole else matmul(first, second)
    return reshape(product, (*(a.shape[d] for d in rows), *(b.shape[e] for e in columns)))
