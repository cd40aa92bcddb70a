"""What a model is made of: its modules in a table, with the shapes of their results and their parameters."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dovetail import dtypes
from dovetail.autograd.mode import no_grad
from dovetail.contract.traffic import bytes_of
from dovetail.errors import ArgumentError
from dovetail.nn.convolution import Convolution
from dovetail.nn.module import Module
from dovetail.nn.transposed_convolution import TransposedConvolution
from dovetail.ops.creation import zeros
from dovetail.tensor.tensor import Tensor

Shape = tuple[int, ...]


@dataclass
class Line:
    """One module: where it is, what it gave, what it has."""

    name: str
    """The attribute under which its parent has it."""
    kind: str
    depth: int
    own: int
    """Parameters of its own, without those of its children."""
    total: int
    trainable: int
    shared: bool
    """Whether it came before under another name; then its parameters are counted there."""
    outputs: list[Shape] = field(default_factory=list)
    multiplications: int = 0
    bytes: int = 0


@dataclass(repr=False)
class ModelSummary:
    """The lines of a model and their sums. ``str`` gives the table."""

    lines: list[Line]
    depth: int
    input_bytes: int
    parameter_bytes: int
    total_params: int
    trainable_params: int

    @property
    def total_mult_adds(self) -> int:
        """Multiplications of weights with inputs in one forward pass."""
        return sum(line.multiplications for line in self.lines)

    @property
    def total_output_bytes(self) -> int:
        """What the results of modules without children take: roughly what a training step keeps."""
        return sum(line.bytes for line in self.lines)

    def __repr__(self) -> str:
        return f"<summary of {self.lines[0].kind}: {self.total_params:,} parameters>"

    def __str__(self) -> str:
        shown = [line for line in self.lines if line.depth <= self.depth]
        head = ["Layer (name)", "Output shape", "Parameters", "Mult-adds"]
        rows = [head, *([_layer(line), _shapes(line), _count(line), _number(line.multiplications)] for line in shown)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        body = [
            "  ".join(c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
            for row in rows
        ]
        rule = "=" * max(len(line) for line in body)
        return "\n".join(
            [rule, body[0].rstrip(), rule, *(line.rstrip() for line in body[1:]), rule, *self._sums(), rule]
        )

    def _sums(self) -> Iterator[str]:
        yield f"Parameters: {self.total_params:,}, of which {self.trainable_params:,} are trained"
        if self.lines[0].outputs:
            yield f"Mult-adds of one pass: {self.total_mult_adds:,}"
            yield (
                f"Memory: input {_megabytes(self.input_bytes)}, results {_megabytes(self.total_output_bytes)}, "
                f"parameters {_megabytes(self.parameter_bytes)}"
            )


def summary(
    model: Module,
    input_size: Sequence[int] | Sequence[Sequence[int]] | None = None,
    *,
    input_data: Any = None,
    dtypes: Sequence[dtypes.dtype] | None = None,
    device: Any = None,
    depth: int = 3,
    verbose: int = 1,
    **forward: Any,
) -> ModelSummary:
    """Print and return the modules of a model, with shapes where an input is given.

    ``input_size`` is the shape of the input, batch included, or a list of shapes for several; ``input_data`` is an
    input itself (a tensor, a tuple of positional arguments or a dict of keywords). ``dtypes`` of the inputs are float32
    unless given, ``device`` is that of the parameters. Further keywords go to ``forward``. The model runs once, in
    evaluation mode and without a graph, and is left as it was. ``depth`` limits the levels shown, ``verbose=0`` prints
    nothing.

    A mult-add is a weight times a value: a matrix of weights counts once for each row that it meets, a kernel once for
    each place where it is laid, a vector of weights once for each result. Products of activations are not counted.

    >>> import dovetail
    >>> made = dovetail.summary(dovetail.nn.Linear(3, 2), (5, 3), verbose=0)
    >>> made.total_params, made.lines[0].outputs, made.total_mult_adds
    (8, [(5, 2)], 30)
    """
    if not isinstance(model, Module):
        raise ArgumentError(f"summary expects a Module, got {type(model).__name__}")
    if input_size is not None and input_data is not None:
        raise ArgumentError("summary: give input_size or input_data, not both")
    args, params = _arguments(model, input_size, input_data, dtypes, device)
    lines = dict(_lines(model))
    if args or params or forward:
        _run(model, lines, args, {**params, **forward})
    parameters = list(model.parameters())
    made = ModelSummary(
        list(lines.values()),
        depth,
        sum(bytes_of(t._spec) for t in [*args, *params.values()] if isinstance(t, Tensor)),
        sum(bytes_of(p._spec) for p in parameters),
        sum(p.numel() for p in parameters),
        sum(p.numel() for p in parameters if p.requires_grad),
    )
    if verbose:
        sys.stdout.write(f"{made}\n")
    return made


def _arguments(
    model: Module, sizes: Any, data: Any, kinds: Sequence[Any] | None, device: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The positional and keyword arguments of the pass."""
    if isinstance(data, Mapping):
        return (), dict(data)
    if data is not None:
        return tuple(data) if isinstance(data, tuple | list) else (data,), {}
    if sizes is None:
        return (), {}
    shapes = [tuple(sizes)] if all(isinstance(n, int) for n in sizes) else [tuple(shape) for shape in sizes]
    if any(not isinstance(n, int) or n < 0 for shape in shapes for n in shape):
        raise ArgumentError(f"summary: input_size must be a shape or a list of shapes, got {sizes!r}")
    if kinds is not None and len(kinds) != len(shapes):
        raise ArgumentError(f"summary: {len(shapes)} inputs, but {len(kinds)} dtypes")
    where = device if device is not None else next((p.device for p in model.parameters()), None)
    chosen = kinds if kinds is not None else [dtypes.float32] * len(shapes)
    return tuple(zeros(*shape, dtype=kind, device=where) for shape, kind in zip(shapes, chosen, strict=True)), {}


def _lines(model: Module) -> Iterator[tuple[str, Line]]:
    """A line for every place of a module, by its path."""
    seen: set[int] = set()
    for path, module in model.named_modules(remove_duplicate=False):
        own = list(module.parameters(recurse=False))
        every = list(module.parameters())
        yield (
            path,
            Line(
                path.rpartition(".")[2],
                type(module).__name__,
                path.count(".") + 1 if path else 0,
                sum(p.numel() for p in own),
                sum(p.numel() for p in every),
                sum(p.numel() for p in every if p.requires_grad),
                id(module) in seen,
            ),
        )
        seen.add(id(module))


def _run(model: Module, lines: dict[str, Line], args: tuple[Any, ...], params: Mapping[str, Any]) -> None:
    """Run the model once and note what every module gives, at the first of its places."""
    places: dict[int, Line] = {}
    for path, module in model.named_modules():
        places[id(module)] = lines[path]

    def note(module: Module, inputs: Any, output: Any) -> None:
        line = places[id(module)]
        found = list(_tensors(output))
        line.outputs = [tuple(t.shape) for t in found]
        if found and line.own:
            given = next(_tensors(inputs), None)
            line.multiplications += _multiplications(module, given, found[0])
        if not any(True for _ in module.children()):
            line.bytes += sum(bytes_of(t._spec) for t in found)

    modes = [(module, module.training) for module in model.modules()]
    handles = [module.register_forward_hook(note) for module, _ in modes]
    try:
        model.eval()
        with no_grad():
            model(*args, **params)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:
            module.training = training


def _multiplications(module: Module, input: Any, output: Tensor) -> int:
    """How often weights are multiplied with values; looking up rows of a table multiplies nothing."""
    if not isinstance(input, Tensor) or not input.is_floating_point():
        return 0
    weights = [p for name, p in module.named_parameters(recurse=False) if "weight" in name]
    if isinstance(module, Convolution):
        met = input if isinstance(module, TransposedConvolution) else output
        axes = weights[0].ndim - 2
        batch = met.shape[0] if met.ndim == axes + 2 else 1
        return int(weights[0].numel() * math.prod(met.shape[-axes:]) * batch)
    rows = math.prod(output.shape[:-1])
    return sum(output.numel() if p.ndim == 1 else p.numel() * rows for p in weights)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)


def _layer(line: Line) -> str:
    name = f" ({line.name})" if line.name else ""
    return f"{'  ' * line.depth}{line.kind}{name}"


def _shapes(line: Line) -> str:
    return ", ".join(str(list(shape)) for shape in line.outputs) or "-"


def _count(line: Line) -> str:
    return "(shared)" if line.shared and line.total else _number(line.own)


def _number(count: int) -> str:
    return f"{count:,}" if count else "-"


def _megabytes(count: int) -> str:
    return f"{count / 2**20:.2f} MB"
