"""Two versions of the contract: the one before works through a shim and says so once; others are refused."""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.backend import CONTRACT_VERSION, Array, Backend, BackendSpec, Device, KernelTable, register, unregister
from dovetail.cli import main
from dovetail.contract import discovery, versions
from dovetail.errors import BackendError, ContractDeprecationWarning, ContractVersionError

Announce = Callable[..., BackendSpec]


class Boxed:
    """An array that is none of NumPy's, so that only its backend can tell what it is."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)
        self.shape, self.dtype = self.values.shape, self.values.dtype


def lifted(fn: Any) -> Any:
    def run(*arrays: Any, **words: Any) -> Any:
        return Boxed(fn(*(a.values if isinstance(a, Boxed) else a for a in arrays), **words))

    return run


class Elder(Backend):
    """As authors wrote it for version 1: without `is_array`."""

    @property
    def kernels(self) -> KernelTable:
        table = KernelTable()
        table(dovetail.ops.add)(lifted(np.add))
        return table

    def devices(self) -> Sequence[Device]:
        return [Device.of(self.name, "cpu", 0)]

    def from_host(self, array: Any, device: Device) -> Array:
        return Boxed(array.copy())

    def to_host(self, array: Array) -> Any:
        return array.values


class Present(Elder):
    def is_array(self, value: object) -> bool:
        return isinstance(value, Boxed)


@pytest.fixture
def announce() -> Iterator[Announce]:
    module = types.ModuleType("backends_of_two_versions")
    vars(module).update(Elder=Elder, Present=Present)
    sys.modules[module.__name__] = module
    made: list[str] = []

    def announced(name: str, kind: str, **words: Any) -> BackendSpec:
        spec = BackendSpec(name=name, runtime=f"{module.__name__}:{kind}", priority=-9, **words)
        register(spec)
        made.append(name)
        return spec

    yield announced
    for name in made:
        unregister(name)
    del sys.modules[module.__name__]


def fall_back(name: str) -> list[float]:
    """An op that neither backend has a kernel for: the host runs it."""
    dovetail.set_host_fallback("silent")
    try:
        found: list[float] = dovetail.tensor([1.0, 4.0], device=name).sqrt().tolist()
    finally:
        dovetail.set_host_fallback("warn")
    return found


def test_every_version_says_what_it_brought() -> None:
    assert sorted(versions.CHANGES) == list(range(1, CONTRACT_VERSION + 1))
    assert versions.OLDEST == CONTRACT_VERSION - 1


def test_the_version_before_works_and_is_announced_once(announce: Announce) -> None:
    announce("elder", "Elder", contract=versions.OLDEST)
    with pytest.warns(ContractDeprecationWarning, match=r"elder.*version 1.*is_array.*contract=2") as said:
        assert fall_back("elder") == [1.0, 2.0]
    assert [w.filename for w in said] == [__file__], "said where the user's line is"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fall_back("elder") == [1.0, 2.0], "a second use says nothing"


def test_the_announcement_as_an_error_stops_one_call_and_leaves_the_backend(announce: Announce) -> None:
    announce("elder", "Elder", contract=versions.OLDEST)
    with pytest.raises(ContractDeprecationWarning):
        dovetail.ones(2, device="elder")
    assert fall_back("elder") == [1.0, 2.0]


def test_without_the_shim_the_old_backend_would_fail(announce: Announce, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "adapt", lambda runtime, spec: None)
    announce("elder", "Elder", contract=versions.OLDEST)
    with pytest.warns(ContractDeprecationWarning), pytest.raises(BackendError, match="must define `is_array`"):
        fall_back("elder")


def test_the_present_version_is_silent_and_its_own(announce: Announce) -> None:
    announce("present", "Present", contract=CONTRACT_VERSION)
    assert fall_back("present") == [1.0, 2.0]
    assert type(discovery.load("present")).is_array is Present.is_array


def test_the_present_version_must_keep_its_word(announce: Announce) -> None:
    announce("careless", "Elder", contract=CONTRACT_VERSION)
    with pytest.raises(BackendError, match="'careless' must define `is_array`"):
        fall_back("careless")


@pytest.mark.parametrize(("theirs", "side"), [(CONTRACT_VERSION + 1, "dovetail"), (versions.OLDEST - 1, "the plugin")])
def test_other_versions_are_refused_with_the_side_to_upgrade(announce: Announce, theirs: int, side: str) -> None:
    announce("stranger", "Present", contract=theirs)
    words = f"contract version {theirs} and this dovetail has version {CONTRACT_VERSION}: upgrade {side}"
    with pytest.raises(ContractVersionError, match=words):
        dovetail.ones(2, device="stranger")
    assert discovery.reason("stranger", "cpu") is not None


def test_the_list_of_backends_announces_it_too(announce: Announce, capsys: pytest.CaptureFixture[str]) -> None:
    announce("elder", "Elder", contract=versions.OLDEST)
    assert main.main(["backends"]) == 0
    assert "elder: it was written for contract version 1, which the version after 2 ends" in capsys.readouterr().out
