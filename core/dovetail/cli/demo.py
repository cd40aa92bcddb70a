"""``dovetail demo``: train on real digits, on one backend or on two that are compared."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dovetail.demo.comparison import Line
    from dovetail.demo.training import Run

ROUNDING = (
    "Backends add up in different orders, so results differ in the last bit. Training amplifies that: a "
    "difference of one "
    "rounding in the weights grows to about 1e-7 of the loss after 3 epochs and 1e-3 after 15. The start is the "
    "same to the "
    "bit, the path is the same to rounding, and both ends are equally good."
)


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "demo", help="train a small convolutional network on real handwritten digits", description=__doc__
    )
    parser.add_argument("--backend", metavar="B", help="backend or device to train on (the default one)")
    parser.add_argument("--compare", metavar="A,B", help="train on two backends and compare them line by line")
    parser.add_argument("--epochs", type=int, default=15, metavar="N", help="passes over the training images (15)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of weights, batches and masks (0)")
    parser.add_argument("--out", type=Path, default=Path("demo-results"), metavar="DIR", help="folder for the results")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; the exit status is 1 when a line of the comparison is broken."""
    import gc

    from dovetail.contract.selection import default_device, resolve, use_backend
    from dovetail.errors import ArgumentError

    if args.epochs < 1:
        raise ArgumentError(f"--epochs must be at least 1, got {args.epochs}")
    gc.freeze()  # what is imported stays: full collections of long graphs need not walk it
    if args.compare:
        names = args.compare.split(",")
        if len(names) != 2:
            raise ArgumentError(f"--compare takes two backends, as in --compare a,b; got {args.compare!r}")
        return _compare(names, args)
    with use_backend(resolve(args.backend) if args.backend else default_device()):
        return _train(args)


def _train(args: argparse.Namespace) -> int:
    from dovetail.demo.training import train

    with bar(f"training, seed {args.seed}") as progress:
        done = train(args.epochs, args.seed, progress=progress)
    print(
        f"{done.device}: loss {done.losses[-1]:.4f}, test accuracy {100 * done.accuracies[-1]:.2f} % after "
        f"{args.epochs} epochs in {done.seconds:.1f} s"
    )
    _save(args.out, [done])
    return 0


def _save(folder: Path, runs: Sequence[Run]) -> None:
    from dovetail.demo.picture import draw
    from dovetail.saving import save

    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "digits.dt"
    assert runs[0].model is not None, "a finished run has its model"
    save(runs[0].model.state_dict(), checkpoint)
    picture = folder / "digits.png"
    if draw(runs, picture):
        print(f"checkpoint {checkpoint}, loss curve {picture}")
    else:
        print(f'checkpoint {checkpoint} (for the loss curve: pip install "dovetail[demo]")')


def _compare(names: Sequence[str], args: argparse.Namespace) -> int:
    from dovetail.demo.comparison import compare

    print(f"the same script, seed {args.seed}, {args.epochs} epochs, on {names[0]} and on {names[1]}")
    lines, runs = compare(names[0], names[1], args.epochs, args.seed)
    _show(lines)
    for done in runs:
        print(f"{done.device}: test accuracy {100 * done.accuracies[-1]:.2f} % in {done.seconds:.1f} s")
    _save(args.out, runs)
    print(ROUNDING)
    return 0 if all(line.holds for line in lines) else 1


def _show(lines: Sequence[Line]) -> None:
    width = max(len(line.what) for line in lines)
    found = max(len(line.found) for line in lines)
    for line in lines:
        mark = "ok    " if line.holds else "BROKEN"
        print(f"  {mark}  {line.what:<{width}}  {line.found:<{found}}  (allowed: {line.allowed})")


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int, float], None]]:
    """A progress bar where rich is installed and the output is a terminal, else a line now and then."""
    try:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        yield _plain(title)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
    )
    with Progress(*columns, TimeRemainingColumn()) as shown:
        task = shown.add_task(title, total=None, loss=float("nan"))

        def update(step: int, steps: int, loss: float) -> None:
            shown.update(task, completed=step, total=steps, loss=loss)

        yield update


def _plain(title: str) -> Callable[[int, int, float], None]:
    def update(step: int, steps: int, loss: float) -> None:
        if step % max(steps // 10, 1) == 0 or step == steps:
            print(f"{title}: step {step} of {steps}, loss {loss:.4f}", flush=True)

    return update
