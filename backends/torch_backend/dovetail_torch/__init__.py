"""PyTorch tensors as a backend of dovetail."""
