"""What a code means and what to do: our findings, our exit codes, Spark's error conditions."""
