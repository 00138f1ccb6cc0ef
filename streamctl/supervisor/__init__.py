"""Keeps the driver alive and records what it sees; imports neither pyspark nor jobs."""
