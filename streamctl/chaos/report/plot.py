"""Small line plots as inline SVG: axes with units, the fault as a band, dark and light by CSS.

Coordinates are drawn in a fixed box and scaled by the page, so that a phone shows them whole.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640.0, 150.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 8.0, 18.0, 26.0
_TICKS = 4
Point = tuple[float, float | None]
"""Seconds or another unit, and a value; None where it is not known: the line is broken there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One quantity over time.

    Attributes:
        title: what it is, with its unit.
        points: in order of time.
        band: begin and end of the fault, in seconds; None for none.
        steps: the value holds until the next point, instead of a straight line to it.
        unit: of the horizontal axis.
    """

    title: str
    points: Sequence[Point]
    span: tuple[float, float]
    band: tuple[float, float] | None = None
    steps: bool = False
    unit: str = "s"


def draw(plot: Plot) -> str:
    """The SVG of one plot."""
    values = [value for _, value in plot.points if value is not None]
    top = nice(max(values, default=0.0))
    parts = [
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{escape(plot.title)}">',
        f'<text class="title" x="{_LEFT:g}" y="12">{escape(plot.title)}</text>',
        *_band(plot),
        *_value_axis(top),
        *_time_axis(plot.span, plot.unit),
    ]
    if values:
        parts += (f'<polyline points="{line}"/>' for line in _lines(plot, top))
    else:
        parts.append(f'<text x="{WIDTH / 2:g}" y="{HEIGHT / 2:g}">not known</text>')
    return "".join([*parts, "</svg>"])


def nice(value: float) -> float:
    """The end of an axis: 1, 2 or 5 times a power of ten, not below the value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9))


def _x(seconds: float, span: tuple[float, float]) -> float:
    begin, end = span
    share = (seconds - begin) / (end - begin or 1.0)
    return _LEFT + min(1.0, max(0.0, share)) * (WIDTH - _LEFT - _RIGHT)


def _y(value: float, top: float) -> float:
    return HEIGHT - _BOTTOM - value / top * (HEIGHT - _TOP - _BOTTOM)


def _band(plot: Plot) -> Iterator[str]:
    if plot.band is None:
        return
    begin, end = (_x(at, plot.span) for at in plot.band)
    high = HEIGHT - _TOP - _BOTTOM
    width = max(2.0, end - begin)
    box = f'x="{begin:.1f}" y="{_TOP:g}" width="{width:.1f}" height="{high:g}"'
    yield f'<rect class="fault" {box}/>'


def _value_axis(top: float) -> Iterator[str]:
    for tick in range(_TICKS + 1):
        value = top * tick / _TICKS
        y = _y(value, top)
        ends = f'x1="{_LEFT:g}" x2="{WIDTH - _RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}"'
        yield f'<line class="grid" {ends}/>'
        yield f'<text class="value" x="{_LEFT - 6:g}" y="{y + 3.5:.1f}">{_short(value)}</text>'


def _time_axis(span: tuple[float, float], unit: str) -> Iterator[str]:
    begin, end = span
    step = nice((end - begin) / 8)
    at = math.ceil(begin / step) * step
    while at <= end:
        x, y = _x(at, span), HEIGHT - _BOTTOM
        yield f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{y:g}" y2="{y + 4:g}"/>'
        yield f'<text class="time" x="{x:.1f}" y="{y + 16:g}">{_short(at)} {unit}</text>'
        at += step


def _short(value: float) -> str:
    """A number in few characters."""
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:g}{unit}"
    return f"{value:g}"


def _lines(plot: Plot, top: float) -> Iterator[str]:
    """The coordinates of each unbroken line."""
    line: list[str] = []
    last = ""
    for at, value in plot.points:
        if value is None:
            yield from filter(None, [" ".join(line)])
            line, last = [], ""
            continue
        x, y = f"{_x(at, plot.span):.1f}", f"{_y(value, top):.1f}"
        line += [f"{x},{last}"] if plot.steps and last else []
        line.append(f"{x},{y}")
        last = y
    yield from filter(None, [" ".join(line)])
