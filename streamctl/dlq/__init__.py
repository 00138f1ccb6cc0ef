"""What is in the dead letter topic, and the ways out of it: replay, export, purge.

`letters` reads, `stats` counts, `peek` shows. `replay` sends back: `select` says which, `ledger`
remembers what was sent, `settle` finds out what a killed replay had sent, `judge` asks the job's
rules of today. `export` writes a file, `purge` deletes by age.
"""
