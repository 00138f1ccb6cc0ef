"""Operate Spark Structured Streaming jobs that read Kafka."""

__version__ = "0.1.0"
