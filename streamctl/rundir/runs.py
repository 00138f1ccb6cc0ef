"""Which run of Spark a query is in, as its driver told it.

By itself, because `checkpoint inspect` is fast and needs nothing else of a run directory.
"""

from pathlib import Path

from streamctl.rundir.files import read_line

_TAIL_BYTES = 1 << 20


def spark_run_of(progress_file: Path, query_id: str) -> str | None:
    """Spark's id of the newest run of a query, from the last lines of `progress.jsonl`.

    Returns:
        None when neither a batch of it nor a start stands there.
    """
    try:
        with progress_file.open("rb") as file:
            file.seek(max(0, progress_file.stat().st_size - _TAIL_BYTES))
            lines = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return None
    wanted = query_id.encode()
    for text in reversed(lines):
        line = read_line(text) if wanted in text else None
        if line is not None and line.get("query_id") == query_id:
            return str(line["spark_run_id"])
    return None
