"""``compile``: a function that is captured when it is called, and run as a program from then on."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, Final

from dovetail.dispatch import autocast
from dovetail.errors import CaptureError
from dovetail.program.program import Program, capture
from dovetail.tensor.tensor import Tensor

MAX_PROGRAMS: Final = 8
"""Programs of one function before it is said, once, why it is captured again and again."""


OPTIONS: Final = frozenset({"backend", "disable", "dynamic", "fullgraph", "mode", "options"})
"""PyTorch's options. Only ``disable`` says anything here: which compiler runs is the device's affair."""


class EagerWarning(UserWarning):
    """A compiled function runs as it is, because its results are to be differentiated outside of it."""


class RecaptureWarning(UserWarning):
    """A compiled function is captured ever anew because something that a program fixes keeps changing."""


class Compiled:
    """A function with the programs that were captured of it, one per combination of shapes, modes and constants.

    The first call runs eagerly, so that state which is made lazily (an optimizer's moments) exists; the second
    captures.
    A call whose shapes, train/eval modes or plain arguments differ from every program captures again.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.programs: dict[Any, list[Program]] = {}
        self.reasons: list[str] = []
        self._warm: set[Any] = set()
        self._eager: set[Any] = set()
        self._said = False
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Run the step: eagerly the first time, as a program afterwards."""
        tensors, rest = _split(args, params)
        key = (rest, tuple(t._spec for t in tensors), autocast.key())
        if key not in self._warm or key in self._eager:
            self._warm.add(key)
            return self.function(*args, **params)
        reason = "no program exists for these shapes and arguments"
        for program in self.programs.get(key, ()):
            why = program.mismatch(tensors)
            if why is None:
                return program(*tensors)
            reason = why
        self._note(reason)

        def step(*values: Tensor) -> Any:
            positional, named = _join(args, params, values)
            return self.function(*positional, **named)

        program = capture(step, *tensors)
        if program.leaves_graph:
            self._eager.add(key)
            self._say_why_eager()
            return self.function(*args, **params)
        self.programs.setdefault(key, []).append(program)
        return program(*tensors)

    def _note(self, reason: str) -> None:
        self.reasons.append(reason)
        if len(self.reasons) > MAX_PROGRAMS and not self._said:
            self._said = True
            warnings.warn(
                f"{self._name} was captured {len(self.reasons)} times, "
                f"last because "
                f"{reason}. Keep shapes equal (pad the last batch, or DataLoader(drop_last=True)) and pass "
                f"numbers that "
                "change as tensors.",
                RecaptureWarning,
                stacklevel=3,
            )

    def _say_why_eager(self) -> None:
        warnings.warn(
            f"{self._name} returns tensors that require gradients, and a program's results have no graph: it runs as "
            "it is. Compile the whole step (forward, backward and optimizer) instead, or call it under no_grad.",
            EagerWarning,
            stacklevel=3,
        )

    @property
    def _name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def __getattr__(self, name: str) -> Any:
        """A compiled module is asked for its parameters, its mode or its state like the module itself."""
        if name == "function":
            raise AttributeError(name)
        return getattr(self.function, name)

    def __repr__(self) -> str:
        count = sum(map(len, self.programs.values()))
        return f"<compiled {self._name}: {count} programs>"


def _split(args: tuple[Any, ...], params: dict[str, Any]) -> tuple[list[Tensor], Any]:
    """The tensors among the arguments, and all else as a key."""
    tensors: list[Tensor] = []
    rest: list[Any] = []
    for name, value in (*enumerate(args), *params.items()):
        if isinstance(value, Tensor):
            tensors.append(value)
            rest.append((name, "tensor", value.requires_grad))
            continue
        try:
            hash(value)
        except TypeError as error:
            raise CaptureError(
                f"a compiled function takes tensors and hashable values, argument {name!r} is a "
                f"{type(value).__name__}: "
                "let the function close over it, or pass its tensors one by one"
            ) from error
        rest.append((name, type(value), value))
    return tensors, tuple(rest)


def _join(
    args: tuple[Any, ...], params: dict[str, Any], values: tuple[Tensor, ...]
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments again, with other tensors in place of theirs."""
    stand_ins = iter(values)
    positional = [next(stand_ins) if isinstance(a, Tensor) else a for a in args]
    named = {k: next(stand_ins) if isinstance(v, Tensor) else v for k, v in params.items()}
    return positional, named


def compile(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Make a function (or a module) run as one program: a single compiled one where the backend has a compiler.

    The function may run forward, backward and optimizer step; parameters, optimizer state, random streams and learning
    rates stay live. Reading a value inside (``item()``, ``if``) is an error with the line that asked.

    A function whose results still require gradients, such as a module in training mode, runs as it is, and a warning
    says so. PyTorch's options (``mode``, ``fullgraph``, ...) are accepted; ``disable=True`` returns the function
    itself.

    >>> import dovetail
    >>> @dovetail.compile
    ... def f(x):
    ...     return (x * x).sum()
    >>> [float(f(dovetail.ones(2) * i)) for i in range(3)]
    [0.0, 2.0, 8.0]
    """
    unknown = options.keys() - OPTIONS
    if unknown:
        raise CaptureError(
            f"compile() has no option {', '.join(sorted(unknown))}; it accepts {', '.join(sorted(OPTIONS))}"
        )
    if function is None:
        return functools.partial(compile, **options)
    return function if options.get("disable") else Compiled(function)
