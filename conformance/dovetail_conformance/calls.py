"""One call of an op: host arrays for its tensors, the call itself on any device, and how it is written."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import dovetail
from dovetail.backend.inspection import Arg, ErrorSample, Op, Plan, Sample, array_of, plan_of
from dovetail_conformance import draw

Host = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Invocation:
    """A sample with values: ``hosts`` are those of its :class:`Arg` in order, ``dtype`` the one under test."""

    op: Op
    sample: Sample | ErrorSample
    dtype: str
    hosts: tuple[Host, ...]

    def with_hosts(self, hosts: Sequence[Host]) -> Invocation:
        """The same call on other values."""
        return replace(self, hosts=tuple(hosts))

    def fill(self, tensors: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments and keywords of the call, with ``tensors`` in the places of the hosts."""
        given = iter(tensors)
        return [_filled(a, given) for a in self.sample.args], {
            k: _filled(v, given) for k, v in self.sample.params.items()
        }

    def tensors(self, device: Any, wrap: Callable[[Any], Any] = lambda t: t) -> list[Any]:
        """Tensors of the hosts on a device."""
        return [wrap(dovetail.tensor(h, device=device)) for h in self.hosts]

    def call(self, tensors: Sequence[Any]) -> list[Any]:
        """The results, as a list of tensors."""
        args, params = self.fill(tensors)
        return flat(self.op.call(*args, **params))

    def on(self, device: Any) -> list[Any]:
        """The results on a device."""
        with dovetail.use_backend(device):
            return self.call(self.tensors(device))

    def plan(self, device: Any) -> Plan:
        """The plan of the call on a device."""
        with dovetail.use_backend(device):
            args, params = self.fill(self.tensors(device))
            return plan_of(self.op, args, params)

    @property
    def names(self) -> list[str]:
        """A name for each host array: its parameter's where it is a parameter, numbered otherwise."""
        names: list[str] = []
        positional = [p.name for p in self.op.signature.parameters]
        for i, value in enumerate(self.sample.args):
            word = positional[i] if i < len(positional) else f"a{i}"
            count = sum(1 for _ in _args_in(value))
            names += [word] if isinstance(value, Arg) else [f"{word}_{k}" for k in range(count)]
        for key, value in self.sample.params.items():
            names += [key if isinstance(value, Arg) else f"{key}_{k}" for k, _ in enumerate(_args_in(value))]
        return names

    @property
    def expression(self) -> str:
        """The call in Python, over those names."""
        given = iter(self.names)
        words = [_text(a, given) for a in self.sample.args]
        words += [f"{k}={_text(v, given)}" for k, v in self.sample.params.items()]
        return f"torch.ops.{self.op.name}({', '.join(words)})"

    @property
    def inputs(self) -> dict[str, Host]:
        """The host arrays by name."""
        return dict(zip(self.names, self.hosts, strict=True))

    def program(self, device: Any) -> str:
        """A program that makes the call on a device and prints the results."""
        lines = ["import dovetail as torch", "from math import inf, nan", ""]
        for name, host in self.inputs.items():
            kind = f"torch.{host.dtype.name}, device={str(device)!r}"
            lines.append(f"{name} = torch.tensor({host.tolist()!r}, dtype={kind}).reshape({host.shape})")
        lines += [f"with torch.use_backend({str(device)!r}):", f"    print({self.expression})"]
        return "\n".join(lines)

    def __str__(self) -> str:
        shapes = ", ".join(f"{h.dtype.name}{list(h.shape)}" for h in self.hosts)
        return f"{self.expression} with {shapes}" if self.hosts else self.expression


def invocation(op: Op, sample: Sample | ErrorSample, dtype: str, seed: int, *, ties: bool = False) -> Invocation:
    """A sample with values drawn for a dtype and a seed."""
    start = zlib.crc32(f"{op.name} {sample.args}".encode()) + seed * 2**33
    hosts = [draw.draw(a, dtype, start + i, ties=ties) for i, a in enumerate(args_of(sample))]
    return Invocation(op, sample, dtype, tuple(hosts))


def args_of(sample: Sample | ErrorSample) -> list[Arg]:
    """Every tensor of a sample in order."""
    return [a for v in (*sample.args, *sample.params.values()) for a in _args_in(v)]


def flat(result: Any) -> list[Any]:
    """The tensors of a result."""
    if isinstance(result, list | tuple):
        return [t for part in result for t in flat(part)]
    return [result]


def array(t: Any) -> Host:
    """The values of a tensor on the host."""
    return np.asarray(t.detach().numpy())


def held(t: Any) -> tuple[tuple[int, ...], str]:
    """Shape and dtype name of the backend's own array."""
    found: tuple[tuple[int, ...], str] = t.device.runtime.spec_of(array_of(t))
    return found


def _args_in(value: Any) -> Iterator[Arg]:
    if isinstance(value, Arg):
        yield value
    elif isinstance(value, list | tuple):
        for v in value:
            yield from _args_in(v)


def _filled(value: Any, given: Iterator[Any]) -> Any:
    if isinstance(value, Arg):
        return next(given)
    if isinstance(value, list | tuple) and any(True for _ in _args_in(value)):
        return type(value)(_filled(v, given) for v in value)
    return value


def _text(value: Any, names: Iterator[str]) -> str:
    if isinstance(value, Arg):
        return next(names)
    if isinstance(value, list | tuple) and any(True for _ in _args_in(value)):
        inner = ", ".join(_text(v, names) for v in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner},)"
    return repr(value).replace("dovetail.", "torch.")
