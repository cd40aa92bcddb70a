"""The checks: each is a function of a session, an op and a dtype, or of a session alone, that gives rows."""
