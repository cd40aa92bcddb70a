"""Worker processes: the same batches, and nothing left behind whatever happens to them."""

from __future__ import annotations

import faulthandler
import gc
import itertools
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import dovetail
from dovetail.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    get_worker_info,
    pool,
    transport,
)

pytestmark = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="these tests fork, which this system cannot"
)

SHARED_MEMORY = Path("/dev/shm")


def segments(pid=None):
    """What a process and its workers have in shared memory."""
    if not SHARED_MEMORY.is_dir():
        return []
    return sorted(path.name for path in SHARED_MEMORY.glob(f"dv{os.getpid() if pid is None else pid:x}*"))


@pytest.fixture(autouse=True)
def nothing_stays_behind():
    # What a failed test before this one holds on to is not counted again.
    children, memory = multiprocessing.active_children(), segments()
    yield
    gc.collect()
    assert [child for child in multiprocessing.active_children() if child not in children] == []
    assert sorted(set(segments()) - set(memory)) == []


class Squares(Dataset):
    def __init__(self, count=20):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return index * index


class Images(Squares):
    """Large enough for shared memory, and different in every element."""

    def __getitem__(self, index):
        return np.full((64, 65), index, np.float32), f"name {index}", {"where": (index, np.int16(index))}


class Calls(Squares):
    """Runs a function of the index."""

    def __init__(self, call, count=20):
        super().__init__(count)
        self.call = call

    def __getitem__(self, index):
        return self.call(index)


class Stream(IterableDataset):
    """The numbers that are this worker's, or with ``lengths`` as many as it has."""

    def __init__(self, count=20, lengths=None):
        self.count, self.lengths = count, lengths

    def __iter__(self):
        info = get_worker_info()
        start, step = (0, 1) if info is None else (info.id, info.num_workers)
        if self.lengths is not None:
            return iter(range(100 * start, 100 * start + self.lengths[start]))
        return iter(range(start, self.count, step))


def flat(batches):
    return [number for batch in batches for number in batch]


def lists(loader):
    return [batch.tolist() for batch in loader]


def forked(dataset, batch_size=4, num_workers=2, **arguments):
    return DataLoader(dataset, batch_size, num_workers=num_workers, multiprocessing_context="fork", **arguments)


# ------------------------------------------------------------------------------------------------ the batches


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("arguments", [{}, {"prefetch_factor": 1}, {"prefetch_factor": 5}, {"drop_last": True}])
def test_batches_are_those_of_one_process(workers, arguments):
    plain = {key: value for key, value in arguments.items() if key != "prefetch_factor"}
    expected = lists(DataLoader(Squares(), 3, **plain))
    assert lists(forked(Squares(), 3, workers, **arguments)) == expected


def test_shuffled_batches_do_not_depend_on_the_number_of_workers():
    def epochs(workers, **arguments):
        dovetail.manual_seed(11)
        loader = DataLoader(Squares(), 3, shuffle=True, num_workers=workers, **arguments)
        return [lists(loader) for _ in range(2)]

    expected = epochs(0)
    assert expected[0] != expected[1]
    for workers in (1, 2):
        assert epochs(workers, multiprocessing_context="fork") == expected
    assert epochs(2, multiprocessing_context="fork", persistent_workers=True) == expected


def test_order_is_kept_when_workers_are_not_equally_fast():
    def slow(index):
        time.sleep(0.05 if index < 4 else 0)
        return index

    assert lists(forked(Calls(slow), 2)) == lists(DataLoader(range(20), 2))


def test_without_order_batches_come_as_they_are_ready():
    def slow(index):
        time.sleep(1.0 if index == 0 else 0)
        return index

    found = lists(forked(Calls(slow), 2, in_order=False))
    assert found[0] != [0, 1]
    assert sorted(found) == lists(DataLoader(range(20), 2))


def test_structures_and_large_arrays_arrive_whole():
    kept = list(forked(Images(40), 5, 2))
    expected = list(DataLoader(Images(40), 5))
    assert len(kept) == len(expected) == 8
    # All batches are looked at after the last has come: none may look into memory that was used again.
    for (image, name, where), (image2, name2, where2) in zip(kept, expected):
        assert image.dtype is dovetail.float32
        assert image.device is image2.device
        assert np.array_equal(image.numpy(), image2.numpy())
        assert name == name2
        assert type(where) is type(where2)
        assert where["where"][0].tolist() == where2["where"][0].tolist()
        assert where["where"][1].dtype is dovetail.int16


@pytest.mark.parametrize("size", [0, 1, 100, 1000, 5000, 200_000])
def test_values_of_every_size_survive_the_way(size):
    def sample(index):
        array = np.arange(size, dtype=np.int64) + index
        columns = np.asfortranarray(np.arange(2 * size, dtype=np.float64).reshape(2, size))
        return {"array": array, "fortran": columns, "bytes": bytes(size % 70_000), "text": "ä" * (size // 10)}

    for index, found in enumerate(forked(Calls(sample, 4), batch_size=None, collate_fn=lambda value: value)):
        expected = sample(index)
        assert np.array_equal(found["array"], expected["array"])
        assert found["array"].flags.writeable
        assert np.array_equal(found["fortran"], expected["fortran"])
        assert (found["bytes"], found["text"]) == (expected["bytes"], expected["text"])


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float16", "int64", "bool", "uint8", "float64"])
def test_tensors_of_every_type_survive_the_way(name):
    dtype = getattr(dovetail, name)
    data = TensorDataset(dovetail.arange(6000).reshape(4, 1500).to(dtype), dovetail.ones(4, 0))
    for (found, empty), (expected, empty2) in zip(forked(data, 2, 1), DataLoader(data, 2)):
        assert found.dtype is expected.dtype is dtype
        assert found.tolist() == expected.tolist()
        assert tuple(empty.shape) == tuple(empty2.shape) == (2, 0)


def test_sizes_that_grow_and_shrink_use_the_slots_again():
    sizes = [10, 300_000, 5, 50_000, 900_000, 900_001, 3, 400_000] * 3

    def sample(index):
        return np.full(sizes[index], index % 100, np.uint8)

    kept = list(forked(Calls(sample, len(sizes)), batch_size=None, num_workers=2))
    for index, found in enumerate(kept):
        assert found.numpy().tobytes() == sample(index).tobytes()


def test_without_shared_memory_batches_go_through_the_pipe(monkeypatch):
    monkeypatch.setattr(transport, "_create", lambda name, size: None)
    found = list(forked(Images(12), 4, 2))
    assert [image.numpy()[:, 0, 0].tolist() for image, _, _ in found] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
    ]


def test_a_full_shared_memory_is_found_before_it_ends_the_worker():
    if not hasattr(os, "posix_fallocate") or not SHARED_MEMORY.is_dir():
        pytest.skip("this system has no posix_fallocate or no /dev/shm")
    room = os.statvfs(SHARED_MEMORY)
    assert transport._create(f"dv{os.getpid():x}full", 2 * room.f_blocks * room.f_frsize) is None


def test_gradients_are_asked_for_again_on_arrival():
    weight = dovetail.ones(4, 3, requires_grad=True)
    (found,) = next(iter(forked(TensorDataset(weight), 2, 1)))
    assert found.requires_grad
    assert found.is_leaf


# ---------------------------------------------------------------------------------------------------- streams


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("lengths", [(7, 7), (1, 9), (9, 1), (0, 5), (5, 0), (0, 0)])
def test_streams_go_round_the_workers(lengths, drop_last):
    def pieces(worker):
        numbers = list(range(100 * worker, 100 * worker + lengths[worker]))
        cut = [numbers[i : i + 2] for i in range(0, len(numbers), 2)]
        return [piece for piece in cut if len(piece) == 2 or not drop_last]

    rounds = itertools.zip_longest(pieces(0), pieces(1))
    expected = [piece for row in rounds for piece in row if piece is not None]
    for _ in range(2):
        assert lists(forked(Stream(lengths=lengths), 2, drop_last=drop_last)) == expected


@pytest.mark.filterwarnings(r"ignore:(?s).*fork\(\)")  # of a library with threads, for the fork below
@pytest.mark.oracle
def test_streams_give_pytorchs_order():
    theirs = pytest.importorskip("torch", reason="the oracle PyTorch is not installed").utils.data

    class Theirs(theirs.IterableDataset):
        def __iter__(self):
            info = theirs.get_worker_info()
            return iter(range(100 * info.id, 100 * info.id + (9, 3)[info.id]))

    expected = lists(theirs.DataLoader(Theirs(), 2, num_workers=2))
    assert lists(forked(Stream(lengths=(9, 3)), 2, 2)) == expected


def test_a_stream_without_batches():
    assert list(forked(Stream(5), None)) == [0, 1, 2, 3, 4]


def test_a_stream_that_every_worker_repeats_warns():
    class Repeated(IterableDataset):
        def __iter__(self):
            return iter(range(4))

        def __len__(self):
            return 4

    loader = forked(Repeated(), 2)
    assert len(loader) == 2
    with pytest.warns(UserWarning, match=r"reported to be 2 .* splits it by get_worker_info"):
        assert lists(loader) == [[0, 1], [0, 1], [2, 3], [2, 3]]


# ------------------------------------------------------------------------------------------ what workers know


def test_worker_info_and_init():
    def sample(index):
        info = get_worker_info()
        return info.id, info.num_workers, info.seed, type(info.dataset) is Calls, os.environ.get("INIT")

    def init(worker):
        os.environ["INIT"] = str(worker)

    found = list(forked(Calls(sample, 4), None, worker_init_fn=init, collate_fn=lambda value: value))
    assert [(row[0], row[1], row[3], row[4]) for row in found] == [(0, 2, True, "0"), (1, 2, True, "1")] * 2
    assert found[1][2] == found[0][2] + 1
    assert "INIT" not in os.environ
    assert get_worker_info() is None


def test_each_worker_has_seeds_of_its_own_that_follow_the_generator():
    def sample(index):
        return random.random(), float(np.random.rand()), dovetail.rand(1).item()

    def draws(seed):
        source = dovetail.Generator().manual_seed(seed)
        loader = forked(Calls(sample, 4), None, generator=source, collate_fn=lambda value: value)
        return [list(loader), list(loader)]

    first = draws(1)
    for kind in range(3):
        # Two workers, two samples each, two epochs: all different.
        assert len({sample[kind] for epoch in first for sample in epoch}) == 8
    assert draws(1) == first
    assert draws(2) != first


def test_workers_leave_the_generators_of_the_main_process_alone():
    dovetail.manual_seed(3)
    expected = [dovetail.rand(2).tolist(), random.Random(0).random()]
    dovetail.manual_seed(3)
    loader = forked(Squares(), generator=dovetail.Generator().manual_seed(0))
    lists(loader)
    assert [dovetail.rand(2).tolist(), random.Random(0).random()] == expected


# ------------------------------------------------------------------------------------------------ persistence


def test_persistent_workers_are_the_same_processes():
    loader = forked(Calls(lambda index: os.getpid(), 8), 1, persistent_workers=True)
    first, second = flat(lists(loader)), flat(lists(loader))
    assert set(first) == set(second)
    assert len(set(first)) == 2
    other = forked(Calls(lambda index: os.getpid(), 8), 1)
    assert set(flat(lists(other))).isdisjoint(flat(lists(other)))


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_persistent_workers_begin_anew_after_a_break(taken):
    loader = forked(Images(20), 2, 2, persistent_workers=True)
    for _ in range(3):
        for _, _ in zip(range(taken), loader):
            pass
        assert [name for _, name, _ in loader] == [(f"name {i}", f"name {i + 1}") for i in range(0, 20, 2)]


def test_persistent_streams_begin_anew():
    loader = forked(Stream(9), 2, persistent_workers=True)
    expected = lists(forked(Stream(9), 2))
    assert [lists(loader) for _ in range(3)] == [expected] * 3


# ----------------------------------------------------------------------------------------------------- errors


class Special(Exception):
    """An exception that keeps more than its message."""

    def __init__(self, code, detail):
        super().__init__(code, detail)
        self.code = code


class Unsendable(Exception):
    """An exception that cannot be made from its arguments."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


def fails(error):
    def call(index):
        if index == 9:
            raise error
        return index

    return Calls(call)


def test_the_original_error_is_raised_at_its_batch():
    batches = iter(forked(fails(ValueError("sample nine")), 2))
    assert [next(batches).tolist() for _ in range(4)] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    with pytest.raises(ValueError, match="sample nine") as caught:
        next(batches)
    assert str(caught.value) == "sample nine"
    (note,) = caught.value.__notes__
    assert note.startswith(
        "Caught ValueError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):"
    )
    assert "raise error" in note
    # The workers are still there: the other batches are not lost.
    assert [batch.tolist() for batch in batches][-1] == [18, 19]


def test_errors_keep_what_they_carry():
    with pytest.raises(Special) as caught:
        lists(forked(fails(Special(7, "x"))))
    assert (caught.value.code, caught.value.args) == (7, (7, "x"))
    with pytest.raises(KeyError, match="'k'"):
        lists(forked(fails(KeyError("k"))))


def test_errors_that_cannot_travel_come_as_text():
    with pytest.raises(RuntimeError, match=r"(?s)Caught Unsendable in DataLoader worker process 0.*a and b"):
        lists(forked(fails(Unsendable("a", "b"))))


def test_a_stopiteration_in_a_worker_does_not_end_the_epoch():
    with pytest.raises(RuntimeError, match="raised StopIteration for the index"):
        lists(forked(fails(StopIteration())))


def test_unequal_samples_are_named_through_a_worker():
    dataset = Calls(lambda index: np.zeros(index // 9))
    with pytest.raises(RuntimeError, match=r"\[0\] at entry 0 and \[1\] at entry 1.*entry 1 of this batch is sample 9"):
        lists(forked(dataset, 4))


def test_a_batch_that_cannot_be_sent_is_an_error():
    with pytest.raises((AttributeError, TypeError, RuntimeError), match="pickle"):
        list(forked(Calls(lambda index: lambda: index), 2, collate_fn=list))


def test_errors_of_init_and_of_iter_arrive():
    def init(worker):
        raise LookupError(f"no worker {worker}")

    with pytest.raises(LookupError, match="no worker 0"):
        lists(forked(Squares(), worker_init_fn=init))

    class Broken(IterableDataset):
        def __iter__(self):
            raise LookupError("no stream")

    with pytest.raises(LookupError, match="no stream"):
        lists(forked(Broken()))


def test_an_error_of_the_sampler_waits_for_its_turn():
    def positions():
        yield from range(6)
        raise LookupError("no more positions")

    class Once:
        def __iter__(self):
            return positions()

    batches = iter(forked(Squares(), 2, sampler=Once()))
    assert [next(batches).tolist() for _ in range(3)] == [[0, 1], [4, 9], [16, 25]]
    with pytest.raises(LookupError, match="no more positions"):
        next(batches)
    with pytest.raises(StopIteration):
        next(batches)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM], ids=lambda number: number.name)
def test_a_killed_worker_is_an_error_within_seconds(number):
    def sample(index):
        if index == 9:
            faulthandler.disable()  # pytest's report of the crash is not wanted
            os.kill(os.getpid(), number)
            time.sleep(60)
        return np.full(50_000, index)

    begin = time.monotonic()
    batches = iter(forked(Calls(sample), 2, prefetch_factor=3))
    assert next(batches).shape[0] == 2
    with pytest.raises(RuntimeError, match=rf"DataLoader worker 0 \(pid \d+\) is killed by signal: {number.name}"):
        list(batches)
    assert time.monotonic() - begin < 10
    with pytest.raises(RuntimeError, match="iterate over the DataLoader again"):
        next(batches)


def test_a_worker_killed_from_outside_while_idle_is_noticed():
    pids = iter(forked(Calls(lambda index: os.getpid(), 40), 1, 2))
    victim = int(next(pids).item())
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(RuntimeError, match=rf"pid {victim}\) is killed by signal: SIGKILL"):
        list(pids)


def test_a_worker_that_exits_is_an_error():
    def sample(index):
        if index == 5:
            os._exit(3)
        return index

    with pytest.raises(RuntimeError, match="exited unexpectedly with exit code 3"):
        lists(forked(Calls(sample), 2))


def test_a_persistent_loader_starts_new_workers_after_a_death():
    marker = multiprocessing.get_context("fork").Value("i", 0)

    def sample(index):
        if index == 5 and marker.value == 0:
            marker.value = 1
            os.kill(os.getpid(), signal.SIGKILL)
        return index

    loader = forked(Calls(sample), 2, persistent_workers=True)
    with pytest.raises(RuntimeError, match="SIGKILL"):
        lists(loader)
    assert lists(loader) == lists(DataLoader(range(20), 2))


def test_a_worker_that_hangs_is_an_error_after_the_timeout():
    def sample(index):
        time.sleep(120 if index == 4 else 0)
        return index

    begin = time.monotonic()
    batches = iter(forked(Calls(sample), 2, timeout=0.5))
    assert next(batches).tolist() == [0, 1]
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0.5 seconds: workers \[0"):
        list(batches)
    assert time.monotonic() - begin < 20


# ---------------------------------------------------------------------------------------------------- the end


def test_a_loop_that_is_left_leaves_nothing():
    for _ in forked(Images(200), 2, 2):
        break
    gc.collect()
    assert multiprocessing.active_children() == []
    assert segments() == []


def test_several_loaders_at_once_end_without_waiting_for_each_other():
    loaders = [iter(forked(Squares(), 1, 1)) for _ in range(4)]
    assert [next(batches).tolist() for batches in loaders] == [[0]] * 4
    begin = time.monotonic()
    for batches in loaders:  # the oldest first: the later workers were forked while its pipes were open
        batches.pool.close()
    # Each would take the whole patience if an end of a pipe were still open somewhere.
    assert time.monotonic() - begin < pool.PATIENCE


def test_a_worker_in_a_long_sample_does_not_hold_up_the_end():
    def sample(index):
        time.sleep(0 if index == 0 else 300)
        return index

    begin = time.monotonic()
    batches = iter(forked(Calls(sample), 1, 2))
    next(batches)
    del batches
    gc.collect()
    assert time.monotonic() - begin < 15


@pytest.mark.filterwarnings(r"ignore:(?s).*fork\(\)")  # of a library with threads, for the fork below
def test_a_forked_child_does_not_end_its_parents_workers():
    batches = iter(forked(Squares(40), 1, 2))
    assert next(batches).tolist() == [0]
    child = os.fork()
    if child == 0:
        batches.pool.close()
        del batches
        gc.collect()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert [batch.tolist() for batch in batches] == [[index * index] for index in range(1, 40)]


def start(tmp_path, body, **arguments):
    path = tmp_path / "main.py"
    path.write_text("import sys\nsys.path[:] = ROOTS\n".replace("ROOTS", repr(sys.path)) + textwrap.dedent(body))
    return subprocess.Popen(
        [sys.executable, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        **arguments,
    )


PROGRAM = """
import os, time
import numpy as np
from dovetail.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, get_worker_info

class Slow(Dataset):
    def __len__(self):
        return 1000
    def __getitem__(self, index):
        time.sleep(DELAY)
        return np.full(50_000, index)

if __name__ == "__main__":
    loader = DataLoader(Slow(), 2, num_workers=2, multiprocessing_context=METHOD)
    for number, batch in enumerate(loader):
        if number == 2:
            print("ready", flush=True)
"""


def group_of(pid):
    """The processes of a group that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == pid and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="counts the processes of a group in /proc")
class TestEndings:
    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_interrupt_is_clean(self, tmp_path, method):
        main = start(tmp_path, PROGRAM.replace("METHOD", repr(method)).replace("DELAY", "0.01"), start_new_session=True)
        assert main.stdout.readline() == "ready\n"
        os.killpg(main.pid, signal.SIGINT)
        _, errors = main.communicate(timeout=30)
        assert main.returncode == -signal.SIGINT
        # One traceback, of the main process: workers say nothing.
        assert errors.count("Traceback") == 1
        assert errors.rstrip().endswith("KeyboardInterrupt")
        assert "leaked" not in errors
        wait_until(lambda: not group_of(main.pid))
        assert segments(main.pid) == []

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_workers_end_when_the_main_process_is_killed(self, tmp_path, method):
        main = start(tmp_path, PROGRAM.replace("METHOD", repr(method)).replace("DELAY", "0.01"), start_new_session=True)
        assert main.stdout.readline() == "ready\n"
        main.kill()
        wait_until(lambda: not group_of(main.pid))
        wait_until(lambda: segments(main.pid) == [])
        main.communicate(timeout=30)

    def test_workers_end_also_when_another_process_holds_their_pipes_open(self, tmp_path):
        body = PROGRAM.replace("METHOD", "'fork'").replace("DELAY", "0.01")
        body = body.replace('print("ready", flush=True)', 'child = os.fork()\n            if child == 0: '
                            'time.sleep(600)\n            print("ready", child, flush=True)')  # fmt: skip
        main = start(tmp_path, body, start_new_session=True)
        child = int(main.stdout.readline().split()[1])
        try:
            main.kill()
            main.wait()
            # The child, and the tracker of shared memory, which it keeps alive: no worker.
            wait_until(lambda: len(group_of(main.pid)) <= 2)
        finally:
            os.kill(child, signal.SIGKILL)
            main.communicate(timeout=30)
        wait_until(lambda: segments(main.pid) == [])


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_start_methods_give_the_same_batches(tmp_path, method):
    body = """
    import dovetail
    import numpy as np
    from dovetail.utils.data import DataLoader, Dataset, TensorDataset, get_worker_info

    class Large(Dataset):
        def __len__(self):
            return 12
        def __getitem__(self, index):
            if index == 11:
                raise ValueError("eleven")
            return np.full(9000, index), get_worker_info().id, dovetail.ones(1)

    if __name__ == "__main__":
        dovetail.set_default_dtype(dovetail.float64)
        loader = DataLoader(Large(), 2, num_workers=2, multiprocessing_context=METHOD)
        try:
            for array, workers, ones in loader:
                last = array.numpy()[:, -1].tolist()
                print(array.dtype, tuple(array.shape), last, workers.tolist(), ones.dtype)
        except ValueError as error:
            print(error, "Caught ValueError in DataLoader worker process 1." in error.__notes__[0])
        rows = TensorDataset(dovetail.arange(6), dovetail.rand(6, 4))
        assert rows.tensors[1].dtype is dovetail.float64
        found = [x.tolist() for x, _ in DataLoader(rows, 4, num_workers=1, multiprocessing_context=METHOD)]
        print(found)
    """
    main = start(tmp_path, textwrap.dedent(body).replace("METHOD", repr(method)))
    output, errors = main.communicate(timeout=120)
    assert errors == ""
    assert output.splitlines() == [
        f"dovetail.int64 (2, 9000) [{i}, {i + 1}] [{i // 2 % 2}, {i // 2 % 2}] dovetail.float64"
        for i in range(0, 10, 2)
    ] + ["eleven True", "[[0, 1, 2, 3], [4, 5]]"]
    assert segments(main.pid) == []


# ----------------------------------------------------------------------------------- tensors of other devices


def other_backend():
    """A usable backend that a forked process may not touch, None where there is none."""
    from dovetail.contract import discovery

    for spec in discovery.usable():
        if not discovery.load(spec.name).fork_safe:
            return spec.name
    return None


def test_workers_never_touch_a_backend_that_a_fork_breaks():
    name = other_backend()
    if name is None:
        pytest.skip("every usable backend survives a fork")
    with dovetail.use_backend(name):
        rows = TensorDataset(dovetail.arange(12).reshape(6, 2))
        for dataset in (
            rows,
            Subset(rows, [5, 4, 3, 2, 1, 0]),
            ConcatDataset([rows, rows]),
            StackDataset(x=rows, y=rows),
            Calls(lambda index: (dovetail.ones(2) * index, index), 6),
            Images(6),
        ):
            expected = list(DataLoader(dataset, 4))
            found = list(forked(dataset, 4, 2))
            assert describe(found) == describe(expected)
        held = dovetail.ones(3)
        with pytest.raises(RuntimeError, match="fork"):
            list(forked(Calls(lambda index: held * index, 4), 2))


def describe(value):
    if isinstance(value, dict):
        return {key: describe(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [describe(entry) for entry in value]
    return (str(value.device), str(value.dtype), value.tolist()) if isinstance(value, dovetail.Tensor) else value
