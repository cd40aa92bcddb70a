"""Freed memory stays with the process: a step does not fault in the pages that the last one freed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import dovetail
import numpy as np

x = dovetail.ones(300, 400)
for _ in range(5):
    y = x + 1
    z = y * 2
    del y, z
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    y = x + 1
    z = y * 2
    del y, z
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(**variables: str) -> int:
    """The page faults of 50 rounds that allocate and free two arrays of 480 KB."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=clean | variables, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt belongs to glibc")
def test_pages_are_not_faulted_in_again() -> None:
    assert faults() < 500


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt belongs to glibc")
def test_whoever_has_tuned_the_allocator_is_left_alone() -> None:
    assert faults(MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="131072") > 5_000
