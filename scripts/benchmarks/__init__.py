"""Ours against others on the same work: one module a benchmark, each with `run(stage, runs)`."""
