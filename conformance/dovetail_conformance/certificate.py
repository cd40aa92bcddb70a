"""The certificate: what a run has measured, as plain values for JSON by the schema in docs/certificates/schema.json.

Only what the run did is in it. Its verdict is derived from the evidence: a run that has not enumerated the functions
of the full tier is a quick one, whatever it was called. The hash of its content is part of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import dovetail
from dovetail.backend.inspection import Agree, announced, record
from dovetail.errors import ArgumentError
from dovetail_conformance import journal
from dovetail_conformance.deviations import MOST
from dovetail_conformance.outcome import Row
from dovetail_conformance.runner import Run
from dovetail_conformance.tables import PARTS

SCHEMA: Final = "dovetail.certificate/1"

VALUES: Final = ("values", "specials", "exhaustive", "every", "large", "shapes", "layouts", "programs")
"""Checks whose rows are about results of an op in a dtype."""
GRADIENTS: Final = {"gradients": 1, "derivatives": 1, "differences": 1, "second": 2}
"""Checks of gradients, and of which order."""
SECTIONS: Final = ("ops", "reductions", "gradients", "checks", "unsupported")
"""Lists of cells."""
HALF: Final = 0.5
MUCH: Final = 1e6
"""What stands for a figure that has no measure."""
FLAGS: Final = ("XLA_FLAGS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES")


def evidence(found: Run) -> str:
    """The tier that a run has really done: full only with the hashes of all enumerated functions."""
    wanted = {op for parts in PARTS.values() for op in parts.ops}
    return "full" if found.tier == "full" and found.complete and wanted <= found.hashes.keys() else "quick"


def verdict(found: Run) -> str:
    """A run of the quick suite alone never makes a backend conformant."""
    declared = sum(r.status == "deviation" for r in found.rows)
    if found.failures or declared > MOST:
        return "not-conformant"
    return "conformant" if evidence(found) == "full" else "quick-only"


def certificate(found: Run) -> dict[str, Any]:
    """The certificate of a run, with the hash of its content."""
    groups: dict[str, list[Row]] = {}
    for row in found.rows:
        groups.setdefault(row.check, []).append(row)
    seen = {check: [r for r in rows if r.status != "unsupported"] for check, rows in groups.items()}
    named = {*VALUES, *GRADIENTS, "sums", "against"}
    made: dict[str, Any] = {
        "schema": SCHEMA,
        "verdict": verdict(found),
        "mode": evidence(found),
        "complete": found.complete,
        "subject": _subject(found),
        "suite": _suite(found),
        "arithmetic": _arithmetic(found, seen),
        "ops": [_op(r, found) for check in VALUES for r in seen.get(check, [])],
        "reductions": [_op(r, found) for r in seen.get("sums", [])],
        "gradients": [_op(r, found) | {"order": n} for check, n in GRADIENTS.items() for r in seen.get(check, [])],
        "checks": [_plain(r) for check, rows in seen.items() if check not in named for r in rows],
        "coverage": found.origins,
        "records": {name: _record(name) for name in found.origins},
        "deviations": [_plain(r) for r in found.rows if r.status == "deviation"],
        "unsupported": [_plain(r) for r in found.rows if r.status == "unsupported"],
        "cost": _cost(found),
    }
    for name, part in _measured(seen, found).items():
        if part is not None:
            made[name] = part
    plain: dict[str, Any] = json.loads(json.dumps(made, default=str))
    return plain | {"sha256": content_hash(plain)}


def content_hash(made: Mapping[str, Any]) -> str:
    """The hash of everything in a certificate but the hash itself."""
    rest = {k: v for k, v in made.items() if k != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _record(name: str) -> dict[str, str]:
    """What the record of an op says: its family, its class, and how far devices may differ, in words."""
    op = record(name)
    agree = op.agree or Agree.exact()
    family = op.body.__module__.rpartition(".")[2]
    return {"family": family, "class": agree.kind, "agreement": str(agree)}


def _plain(row: Row) -> dict[str, Any]:
    entry = row.entry()
    entry.pop("snippet", None)
    return entry


def _op(row: Row, found: Run) -> dict[str, Any]:
    entry = _plain(row)
    entry["mode"], entry["class"] = "native", entry.pop("kind", "")
    entry["inputs_tested"], entry["exhaustive"] = entry.pop("tested", 0), _exhaustive(row, found)
    entry["special_failures"] = row.special_failures
    entry["used"] = _used(row)
    if row.rounded is not None:
        entry["correctly_rounded_fraction"] = entry.pop("rounded", row.rounded)
    if row.unit == "ULP":
        entry["max_ulp"], entry["bound_ulp"] = entry.pop("figure", 0.0), entry.pop("bound", 0.0)
    if row.check in PARTS:
        entry["facts"] = {k: v for k, v in row.facts.items() if k != "sha256"}
        if row.op in found.hashes:
            entry["sha256"] = found.hashes[row.op]
    return entry


def _used(row: Row) -> float:
    """The share of the bound that is used; of a bound in ULP, of what is left beside the half that rounding costs."""
    if row.unit == "ULP" and row.bound > HALF:
        return round(min(max(row.figure - HALF, 0.0) / (row.bound - HALF), MUCH), 4)
    return round(min(row.ratio, MUCH), 4)


def _exhaustive(row: Row, found: Run) -> bool:
    """Whether every number of the format was an input."""
    return row.check == "exhaustive" or (row.check in PARTS and row.op in found.hashes)


def _suite(found: Run) -> dict[str, Any]:
    return {
        "version": dovetail.__version__,
        "sources_sha256": journal.digest("dovetail", "dovetail_conformance", module_of(found.device.backend)),
        "seed": found.seed,
        "cells": found.cells,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(found.started)),
        "seconds": round(found.seconds, 1),
    }


def module_of(backend: str) -> str:
    """The top-level package of a backend's runtime."""
    return announced()[backend].runtime.partition(":")[0].partition(".")[0]


def identity(device: Any) -> dict[str, Any]:
    """What results may depend on: device, versions and sources; a journal of another identity is not gone on with."""
    names = announced()[device.backend].requires
    return {
        "device": str(device),
        "model": device.runtime.describe(device),
        "versions": {n: _version(n) for n in names},
        "python": platform.python_version(),
        "machine": platform.platform(),
        "sources": journal.digest("dovetail", "dovetail_conformance", module_of(device.backend)),
        "flags": {k: os.environ[k] for k in FLAGS if k in os.environ},
    }


def _subject(found: Run) -> dict[str, Any]:
    device = found.device
    spec = announced()[device.backend]
    return {
        "backend": device.backend,
        "device": str(device),
        "device_model": device.runtime.describe(device),
        "versions": {name: _version(name) for name in spec.requires},
        "contract": spec.contract,
        "os": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "flags": {k: os.environ[k] for k in FLAGS if k in os.environ},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _arithmetic(found: Run, seen: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    made: dict[str, Any] = {"subnormals": {d: "flush" if f else "gradual" for d, f in found.flushes.items()}}
    for row in seen.get("arithmetic", []):
        made |= row.facts
        if row.op == "cast":
            made["casts_round_once"] = not row.failed
    if "precision" in seen:
        made["shortened_products"] = sorted({r.op for r in seen["precision"] if r.failed})
    return made


def _measured(seen: Mapping[str, Sequence[Row]], found: Run) -> dict[str, Any]:
    """The parts that exist only where their checks ran."""
    streams = [*seen.get("streams", []), *seen.get("known", [])]
    repeats, processes = seen.get("repeats", []), seen.get("processes", [])
    threads = [r for r in processes if r.facts]
    losses = [r for r in seen.get("training", []) if r.op == "losses"]
    return {
        "rng": {
            "stream": "philox4x64-10",
            "values_compared": sum(r.tested for r in streams),
            "differences": sum(r.failed for r in streams),
        }
        if streams
        else None,
        "determinism": {
            "cases": len(repeats),
            "runs": max((r.cases for r in repeats), default=0),
            "differences": sum(r.failed for r in (*repeats, *processes)),
            "thread_counts": threads[0].facts["thread_counts"] if threads else [],
            "differs_with_threads": [r.op for r in threads if r.facts["differs_with_threads"]],
        }
        if repeats
        else None,
        "batches": [{"op": r.op, **r.facts} for r in seen["batches"]] if "batches" in seen else None,
        "training": [{"identical": _identical(seen["training"]), **r.facts} for r in losses] if losses else None,
        "identity": _identity(seen.get("against", []), found) if found.against else None,
    }


def _identical(rows: Sequence[Row]) -> dict[str, bool]:
    """Which of the things that training begins with are the same bits."""
    return {r.op: not r.failed for r in rows if r.op != "losses"}


def _identity(rows: Sequence[Row], found: Run) -> dict[str, Any]:
    entries = []
    for row in rows:
        made = _plain(row)
        made["class"] = made.pop("kind", "")
        entries.append(made)
    return {
        "against": found.against,
        "entries": len(rows),
        "differing_entries": sum(r.facts.get("differing", 0) > 0 for r in rows),
        "elements": sum(r.tested for r in rows),
        "identical_elements": sum(r.facts.get("identical", 0) for r in rows),
        "cells": entries,
    }


def _cost(found: Run) -> dict[str, Any]:
    made: dict[str, Any] = {
        "seconds": round(found.seconds, 1),
        "processes": found.jobs,
        "seconds_by_check": {k: round(v, 2) for k, v in found.costs.items()},
    }
    if found.compiled:
        made["compilations"] = sum(found.compiled.values())
        made["compilations_by_check"] = found.compiled
    return made


def name_of(made: Mapping[str, Any]) -> str:
    """The name of a certificate's files, without their endings."""
    return f"{made['subject']['device'].replace(':', '-')}-{made['mode']}"


def read(path: Path) -> dict[str, Any]:
    """A certificate from a file. Errors: ArgumentError for a file that is none, or that was changed."""
    try:
        made = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ArgumentError(f"{path} is no certificate: {error}") from error
    if made.get("schema") != SCHEMA:
        raise ArgumentError(f"{path} is no certificate of the schema {SCHEMA}")
    if made.get("sha256") != content_hash(made):
        raise ArgumentError(f"{path} is not what the suite wrote: the hash of its content is another one")
    return made
