"""What all pages share: one self-contained document, tables, the surroundings, the style."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape


def document(title: str, body: Sequence[str]) -> str:
    """One HTML file that fetches nothing and runs nothing."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{''.join(body)}</main></body></html>\n"
    )


def surroundings(command: str, facts: Mapping[str, str]) -> str:
    """What it was run on, and how to run it again."""
    told = {"run again with": f"<code>{escape(command)}</code>"}
    told |= {name: escape(value) for name, value in facts.items()} or {"on": "not known"}
    told["written"] = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in told.items())
    return f'<section><h2>Surroundings</h2><dl class="facts">{rows}</dl></section>'


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of HTML cells; on a narrow screen each row becomes a list."""
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f'<td data-name="{h}">{c}</td>' for h, c in zip(heads, row, strict=True))
        + "</tr>"
        for row in rows
    )  # fmt: skip
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


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
svg { width: 100%; height: auto; display: block; overflow: visible; }
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
  figure { margin: .5rem 0 1rem; }
  svg text { font-size: 20px; }
  svg .time { transform: translateY(5px); }
}
@media print { h2 { break-after: avoid; } section { break-inside: avoid; } }
"""
