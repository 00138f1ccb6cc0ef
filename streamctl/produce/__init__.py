"""Telemetry records with known flaws, and a ledger that says what must become of each."""
