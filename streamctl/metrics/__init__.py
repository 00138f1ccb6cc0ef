"""Metrics: defined once, from which the exposition, dashboard and alert rules are made."""
