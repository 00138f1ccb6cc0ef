"""The Spark side: runner and jobs, run as a child process."""
