"""Finds the highest rate that a job sustains, and how long it takes to come back from its state.

`model` what is found, `search` which rates are tried, `measure` one of them, `recovery` after a
kill, `notes` what is known so far, `run` all of it.
"""
