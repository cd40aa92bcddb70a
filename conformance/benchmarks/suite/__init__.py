"""What dovetail costs beside its peers: one module for each benchmark, with dovetail's side of it.

Each module has `MINE`, which maps a contender's name to a function that returns ``step()`` as the peers have it,
and `run(counts)`, which measures all contenders in turns and returns an `Outcome`.
"""
