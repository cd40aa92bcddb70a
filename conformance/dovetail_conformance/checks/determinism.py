"""Determinism: the same bits again in one process, in a fresh one, and with another number of threads.

A fresh process is this module run by the interpreter; for a backend that was announced in this process alone it is a
fork. Products (matmul, convolution) may depend on the number of threads, and so may everything that a compiler splits
among them: the certificate then says so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

import dovetail
from dovetail.nn import functional
from dovetail_conformance.calls import array
from dovetail_conformance.outcome import Row
from dovetail_conformance.session import Session, quiet

Host = np.ndarray[Any, Any]
Hashes = dict[str, str]

RUNS: Final = 3
TIMEOUT: Final = 300
"""Seconds that a fresh process may take."""

THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Variables by which libraries are told; they see the number of usable CPUs as well, which is set too."""

PRODUCTS: Final = frozenset(("matmul", "conv2d", "attention", "training"))
"""Cases whose library may choose its order of summation by the number of threads."""


def _draw(seed: int, *shape: int) -> Host:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def _scattered(x: Any) -> Any:
    places = np.random.default_rng(3).integers(0, 7, x.shape[0])
    base = dovetail.zeros(7, x.shape[1], device=x.device)
    return base.index_add(0, dovetail.tensor(places, device=x.device), x)


def _gradient(x: Any) -> Any:
    """The gradient of an embedding with words that occur often: many terms for one row."""
    words = dovetail.tensor(np.random.default_rng(4).integers(0, 5, 300), device=x.device)
    weight = x[:5].detach().requires_grad_()
    functional.embedding(words, weight).square().sum().backward()
    return weight.grad


def _training(x: Any) -> Any:
    """Three steps of a network with dropout; its weights."""
    state = dovetail.get_rng_state()
    dovetail.manual_seed(11)
    model = dovetail.nn.Sequential(
        dovetail.nn.Linear(x.shape[1], 16), dovetail.nn.ReLU(), dovetail.nn.Dropout(0.2), dovetail.nn.Linear(16, 4)
    ).to(x.device)
    optimizer = dovetail.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
    dovetail.set_rng_state(state)
    return dovetail.cat([p.detach().reshape(-1) for p in model.parameters()])


CASES: Final[dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]]] = {
    "sum": ((400, 300), lambda x: x.sum()),
    "sum over rows": ((400, 300), lambda x: x.sum(0)),
    "exp": ((400, 300), lambda x: x.exp()),
    "softmax": ((400, 300), lambda x: functional.softmax(x, -1)),
    "cumsum": ((400, 300), lambda x: x.cumsum(0)),
    "layer_norm": ((400, 300), lambda x: functional.layer_norm(x, [300])),
    "index_add": ((400, 300), _scattered),
    "embedding gradient": ((400, 300), _gradient),
    "matmul": ((400, 300), lambda x: x @ x.t()),
    "conv2d": ((4, 8, 20, 20), lambda x: functional.conv2d(x, x[:, :, :3, :3])),
    "attention": ((2, 60, 32), lambda x: functional.scaled_dot_product_attention(x, x, x)),
    "random": ((3,), lambda x: dovetail.randn(1000, device=x.device, generator=dovetail.Generator().manual_seed(5))),
    "training": ((64, 32), _training),
}
"""Functions whose order of work could depend on chance: sums, scatters, products, and a training step."""


def measured(device: Any, seed: int) -> Hashes:
    """A hash of the result of every case."""
    found = {}
    for name, (shape, function) in CASES.items():
        with quiet(), dovetail.use_backend(device):
            x = dovetail.tensor(_draw(seed, *shape), device=device)
            found[name] = hashlib.sha256(np.ascontiguousarray(array(function(x))).tobytes()).hexdigest()
    return found


def repeats(session: Session) -> list[Row]:
    """Every case several times in this process, with unrelated work in between."""
    rows = {name: Row(name, "float32", "repeats", kind="E") for name in CASES}
    first: Hashes = {}
    for run in range(RUNS):
        try:
            found = measured(session.device, session.seed)
            with quiet(), dovetail.use_backend(session.device):
                array(dovetail.tensor(_draw(run, 50 if session.compiles else 50 + run, 30)).cos().sum(1))
        except Exception as error:  # whatever a backend raises is a failure of the cell
            for row in rows.values():
                row.fail(f"run {run}: {type(error).__name__}: {error}")
            break
        first = first or found
        for name, row in rows.items():
            row.cases += 1
            row.tested += 1
            if found[name] != first[name]:
                words = f"{name}: run {run + 1} gives other bits than the first"
                row.fail(words, expected=first[name], got=found[name])
    return list(rows.values())


def processes(session: Session) -> list[Row]:
    """Every case in fresh processes: with other hash seeds, and with one thread instead of all."""
    rows = {name: Row(name, "float32", "processes", kind="E") for name in CASES}
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    counts = sorted({1, 2, usable} if session.full else {1, usable})
    counts = [n for n in counts if n <= usable]
    try:
        found = [_elsewhere(session, usable, hash_seed) for hash_seed in ("1", "2")]
        by_threads = {n: _elsewhere(session, n, "1") if n != usable else found[0] for n in counts}
    except _NotThereError as error:
        for row in rows.values():
            row.status, row.reason = "unsupported", str(error)
        return list(rows.values())
    except Exception as error:  # a process that fails is a failure of the cell
        for row in rows.values():
            row.fail(f"in a fresh process: {type(error).__name__}: {error}")
        return list(rows.values())
    for name, row in rows.items():
        row.cases, row.tested = 2 + len(counts), 2 + len(counts)
        if found[0][name] != found[1][name]:
            row.fail(f"{name}: two processes give other bits", expected=found[0][name], got=found[1][name])
        differs = [n for n in counts if by_threads[n][name] != found[0][name]]
        row.facts = {"thread_counts": counts, "differs_with_threads": differs}
        if differs and name not in PRODUCTS and not session.compiles:
            row.fail(f"{name}: other bits with {differs[0]} threads than with {usable}", expected=found[0][name])
    return list(rows.values())


class _NotThereError(Exception):
    """The backend cannot be had in another process."""


def _elsewhere(session: Session, threads: int, hash_seed: str) -> Hashes:
    """The hashes from a fresh process with so many usable CPUs."""
    from dovetail_conformance.workers import found_elsewhere  # it imports the runner, which imports this

    if not found_elsewhere(session.device.backend):
        return _forked(session, threads)
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, **dict.fromkeys(THREADS, str(threads))}
    words = [str(session.device), str(session.seed), str(threads), "silent" if session.fallback else "error"]
    done = subprocess.run(
        [sys.executable, "-m", __name__, *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"status {done.returncode}")
    found: Hashes = json.loads(done.stdout.splitlines()[-1])
    return found


def _forked(session: Session, threads: int) -> Hashes:
    """The same in a fork, which has the backends of this process."""
    if not hasattr(os, "fork") or not session.device.runtime.fork_safe or session.host.runtime.fork_safe is False:
        raise _NotThereError("the backend was announced in this process alone, and does not survive a fork")
    reader, writer = os.pipe()
    with quiet():
        child = os.fork()
    if child == 0:  # pragma: no cover - the child's lines are not counted
        status = 1
        try:
            _use(threads)
            os.write(writer, json.dumps(measured(session.device, session.seed)).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with open(reader, encoding="utf-8") as file:
        text = file.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"the forked process ended with status {status}")
    found: Hashes = json.loads(text)
    return found


def _use(threads: int) -> None:
    """Leave so many CPUs to this process, and tell libraries that have not begun yet."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    os.environ.update(dict.fromkeys(THREADS, str(threads)))


def main(words: list[str]) -> int:
    """Print the hashes of all cases on a device as one line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("device")
    parser.add_argument("seed", type=int)
    parser.add_argument("threads", type=int)
    parser.add_argument("fallback")
    args = parser.parse_args(words)
    _use(args.threads)
    dovetail.set_host_fallback(args.fallback)
    found: Mapping[str, str] = measured(dovetail.device(args.device), args.seed)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
