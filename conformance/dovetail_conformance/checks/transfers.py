"""Transfer and files: values keep all their bits on the way to a device, to another one, through DLPack and a file."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

import dovetail
from dovetail.errors import DovetailError
from dovetail_conformance import draw
from dovetail_conformance.calls import array
from dovetail_conformance.outcome import Row
from dovetail_conformance.session import Session, quiet

Host = np.ndarray[Any, Any]

INTEGERS: Final = ("int64", "int32", "int16", "int8", "uint8", "bool")
LARGEST: Final = 2**24
"""Elements of the largest transfer of the full tier."""


def transfer(session: Session) -> list[Row]:
    """Every dtype and layout goes to the device and back, to another device and back, and through DLPack.

    NaN payloads, signed zeros and subnormal numbers are among the values.
    """
    rows = []
    for dtype in (*draw.FLOATS, *INTEGERS):
        row = Row("transfer", dtype, "transfer", kind="E")
        rows.append(row)
        if not session.supports(dtype):
            row.status, row.reason = "unsupported", "the backend has no such dtype"
            continue
        for words, values in _layouts(session, dtype):
            try:
                _there_and_back(session, row, words, values)
            except Exception as error:  # whatever a backend raises is a failure of the cell
                row.fail(f"{dtype}, {words}: {type(error).__name__}: {error}")
    return rows


def _layouts(session: Session, dtype: str) -> Iterator[tuple[str, Host]]:
    host = _values(dtype)
    yield "contiguous", host
    yield "every second", host[::2]
    yield "backwards", host[::-1]
    yield "transposed", host[: host.size // 2 * 2].reshape(2, -1).T
    yield "a single number", host[:1].reshape(())
    yield "nothing", host[:0].reshape(0, 3)
    if session.full and dtype in ("float32", "bfloat16"):
        yield "large", np.resize(host, LARGEST)


def _values(dtype: str) -> Host:
    """Special values and NaN with payloads, or small integers of either sign."""
    if dtype in draw.FLOATS:
        return np.concatenate([draw.special(dtype), _payloads(dtype)])
    return np.arange(-3, 7).astype(draw.named(dtype).host)


def _payloads(dtype: str) -> Host:
    """NaN with bits of their own, of either sign; quiet ones, since the others may raise a flag on the way."""
    kind = draw.named(dtype).host
    word = {2: np.uint16, 4: np.uint32, 8: np.uint64}[kind.itemsize]
    width = 8 * kind.itemsize
    quiet_nan = int(np.array([np.nan]).astype(kind).view(word)[0]) & ((1 << (width - 1)) - 1)
    patterns = [quiet_nan | 1, quiet_nan | 5, quiet_nan | 1 | 1 << (width - 1)]
    return np.array(patterns, dtype=word).view(kind)


def _there_and_back(session: Session, row: Row, words: str, values: Host) -> None:
    right = np.array(values, order="C")
    here = dovetail.tensor(values, device=session.device)
    ways = {
        "to the device and back": array(here),
        "by way of another device": array(here.to(session.second).to(session.device)),
        "copied": array(here.clone()),
    }
    if values.size and row.dtype != "bfloat16" and row.dtype != "bool":
        taken = _by_dlpack(here)
        if taken is not None:
            ways["through DLPack"] = taken
    for way, back in ways.items():
        row.cases += 1
        row.tested += back.size
        if back.dtype != right.dtype or back.shape != right.shape or back.tobytes() != right.tobytes():
            row.fail(
                f"{row.dtype}, {words}: not the same bits {way} ({session.device})",
                expected=right.reshape(-1)[:8],
                got=back.reshape(-1)[:8],
                snippet=_snippet(session, right, row.dtype),
            )


def _by_dlpack(here: Any) -> Host | None:
    """The values as NumPy reads them through DLPack; None where the device's memory is not the host's."""
    kind, _ = here.__dlpack_device__()
    if kind != 1:
        return None
    try:
        return np.asarray(np.from_dlpack(here))
    except (DovetailError, BufferError, RuntimeError):
        return None  # the array library hands out no such array: a declared limit of the protocol


def _snippet(session: Session, right: Host, dtype: str) -> str:
    word = f"uint{8 * right.dtype.itemsize}"
    numbers = right.reshape(-1).view(word)[:64].tolist() if right.size else []
    return "\n".join(
        [
            "import numpy",
            "import dovetail as torch",
            "",
            f"bits = numpy.array({numbers}, dtype=numpy.{word})",
            f"t = torch.tensor(bits.view(torch.{dtype}.host), device={str(session.device)!r})",
            f"print(bits == numpy.ascontiguousarray(t.numpy()).view(numpy.{word}))",
        ]
    )


def saving(session: Session) -> list[Row]:
    """Files: written on the device and on another one they are the same bytes; read on either, the same bits.

    A file that was cut off or changed is refused.
    """
    row = Row("files", "", "saving", kind="E")
    dtypes = [d for d in (*draw.FLOATS, *INTEGERS) if session.supports(d)]
    hosts = {d: _values(d) for d in dtypes}
    try:
        with quiet(), tempfile.TemporaryDirectory() as folder:
            _round_trip(session, row, hosts, Path(folder))
    except Exception as error:  # whatever a backend raises is a failure of the cell
        row.fail(f"files: {type(error).__name__}: {error}")
    return [row]


def _round_trip(session: Session, row: Row, hosts: dict[str, Host], folder: Path) -> None:
    files = {}
    for name, place in (("device", session.device), ("again", session.device), ("other", session.second)):
        state = {d: dovetail.tensor(h, device=place) for d, h in hosts.items()}
        files[name] = folder / f"{name}.dt"
        dovetail.save({"state": state, "step": 3}, files[name])
    contents = {name: path.read_bytes() for name, path in files.items()}
    row.cases += 1
    if contents["device"] != contents["again"]:
        row.fail("the same object gives other bytes the second time")
    row.facts = {"bytes": len(contents["device"]), "same_bytes_elsewhere": contents["device"] == contents["other"]}
    for written in ("device", "other"):
        for place in (session.device, session.second):
            found = dovetail.load(files[written], map_location=str(place))["state"]
            for dtype, host in hosts.items():
                row.cases += 1
                row.tested += host.size
                back = array(found[dtype])
                if back.dtype != host.dtype or back.tobytes() != host.tobytes():
                    row.fail(f"{dtype}: not the same bits in a file written on {written}, read on {place}")
    for cut in (len(contents["device"]) // 2, len(contents["device"]) - 1, 3):
        row.cases += 1
        try:
            dovetail.load(io.BytesIO(contents["device"][:cut]), map_location=str(session.device))
        except DovetailError:
            continue
        row.fail(f"a file that was cut off after {cut} bytes was read without an error")
