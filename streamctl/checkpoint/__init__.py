"""One external thing: a directory that Spark writes."""
