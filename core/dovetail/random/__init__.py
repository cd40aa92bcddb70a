"""Random numbers: one counter-based stream, the same bits on every backend and device."""

from __future__ import annotations

from dovetail.random.generator import Generator as Generator
from dovetail.random.generator import default_generator as default_generator
from dovetail.random.generator import get_rng_state as get_rng_state
from dovetail.random.generator import initial_seed as initial_seed
from dovetail.random.generator import manual_seed as manual_seed
from dovetail.random.generator import seed as seed
from dovetail.random.generator import set_rng_state as set_rng_state
