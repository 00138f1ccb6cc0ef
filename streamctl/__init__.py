"""Operate Spark Structured Streaming jobs that read Kafka."""
