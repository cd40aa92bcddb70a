"""Print how the peers compare with each other: `python -m peers [--threads N] [--rounds N] [PROGRAM ...]`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import timing

REFERENCE = "torch eager"


def _steps(peers: Mapping[str, Callable[[], timing.Step]]) -> dict[str, timing.Step]:
    """Build the steps of all peers that are installed, and name those that are not."""
    steps = {}
    for name, build in peers.items():
        try:
            steps[name] = build()
        except ImportError as error:
            print(f"{name} is left out: {error}")
    return steps


def _training(program: str, rounds: int) -> None:
    from peers import cnn, gpt, lstm, mlp, two_layer

    programs = {"two_layer": two_layer, "cnn": cnn, "lstm": lstm, "gpt": gpt, "mlp": mlp}
    peers: Mapping[str, Callable[[], timing.Step]] = programs[program].PEERS
    print(f"\n{program}: one training step")
    print(timing.measure(_steps(peers), rounds=rounds).table(REFERENCE))


def _overhead(rounds: int) -> None:
    from peers import overhead

    for title, peers, reference in (
        ("forward", overhead.FORWARD, "torch, graph"),
        ("forward and backward", overhead.FORWARD_BACKWARD, "torch"),
    ):
        steps = _steps(peers)
        units = dict.fromkeys(steps, float(overhead.OPS))
        print(f"\noverhead on shape (4,), {title}, per op")
        print(timing.measure(steps, rounds=rounds, units=units).table(reference))


def _chains(rounds: int) -> None:
    from peers import chains

    def all_lengths() -> Iterator[tuple[str, Callable[[], timing.Step], int]]:
        for name, build in chains.PEERS.items():
            for length in chains.LENGTHS:
                if name != "jax eager grad" or length <= chains.LONGEST_JAX:
                    yield f"{name}, {length}", partial(build, length), length

    peers = {name: build for name, build, _ in all_lengths()}
    units = {name: float(length) for name, _, length in all_lengths()}
    print("\nchains, forward and backward, per op")
    print(timing.measure(_steps(peers), rounds=min(rounds, 5), warm_up=1, units=units).table())
    program = (
        "import timing; from peers import chains; chains.torch_graph(100)();"
        "length = chains.LENGTHS[-1]; print(timing.memory_per_unit(chains.torch_graph(length), length))"
    )
    command = [sys.executable, "-c", program]
    folder = Path(__file__).parents[1]
    fresh = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    print(f"bytes per op that torch's longest graph holds: {fresh.stdout.strip() or 'not measured'}")


def _imports(rounds: int) -> None:
    programs = {name: f"import {name}" for name in ("numpy", "torch", "jax")}
    print("\nimport in a fresh process")
    print(timing.measure_processes(programs, rounds=min(rounds, 7)).table("numpy"))


def main() -> None:
    """Measure the programs asked for."""
    programs: dict[str, Callable[[int], None]] = {
        "two_layer": partial(_training, "two_layer"),
        "cnn": partial(_training, "cnn"),
        "lstm": partial(_training, "lstm"),
        "gpt": partial(_training, "gpt"),
        "mlp": partial(_training, "mlp"),
        "overhead": _overhead,
        "chains": _chains,
        "imports": _imports,
    }
    parser = argparse.ArgumentParser(prog="python -m peers", description="Compare NumPy, PyTorch and JAX.")
    parser.add_argument("--threads", type=int, default=2, help="cores that all of them may use (default 2)")
    parser.add_argument("--rounds", type=int, default=15, help="rounds in which they take turns (default 15)")
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help=", ".join(programs))
    options = parser.parse_args()
    unknown = [name for name in options.programs if name not in programs]
    if unknown:
        parser.error(f"unknown program {unknown[0]!r}; choose from {', '.join(programs)}")
    timing.limit_threads(options.threads)
    for name in options.programs or programs:
        programs[name](options.rounds)


if __name__ == "__main__":
    main()
