"""The journal: a run that was killed goes on where it stopped, and one of other versions or another seed does not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import dovetail
from dovetail_conformance import runner
from dovetail_conformance.journal import Journal, digest
from dovetail_conformance.outcome import Row, merged
from dovetail_conformance.runner import run

IDENTITY = {"seed": 0, "sources": "abc"}


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    with Journal(path, IDENTITY) as journal:
        assert not journal.resumed
        journal.add("one", [1, 2])
        journal.add("two", {"x": "y"})
    with Journal(path, IDENTITY) as journal:
        assert journal.resumed
        assert journal.done == {"one": [1, 2], "two": {"x": "y"}}


@pytest.mark.parametrize("other", [{"seed": 1, "sources": "abc"}, {"seed": 0, "sources": "abd"}])
def test_another_identity_begins_anew(tmp_path: Path, other: dict[str, Any]) -> None:
    path = tmp_path / "a.journal"
    with Journal(path, IDENTITY) as journal:
        journal.add("one", 1)
    with Journal(path, other) as journal:
        assert journal.done == {}
    with Journal(path, other) as journal:
        assert not journal.resumed


@pytest.mark.parametrize("torn", [b'["two", {"ro', b'["two", 2]', b"\xff\xfe", b"[]\n"])
def test_a_torn_line_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "a.journal"
    with Journal(path, IDENTITY) as journal:
        journal.add("one", 1)
    path.write_bytes(path.read_bytes() + torn)
    with Journal(path, IDENTITY) as journal:
        assert journal.done == {"one": 1}
        journal.add("three", 3)
    with Journal(path, IDENTITY) as journal:
        assert journal.done == {"one": 1, "three": 3}


def test_two_runs_do_not_share_a_journal(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="there are no such locks on this system")
    with Journal(tmp_path / "a.journal", IDENTITY), pytest.raises(BlockingIOError):
        Journal(tmp_path / "a.journal", IDENTITY)


def test_digest_sees_a_changed_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "digested_package"
    package.mkdir()
    (package / "__init__.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = digest("digested_package")
    assert before == digest("digested_package")
    (package / "__init__.py").write_text("x = 2\n")
    assert digest("digested_package") != before


def test_rows_survive_the_journal() -> None:
    row = Row(
        "exp", "float32", "values", "fail", "off", figure=float("inf"), bound=3.0, at={"x": "0x1"}, facts={"n": 3}
    )
    assert Row.restored(json.loads(json.dumps(row.stored()))) == row


def test_rows_of_several_seeds_are_one() -> None:
    rows = [
        Row("exp", "float32", "values", figure=1.0, bound=3.0, tested=10, rounded=0.5, kind="U", seed=0),
        Row("exp", "float32", "values", figure=2.0, bound=3.0, tested=30, rounded=0.9, kind="U", seed=1),
        Row("exp", "float64", "values", tested=1),
    ]
    first, second = merged(rows)
    assert (first.figure, first.tested, first.rounded) == (2.0, 40, pytest.approx(0.8))
    assert second.dtype == "float64"
    worst = Row("exp", "float32", "values", "fail", "off", figure=0.1, bound=3.0)
    assert merged([*rows, worst])[0].status == "fail"
    assert merged([worst, *rows])[0].message == "off"


class Stopped(BaseException):
    """What kills a run in a test; an ordinary exception only fails its cell."""


def test_a_run_goes_on_after_its_last_finished_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device, ops, done = dovetail.device("numpy"), ["neg", "sub"], []
    whole = run(device, ops=ops)
    right = runner.cell

    def dying(session: Any, op: Any, check: str, dtype: str) -> Any:
        if len(done) == 30:
            raise Stopped
        done.append((op.name, check, dtype))
        return right(session, op, check, dtype)

    monkeypatch.setattr(runner, "cell", dying)
    with Journal(tmp_path / "a.journal", IDENTITY) as journal, pytest.raises(Stopped):
        run(device, ops=ops, journal=journal)
    before = list(done)
    assert len(before) == 30
    done.clear()
    monkeypatch.setattr(runner, "cell", lambda *words: done.append(words[1:]) or right(*words))
    with Journal(tmp_path / "a.journal", IDENTITY) as journal:
        found = run(device, ops=ops, journal=journal)
    assert found.resumed == 30
    assert not {(op.name, check, dtype) for op, check, dtype in done} & set(before)
    assert [(r.op, r.dtype, r.check, r.status, r.figure) for r in found.rows] == [
        (r.op, r.dtype, r.check, r.status, r.figure) for r in whole.rows
    ]
    assert found.origins == whole.origins


def test_a_killed_command_goes_on(tmp_path: Path) -> None:
    ops = "exp,log,sqrt,tanh,sum,mean,matmul,softmax,gather,sort,add,mul,div,sub,maximum,amax"
    words = [sys.executable, "-m", "dovetail.cli.main", "conformance", "numpy", "--jobs", "1", "--out", str(tmp_path)]
    words += ["--checks", "values,forms,gradients,second", "--ops", ops]
    path = tmp_path / "numpy-cpu-0-quick-part.journal"
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        limit = time.monotonic() + 120
        while time.monotonic() < limit and not (path.exists() and path.read_bytes().count(b"\n") > 40):
            time.sleep(0.02)
        os.kill(first.pid, signal.SIGKILL)
    finished = path.read_bytes().count(b"\n")
    assert finished > 40
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "going on after" in done.stderr
    assert "from the run before" in done.stdout
    assert not path.exists()
    made = json.loads((tmp_path / "numpy-cpu-0-quick.json").read_text())
    assert made["suite"]["cells"] > finished


def test_several_processes_find_what_one_does() -> None:
    device, ops = dovetail.device("numpy"), ["exp", "neg", "sum"]
    one, two = (
        run(device, ops=ops, checks=["values", "forms"]),
        run(device, ops=ops, checks=["values", "forms"], jobs=2),
    )
    assert [r.stored() | {"seconds": 0} for r in one.rows] == [r.stored() | {"seconds": 0} for r in two.rows]
    assert one.origins == two.origins


def test_processes_end_with_the_one_that_began_them(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="processes are looked up as POSIX has them")
    words = [sys.executable, "-m", "dovetail.cli.main", "conformance", "numpy", "--jobs", "2", "--out", str(tmp_path)]
    path = tmp_path / "numpy-cpu-0-quick.journal"
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        limit = time.monotonic() + 120
        while time.monotonic() < limit and not (path.exists() and path.read_bytes().count(b"\n") > 40):
            time.sleep(0.05)
        children = Path(f"/proc/{first.pid}/task/{first.pid}/children")
        if not children.exists():
            first.kill()
            pytest.skip("this system does not list the children of a process")
        begun = [int(pid) for pid in children.read_text().split()]
        assert len(begun) >= 2
        first.kill()
    limit = time.monotonic() + 60
    while time.monotonic() < limit and any(Path(f"/proc/{pid}/cmdline").exists() for pid in begun):
        time.sleep(0.05)
    assert [pid for pid in begun if Path(f"/proc/{pid}/cmdline").exists()] == []
