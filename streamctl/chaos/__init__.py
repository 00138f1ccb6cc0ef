"""Experiments that break things on purpose, and prove what became of every record."""
