"""The suite as tests, for ``pytest --pyargs dovetail_conformance.suite``."""
