"""1,797 real images of handwritten digits, from inside the scikit-learn wheel."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dovetail.errors import BackendError
from dovetail.ops.creation import tensor
from dovetail.utils.data import TensorDataset

TEST_SHARE = 0.2
SPLIT_SEED = 0


class Split(NamedTuple):
    """Images for training and for testing."""

    train: TensorDataset
    test: TensorDataset


def _arrays() -> list[np.ndarray[Any, Any]]:
    """Training images, test images, training labels, test labels."""
    try:
        from sklearn.datasets import load_digits  # heavy, and only the demo needs it
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise BackendError(
            f'the demo needs scikit-learn for its images: pip install "dovetail[demo]" ({error})'
        ) from error
    images, labels = load_digits(return_X_y=True)
    pixels = images.reshape(-1, 1, 8, 8).astype(np.float32) / np.float32(16)
    return train_test_split(  # type: ignore[no-any-return]  # scikit-learn is not typed
        pixels, labels.astype(np.int64), test_size=TEST_SHARE, random_state=SPLIT_SEED, stratify=labels
    )


def load() -> Split:
    """Return the stratified split of seed 0, on the default device; pixels lie in [0, 1].

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
    """
    train, test, train_labels, test_labels = _arrays()
    return Split(
        TensorDataset(tensor(train), tensor(train_labels)),
        TensorDataset(tensor(test), tensor(test_labels)),
    )
