"""Faults around the ops: views, transfer, errors, random streams, promotion, indices, captured programs."""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np

import dovetail
from dovetail.backend import Array, Call, Device, KernelTable, ops
from dovetail_conformance.faults.fault import Fault, Kernel, after, attribute, backend_of, bound
from dovetail_conformance.wrapped import Wrapped, plain_kernel

Host = np.ndarray[Any, Any]


class Copies(Wrapped):
    """Transposes that are copies, written as if they were views."""

    def change(self, table: KernelTable) -> None:
        def binder(call: Call) -> Kernel:
            view = plain_kernel("permute")(call)
            return lambda x: np.array(view(x), copy=True)

        table.binder(ops.permute)(binder)

    def write(self, base: Array, view: Array, value: Array) -> bool:
        view[...] = value
        return True


class CopiesOfRepeated(Copies):
    """Parts of expanded tensors are copies, written as if they were views."""

    def change(self, table: KernelTable) -> None:
        def binder(call: Call) -> Kernel:
            view = plain_kernel("basic_index")(call)

            def kernel(x: Array, *starts: Any) -> Array:
                found = view(x, *starts)
                repeats = any(s == 0 and n > 1 for s, n in zip(x.strides, x.shape, strict=True))
                return np.array(found, copy=True) if repeats else found

            return kernel

        table.binder(ops.basic_index)(binder)


class WithoutPayload(Wrapped):
    """Every NaN that comes in is the same one."""

    def from_host(self, array: Host, device: Device) -> Array:
        if array.dtype.kind not in "biu":
            array = np.where(np.isnan(array), np.asarray(np.nan, array.dtype), array).astype(array.dtype)
        return super().from_host(array, device)


class Forwards(Wrapped):
    """Host arrays are read in the order of their memory."""

    def from_host(self, array: Host, device: Device) -> Array:
        backwards = array.ndim == 1 and array.strides[0] < 0
        return super().from_host(array[::-1] if backwards else array, device)


def wrong_class(call: Call) -> Kernel:
    """ValueError for an index out of range."""
    right = plain_kernel("index_select")(call)

    def kernel(x: Array, index: Array) -> Array:
        try:
            return right(x, index)
        except IndexError as error:
            raise ValueError("index out of bounds for the array") from error

    return kernel


def in_chunks(call: Call) -> Kernel:
    """Words beyond 512 are drawn as a chunk of their own, from the counter that comes first."""
    right = plain_kernel("random_words")(call)
    shape = tuple(call.statics["shape"])

    def kernel(state: Array) -> Array:
        words = np.array(right(state)).reshape(-1)
        for start in range(512, words.size, 512):
            words[start : start + 512] = words[: words.size - start][:512]
        return words.reshape(shape)

    return kernel


def seven_bits(out: Array, call: Call) -> Array:
    """Uniform bfloat16 numbers of large draws keep 7 bits of their words."""
    if out.dtype.name != "bfloat16" or out.size <= 512:
        return out
    return np.floor(out.astype(np.float32) * 128) / 128


def column_by_column(call: Call) -> Kernel:
    """Masks of matrices take their words column by column."""
    right = plain_kernel("bernoulli_from_words")(call)
    if len(call.output.shape) != 2:
        return right
    return lambda words: np.ascontiguousarray(
        np.asarray(right(np.ascontiguousarray(words))).reshape(-1).reshape(words.shape[::-1]).T
    )


def with_the_time(save: Any) -> Any:
    """A file says when it was written."""

    def wrong(obj: Any, f: Any) -> None:
        save({**obj, "when": time.perf_counter_ns()}, f)

    return wrong


def from_the_start(set_state: Any) -> Any:
    """A restored generator begins again: the count of the blocks that were drawn is lost."""

    def wrong(self: Any, new_state: Any) -> Any:
        seed, stream, _ = new_state.tolist()
        return set_state(self, dovetail.tensor([seed, stream, 0]))

    return wrong


def wider(promote_types: Any) -> Any:
    """int8 beside float16 makes float32."""

    def wrong(a: Any, b: Any) -> Any:
        both = {a.name, b.name}
        return dovetail.float32 if both == {"int8", "float16"} else promote_types(a, b)

    return wrong


def in_front(_: Any) -> Any:
    """What tensors of positions pick stands in front, also where they stood together further behind."""
    return lambda self: 0


def through_16_bits(interpreter: Any) -> Any:
    """A captured program rounds its float32 results to bfloat16."""

    def made(view: Any, program: Any) -> Any:
        run = interpreter(view, program)

        def wrong(arrays: Any, lent: Any) -> Any:
            return tuple(_short(a) for a in run(arrays, lent))

        return wrong

    def _short(a: Any) -> Any:
        if getattr(a, "dtype", None) != np.float32:
            return a
        return (np.ascontiguousarray(a).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32).reshape(a.shape)

    return made


def _programs() -> Any:
    whole: Any = dovetail
    return whole.program.program


FAULTS: Final[tuple[Fault, ...]] = (
    Fault("M32", "words depend on the size of a chunk", "streams", "rand", bound(ops.random_words, in_chunks)),
    Fault(
        "M33",
        "a restored generator begins again",
        "known",
        "states",
        attribute(lambda: dovetail.Generator, "set_state", from_the_start),
        alone=True,
    ),
    Fault("M35", "a view is a copy", "aliasing", "views and writes", backend_of(Copies), cells=("permute",)),
    Fault(
        "M36",
        "NaN loses its payload on the way to the device",
        "transfer",
        "transfer",
        backend_of(WithoutPayload),
    ),
    Fault(
        "M37",
        "another class of exception",
        "errors",
        "index_select",
        bound(ops.index_select, wrong_class),
        alone=True,
    ),
    Fault(
        "X07",
        "int8 beside float16 makes float32",
        "promotion",
        "promotion",
        attribute(lambda: dovetail.dtypes, "promote_types", wider),
        cells=("add",),
        alone=True,
    ),
    Fault(
        "X08",
        "what positions pick stands in front",
        "indexing",
        "read",
        attribute(lambda: dovetail.ops.indexing._Advanced, "_place", in_front),
        cells=("index_select",),
        alone=True,
    ),
    Fault(
        "X09",
        "a part of an expanded tensor is a copy",
        "aliasing",
        "views and writes",
        backend_of(CopiesOfRepeated),
        cells=("basic_index",),
        alone=True,
    ),
    Fault(
        "X10",
        "large uniform draws of bfloat16 keep 7 bits",
        "streams",
        "rand",
        after(ops.uniform_from_words, seven_bits),
        cells=("uniform_from_words",),
        alone=True,
    ),
    Fault(
        "X11",
        "a captured program rounds to 16 bits",
        "programs",
        "add",
        attribute(_programs, "interpreter", through_16_bits),
        alone=True,
    ),
    Fault(
        "X14",
        "masks of matrices are drawn column by column",
        "training",
        "dropout masks",
        bound(ops.bernoulli_from_words, column_by_column),
        cells=("bernoulli_from_words",),
        alone=True,
    ),
    Fault(
        "X15",
        "a file says when it was written",
        "saving",
        "files",
        attribute(lambda: dovetail, "save", with_the_time),
        alone=True,
    ),
    Fault(
        "X16",
        "host arrays that run backwards are read forwards",
        "transfer",
        "transfer",
        backend_of(Forwards),
        alone=True,
    ),
)
