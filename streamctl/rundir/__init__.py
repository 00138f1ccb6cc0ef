"""The files between CLI, supervisor and driver: one directory per running job.

| file | written by | what |
|---|---|---|
| `settings.json` | CLI | settings, resolved once |
| `launch.json` | supervisor, before each attempt | what differs between attempts |
| `progress.jsonl` | driver | one line per micro-batch and query |
| `status.json` | supervisor | desired and observed state |
| `stop.json` | CLI | the request to stop |
| `breaker.json` | supervisor | the circuit breaker |
| `backup.json` | supervisor | how the last scheduled backup went |
| `breaker-request.json` | CLI | what an operator wants of it |
| `failure.json` | driver, else supervisor | why the last attempt ended |
| `losses.jsonl` | supervisor | ranges of records that were passed over unread |
| `seen.json` | supervisor | the batches that were examined for losses |
| `former/` | CLI | what was told of batches of another checkpoint location |
| `lock` | CLI, then supervisor | held (flock) as long as a supervisor lives |
| `logs/` | both | JSON lines |

Whole files are replaced atomically (written beside, flushed, renamed), so a reader never
sees half of one.

Each line of `progress.jsonl` has `at`, `run_id`, `attempt` and `kind`:
`launched` (`queries`: all names, before any starts), `started` (`query`, `query_id`,
`spark_run_id`), `progress` (a finished micro-batch, see `jobs/progress.py`), `idle` (`query`:
asked and found nothing to read), `terminated` (`query`, `error`).

`directory` finds, reads and writes them, `records` and `losses` say what they hold, `files` how a
record becomes a file, `runs` which run of Spark a query is in, and `log` how a line of the log is
shown.
"""
