"""Spark checkpoints, read and written without Spark."""
