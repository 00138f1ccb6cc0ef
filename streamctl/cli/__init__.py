"""Flags, rendering and exit codes: the only place that knows Typer and rich."""
