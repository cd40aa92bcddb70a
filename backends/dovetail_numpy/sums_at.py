"""Many rows added up at positions: the product of a sparse matrix of ones with them.

`numpy.add.at` takes 8 to 20 ns for each number, the product one or two. It adds in the order of the rows as
well, so the bound is that of any sum of n terms; SciPy is imported when the first large one comes.
"""

from __future__ import annotations

import numpy as np

from dovetail_numpy.precision import Array

_FEWEST = 4096
"""Numbers from which on SciPy is worth its call."""


def is_large(source: Array) -> bool:
    """Tell whether a sum of these numbers is one for :func:`sums_at`."""
    return source.size >= _FEWEST and source.dtype.kind not in "iub"


def sums_at(index: Array, source: Array, count: int) -> Array:
    """Return (count, ...) sums of the rows of (terms, ...), each added where its position in ``index`` says."""
    from scipy.sparse import csc_array  # a large import, for large sums alone

    terms = index.size
    ones = np.ones(terms, source.dtype)
    matrix = csc_array((ones, index.reshape(-1), np.arange(terms + 1)), shape=(count, terms))
    found: Array = matrix @ source.reshape(terms, -1)
    return found.reshape(count, *source.shape[1:])
