"""Tensors: storage, spec and graph edge, without maths."""
