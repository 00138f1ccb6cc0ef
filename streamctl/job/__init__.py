"""One external thing: the process that drives Spark."""
