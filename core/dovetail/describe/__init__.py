"""What dovetail offers, written down for type checkers: stubs made from the op records and from Tensor.

``python -m dovetail.describe`` writes them, ``--check`` tells whether they are up to date.
"""

from __future__ import annotations

from dovetail.describe.stubs import PATHS as PATHS
from dovetail.describe.stubs import stubs as stubs
