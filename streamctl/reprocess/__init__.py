"""Run the job over a range of history again, in a generation of its own, beside the live job.

`request` is what was asked, `plan` what it means (pure), `run` does it and follows it,
`receipt` says what was done, `compare` sets two outputs against each other, and `promote` lets
the live job go on from the new generation.
"""
