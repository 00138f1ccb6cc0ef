"""Poison records: found by running a failing batch without some of its records, and set aside."""
