"""Warnings and late errors show the line of the user's program, wherever that program lies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dovetail import callers


def test_called_from_outside_it_is_this_line() -> None:
    assert callers.level() == 1
    assert callers.line().startswith(f"{__file__}:")


def test_a_program_in_a_folder_of_the_same_name(tmp_path: Path) -> None:
    """A checkout is often called dovetail as well."""
    folder = tmp_path / "dovetail" / "train"
    folder.mkdir(parents=True)
    program = folder / "train.py"
    program.write_text(
        "import dovetail\n"
        "from dovetail.errors import CaptureError\n"
        "def step(x):\n"
        "    return x.item()\n"
        "try:\n"
        "    dovetail.program.capture(step, dovetail.ones(1))\n"
        "except CaptureError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"{program}:4: return x.item()" in done.stdout
