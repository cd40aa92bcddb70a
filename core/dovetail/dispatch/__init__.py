"""The one path of every call: plans, hot paths, aliasing, in-place writes, checks."""
