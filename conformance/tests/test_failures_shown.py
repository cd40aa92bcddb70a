"""A failure as a stranger sees it: the command on an installed faulty backend, and the printed programs run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

MODULE = '''
from collections.abc import Iterable

import numpy as np

from dovetail.backend import BackendSpec, KernelTable, hookimpl, ops


def runtime():
    from dovetail_conformance.wrapped import Wrapped

    class Faulty(Wrapped):
        """NumPy, with a wrong exponential and a wrong sum over the first dimension."""

        def change(self, table: KernelTable) -> None:
            @table(ops.exp)
            def exp(x):
                return np.asarray(np.exp(x) * x.dtype.type(1.000001), x.dtype)

            @table(ops.cumsum)
            def cumsum(x, dim, dtype=None):
                return np.cumsum(x[::-1], axis=dim).astype(x.dtype)

    return Faulty


def __getattr__(name):
    if name == "Faulty":
        return runtime()
    raise AttributeError(name)


@hookimpl
def dovetail_backends() -> Iterable[BackendSpec]:
    return [BackendSpec(name="faulty", runtime="faulty_backend:Faulty", priority=-5)]
'''


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that finds a faulty backend among its installed plugins."""
    folder = tmp_path / "site"
    info = folder / "faulty-0.1.dist-info"
    info.mkdir(parents=True)
    (folder / "faulty_backend.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[dovetail]\nfaulty = faulty_backend\n")
    paths = [str(folder), *(p for p in sys.path if p)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment, check=False)


def test_a_failure_says_where_and_its_program_shows_it(installed: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = [
        "-m",
        "dovetail.cli.main",
        "conformance",
        "faulty",
        "--ops",
        "exp,neg,cumsum",
        "--checks",
        "values,specials",
    ]
    done = run(installed, *words, "--jobs", "2", "--out", str(out))
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stdout + done.stderr
    text = done.stdout
    assert "FAIL exp float32 (values, kernel)" in text
    assert "FAIL cumsum float32" in text
    assert "FAIL neg" not in text
    assert "not-conformant" in text
    message = text[text.index("FAIL exp float32 (values, kernel)") :]
    worst = re.search(r"input = (0x[0-9a-f]{8}) \(", message)
    assert worst, "the worst input in hexadecimal digits"
    expected = re.search(r"expected (0x[0-9a-f]{8}) \(([^)]*)\)", message)
    got = re.search(r"got +(0x[0-9a-f]{8}) \(([^)]*)\)", message)
    assert expected
    assert got
    assert re.search(r"[0-9.]+ ULP, at most 3 allowed", message)
    made = json.loads((out / "faulty-cpu-0-quick.json").read_text())
    entry = next(e for e in made["ops"] if (e["op"], e["dtype"], e["check"]) == ("exp", "float32", "values"))
    assert (entry["status"], entry["at"]) == ("fail", {"input": worst[1]})
    (program,) = [p for p in out.glob("*-failure-*.py") if f"# got      {got[1]}" in p.read_text()]
    shown = run(installed, str(program))
    assert shown.returncode == 0, shown.stderr
    number = np.float32(shown.stdout.strip())
    assert f"0x{int(number.view(np.uint32)):08x}" == got[1]
    assert got[1] != expected[1]


def test_every_printed_program_runs(installed: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = [
        "-m",
        "dovetail.cli.main",
        "conformance",
        "faulty",
        "--ops",
        "exp,cumsum",
        "--jobs",
        "1",
        "--out",
        str(out),
    ]
    done = run(installed, *words)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stdout + done.stderr
    programs = sorted(out.glob("*-failure-*.py"))
    assert len(programs) >= 4
    for program in programs[:: len(programs) // 4]:
        shown = run(installed, str(program))
        assert shown.returncode == 0, program.read_text() + shown.stderr
        assert shown.stdout.strip()
