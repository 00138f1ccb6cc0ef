"""What is in the dead letter topic, and the ways out of it: replay, export, purge.

`letters` reads, `stats` counts, `ledger` remembers what was replayed, `replay` sends back and never
twice, `judge` asks the job's rules of today, `export` writes a file, `purge` deletes by age.
"""
