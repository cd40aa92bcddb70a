"""Where the time of a program goes: ops by backend, transfers, fallbacks, blocks that the program names.

>>> import dovetail
>>> from dovetail.profiler import profile, record_function
>>> x = dovetail.ones(64, 64)
>>> with profile() as prof, record_function("product"):
...     y = x @ x
>>> [row.name for row in prof.key_averages() if row.kind == "op"]
['matmul']
"""

from __future__ import annotations

from dovetail.profiler.averages import Averages as Averages
from dovetail.profiler.averages import Row as Row
from dovetail.profiler.events import Event as Event
from dovetail.profiler.events import Transfer as Transfer
from dovetail.profiler.profile import ProfilerActivity as ProfilerActivity
from dovetail.profiler.profile import profile as profile
from dovetail.profiler.profile import tensorboard_trace_handler as tensorboard_trace_handler
from dovetail.profiler.ranges import record_function as record_function
from dovetail.profiler.schedule import ProfilerAction as ProfilerAction
from dovetail.profiler.schedule import schedule as schedule
