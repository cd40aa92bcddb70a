"""The network of the demo: two convolutions with batch normalisation, dropout, one linear layer."""

from __future__ import annotations

from dovetail import nn
from dovetail.tensor.tensor import Tensor

FEATURES = 32 * 2 * 2
"""What the convolutions leave of an image."""
KEEP = 0.7
"""The share of features that dropout keeps."""


class DigitsNet(nn.Module):
    """Scores of ten digits for images of shape (N, 1, 8, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.dropout = nn.Dropout(1 - KEEP)
        self.classifier = nn.Linear(FEATURES, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return one row of ten scores per image."""
        features: Tensor = self.features(images)
        dropped: Tensor = self.dropout(features.flatten(1))
        scores: Tensor = self.classifier(dropped)
        return scores
