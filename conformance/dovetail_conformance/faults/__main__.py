"""``python -m dovetail_conformance.faults``: hunt every planted fault, and show what the suite could not do without.

Each fault must be found by its check. With ``--clean N`` the same cells run on the backend without a fault with N other
seeds: none may fail. With ``--alone`` the whole suite but one check runs on the faults that only this check finds.
"""

from __future__ import annotations

import argparse
import sys

from dovetail_conformance.faults import FAULTS, Fault, hunt
from dovetail_conformance.replay import Models
from dovetail_conformance.runner import falling_back
from dovetail_conformance.session import quiet
from dovetail_conformance.tables import WHOLE


def main() -> int:
    """The exit status is 1 when a fault survives, a clean run fails, or a check has no fault of its own."""
    parser = argparse.ArgumentParser(prog="python -m dovetail_conformance.faults", description=__doc__)
    parser.add_argument("--faults", metavar="A,B", help="these faults only")
    parser.add_argument("--clean", type=int, default=0, metavar="N", help="clean runs with N other seeds")
    parser.add_argument("--alone", action="store_true", help="every check has a fault that no other one finds")
    args = parser.parse_args()
    chosen = [f for f in FAULTS if not args.faults or f.number in args.faults.split(",")]
    with falling_back("silent"), quiet(), Models() as models:
        bad = _hunt(models, chosen) + _clean(models, chosen, args.clean)
        if args.alone:
            bad += _alone(models, chosen)
            if not args.faults:
                bad += _uncovered()
    sys.stdout.write(f"{len(chosen)} faults, {bad} times wrong\n")
    return 1 if bad else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _hunt(models: Models, chosen: list[Fault]) -> int:
    survivors = 0
    for fault in chosen:
        rows = hunt.killed(models, fault)
        survivors += not rows
        what = f"killed by {fault.check}: {rows[0].message.splitlines()[0]}" if rows else "SURVIVES"
        _say(f"{fault.number} {fault.words}: {what}")
    return survivors


def _clean(models: Models, chosen: list[Fault], seeds: int) -> int:
    """False alarms: every cell that a fault is looked for in, once for each seed."""
    cells = list({(f.check, "" if f.check in WHOLE else f.op): f for f in chosen}.values())
    wrong = 0
    for seed in range(1, seeds + 1):
        found = [row for fault in cells for row in hunt.alarms(models, fault, seed)]
        wrong += len(found)
        _say(f"clean run {seed}: {len(cells)} checks, {len(found)} false alarms")
        for row in found:
            _say(f"  {row.check} {row.op} {row.dtype}: {row.message}")
    return wrong


def _alone(models: Models, chosen: list[Fault]) -> int:
    wrong = 0
    for fault in chosen:
        if fault.alone:
            others = hunt.finders(models, fault, without=fault.check)
            wrong += bool(others)
            _say(f"{fault.number} without {fault.check}: {'found by ' + str(others) if others else 'survives'}")
    return wrong


def _uncovered() -> int:
    """Checks that have no fault of their own."""
    missing = set(hunt.judging()) - {f.check for f in FAULTS if f.alone}
    if missing:
        _say(f"no fault of their own: {', '.join(sorted(missing))}")
    return len(missing)


if __name__ == "__main__":
    sys.exit(main())
