"""A path is replaced as a whole or not at all, also when the process is killed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time

import pytest

import dovetail
from dovetail.saving import load, save

PRELUDE = f"""
import os, signal, sys
sys.path[:] = {sys.path!r}
import dovetail

path = sys.argv[1]

def state(number):
    tensors = [dovetail.full((50_000,), number) for _ in range(20)]
    if path.endswith(".safetensors"):
        return {{str(i): tensor for i, tensor in enumerate(tensors)}}
    return {{"number": number, "tensors": tensors}}
"""


def child(tmp_path, body, path):
    script = tmp_path / "child.py"
    script.write_text(PRELUDE + body)
    return subprocess.Popen(
        [sys.executable, str(script), str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture
def path(tmp_path):
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "state.dt"


@pytest.fixture(params=["state.dt", "state.safetensors"])
def either(path, request):
    """A file of each format."""
    return path.with_name(request.param)


def whole(path):
    """The number of a file in which everything is of one save."""
    found = load(path)
    if path.suffix == ".safetensors":
        found = {"number": found["0"][0].item(), "tensors": list(found.values())}
    assert all(set(tensor.tolist()) == {found["number"]} for tensor in found["tensors"])
    assert len(found["tensors"]) == 20
    return found["number"]


POINTS = {
    "in the middle of the bytes": "import dovetail.saving.archive as a\n"
    "put, count = a._put, []\n"
    "def stop(file, data):\n"
    "    put(file, data)\n"
    "    count.append(1)\n"
    "    if len(count) == 15: file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    "a._put = stop\n",
    "before they are on the disk": "os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)\n",
    "before the name changes": "os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)\n",
}


@pytest.mark.parametrize("point", POINTS)
def test_a_save_that_is_killed_leaves_the_old_file(tmp_path, either, point):
    body = "dovetail.save(state(1), path)\n" + POINTS[point] + "dovetail.save(state(2), path)\nprint('not reached')\n"
    process = child(tmp_path, body, either)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert output == ""
    assert whole(either) == 1


def test_a_process_killed_at_any_time_leaves_a_whole_file(tmp_path, either):
    body = "n = 0\nwhile True:\n    n += 1\n    dovetail.save(state(n), path)\n    print(n, flush=True)\n"
    for delay in (0.0, 0.005, 0.011, 0.018, 0.026, 0.04):
        process = child(tmp_path, body, either)
        for _ in range(3):
            process.stdout.readline()
        time.sleep(delay)
        process.kill()
        process.communicate(timeout=60)
        assert whole(either) >= 3


def test_readers_meanwhile_see_only_whole_files(tmp_path, either):
    body = "for n in range(1, 60):\n    dovetail.save(state(n), path)\n    print(n, flush=True)\n"
    process = child(tmp_path, body, either)
    process.stdout.readline()
    seen = []
    while process.poll() is None:
        seen.append(whole(either))
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert seen == sorted(seen)
    assert len(seen) > 3


def test_a_save_that_fails_leaves_the_old_file_and_no_other(path, monkeypatch):
    save({"number": 1}, path)
    with pytest.raises(TypeError):
        save({"number": object()}, path)

    def full(*_):
        raise OSError(28, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, full)
            with pytest.raises(OSError, match="No space left"):
                save({"number": 2, "tensor": dovetail.ones(1000)}, path)
    with monkeypatch.context() as patch:
        patch.setattr("dovetail.saving.archive._put", full)
        with pytest.raises(OSError, match="No space left"):
            save({"number": 2}, path)
    with monkeypatch.context() as patch:
        patch.setattr("dovetail.saving.archive._put", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            save({"number": 2}, path)
    assert load(path) == {"number": 1}
    assert [entry.name for entry in path.parent.iterdir()] == ["state.dt"]


def test_it_is_brought_to_the_disk_before_it_gets_its_name(path, monkeypatch):
    done = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (done.append("fsync"), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("replace"), replace(*names)))
    save({"a": dovetail.ones(2)}, path)
    assert done[:2] == ["fsync", "replace"]
    # The folder, so that the name survives a power failure too.
    assert done[2:] in (["fsync"], [])


@pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
class TestPosix:
    def test_permissions_are_those_of_open_and_then_kept(self, path):
        before = os.umask(0o027)
        try:
            save({}, path)
            assert stat.S_IMODE(path.stat().st_mode) == 0o640
        finally:
            os.umask(before)
        path.chmod(0o600)
        save({"a": 1}, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_a_link_stays_one(self, path):
        link = path.parent / "latest.dt"
        link.symlink_to("state.dt")
        save({"n": 1}, link)
        assert link.is_symlink()
        assert load(path) == {"n": 1}
        save({"n": 2}, link)
        assert load(path) == {"n": 2}

    def test_what_is_no_ordinary_file_is_written_to(self):
        save({"a": dovetail.ones(3)}, "/dev/null")
        assert not os.path.isfile("/dev/null")

    def test_a_folder_is_the_systems_error(self, path):
        with pytest.raises(OSError, match="directory"):
            save({}, path.parent)
