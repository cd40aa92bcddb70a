"""The CuPy backend of dovetail; ``plugin`` announces it without importing any array library."""
