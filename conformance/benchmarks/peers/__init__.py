"""The same training programs written by hand for NumPy, PyTorch and JAX: what dovetail is measured against.

Each module holds one program: `problem()` returns the initial arrays, the same ones every time, and `PEERS` maps
a peer's name to a function that copies them and returns ``step()``. A step does one whole iteration, has finished
when it returns, and returns the loss, so that a test can see that all peers compute the same thing. PyTorch and
JAX are imported inside these functions only.

`python -m peers` in the folder above prints the table of the peers alone.
"""
