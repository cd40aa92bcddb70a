"""``python -m dovetail.describe [--check]``: write stubs and pages, or tell whether they are up to date."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dovetail.describe import contract, support
from dovetail.describe.stubs import ROOT, stubs


def main(arguments: list[str] | None = None) -> int:
    """Write or compare; the exit status is 1 when something is out of date."""
    parser = argparse.ArgumentParser(prog="python -m dovetail.describe", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args(arguments).check
    wanted = stubs() | pages()
    old = [path for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text]
    for path in old:
        name = path.relative_to(ROOT.parent if path.is_relative_to(ROOT.parent) else path.parents[1])
        if check:
            sys.stderr.write(f"{name} is out of date: run `python -m dovetail.describe`\n")
        else:
            path.write_text(wanted[path], encoding="utf-8")
            sys.stdout.write(f"{name} written\n")
    return int(check and bool(old))


def pages() -> dict[Path, str]:
    """The text of every page by its path; none where the package is installed without its docs."""
    if not contract.PATH.parent.is_dir():
        return {}
    return {contract.PATH: contract.text(), support.PATH: support.text()}


if __name__ == "__main__":
    sys.exit(main())
