"""The page: verdict first, then the table, then each experiment with its plots and invariants."""

from collections.abc import Iterator, Sequence
from html import escape

from streamctl.chaos.campaign import Campaign, NotRun
from streamctl.chaos.counts import Counts
from streamctl.chaos.evidence import Evidence
from streamctl.chaos.report.plot import Plot, Point, draw
from streamctl.chaos.report.skeleton import document, surroundings, table
from streamctl.chaos.verdict import CLOSING, WORDS, Judgement
from streamctl.reports import Verdict

_BIN_SECONDS = 2.0
_STATUS = {"ok": 1.0, "unknown": 0.5, "problem": 0.0}


def page(campaign: Campaign, evidence: Sequence[Evidence]) -> str:
    """One self-contained HTML file.

    Args:
        campaign: as it was recalled.
        evidence: of each of its judgements.
    """
    judgements = campaign.judgements
    trials = zip(evidence, judgements, strict=True)
    body = [
        f'<p class="closing {campaign.verdict}">{CLOSING[campaign.verdict]}</p>',
        _summary(judgements),
        _not_run(campaign.not_run),
        *(_trial(number, *trial) for number, trial in enumerate(trials)),
        surroundings(campaign.command or _by_name(judgements), campaign.surroundings),
    ]
    return document(f"Campaign {campaign.id}", body)


def _by_name(judgements: Sequence[Judgement]) -> str:
    """What is known of the command of an older release's campaign."""
    names = dict.fromkeys(judgement.experiment for judgement in judgements)
    return f"streamctl chaos run {' '.join(names)}"


def _summary(judgements: Sequence[Judgement]) -> str:
    heads = ("experiment", "verdict", "noticed", "first commit", "caught up",
             "records", "lost", "doubled")  # fmt: skip
    return table(heads, [_row(f"t{number}", each) for number, each in enumerate(judgements)])


def _not_run(not_run: Sequence[NotRun]) -> str:
    if not not_run:
        return ""
    rows = [[escape(each.experiment), escape(each.reason)] for each in not_run]
    return table(("no verdict on", "why"), rows)


def _row(anchor: str, judgement: Judgement) -> list[str]:
    counts = judgement.counts
    numbers = (counts.produced, counts.lost, counts.duplicated) if counts else ("?", "?", "?")
    noticed = f"{judgement.detected_by}, {_seconds(judgement.detected_seconds)}"
    return [
        f'<a href="#{anchor}">{escape(judgement.experiment)}</a>',
        _mark(judgement.verdict),
        noticed if judgement.detected_by else "",
        _seconds(judgement.first_commit_seconds),
        _seconds(judgement.caught_up_seconds),
        *(f"{n:,}" if isinstance(n, int) else n for n in numbers),
    ]


def _trial(number: int, evidence: Evidence, judgement: Judgement) -> str:
    invariants = [
        [escape(each.name), _mark(each.verdict), escape(each.detail)]
        for each in judgement.invariants
    ]
    examples = "".join(f"<li><code>{escape(text)}</code></li>" for text in judgement.examples)
    return "".join(
        [
            f'<section id="t{number}">',
            f"<h2>{escape(judgement.experiment)} {_mark(judgement.verdict)}</h2>",
            f"<p>{escape(judgement.title)}</p>",
            f"<p>Degraded: {escape(judgement.degraded or 'not known')}.</p>",
            *(f"<figure>{draw(plot)}</figure>" for plot in plots(evidence)),
            LEGEND if evidence.began is not None else "",
            _counts(judgement.counts),
            table(("invariant", "verdict", "what was seen"), invariants),
            f"<ul>{examples}</ul>" if examples else "",
            "</section>",
        ]
    )  # fmt: skip


def plots(evidence: Evidence) -> Iterator[Plot]:
    """Throughput, lag, batch duration, health and status over the time since the first look."""
    times = [s.at for s in evidence.samples] + [b.at for b in evidence.batches]
    if not times:
        return
    zero = evidence.samples[0].at if evidence.samples else min(times)
    span = (0.0, max(times) - zero)
    band = None
    if evidence.began is not None and evidence.ended is not None:
        band = (evidence.began - zero, evidence.ended - zero)

    def made(title: str, points: Sequence[Point], *, steps: bool = False) -> Plot:
        return Plot(title=title, points=points, span=span, band=band, steps=steps)

    yield made("throughput, records/s", _throughput(evidence, zero, span[1]), steps=True)
    yield made("lag, records", [(s.at - zero, s.true_lag) for s in evidence.samples])
    yield made(
        "batch duration, s", [(b.at - zero, b.seconds) for b in evidence.batches if b.at >= zero]
    )
    health = [(s.at - zero, None if s.ready is None else float(s.ready)) for s in evidence.samples]
    yield made("health: 1 ready, 0 not (503)", health, steps=True)
    status = [(s.at - zero, _STATUS.get(s.verdict)) for s in evidence.samples]
    yield made("status: 1 ok, 0.5 unknown, 0 problem", status, steps=True)


def _throughput(evidence: Evidence, zero: float, length: float) -> list[Point]:
    """Records of the batches that ended in each bin, by its length."""
    bins = [0] * (int(length / _BIN_SECONDS) + 1)
    for batch in evidence.batches:
        at = int((batch.at + batch.seconds - zero) / _BIN_SECONDS)
        if 0 <= at < len(bins):
            bins[at] += batch.records
    return [(n * _BIN_SECONDS, records / _BIN_SECONDS) for n, records in enumerate(bins)]


def _counts(counts: Counts | None) -> str:
    if counts is None:
        return "<p>The records could not be accounted for.</p>"
    names = {
        "produced": counts.produced, "in windows": counts.in_windows, "in state": counts.in_state,
        "dead letters": counts.dead_letters, "late": counts.late, "lost": counts.lost,
        "doubled": counts.duplicated, "windows twice": counts.windows_twice,
        "letters again": counts.letters_again, "deleted by Kafka": counts.gone,
        "unread": counts.unread,
    }  # fmt: skip
    items = "".join(f"<div><dt>{name}</dt><dd>{n:,}</dd></div>" for name, n in names.items())
    return f'<dl class="counts">{items}</dl>'


def _mark(verdict: Verdict) -> str:
    return f'<span class="mark {verdict}">{WORDS[verdict]}</span>'


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


LEGEND = (
    '<p class="legend"><span class="fault"></span>'
    " the fault: from its begin until it was lifted</p>"
)
