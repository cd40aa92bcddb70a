"""The conformance suite of dovetail: what every backend must give, measured and judged."""
