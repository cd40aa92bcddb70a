"""What a backend may not declare: anything in float32 on the host, and more than a conformant one has."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from dovetail.errors import ArgumentError
from dovetail_conformance import deviations
from dovetail_conformance.deviations import Deviation

ENTRY = '[[deviation]]\nop = "exp"\ndtype = "float32"\ncheck = "specials"\nfigure = 4.3\nreason = "why"\n'


def entry(dtype: str) -> Deviation:
    return Deviation("exp", dtype, "specials", 4.3, "why", datetime.date(2027, 6, 30))


def test_the_host_declares_nothing_in_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / deviations.FILE
    path.write_text(ENTRY + "expires = 2027-06-30\n")
    monkeypatch.setattr(deviations, "file_of", lambda backend: path)
    assert [d.op for d in deviations.declared("jax")] == ["exp"]
    with pytest.raises(ArgumentError, match="exp: the host's backend has no deviation in float32"):
        deviations.declared("numpy")


def test_other_dtypes_may_be_declared() -> None:
    deviations.refuse_float32([entry("float64"), entry("bfloat16")])


def test_the_backends_of_this_repository_declare_nothing() -> None:
    for backend in ("numpy", "jax"):
        assert [d for d in deviations.declared(backend) if isinstance(d, Deviation)] == []
