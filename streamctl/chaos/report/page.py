"""The page: verdict first, then the table, then each experiment with its plots and invariants."""

import platform
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape

from streamctl import __version__
from streamctl.chaos.evidence import Evidence
from streamctl.chaos.report.plot import Plot, Point, draw
from streamctl.chaos.verdict import CLOSING, WORDS, Counts, Judgement
from streamctl.jars import KAFKA_VERSION, spark_version
from streamctl.reports import Verdict, worst

_BIN_SECONDS = 2.0
_HEALTH = {"ok": 1.0, "unknown": 0.5, "problem": 0.0}

Trial = tuple[Evidence, Judgement]


def page(trials: Sequence[Trial], *, title: str, command: str) -> str:
    """One self-contained HTML file.

    Args:
        trials: evidence and verdict of each experiment.
        title: of the campaign.
        command: runs it again.
    """
    verdict = worst(judgement.verdict for _, judgement in trials) if trials else Verdict.UNKNOWN
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="closing {verdict}">{CLOSING[verdict]}</p>',
        _summary(trials),
        *(_trial(number, *trial) for number, trial in enumerate(trials)),
        _surroundings(command),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _summary(trials: Sequence[Trial]) -> str:
    heads = ("experiment", "verdict", "noticed", "first commit", "caught up",
             "records", "lost", "doubled")  # fmt: skip
    rows = [_row(f"t{number}", judgement) for number, (_, judgement) in enumerate(trials)]
    return _table(heads, rows)


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
            *(f"<figure>{draw(plot)}</figure>" for plot in plots(evidence)),
            LEGEND if evidence.began is not None else "",
            _counts(judgement.counts),
            _table(("invariant", "verdict", "what was seen"), invariants),
            f"<ul>{examples}</ul>" if examples else "",
            "</section>",
        ]
    )  # fmt: skip


def plots(evidence: Evidence) -> Iterator[Plot]:
    """Throughput, lag, batch duration and health over the time since the first look."""
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
    health = [(s.at - zero, _HEALTH.get(s.verdict)) for s in evidence.samples]
    yield made("status: 1 ok, 0.5 unknown, 0 problem", health, steps=True)


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


def _surroundings(command: str) -> str:
    facts = {
        "run again with": f"<code>{escape(command)}</code>",
        "written": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        "streamctl": __version__,
        "Spark": spark_version(),
        "Kafka": KAFKA_VERSION,
        "Python": sys.version.split()[0],
        "system": escape(platform.platform()),
    }
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())
    return f'<section><h2>Surroundings</h2><dl class="facts">{rows}</dl></section>'


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f'<td data-name="{h}">{c}</td>' for h, c in zip(heads, row, strict=True))
        + "</tr>"
        for row in rows
    )  # fmt: skip
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _mark(verdict: Verdict) -> str:
    return f'<span class="mark {verdict}">{WORDS[verdict]}</span>'


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


LEGEND = (
    '<p class="legend"><span class="fault"></span>'
    " the fault, from the begin of its first action to the end of its last</p>"
)
STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --paper: #fcfcfd;
  --line: #d9d9e0; --data: #0b68cb; --fault: #e5484d2e; --ok: #1a7f45; --problem: #c62a2f;
  --unknown: #96610a; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --soft: #b0b4ba; --paper: #111113;
  --line: #363a3f; --data: #70b8ff; --fault: #ff95923d; --ok: #3dd68c; --problem: #ff9592;
  --unknown: #ffca16; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; margin: .5rem 0; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .25rem; }
a { color: var(--data); }
code { font-size: .85em; overflow-wrap: anywhere; }
.closing { font-size: 1.25rem; font-weight: 600; margin: .25rem 0 1rem; }
.ok { color: var(--ok); } .problem { color: var(--problem); } .unknown { color: var(--unknown); }
.mark { font-size: .8rem; font-weight: 600; border: 1px solid; border-radius: .25rem;
  padding: 0 .35rem; white-space: nowrap; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; margin: .5rem 0; }
th, td { text-align: left; padding: .3rem .5rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 500; }
figure { margin: .5rem 0; }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; text-anchor: middle; }
svg .title { fill: var(--ink); font-weight: 600; text-anchor: start; }
svg .value { text-anchor: end; }
svg .grid, svg .tick { stroke: var(--line); stroke-width: 1; }
svg polyline { fill: none; stroke: var(--data); stroke-width: 1.6; stroke-linejoin: round; }
svg .fault { fill: var(--fault); }
.legend { color: var(--soft); font-size: .85rem; margin: 0; }
.legend .fault { display: inline-block; width: 1.2em; height: .8em; background: var(--fault); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); gap: .5rem; }
dl.facts { grid-template-columns: 1fr; }
dt { color: var(--soft); font-size: .8rem; }
dd { margin: 0; font-variant-numeric: tabular-nums; }
.counts dd { font-size: 1.1rem; font-weight: 600; }
@media (max-width: 40rem) {
  thead { display: none; }
  tr { display: block; padding: .4rem 0; border-bottom: 1px solid var(--line); }
  td { display: flex; gap: .75rem; border: 0; padding: .1rem 0; }
  td:empty { display: none; }
  td::before { content: attr(data-name); color: var(--soft); flex: 0 0 7rem; }
  svg text { font-size: 17px; }
}
@media print { h2 { break-after: avoid; } section { break-inside: avoid; } }
"""
