"""The restart procedure: what failed, can it start, what to do before, and whether it worked.

`evidence` looks, `propose` decides (pure), `run` does it, starts the job and watches it.
"""
