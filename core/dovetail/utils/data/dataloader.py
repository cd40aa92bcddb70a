"""DataLoader: batches of a dataset, in this process or by workers."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sized
from multiprocessing.context import BaseContext
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from dovetail.errors import ArgumentError, ArgumentTypeError
from dovetail.utils.data import draws, host
from dovetail.utils.data.collate import default_collate, default_convert
from dovetail.utils.data.dataset import Dataset, IterableDataset, missing_methods
from dovetail.utils.data.errors import MissingMethodsError
from dovetail.utils.data.fetch import Collate
from dovetail.utils.data.iteration import LoaderIterator, Plan, SerialIterator
from dovetail.utils.data.parallel import ParallelIterator
from dovetail.utils.data.pool import WorkerPool
from dovetail.utils.data.progress import Position, Progress, Sources, State, checked
from dovetail.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler
from dovetail.utils.data.worker import Job

if TYPE_CHECKING:
    from dovetail.random.generator import Generator

T_co = TypeVar("T_co", covariant=True)

FIXED = ("dataset", "batch_size", "sampler", "batch_sampler", "drop_last", "persistent_workers")
"""Attributes that say how batches are made: set once, by the constructor."""


class EveryPosition(Sampler[None]):
    """What stands in for a sampler where a stream decides itself what comes next."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


class DataLoader(Generic[T_co]):
    """Batches of a dataset.

    The same seed gives the same batches on every backend and with any number of workers.

    Args:
        dataset: a :class:`Dataset`, an :class:`IterableDataset`, or anything with positions and a length.
        batch_size: samples in a batch; None gives the samples themselves, one at a time.
        shuffle: whether each epoch has an order of its own at random.
        sampler: where the positions come from, instead of ``shuffle``.
        batch_sampler: where lists of positions come from, instead of ``batch_size``, ``shuffle``, ``sampler``
            and ``drop_last``.
        num_workers: processes that fetch batches; 0 fetches in this one.
        collate_fn: makes a batch of a list of samples; :func:`default_collate` if left out.
        pin_memory: accepted for programs written for PyTorch; the backends transfer from ordinary memory.
        drop_last: whether a last batch that is not full is left out.
        timeout: seconds to wait for a batch of the workers, 0 for ever.
        worker_init_fn: called with its number in each worker, after seeding and before the first sample.
        multiprocessing_context: the start method ("fork", "spawn", "forkserver") or a context of
            :mod:`multiprocessing`; Python's default if left out.
        generator: where ``shuffle`` and the seeds of the workers come from; the default generator if left
            out.
        prefetch_factor: batches that each worker prepares ahead; 2 if left out.
        persistent_workers: keep the workers from one epoch to the next.
        pin_memory_device: accepted, as ``pin_memory`` is.
        in_order: whether batches come in the sampler's order; False gives each as soon as it is ready.

    Raises:
        ArgumentError, ArgumentTypeError: arguments that exclude each other, or values that are not allowed.
        MissingMethodsError: a dataset without the length that the default samplers need.
        WorkerError: on iteration, a worker that was killed or gave no answer in time. What a dataset raises
            in a worker is raised here as it is, with the worker's traceback as a note.

    >>> import dovetail
    >>> from dovetail.utils.data import DataLoader, TensorDataset
    >>> for (x,) in DataLoader(TensorDataset(dovetail.arange(5)), batch_size=2):
    ...     print(x)
    tensor([0, 1])
    tensor([2, 3])
    tensor([4])
    """

    def __init__(
        self,
        dataset: Dataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Sampler[list[Any]] | Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Collate | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: BaseContext | str | None = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        self.dataset = dataset
        self.num_workers = num_workers
        self.timeout = timeout
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.worker_init_fn = worker_init_fn
        self.generator = generator
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        self.prefetch_factor = 2 if prefetch_factor is None and num_workers else prefetch_factor
        self.multiprocessing_context = multiprocessing_context
        self._check_workers()
        self._stream = isinstance(dataset, IterableDataset)
        if self._stream:
            _check_stream(shuffle, sampler, batch_sampler)
        _check_batching(batch_size, shuffle, sampler, batch_sampler, drop_last)
        self.batch_size = None if batch_sampler is not None else batch_size
        self.drop_last = drop_last
        self.sampler = self._sampler(shuffle) if sampler is None else sampler
        if batch_sampler is None and self.batch_size is not None:
            batch_sampler = BatchSampler(self.sampler, self.batch_size, drop_last)
        self.batch_sampler = batch_sampler
        if collate_fn is None:
            collate_fn = default_collate if batch_sampler is not None else default_convert
        if not callable(collate_fn):
            raise ArgumentTypeError(f"collate_fn should be a function of a list of samples, got {collate_fn!r}")
        self.collate_fn: Collate = collate_fn
        self._announced: int | None = None
        self._persistent: ParallelIterator | None = None
        self._progress: Progress | None = None
        self._resume: State | None = None
        self._ready = True

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FIXED and getattr(self, "_ready", False):
            raise ArgumentError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    @property
    def multiprocessing_context(self) -> BaseContext | None:
        """How worker processes are started, None for Python's default."""
        return self._context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: BaseContext | str | None) -> None:
        self._context = _context(context, self.num_workers)

    def _sampler(self, shuffle: bool | None) -> Sampler[Any]:
        if self._stream:
            return EveryPosition()
        if not hasattr(type(self.dataset), "__len__"):
            raise MissingMethodsError(
                f"{missing_methods(self.dataset)}. Without a length pass a sampler or batch_sampler of your own."
            )
        sized = cast(Sized, self.dataset)
        return RandomSampler(sized, generator=self.generator) if shuffle else SequentialSampler(sized)

    def _check_workers(self) -> None:
        workers = self.num_workers
        if type(workers) is not int:
            raise ArgumentTypeError(f"num_workers should be an int, but got {workers!r}")
        if workers < 0:
            raise ArgumentError(
                "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing."
            )
        if self.timeout < 0:
            raise ArgumentError(f"timeout option should be non-negative, got {self.timeout}")
        if self.worker_init_fn is not None and not callable(self.worker_init_fn):
            raise ArgumentTypeError(f"worker_init_fn should be a function of a number, got {self.worker_init_fn!r}")
        if self.generator is not None and not draws.is_generator(self.generator):
            raise ArgumentTypeError(f"generator should be a Generator, got {self.generator!r}")
        if workers == 0 and self.prefetch_factor is not None:
            raise ArgumentError(
                "prefetch_factor option could only be specified in multiprocessing."
                "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
            )
        if workers and (not isinstance(self.prefetch_factor, int) or self.prefetch_factor < 1):
            raise ArgumentError(f"prefetch_factor option should be positive, got {self.prefetch_factor}")
        if self.persistent_workers and workers == 0:
            raise ArgumentError("persistent_workers option needs num_workers > 0")

    def _plan(self) -> Plan:
        batched = self.batch_sampler is not None
        requests = self.sampler if self.batch_sampler is None else self.batch_sampler
        return Plan(self.dataset, self.collate_fn, batched, self.drop_last, requests, self._announced)

    def __iter__(self) -> LoaderIterator:
        # Drawn also without workers: the sampler's draws come after it, and must not depend on their number.
        resume, self._resume = self._resume, None
        running = resume is not None and resume["running"]
        base_seed = resume["base_seed"] if resume is not None and running else draws.seed(self.generator)
        plan = self._plan()
        progress = self._begun(plan, base_seed, resume)
        if self.num_workers == 0:
            return SerialIterator(plan, progress)
        if self._persistent is not None and self._persistent.usable:
            self._persistent.restart(plan, progress)
            return self._persistent
        iterator = self._with_workers(plan, progress)
        if self.persistent_workers:
            self._persistent = iterator
        return iterator

    def _begun(self, plan: Plan, base_seed: int, resume: State | None) -> Progress:
        """Return the progress of a new pass; workers that persist keep their seeds and random numbers."""
        last, self._progress = self._progress, None
        going_on = resume is not None and resume["running"]
        progress = self._progress_of(plan, base_seed, resume if going_on else None)
        if self.persistent_workers and not going_on:
            if resume is not None:
                last = None if resume["base_seed"] is None else self._progress_of(plan, resume["base_seed"], resume)
            elif self._persistent is None or not self._persistent.usable:
                last = None
            if last is not None:
                progress.base_seed = last.base_seed
                progress.positions = [Position(random=position.random) for position in last.positions]
        self._progress = progress
        return progress

    def _progress_of(self, plan: Plan, base_seed: int | None, resume: State | None) -> Progress:
        in_order = self.in_order or self.num_workers == 0
        sources = Sources(plan.requests, self.generator)
        return Progress(sources, base_seed, self.num_workers, resume, in_order=in_order)

    def state_dict(self) -> State:
        """Return the position: where a loader in another process goes on as if it were this one.

        During a pass it is the position after the batch that was given last, also from within the loop; between
        passes, the state that the next one begins from. It is plain data. With it belong the state of the default
        generator (``dovetail.get_rng_state()``) and, where datasets use them in this process, of Python's and NumPy's.

        Raises:
            LoaderStateError: with workers and ``in_order=False``.

        >>> import dovetail
        >>> loader = DataLoader(range(6), batch_size=2, shuffle=True)
        >>> batches = iter(loader)
        >>> first, state = next(batches), loader.state_dict()
        >>> rest = [batch.tolist() for batch in batches]
        >>> other = DataLoader(range(6), batch_size=2, shuffle=True)
        >>> other.load_state_dict(state)
        >>> [batch.tolist() for batch in other] == rest
        True
        """
        if self._resume is not None:
            return self._resume
        if self._progress is None:
            return self._progress_of(self._plan(), None, None).state_dict()
        return self._progress.state_dict()

    def load_state_dict(self, state_dict: State) -> None:
        """Let the next pass go on from a :meth:`state_dict`: with the same dataset, batch size and sampler.

        The requests of the pass are drawn again and those before the position passed over; a stream is run through
        again, unless it, or its dataset, has a ``state_dict`` and ``load_state_dict`` of its own.

        Raises:
            ArgumentError: something else, or a position in a stream for another number of workers.
        """
        state = checked(state_dict, self.num_workers, self._stream)
        if self._persistent is not None:
            self._persistent.pool.close()
            self._persistent = None
        self._progress = None
        self._resume = state
        if not state["running"]:
            Sources(self._plan().requests, self.generator).restore(state["now"])

    def _with_workers(self, plan: Plan, progress: Progress) -> ParallelIterator:
        context = self.multiprocessing_context or multiprocessing.get_context()
        settings = host.worker_settings()
        job = Job(
            dataset=host.for_worker(plan.dataset, settings),
            collate=plan.collate,
            batched=plan.batched,
            drop_last=plan.drop_last,
            worker=0,
            workers=self.num_workers,
            base_seed=cast(int, progress.base_seed),  # drawn when the pass began
            init=self.worker_init_fn,
            prefix="",
            inline=0,
            settings=settings,
        )
        depth = self.prefetch_factor or 2
        pool = WorkerPool(context, job, progress.positions, depth, self.timeout)
        try:
            return ParallelIterator(plan, progress, pool, depth, self.in_order, self.persistent_workers)
        except BaseException:
            pool.close()
            raise

    def __len__(self) -> int:
        """Return the number of batches of an epoch, where it is known."""
        if not self._stream:
            return len(cast(Sized, self.sampler if self.batch_sampler is None else self.batch_sampler))
        count = len(cast(Sized, self.dataset))
        if self.batch_size is not None:
            count = count // self.batch_size if self.drop_last else -(-count // self.batch_size)
        self._announced = count
        return count


def _check_stream(shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
    for name, value in (("shuffle", shuffle or None), ("sampler", sampler), ("batch_sampler", batch_sampler)):
        if value is not None:
            raise ArgumentError(
                f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
            )


def _check_batching(batch_size: Any, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: Any) -> None:
    if sampler is not None and shuffle:
        raise ArgumentError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None:
        if batch_size != 1 or shuffle or sampler is not None or drop_last:
            raise ArgumentError(
                "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
            )
    elif batch_size is None and drop_last:
        raise ArgumentError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
    for name, value in (("sampler", sampler), ("batch_sampler", batch_sampler)):
        if value is not None and not isinstance(value, Iterable):
            raise ArgumentTypeError(f"{name} should be a Sampler or another iterable, got {value!r}")


def _context(context: BaseContext | str | None, workers: int) -> BaseContext | None:
    if context is None:
        return None
    if workers == 0:
        raise ArgumentError(
            "multiprocessing_context can only be used with multi-process loading (num_workers > 0), "
            f"but got num_workers={workers}"
        )
    if isinstance(context, BaseContext):
        return context
    if not isinstance(context, str):
        raise ArgumentTypeError(
            "multiprocessing_context option should be a valid context object or a string specifying the "
            "start "
            f"method, but got multiprocessing_context={context}"
        )
    methods = multiprocessing.get_all_start_methods()
    if context not in methods:
        raise ArgumentError(
            f"multiprocessing_context option should specify a valid start method in {methods}, "
            f"but got multiprocessing_context={context!r}"
        )
    return multiprocessing.get_context(context)


__all__ = ["DataLoader"]
