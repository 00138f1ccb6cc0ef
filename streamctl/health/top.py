"""What `streamctl top` shows at one moment: a sample, the last batches, growth, alerts."""

from dataclasses import dataclass, fields

from streamctl.health.alerts.book import AlertBook
from streamctl.health.alerts.states import AlertState
from streamctl.observe.batches import Batch, Batches
from streamctl.observe.growth import Growth, Sizes
from streamctl.observe.model import Sample
from streamctl.rundir.directory import RunDirectory

_BATCHES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How the last batches of a query went, oldest first."""

    input_rows: list[int]
    seconds: list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopReport(Sample):
    """A sample, and what led to it.

    Attributes:
        courses: query -> its last batches.
        growth: of the checkpoint; None when it is not known.
        alerts: those that are open, as the supervisor last saw them.
    """

    courses: dict[str, Course]
    growth: Growth | None
    alerts: list[AlertState]


def top_report(sample: Sample, batches: Batches, run: RunDirectory) -> TopReport:
    """Put together what is shown.

    Args:
        sample: of this moment.
        batches: read up to now.
        run: where the supervisor keeps alerts and sizes.

    Raises:
        Malformed: the file of the alerts is damaged.
    """
    stories = batches.stories
    return TopReport(
        **{field.name: getattr(sample, field.name) for field in fields(sample)},
        courses={q.name: _course(list(stories[q.name].batches)) for q in sample.queries
                 if q.name in stories},
        growth=Sizes(run.path).growth(sample),
        alerts=[state for state in AlertBook(run.path).states() if state.open_since],
    )  # fmt: skip


def _course(batches: list[Batch]) -> Course:
    last = batches[-_BATCHES:]
    return Course(
        input_rows=[batch.input_rows for batch in last], seconds=[batch.seconds for batch in last]
    )
