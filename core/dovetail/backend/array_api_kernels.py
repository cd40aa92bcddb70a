"""Kernels in nothing but the array-API standard, parametrised by the namespace."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from dovetail import dtypes, ops
from dovetail.backend.transfer import transfer
from dovetail.contract.kernels import Array, Call, KernelTable
from dovetail.random import streams

Kernel = Callable[..., Array]
DtypeOf = Callable[[dtypes.dtype], Any]


def kernels_for(xp: Any, dtype_of: DtypeOf) -> KernelTable:
    """Return the table of every op that the namespace can run."""
    table = KernelTable()
    _elementwise(table, xp)
    _conversions(table, xp, dtype_of)
    _shapes(table, xp)
    _reductions(table, xp, dtype_of)
    _positions(table, xp)
    _random(table, xp, dtype_of)
    return table


def _elementwise(table: KernelTable, xp: Any) -> None:
    names = {
        ops.add: "add", ops.sub: "subtract", ops.mul: "multiply", ops.div: "divide", ops.neg: "negative",
        ops.maximum: "maximum", ops.minimum: "minimum", ops.floor_divide: "floor_divide", ops.remainder: "remainder",
        ops.exp: "exp", ops.expm1: "expm1", ops.log: "log", ops.log1p: "log1p", ops.log2: "log2", ops.log10: "log10",
        ops.sqrt: "sqrt", ops.sin: "sin", ops.cos: "cos", ops.tan: "tan", ops.asin: "asin", ops.acos: "acos",
        ops.atan2: "atan2", ops.tanh: "tanh", ops.floor: "floor",
        ops.eq: "equal", ops.ne: "not_equal", ops.lt: "less", ops.le: "less_equal", ops.gt: "greater",
        ops.ge: "greater_equal", ops.select_by: "where", ops.matmul: "matmul",
    }  # fmt: skip
    for op, name in names.items():
        if hasattr(xp, name):
            table(op)(getattr(xp, name))
    _with_bools(table, xp)
    _signs(table, xp)


def _with_bools(table: KernelTable, xp: Any) -> None:
    """The standard has no arithmetic of bools: sums are "or", products "and"; bit operations are logical ones."""

    def choose(numeric: Kernel, logical: Kernel) -> Callable[[Call], Kernel]:
        return lambda call: logical if call.inputs[0].dtype is dtypes.bool_ else numeric

    table.binder(ops.add)(choose(xp.add, xp.logical_or))
    table.binder(ops.mul)(choose(xp.multiply, xp.logical_and))
    table.binder(ops.maximum)(choose(xp.maximum, xp.logical_or))
    table.binder(ops.minimum)(choose(xp.minimum, xp.logical_and))
    table.binder(ops.bitwise_and)(choose(xp.bitwise_and, xp.logical_and))
    table.binder(ops.bitwise_or)(choose(xp.bitwise_or, xp.logical_or))
    table.binder(ops.bitwise_xor)(choose(xp.bitwise_xor, xp.logical_xor))
    table.binder(ops.bitwise_not)(choose(xp.bitwise_invert, xp.logical_not))
    table.binder(ops.abs)(choose(xp.abs, lambda x: x))

    def ordered(compare: Kernel) -> Callable[[Call], Kernel]:
        def on_bools(x: Array, y: Array) -> Array:
            return compare(xp.astype(x, xp.uint8), xp.astype(y, xp.uint8))

        return choose(compare, on_bools)

    for op, compare in ((ops.lt, xp.less), (ops.le, xp.less_equal), (ops.gt, xp.greater), (ops.ge, xp.greater_equal)):
        table.binder(op)(ordered(compare))


def _signs(table: KernelTable, xp: Any) -> None:
    @table(ops.logical_not)
    def logical_not(x: Array) -> Array:
        return xp.logical_not(x) if x.dtype == xp.bool else x == xp.zeros((), dtype=x.dtype)

    @table(ops.sign)
    def sign(x: Array) -> Array:
        if x.dtype == xp.bool:
            return x
        zero = xp.zeros((), dtype=x.dtype)
        return xp.astype(x > zero, x.dtype) - xp.astype(x < zero, x.dtype)

    @table(ops.round)
    def round(x: Array) -> Array:
        return xp.round(x)

    @table(ops.fmod)
    def fmod(x: Array, y: Array) -> Array:
        rest = xp.remainder(x, y)
        zero = xp.zeros((), dtype=rest.dtype)
        wrong = (rest != zero) & ((x < zero) != (rest < zero))
        rest = xp.where(wrong, rest - y, rest)
        return xp.copysign(rest, x) if hasattr(xp, "copysign") and xp.isdtype(x.dtype, "real floating") else rest

    @table(ops.power)
    def power(x: Array, y: Array) -> Array:
        if x.dtype == xp.bool:
            return xp.logical_or(x, xp.logical_not(y))
        if not xp.isdtype(x.dtype, "integral"):
            return xp.pow(x, y)
        zero, one = xp.zeros((), dtype=x.dtype), xp.ones((), dtype=x.dtype)
        positive = xp.pow(x, xp.maximum(y, zero))
        odd = xp.remainder(y, one + one) != zero
        inverse = xp.where(x == one, one, xp.where(x == -one, xp.where(odd, -one, one), zero))
        return xp.where(y < zero, inverse, positive)


def _conversions(table: KernelTable, xp: Any, dtype_of: DtypeOf) -> None:
    table.binder(ops.copy_to)(transfer)

    @table.binder(ops.cast)
    def cast(call: Call) -> Kernel:
        source, target = call.inputs[0].dtype, call.output.dtype
        own = dtype_of(target)
        if source.category == dtypes.FLOATING and target.category == dtypes.INTEGER:
            return lambda x: _to_integer(xp, x, target, own)
        if target is dtypes.bool_:
            return lambda x: x if x.dtype == xp.bool else x != xp.zeros((), dtype=x.dtype)
        return lambda x: xp.astype(x, own)

    @table(ops.clone)
    def clone(x: Array) -> Array:
        return xp.asarray(x, copy=True)

    @table.binder(ops.filled)
    def filled(call: Call) -> Kernel:
        shape = tuple(call.output.shape)
        return lambda value: xp.asarray(xp.broadcast_to(value, shape), copy=True)

    @table.binder(ops.iota)
    def iota(call: Call) -> Kernel:
        length = call.output.shape[0]
        return lambda anchor: xp.arange(length, dtype=xp.int64, device=anchor.device)


def _to_integer(xp: Any, x: Array, target: dtypes.dtype, own: Any) -> Array:
    """Truncate; NaN gives 0, what is out of range the nearest integer."""
    bits = 8 * target.itemsize
    low = -(2 ** (bits - 1)) if target.is_signed else 0
    high = 2 ** (bits - 1) - 1 if target.is_signed else 2**bits - 1
    wide = xp.astype(x, xp.float64)
    zero = xp.zeros((), dtype=xp.float64)
    whole = xp.trunc(xp.where(xp.isnan(wide), zero, wide))
    top = whole >= float(high)
    bottom = whole <= float(low)
    inside = xp.astype(xp.where(top | bottom, zero, whole), own)
    filled = xp.where(top, xp.asarray(high, dtype=own), inside)
    return xp.where(bottom, xp.asarray(low, dtype=own), filled)


def _shapes(table: KernelTable, xp: Any) -> None:
    @table.binder(ops.view_as_shape)
    def reshape(call: Call) -> Kernel:
        shape = tuple(call.output.shape)
        return lambda x: xp.reshape(x, shape)

    @table.binder(ops.permute)
    def permute(call: Call) -> Kernel:
        dims = call.statics["dims"]
        return lambda x: xp.permute_dims(x, dims)

    @table.binder(ops.expand)
    def expand(call: Call) -> Kernel:
        shape = tuple(call.output.shape)
        return lambda x: xp.broadcast_to(x, shape)

    @table.binder(ops.basic_index)
    def basic_index(call: Call) -> Kernel:
        index = selector(call.statics["pattern"])
        return lambda x, starts: x[index(starts)]

    @table.binder(ops.basic_index_put)
    def basic_index_put(call: Call) -> Kernel:
        index = selector(call.statics["pattern"])
        size = call.inputs[0].size
        shape = tuple(call.inputs[0].shape)

        def by_assignment(x: Array, value: Array, starts: Any) -> Array:
            result = xp.asarray(x, copy=True)
            result[index(starts)] = value
            return result

        def by_gather(x: Array, value: Array, starts: Any) -> Array:
            numbers = xp.reshape(xp.arange(size, dtype=xp.int64, device=x.device), shape)
            chosen = xp.reshape(numbers[index(starts)], (-1,))
            order = xp.argsort(chosen)
            ranks = xp.searchsorted(xp.take(chosen, order, axis=0), xp.reshape(numbers, (-1,)))
            clipped = xp.minimum(ranks, xp.asarray(max(chosen.shape[0] - 1, 0), dtype=ranks.dtype))
            hit = xp.take(xp.take(chosen, order, axis=0), clipped, axis=0) == xp.reshape(numbers, (-1,))
            picked = xp.take(xp.take(xp.reshape(value, (-1,)), order, axis=0), clipped, axis=0)
            return xp.reshape(xp.where(hit, picked, xp.reshape(x, (-1,))), shape)

        return by_assignment if _assignable(xp) else by_gather


def _assignable(xp: Any) -> bool:
    probe = xp.zeros((1,))
    try:
        probe[0] = 1.0
    except TypeError:
        return False
    return True


def selector(pattern: Any) -> Callable[[Any], Any]:
    """A function that makes the index of a pattern (see ``basic_index``) from the first positions."""
    entries = list(pattern)

    def index(starts: Any) -> Any:
        place = iter(starts)
        found: list[Any] = []
        for p in entries:
            if p is None:
                found.append(None)
            elif p == "int":
                found.append(next(place))
            else:
                start = next(place)
                found.append(slice(start, start + p[0] * p[1], p[1]))
        return (*found, ...)

    return index


def _reductions(table: KernelTable, xp: Any, dtype_of: DtypeOf) -> None:
    def over(function: Kernel, **more: Any) -> Callable[[Call], Kernel]:
        def bind(call: Call) -> Kernel:
            axis = call.statics["dim"] if call.inputs[0].ndim else None
            keep = call.statics["keepdim"]
            return lambda x: function(x, axis=axis, keepdims=keep, **more)

        return bind

    @table.binder(ops.sum)
    def sum(call: Call) -> Kernel:
        own = dtype_of(call.output.dtype)
        return over(xp.sum, dtype=own)(call)

    table.binder(ops.mean)(over(xp.mean))

    def extreme(function: Kernel, on_bools: Kernel) -> Callable[[Call], Kernel]:
        def bind(call: Call) -> Kernel:
            return over(on_bools if call.inputs[0].dtype is dtypes.bool_ else function)(call)

        return bind

    table.binder(ops.amax)(extreme(xp.max, xp.any))
    table.binder(ops.amin)(extreme(xp.min, xp.all))
    table.binder(ops.any)(over(xp.any))
    table.binder(ops.all)(over(xp.all))

    def position(function: Kernel) -> Kernel:
        def kernel(x: Array, dim: int | None, keepdim: bool) -> Array:
            if not x.ndim:
                return xp.zeros((), dtype=xp.int64, device=x.device)
            return xp.astype(function(x, axis=dim, keepdims=keepdim), xp.int64)

        return kernel

    table(ops.argmax)(position(_nan_first(xp, xp.argmax)))
    table(ops.argmin)(position(_nan_first(xp, xp.argmin)))


def _nan_first(xp: Any, function: Kernel) -> Kernel:
    """The standard leaves open where a NaN is; its position counts as the extreme one."""

    def kernel(x: Array, *, axis: int | None, keepdims: bool) -> Array:
        if not xp.isdtype(x.dtype, "real floating"):
            return function(x, axis=axis, keepdims=keepdims)
        bad = xp.isnan(x)
        first = xp.argmax(xp.astype(bad, xp.int8), axis=axis, keepdims=keepdims)
        plain = function(xp.where(bad, xp.zeros((), dtype=x.dtype), x), axis=axis, keepdims=keepdims)
        return xp.where(xp.any(bad, axis=axis, keepdims=keepdims), first, plain)

    return kernel


def _positions(table: KernelTable, xp: Any) -> None:
    @table(ops.index_select)
    def index_select(x: Array, index: Array, dim: int) -> Array:
        return xp.take(x, xp.reshape(index, (-1,)), axis=dim) if x.ndim else x

    @table(ops.index_add)
    def index_add(x: Array, index: Array, source: Array, dim: int) -> Array:
        if not x.ndim:
            return x + source
        hit = _hits(xp, x.shape[dim], xp.reshape(index, (-1,)))
        rows = xp.moveaxis(source, dim, 0)
        wide = xp.reshape(hit, (*hit.shape, *(1,) * (x.ndim - 1)))
        zero = xp.zeros((), dtype=x.dtype)
        added = xp.sum(xp.where(wide, rows[None, ...], zero), axis=1, dtype=x.dtype)
        return x + xp.moveaxis(added, 0, dim)

    @table(ops.index_copy)
    def index_copy(x: Array, index: Array, source: Array, dim: int) -> Array:
        if not x.ndim:
            return source
        last = _last_hit(xp, _hits(xp, x.shape[dim], xp.reshape(index, (-1,))))
        if not source.shape[dim]:
            return x
        taken = xp.take(source, xp.maximum(last - 1, xp.zeros((), dtype=last.dtype)), axis=dim)
        shape = tuple(-1 if d == dim else 1 for d in range(x.ndim))
        return xp.where(xp.reshape(last > 0, shape), taken, x)

    @table(ops.gather)
    def gather(x: Array, index: Array, dim: int) -> Array:
        if not x.ndim:
            return xp.broadcast_to(x, index.shape)
        return xp.take_along_axis(_lines(x, index, dim), index, axis=dim)

    @table(ops.scatter_elements)
    def scatter(x: Array, index: Array, src: Array, dim: int) -> Array:
        def put(lines: Array, hit: Array, values: Array) -> Array:
            last = _last_hit(xp, hit)
            taken = xp.take_along_axis(values, xp.maximum(last - 1, xp.zeros((), dtype=last.dtype)), axis=-1)
            return xp.where(last > 0, taken, lines)

        return _along_last(xp, x, index, src, dim, put)

    @table(ops.scatter_add_elements)
    def scatter_add(x: Array, index: Array, src: Array, dim: int) -> Array:
        def put(lines: Array, hit: Array, values: Array) -> Array:
            zero = xp.zeros((), dtype=lines.dtype)
            return lines + xp.sum(xp.where(hit, values[..., None, :], zero), axis=-1, dtype=lines.dtype)

        return _along_last(xp, x, index, src, dim, put)


def _hits(xp: Any, size: int, index: Array) -> Array:
    """Which positions of the index mean which target: shape (..., size, count)."""
    targets = xp.arange(size, dtype=index.dtype, device=index.device)
    return index[..., None, :] == targets[:, None]


def _last_hit(xp: Any, hit: Array) -> Array:
    """For each target the number (from 1) of the last position that means it, 0 for none."""
    count = hit.shape[-1]
    numbers = xp.arange(1, count + 1, dtype=xp.int64, device=hit.device)
    if not count:
        return xp.zeros(hit.shape[:-1], dtype=xp.int64, device=hit.device)
    return xp.max(xp.where(hit, numbers, xp.zeros((), dtype=xp.int64)), axis=-1)


def _lines(x: Array, index: Array, dim: int) -> Array:
    """The part of the tensor that the index reaches in the other dimensions."""
    return x[tuple(slice(None) if d == dim else slice(0, n) for d, n in enumerate(index.shape))]


def _along_last(xp: Any, x: Array, index: Array, src: Array, dim: int, put: Callable[..., Array]) -> Array:
    """Apply ``put`` to lines along ``dim``; lines that the index does not reach stay as they are."""
    if not x.ndim:
        return put(xp.reshape(x, (1,)), _hits(xp, 1, xp.reshape(index, (-1,))), xp.reshape(src, (-1,)))[0]
    if math.prod(index.shape) == 0:
        return x
    lines = xp.moveaxis(_lines(x, index, dim), dim, -1)
    places, values = xp.moveaxis(index, dim, -1), xp.moveaxis(src, dim, -1)
    changed = xp.moveaxis(put(lines, _hits(xp, x.shape[dim], places), values), -1, dim)
    for d, n in enumerate(index.shape):
        if d != dim and n < x.shape[d]:
            reached = tuple(slice(0, index.shape[e]) if e > d and e != dim else slice(None) for e in range(x.ndim))
            rest = x[tuple(slice(n, None) if e == d else s for e, s in enumerate(reached))]
            changed = xp.concat([changed, rest], axis=d)
    return changed


def _random(table: KernelTable, xp: Any, dtype_of: DtypeOf) -> None:
    @table(ops.random_words)
    def random_words(state: Array, shape: Any, width: int) -> Array:
        return streams.random_words(xp, state, shape=shape, width=width)

    @table(ops.uniform_from_words)
    def uniform(words: Array, dtype: dtypes.dtype, low: float, high: float) -> Array:
        return streams.uniform_from_words(xp, words, dtype=dtype_of(dtype), low=low, high=high)

    @table(ops.normal_from_words)
    def normal(words: Array, dtype: dtypes.dtype, mean: float, std: float) -> Array:
        return streams.normal_from_words(xp, words, dtype=dtype_of(dtype), mean=mean, std=std)

    @table(ops.randint_from_words)
    def randint(words: Array, low: int, high: int) -> Array:
        return streams.randint_from_words(xp, words, low=low, high=high)

    @table(ops.permutation_from_words)
    def permutation(words: Array) -> Array:
        return streams.permutation_from_words(xp, words)

    @table(ops.bernoulli_from_words)
    def bernoulli(words: Array, p: float) -> Array:
        return streams.bernoulli_from_words(xp, words, p=p)

    @table(ops.bernoulli_each_from_words)
    def bernoulli_each(words: Array, p: Array) -> Array:
        return streams.bernoulli_from_words(xp, words, p=p)
