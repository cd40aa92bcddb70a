"""Utilities around training: data loading."""
