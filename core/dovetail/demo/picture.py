"""The loss curve as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dovetail.demo.training import Run


def draw(runs: Sequence[Run], path: Path) -> bool:
    """Save losses by step and accuracies by epoch; False where matplotlib is missing."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # heavy, and needs no screen in this form
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for run in runs:
        left.plot(run.steps, label=run.device, linewidth=1)
        right.plot(range(1, len(run.accuracies) + 1), [100 * a for a in run.accuracies], "o-", label=run.device)
    left.set(title="Training loss", xlabel="step", ylabel="cross entropy", yscale="log")
    right.set(title="Test accuracy", xlabel="epoch", ylabel="%")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=110)
    return True
