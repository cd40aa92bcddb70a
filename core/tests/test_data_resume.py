"""A loader, and a training, that go on from a checkpoint as if they had never stopped."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.utils.data import (
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Sampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    get_worker_info,
)
from dovetail.utils.data import sampler as sampler_module


class Noisy(Dataset):
    """Numbers with noise from each of the three generators that a dataset may use."""

    def __len__(self) -> int:
        return 17

    def __getitem__(self, index: int) -> list[float]:
        return [float(index), random.random(), float(np.random.rand()), float(dovetail.rand(()))]


class Stream(IterableDataset):
    """A part of the numbers for each worker, of parts of unequal length; with noise."""

    def __iter__(self) -> Any:
        info = get_worker_info()
        number, count = (0, 1) if info is None else (info.id, info.num_workers)
        for i in range(number, 20, count):
            if number == 0 or i < 9:
                yield [float(i), random.random() if info is not None else 0.0]


class Stateful(IterableDataset):
    """A stream that knows its place; it counts how often it is run through."""

    def __init__(self) -> None:
        self.place = 0
        self.read = 0

    def __iter__(self) -> Any:
        while self.place < 12:
            self.place += 1
            self.read += 1
            yield self.place
        self.place = 0

    def state_dict(self) -> dict[str, int]:
        return {"place": self.place}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.place = state["place"]


def plain(batch: Any) -> Any:
    """A batch as lists and numbers."""
    if isinstance(batch, list):
        return [plain(part) for part in batch]
    return batch.tolist() if hasattr(batch, "tolist") else batch


def taken(loader: Any, count: int | None = None) -> list[Any]:
    found = []
    for batch in loader:
        found.append(plain(batch))
        if len(found) == count:
            break
    return found


def interrupted(make: Any, stop: int, epochs: int = 3) -> tuple[list[Any], list[Any]]:
    """All batches of some epochs, without a break and with one after ``stop`` batches.

    Between batches the program draws numbers too, as dropout does.
    """

    def pull(loader: Any, left: int, sink: list[Any]) -> int:
        for batch in loader:
            sink.append([plain(batch), draw()])
            left -= 1
            if left == 0:
                break
        return left

    def draw() -> float:
        return float(dovetail.rand(()))

    dovetail.manual_seed(3)
    whole: list[Any] = []
    loader = make()
    for _ in range(epochs):
        pull(loader, -1, whole)

    dovetail.manual_seed(3)
    parts: list[Any] = []
    loader, left, epoch = make(), stop, 0
    while left and epoch < epochs:
        left = pull(loader, left, parts)
        epoch += left > 0
    state, numbers = loader.state_dict(), dovetail.get_rng_state()
    again = pickled(state)
    del loader
    dovetail.manual_seed(99)
    random.seed(99)
    loader = make()
    loader.load_state_dict(again)
    dovetail.set_rng_state(numbers)
    for _ in range(epoch, epochs):
        pull(loader, -1, parts)
    return whole, parts


def pickled(state: Any) -> Any:
    """The state after its way through a file."""
    import io

    file = io.BytesIO()
    dovetail.save(state, file)
    return dovetail.load(io.BytesIO(file.getvalue()))


def own(seed: int) -> Any:
    return dovetail.Generator().manual_seed(seed)


MAKERS: dict[str, Any] = {
    "in order": lambda **o: DataLoader(range(17), batch_size=3, **o),
    "shuffled": lambda **o: DataLoader(range(17), batch_size=3, shuffle=True, **o),
    "generator": lambda **o: DataLoader(range(17), batch_size=3, shuffle=True, generator=own(5), **o),
    "replacement": lambda **o: DataLoader(
        range(17), batch_size=2, sampler=RandomSampler(range(17), True, 21, generator=own(4)), **o
    ),
    "subset": lambda **o: DataLoader(range(17), batch_size=3, sampler=SubsetRandomSampler(range(3, 16)), **o),
    "weighted": lambda **o: DataLoader(
        range(17), batch_size=4, sampler=WeightedRandomSampler(range(1, 18), 20), drop_last=True, **o
    ),
    "distributed": lambda **o: DataLoader(range(17), batch_size=2, sampler=DistributedSampler(range(17), 2, 1), **o),
    "tensors": lambda **o: DataLoader(TensorDataset(dovetail.arange(17)), batch_size=5, shuffle=True, **o),
    "one by one": lambda **o: DataLoader(range(5), batch_size=None, **o),
    "stream": lambda **o: DataLoader(Stream(), batch_size=3, **o),
}


@pytest.mark.parametrize("stop", [1, 3, 6, 7])
@pytest.mark.parametrize("name", MAKERS)
def test_a_pass_goes_on_where_it_stopped(name: str, stop: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler_module, "CHUNK", 4)  # draws in the middle of a pass, as long ones have
    whole, parts = interrupted(MAKERS[name], stop)
    assert parts == whole


@pytest.mark.parametrize("persistent", [False, True], ids=["", "persistent"])
@pytest.mark.parametrize("name", ["shuffled", "replacement", "stream"])
def test_with_workers_too(name: str, persistent: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler_module, "CHUNK", 4)
    for stop in (2, 6, 9):
        whole, parts = interrupted(lambda: MAKERS[name](num_workers=2, persistent_workers=persistent), stop)
        assert parts == whole


@pytest.mark.parametrize("persistent", [False, True], ids=["", "persistent"])
def test_random_numbers_of_workers_go_on(persistent: bool) -> None:
    for stop in (1, 6, 8):
        whole, parts = interrupted(
            lambda: DataLoader(Noisy(), batch_size=3, shuffle=True, num_workers=2, persistent_workers=persistent), stop
        )
        assert parts == whole
    assert len({batch[0][1][0] for batch in whole}) == len(whole)


def test_another_number_of_workers_goes_on_with_the_same_batches() -> None:
    dovetail.manual_seed(0)
    loader = MAKERS["shuffled"](num_workers=2)
    whole = iter(loader)
    first, state = next(whole), loader.state_dict()
    rest = taken(whole)
    for workers in (0, 1, 3):
        other = MAKERS["shuffled"](num_workers=workers)
        other.load_state_dict(state)
        assert taken(other) == rest
    assert first.tolist() not in rest
    stream = MAKERS["stream"](num_workers=2)
    taken(stream, 1)
    with pytest.raises(ValueError, match="go on with num_workers=2"):
        MAKERS["stream"]().load_state_dict(stream.state_dict())


def test_a_stream_that_knows_its_place_is_not_run_through_again() -> None:
    data = Stateful()
    loader = DataLoader(data, batch_size=2)
    first = taken(loader, 2)
    state = loader.state_dict()
    fresh = Stateful()
    other = DataLoader(fresh, batch_size=2)
    other.load_state_dict(state)
    assert first + taken(other) == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10], [11, 12]]
    assert fresh.read == 8
    with_workers = DataLoader(Stateful(), batch_size=2, num_workers=1)
    assert taken(with_workers, 2) == first
    again = DataLoader(Stateful(), batch_size=2, num_workers=1)
    again.load_state_dict(with_workers.state_dict())
    assert taken(again, 1) == [[5, 6]]


class Counting(Sampler[int]):
    """A sampler of the user's with a state."""

    def __init__(self) -> None:
        self.passes = 0

    def __iter__(self) -> Any:
        self.passes += 1
        return iter([self.passes * 10 + i for i in range(4)])

    def state_dict(self) -> dict[str, int]:
        return {"passes": self.passes}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.passes = state["passes"]


def test_a_sampler_of_ones_own_keeps_its_state() -> None:
    loader = DataLoader(range(100), sampler=Counting(), batch_size=1)
    taken(loader)
    taken(loader, 2)
    other = DataLoader(range(100), sampler=Counting(), batch_size=1)
    other.load_state_dict(loader.state_dict())
    assert taken(other) == [[22], [23]]
    assert taken(other) == [[30], [31], [32], [33]]


def test_the_position_after_the_last_batch_ends_the_pass() -> None:
    loader = MAKERS["shuffled"]()
    batches = iter(loader)
    for _ in range(len(loader)):
        next(batches)
    other = MAKERS["shuffled"]()
    other.load_state_dict(loader.state_dict())
    assert other.state_dict() == loader.state_dict()
    assert taken(other) == []
    assert len(taken(other)) == len(loader)


def test_a_state_from_before_the_first_pass_changes_nothing() -> None:
    for options in ({}, {"num_workers": 1, "persistent_workers": True}):
        dovetail.manual_seed(7)
        whole = taken(DataLoader(Noisy(), batch_size=3, shuffle=True, **options))
        loader = DataLoader(Noisy(), batch_size=3, shuffle=True, **options)
        loader.load_state_dict(loader.state_dict())
        dovetail.manual_seed(7)
        assert [batch[0] for batch in taken(loader)] == [batch[0] for batch in whole]
        if options:
            dovetail.manual_seed(7)
            loader.load_state_dict(DataLoader(Noisy(), batch_size=3, shuffle=True, **options).state_dict())
            assert taken(loader) == whole


def test_states_that_do_not_fit_are_refused() -> None:
    loader = MAKERS["shuffled"]()
    for wrong in ({}, [], {"version": 1}):
        with pytest.raises(ValueError, match="state_dict of a DataLoader"):
            loader.load_state_dict(wrong)
    with pytest.raises(ValueError, match="has version 2"):
        loader.load_state_dict({**loader.state_dict(), "version": 2})
    with pytest.raises(RuntimeError, match="in_order=False has no position"):
        DataLoader(range(3), num_workers=1, in_order=False).state_dict()
    with pytest.raises(ValueError, match="was saved without a generator"):
        RandomSampler(range(3), generator=own(1)).load_state_dict(RandomSampler(range(3)).state_dict())


# --------------------------------------------------------------------------------------------- a whole training

TRAINING = textwrap.dedent(
    """
    import hashlib, os, random, sys
    import numpy as np
    import dovetail as torch
    from dovetail import nn

    workers, path, stop = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])

    class Images(torch.utils.data.Dataset):
        def __len__(self):
            return 40

        def __getitem__(self, i):
            x = np.sin(np.arange(8.0) * (i + 1)).astype("float32")
            if torch.utils.data.get_worker_info() is not None:
                x = x + np.float32(0.1 * random.random() + 0.1 * np.random.rand())
            return torch.tensor(x) + 0.1 * torch.rand(8), i % 3

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    schedulers = getattr(torch.optim, "lr_scheduler", None)
    scheduler = schedulers.CosineAnnealingLR(optimizer, T_max=20) if schedulers else None
    loader = torch.utils.data.DataLoader(Images(), batch_size=6, shuffle=True, num_workers=workers)
    epoch, step = 0, 0
    if os.path.exists(path):
        torch.manual_seed(1234)
        found = torch.load(path)
        model.load_state_dict(found["model"])
        optimizer.load_state_dict(found["optimizer"])
        if scheduler:
            scheduler.load_state_dict(found["scheduler"])
        loader.load_state_dict(found["loader"])
        torch.set_rng_state(found["random"])
        epoch, step = found["epoch"], found["step"]
    while epoch < 2:
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            if scheduler:
                scheduler.step()
            step += 1
            if step == stop:
                state = {
                    "model": model.state_dict(), "optimizer": optimizer.state_dict(), "loader": loader.state_dict(),
                    "scheduler": scheduler.state_dict() if scheduler else None, "random": torch.get_rng_state(),
                    "epoch": epoch, "step": step,
                }
                torch.save(state, path)
                os._exit(0)  # as if it were killed
        epoch += 1
    digest = hashlib.sha256()
    for value in model.state_dict().values():
        digest.update(value.numpy().tobytes())
    for entry in optimizer.state.values():
        for value in entry.values():
            digest.update(value.numpy().tobytes())
    print(step, digest.hexdigest())
    """
)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_training_goes_on_bit_for_bit_in_a_new_process(tmp_path: Any, workers: int) -> None:
    program = tmp_path / "training.py"
    program.write_text(TRAINING)

    def run(path: str, stop: int) -> str:
        command = [sys.executable, str(program), str(workers), str(tmp_path / path), str(stop)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    whole = run("none", 0)
    assert whole.startswith("14 ")
    for stop in (3, 9):
        assert run(f"stopped{stop}", stop) == ""
        assert run(f"stopped{stop}", 0) == whole
