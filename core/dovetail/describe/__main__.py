"""``python -m dovetail.describe [--check]``: write the stubs, or tell whether they are up to date."""

from __future__ import annotations

import argparse
import sys

from dovetail.describe.stubs import ROOT, stubs


def main(arguments: list[str] | None = None) -> int:
    """Write or compare; the exit status is 1 when a stub is out of date."""
    parser = argparse.ArgumentParser(prog="python -m dovetail.describe", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args(arguments).check
    old = [path for path, text in stubs().items() if not path.is_file() or path.read_text("utf-8") != text]
    for path in old:
        name = path.relative_to(ROOT.parent)
        if check:
            sys.stderr.write(f"{name} is out of date: run `python -m dovetail.describe`\n")
        else:
            path.write_text(stubs()[path], encoding="utf-8")
            sys.stdout.write(f"{name} written\n")
    return int(check and bool(old))


if __name__ == "__main__":
    sys.exit(main())
