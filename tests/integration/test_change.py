"""Changed checkpoints, started again by real Spark against a real broker: the proof of a change."""

import os
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from streamctl.chaos.account import output_rows
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.errors import ExitCode
from streamctl.produce.ledger_entries import read_ledger
from streamctl.resilience.dead_letter import read_origin
from tests import accounting
from tests.unit.change.helpers import small

pytestmark = pytest.mark.integration
RECORDS = 2000


def ends(project, generation: str) -> dict[str, dict[int, int]]:
    """Committed offsets by query."""
    found = {}
    for name, checkpoint in project.checkpoints(generation).items():
        found[name] = (checkpoint.position().committed[0].kafka or {}).popitem()[1]
    return found


def read_rows(project, run_id: str) -> dict[str, int]:
    """Records that each query read in one run, as Spark counted them."""
    found: Counter[str] = Counter()
    for line in project.run.progress():
        if line["kind"] == "progress" and line["run_id"] == run_id:
            found[line["query"]] += sum(source["input_rows"] for source in line["sources"])
    return dict(found)


def test_rewind_then_rotate_across_a_changed_aggregation(project, broker, topic, tmp_path):
    """After the rewind every window is right once; after the rotation no record is lost or twice.

    Batch bounds differ after the rewind, which is where a sink that was not taken back skips.
    """
    ledger = tmp_path / "ledger"
    start = f"{datetime.now(UTC) - timedelta(hours=2):%Y-%m-%dT%H:%M:%S}"
    options = ("--flaw", "all=0.1", "--late", "0.1", "--event-rate", "2", "--start-time", start)
    command = ("produce", "--count", str(RECORDS), "--ledger", str(ledger), *options)
    assert project(*command).exit_code == 0
    keep = ("--set", accounting.RETAIN_ALL)
    assert project("start", *keep, "--set", "kafka.max_offsets_per_trigger=150").exit_code == 0
    accounting.drain(project, broker, topic)
    busy = project.json("checkpoint", "rewind", "--query", "windows", "--to-batch", "1", "--yes")
    assert busy.exit_code == 11, busy.stderr
    assert project("stop").exit_code == 0

    committed = project.checkpoints()["windows"].log_ids().committed[-1]
    to = str(committed - 6)
    rewound = project.json("checkpoint", "rewind", "--query", "windows", "--to-batch", to, "--yes")
    assert rewound.exit_code == 0, rewound.stderr
    assert rewound.data["facts"]["sink"]["files"] > 0
    assert all(r["available_records"] == r["records"] for r in rewound.data["facts"]["ranges"])
    assert project("start", *keep, "--set", "kafka.max_offsets_per_trigger=330").exit_code == 0
    accounting.drain(project, broker, topic)
    assert project("stop").exit_code == 0
    audit = accounting.check(project, broker, topic, ledger)
    assert audit.wrong == []
    assert (audit.must.produced, audit.must.unread) == (RECORDS, 0)

    rotated = project.json("checkpoint", "rotate", "--drain", "--yes", *keep)
    assert rotated.exit_code == 0, rotated.stderr
    closed = output_rows(tmp_path / "data/output/0001/windows")
    assert sorted(closed) == audit.must.windows, "a window was given up, or written twice"

    more = (*command[:1], "--count", "300", "--ledger", str(tmp_path / "more"), *options)
    assert project(*more).exit_code == 0
    old = ends(project, "0001")
    changed = ("--set", "stream.window=5 minutes")
    started = project.json("start", *keep, *changed)
    assert started.exit_code == 0, started.stderr
    accounting.drain(project, broker, topic, "0002")
    assert project("stop").exit_code == 0
    new = ends(project, "0002")
    unread = {name: sum(new[name][p] - old[name][p] for p in new[name]) for name in new}
    assert read_rows(project, started.data["run_id"]) == unread
    letters: Counter[tuple[int, int]] = Counter()
    for partition, (low, high) in broker.watermarks(f"{topic}.dlq").items():
        for record in broker.read(f"{topic}.dlq", partition, low, high):
            origin = read_origin(record.headers)
            assert origin is not None
            letters[origin.partition, origin.offset] += 1
    must = {
        (entry.partition, entry.offset)
        for path in (ledger, tmp_path / "more")
        for entry in read_ledger(path)
        if entry.reason is not None
    }
    assert letters == Counter(must), "a record at the seam was lost or read twice"


def test_skip_copies_what_it_passes_over(project, broker, topic):
    """Poison records end up in the dead letter topic, byte for byte, with their origin."""
    producer = broker.producer({})
    for number in range(20):
        producer.produce(topic, key=b"k%d" % number, value=b"v%d" % number, partition=0)
    producer.flush(20)
    broker.create_topic(f"{topic}.dlq")
    path = small(project.directory / "cp", batches=1, topic=topic)  # the next record is 10
    for file in path.rglob("*"):
        os.utime(file, (1_700_000_000, 1_700_000_000))
    command = ("checkpoint", "skip", "cp", "--partition", "0", "--reason", "poison", "--yes")
    beyond = project.json(*command, "--to", "25")
    assert beyond.exit_code == ExitCode.TOPIC_MADE_ANEW, beyond.stderr
    done = project.json(*command, "--to", "13")
    assert done.exit_code == 0, done.stderr
    low, high = broker.watermarks(f"{topic}.dlq")[0]
    letters = list(broker.read(f"{topic}.dlq", 0, low, high))
    assert [(r.key, r.value) for r in letters] == [(b"k%d" % n, b"v%d" % n) for n in (10, 11, 12)]
    origins = [read_origin(record.headers) for record in letters]
    assert [(o.topic, o.partition, o.offset, o.reasons) for o in origins if o] == [
        (topic, 0, n, ("poison",)) for n in (10, 11, 12)
    ]
    assert Checkpoint.open(str(path)).position().committed[0].kafka == {topic: {0: 13, 1: 5}}
