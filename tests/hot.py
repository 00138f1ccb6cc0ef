"""Backups of queries that run and purge at full speed, each proved, with naive copies beside.

Batches follow one another without pause, and two of them are retained, so that files vanish under
whoever copies. A copy that a recursive copier makes of the same checkpoint shows what the closure
is worth: the experiment proves something only where some of those are bad.
"""

import random
import shutil
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from streamctl.checkpoint.backup.check import check
from streamctl.checkpoint.backup.repository import Repository
from streamctl.checkpoint.backup.restore import restore
from streamctl.checkpoint.backup.sink import begin_sink
from streamctl.checkpoint.backup.take import About, Source, take
from streamctl.checkpoint.tree.reader import Checkpoint
from streamctl.checkpoint.verify.kinds import Effect
from streamctl.checkpoint.verify.verify import verify
from streamctl.errors import StreamctlError
from streamctl.reports import Verdict, ignore
from tests.unit.change.helpers import NOW
from tests.warm import FLAVOURS, Warm, committed, run_until, wrong_windows

STARTS_IN_ALL = 60
ROWS = 20
WARM_BATCHES = 8
NAIVE_EVERY = 5
RESUMED_BATCHES = 4


def campaign(place: Path, *, count: int, chance: random.Random) -> tuple[dict[str, Any], list[str]]:
    """Spread `count` backups over the flavours, and start Spark from some of them.

    Returns:
        Figures, and what is wrong.
    """
    warm = Warm.start()
    warm.spark.conf.set("spark.sql.streaming.minBatchesToRetain", "2")
    figures: dict[str, Any] = {"backups": 0, "batches": 0, "starts": 0, "repins": 0}
    naive: Counter[str] = Counter()
    wrong: list[str] = []
    try:
        for number, flavour in enumerate(FLAVOURS):
            share = count // len(FLAVOURS) + (number < count % len(FLAVOURS))
            live = Live(warm, place / flavour, flavour, chance)
            live.back_up(share)
            live.start_from_some()
            figures["backups"] += share
            figures["batches"] += live.batches
            figures["starts"] += live.starts
            figures["repins"] += live.repins
            naive.update(live.naive)
            wrong += [f"{flavour}: {line}" for line in live.wrong]
            shutil.rmtree(place / flavour, ignore_errors=True)
    finally:
        warm.spark.stop()
    if not sum(naive.values()) - naive["good"]:
        wrong.append("no naive copy was bad: the query was too slow to prove anything")
    return figures | {"naive_copies": dict(naive)}, wrong


class Live:
    """One query that runs while it is backed up."""

    def __init__(self, warm: Warm, place: Path, flavour: str, chance: random.Random) -> None:
        place.mkdir(parents=True)
        self._warm, self._place, self._flavour, self._chance = warm, place, flavour, chance
        self._checkpoint, self._output = place / "checkpoint", place / "output"
        self._repository = Repository.open(str(place / "backups"), create=True)
        self._ids: list[str] = []
        self.batches = self.starts = self.repins = 0
        self.naive: Counter[str] = Counter()
        self.wrong: list[str] = []

    def back_up(self, count: int) -> None:
        """Take backups at random moments while the query runs, each read back and restored."""
        query = self._warm.windows(
            self._checkpoint, self._output, rows=ROWS, conf=FLAVOURS[self._flavour]
        )
        while committed(self._checkpoint) < WARM_BATCHES:
            time.sleep(0.05)
        first = committed(self._checkpoint)
        try:
            for number in range(count):
                time.sleep(self._chance.uniform(0, 0.3))
                self._one()
                if number % NAIVE_EVERY == 0:
                    self._copy()
                if number % 50 == 0:
                    say(f"{self._flavour}: backup {number} of {count}")
        finally:
            self.batches = committed(self._checkpoint) - first
            with suppress(Exception):
                query.stop()
        if query.exception():
            self.wrong.append(f"the query died: {str(query.exception())[:200]}")

    def _one(self) -> None:
        try:
            taken = take(
                [
                    Source(
                        name="",
                        checkpoint=Checkpoint.open(str(self._checkpoint)),
                        sink=str(self._output),
                    )
                ],
                self._repository,
                About(location=str(self._checkpoint)),
                now=NOW,
                on_event=ignore,
            )
        except StreamctlError as error:
            self.wrong.append(f"take: {error.message}")
            return
        self.repins += taken.repins
        self._ids.append(taken.id)
        checked = check(self._repository, ids=[taken.id], read_data=True, now=NOW, on_event=ignore)
        if checked.verdict is not Verdict.OK:
            self.wrong.append(f"{taken.id}: {checked.backups[0].problems[:1]}")
        place = self._place / "restored"
        if self._restored(taken.id, place):
            forecast = verify(Checkpoint.open(str(place))).forecast
            if forecast is not Effect.STARTS:
                self.wrong.append(f"{taken.id}: verify foretells {forecast}")
            shutil.rmtree(place)

    def _restored(self, backup_id: str, place: Path) -> bool:
        manifest = self._repository.manifest(backup_id)
        try:
            restore(self._repository, manifest, manifest.queries[0], to=str(place), on_event=ignore)
        except StreamctlError as error:
            self.wrong.append(f"{backup_id}: {error.message}")
            return False
        return True

    def _copy(self) -> None:
        """What a recursive copier makes of it."""
        copy = self._place / "copy"
        try:
            shutil.copytree(self._checkpoint, copy)
        except (shutil.Error, OSError):
            self.naive["files vanished"] += 1
        else:
            forecast = verify(Checkpoint.open(str(copy))).forecast
            self.naive["good" if forecast is Effect.STARTS else f"Spark: {forecast}"] += 1
        shutil.rmtree(copy, ignore_errors=True)

    def start_from_some(self) -> None:
        """Start real Spark from some of the backups: the next batch, and the right sums."""
        some = min(len(self._ids), STARTS_IN_ALL // len(FLAVOURS))
        for number, backup_id in enumerate(self._chance.sample(self._ids, some)):
            place, output = self._place / f"start-{number}", self._place / f"output-{number}"
            if not self._restored(backup_id, place):
                continue
            stored = self._repository.manifest(backup_id).queries[0]
            batch_id = stored.batch_id
            begin_sink(self._repository, stored, str(output), keep_rows=False)
            query = self._warm.windows(place, output, rows=ROWS, conf=FLAVOURS[self._flavour])
            error = run_until(query, place, batch_id + RESUMED_BATCHES)
            self.starts += 1
            told = [progress["batchId"] for progress in query.recentProgress]
            if error or min(told, default=-1) != batch_id + 1:
                self.wrong.append(
                    f"{backup_id}: batches {told[:3]} after {batch_id}: {error[:200]}"
                )
                continue
            found = wrong_windows(self._warm.read(output))
            # Windows that were closed before the backup are in the old output.
            self.wrong += [f"{backup_id}: {x}" for x in found if not x.startswith("the first")]
            shutil.rmtree(place)
            shutil.rmtree(output)
            say(f"{self._flavour}: start {number + 1} of {some} after batch {batch_id}")


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
