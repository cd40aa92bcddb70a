"""Scalars, histograms, pictures and texts of a training run, for TensorBoard to show.

The files are written by tensorboardX, an optional library: ``pip install "dovetail[tensorboard]"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from dovetail.errors import MissingLibraryError, UnsupportedError
from dovetail.tensor.tensor import Tensor

PASSED_ON = (
    "add_audio", "add_custom_scalars", "add_custom_scalars_marginchart", "add_custom_scalars_multilinechart",
    "add_embedding", "add_figure", "add_histogram", "add_histogram_raw", "add_hparams", "add_image",
    "add_image_with_boxes", "add_images", "add_mesh", "add_onnx_graph", "add_pr_curve", "add_pr_curve_raw",
    "add_scalar", "add_scalars", "add_text", "add_video", "flush", "close",
)  # fmt: skip
"""Methods of PyTorch's writer that the library has, with PyTorch's parameters."""


class SummaryWriter:
    """Write event files under ``log_dir`` (``runs/`` with date and host by default), as PyTorch's class of this name.

    Tensors of any backend and inside lists and dicts are read as host arrays; all else is the library's.
    ``MissingLibraryError`` without tensorboardX.

    >>> from dovetail.utils.tensorboard import SummaryWriter
    >>> writer = SummaryWriter("runs/example")  # doctest: +SKIP
    >>> writer.add_scalar("loss", dovetail.tensor(0.5), 0)  # doctest: +SKIP
    """

    def __init__(
        self,
        log_dir: str | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        filename_suffix: str = "",
    ) -> None:
        try:
            import tensorboardX  # type: ignore[import-untyped]  # it has no types
        except ImportError as error:
            raise MissingLibraryError(
                "SummaryWriter writes by tensorboardX, which is not installed: "
                f'pip install "dovetail[tensorboard]" ({error})'
            ) from error
        self._writer: Any = tensorboardX.SummaryWriter(
            log_dir, comment, purge_step, max_queue, flush_secs, filename_suffix
        )

    @property
    def log_dir(self) -> str:
        """The folder of the event files."""
        return str(self._writer.logdir)

    def get_logdir(self) -> str:
        """Return the folder of the event files."""
        return self.log_dir

    def add_graph(self, model: Any, input_to_model: Any = None, verbose: bool = False) -> None:
        """Refused: TensorBoard shows TorchScript's graphs, which dovetail does not have."""
        raise UnsupportedError(
            "add_graph shows a TorchScript graph, which dovetail does not have: show "
            "dovetail.summary(model, input_size) instead, by writer.add_text('model', str(summary))"
        )

    def add_tensor(self, tag: str, tensor: Tensor, global_step: int | None = None) -> None:
        """Refused: the library has no tensor summaries."""
        raise UnsupportedError("add_tensor is not supported: add_histogram(tag, tensor) shows a tensor's values")

    def __getattr__(self, name: str) -> Any:
        if name not in PASSED_ON:
            raise AttributeError(f"SummaryWriter has no {name!r}; it has {', '.join(PASSED_ON)}")
        function = getattr(self._writer, name)

        def method(*args: Any, **params: Any) -> Any:
            return function(*(on_host(a) for a in args), **{key: on_host(a) for key, a in params.items()})

        method.__name__ = name
        return method

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writer.close()


def on_host(value: Any) -> Any:
    """Tensors as host arrays, scalars as numbers, also inside of lists and dicts; everything else as it is."""
    if isinstance(value, Tensor):
        array = value.detach().float() if value.dtype.name == "bfloat16" else value.detach()
        return array.item() if not array.shape else array.numpy()
    if isinstance(value, Mapping):
        return {key: on_host(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(on_host(item) for item in value)
    return value
