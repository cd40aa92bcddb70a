"""Say what would run and why something else would not: default device, backends, plugins, CUDA, settings, versions."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import traceback

from dovetail.cli import show
from dovetail.cli.backends import reasons
from dovetail.cli.versions import listed, own_requirements
from dovetail.contract import discovery, selection
from dovetail.contract.backend import CONTRACT_VERSION, BackendSpec
from dovetail.contract.cuda import cuda_driver
from dovetail.errors import DovetailError


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "doctor", help="what would run here, and why something else would not", description=__doc__
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a backend or device: say more of it, and try it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report; the exit status is 1 when the default, or what was named, cannot be used."""
    if args.name is not None:
        return _examine(args.name)
    healthy = _default()
    show.heading("backends")
    for registration in sorted(discovery.registrations.values(), key=lambda r: -r.spec.priority):
        _backend(registration.spec)
    _plugins()
    _cuda()
    _settings()
    _versions()
    return 0 if healthy else 1


def _default() -> bool:
    show.heading("what would run")
    try:
        device = selection.default_device()
        show.item("default device", f"{device}, because of: {selection.source_of_default()}")
        show.item("hardware", device.runtime.describe(device))
    except DovetailError as error:
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", []))
        show.item("default device", f"none: {error}{notes}")
        return False
    return True


def _backend(spec: BackendSpec) -> None:
    usable = [kind for kind in spec.kinds if discovery.reason(spec.name, kind) is None]
    state = f"usable on {', '.join(usable)}" if usable else "not usable"
    versions = listed(spec.requires)
    source = discovery.registrations[spec.name].source
    words = [state, f"priority {spec.priority}", *([versions] if versions else []), f"announced by {source}"]
    show.item(spec.name, "; ".join(words))
    for line in reasons(spec):
        show.item("", line)


def _plugins() -> None:
    show.heading("plugins")
    names = [name for name, _ in discovery.manager().list_name_plugin()]
    show.item("loaded", ", ".join(names) or "none")
    for name, error in discovery.failures.items():
        show.item(name, f"could not be loaded: {type(error).__name__}: {error}")
        for frame in traceback.extract_tb(error.__traceback__)[-3:]:
            show.item("", f"in {frame.name}, {frame.filename}:{frame.lineno}: {frame.line}")


def _cuda() -> None:
    show.heading("CUDA")
    driver = cuda_driver()
    supported = "none" if driver.version is None else f"supports CUDA {driver.version[0]}.{driver.version[1]}"
    show.item("driver", driver.problem if driver.version is None and driver.problem else supported)
    show.item("devices", ", ".join(driver.devices) or "none")


def _settings() -> None:
    show.heading("settings")
    read = [selection.ENVIRONMENT, *(n for r in discovery.registrations.values() for n in r.spec.environment)]
    for name in dict.fromkeys(read):
        show.item(name, os.environ.get(name, "not set"))
    try:
        path, wanted = selection.project_file()
    except DovetailError as error:
        show.item("project file", str(error))
        return
    says = f"asks for {wanted}" if wanted else "has no device or backend under [tool.dovetail]"
    show.item("project file", f"{path} {says}" if path else "none")


def _versions() -> None:
    from dovetail import __version__  # the package is complete by now

    show.heading("versions")
    show.item("dovetail", f"{__version__}, backend contract {CONTRACT_VERSION}")
    show.item("Python", f"{platform.python_version()} ({sys.executable}, {platform.platform()})")
    show.item("core", listed(own_requirements()))


# ------------------------------------------------------------------------------------------ one backend


def _examine(name: str) -> int:
    """Say all that is known of a backend or device, and add two numbers on it."""
    backend = name.partition(":")[0]
    known = discovery.registrations.get(backend)
    if known is None:
        device = selection.resolve(name)  # a short form, or an error that says what there is
        show.item(name, f"means {device}")
        known = discovery.registrations[device.backend]
    spec = known.spec
    show.heading(spec.name)
    _backend(spec)
    show.item("runtime", spec.runtime)
    show.item("made by", f"{spec.vendor} {spec.url}".strip() or "not said")
    show.item("contract", f"version {spec.contract}; this dovetail has version {CONTRACT_VERSION}")
    for variable in spec.environment:
        show.item(variable, os.environ.get(variable, "not set"))
    if "cuda" in spec.kinds:
        _cuda()
    show.heading("trying it")
    return _try(name)


def _try(name: str) -> int:
    from dovetail import ops  # what tries a backend needs the ops; the report above does not

    try:
        device = selection.resolve(name)
        for found in device.runtime.devices():
            show.item(str(found), found.runtime.describe(found))
        result = ops.add(ops.ones(2, device=device), 1).tolist()
        show.item("1 + 1", f"{result[0]:g} on {device}, {len(device.runtime.kernels)} kernels")
    except DovetailError as error:
        show.item("error", str(error))
        cause = error.__cause__
        while cause is not None:
            show.item("caused by", f"{type(cause).__name__}: {cause}")
            cause = cause.__cause__
        return 1
    return 0
