"""What autocast does to the inputs of an op: one field of its record.

The rules are those of PyTorch's documentation ("Autocast Op Reference"), which has one table for the CPU and one for
accelerators. An op without a rule runs in the types that it is given; the parts of its decomposition follow their own
rules, unless the op promises specs by rules of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from dovetail.errors import ArgumentError

Rule = Literal["lower", "float32", "widest", "as is", "refused"]
"""To the lower precision; to float32; to the widest type among them; as they are, also inside; an error."""

RULES: Final = ("lower", "float32", "widest", "as is", "refused")
KINDS: Final = ("cpu", "accelerator")


class Autocast(NamedTuple):
    """The rule of an op on each kind of hardware, None where it has none."""

    cpu: Rule | None
    accelerator: Rule | None

    def on(self, kind: str) -> Rule | None:
        """Return the rule on devices of a type, such as "cpu" or "cuda"."""
        return self.cpu if kind == "cpu" else self.accelerator


def policy(given: Rule | Mapping[str, Rule] | None) -> Autocast | None:
    """Return the field of a record: one rule for every device, or a rule for "cpu" and for "accelerator".

    Raises:
        ArgumentError: a rule or a kind of hardware that does not exist.

    >>> policy({"accelerator": "float32"})
    Autocast(cpu=None, accelerator='float32')
    """
    if given is None:
        return None
    by_kind: Mapping[str, Rule] = dict.fromkeys(KINDS, given) if isinstance(given, str) else given
    for kind, rule in by_kind.items():
        if kind not in KINDS or rule not in RULES:
            raise ArgumentError(f"autocast={given!r}: a rule is one of {RULES}, or a dict of {KINDS} to rules")
    return Autocast(by_kind.get("cpu"), by_kind.get("accelerator"))
