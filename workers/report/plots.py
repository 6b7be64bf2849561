"""Self-contained SVG plots: step curves, rows of dots, and scatter plots.

Each has a title for screen readers and takes its colours from CSS classes of the page (`.search`, `.random`, …), so
that one file works in light and dark mode.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 640.0
LEFT, RIGHT, TOP, BOTTOM = 180.0, 20.0, 12.0, 40.0
ROW = 26.0
TICKS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """points: (x, y) ordered by x. kind: the CSS class that gives the colour."""

    name: str
    kind: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of dots: values, with their mean as a bar."""

    name: str
    kind: str
    values: tuple[float, ...]


def steps(series: Sequence[Series], *, title: str, x: str, y: str, end: float, height: float = 260.0) -> str:
    """Step curves: each value holds until the next, the last until `end`."""
    drawn = [curve for curve in series if curve.points]
    values = [value for curve in drawn for _, value in curve.points]
    across, up = _scale([0.0, end], LEFT, WIDTH - RIGHT), _scale(values, height - BOTTOM, TOP)
    lines = [_path(curve, across, up, end) for curve in drawn]
    body = [*_frame(across, up, height, x=x, y=y), *lines, *_legend(drawn, height)]
    return _svg(body, height, title)


def _path(curve: Series, across: "Scale", up: "Scale", end: float) -> str:
    first, *rest = curve.points
    moves = [f"M{across.at(first[0]):.1f} {up.at(first[1]):.1f}"]
    moves += [f"H{across.at(place):.1f}V{up.at(value):.1f}" for place, value in rest]
    return f'<path class="line {curve.kind}" d="{"".join(moves)}H{across.at(end):.1f}"/>'


def rows(lines: Sequence[Row], *, title: str, x: str) -> str:
    """One row per entry of `lines`: a dot per value and a bar at the mean."""
    height = TOP + ROW * len(lines) + BOTTOM
    across = _scale([value for line in lines for value in line.values], LEFT, WIDTH - RIGHT)
    body = _ticks_below(across, height, x)
    for place, line in enumerate(lines):
        middle = TOP + ROW * (place + 0.5)
        mean = across.at(math.fsum(line.values) / len(line.values))
        body.append(
            f'<text class="label" x="{LEFT - 10}" y="{middle + 4:.1f}" text-anchor="end">{escape(line.name)}</text>'
        )
        body.append(f'<path class="mean {line.kind}" d="M{mean:.1f} {middle - 9:.1f}v18"/>')
        body += [
            f'<circle class="dot {line.kind}" cx="{across.at(v):.1f}" cy="{middle:.1f}" r="4"/>' for v in line.values
        ]
    return _svg(body, height, title)


def plane(series: Sequence[Series], *, title: str, x: str, y: str, height: float = 300.0) -> str:
    """A scatter plot."""
    points = [point for group in series for point in group.points]
    across, up = (
        _scale([p[axis] for p in points], *ends)
        for axis, ends in ((0, (LEFT, WIDTH - RIGHT)), (1, (height - BOTTOM, TOP)))
    )
    dots = [
        f'<circle class="dot {group.kind}" cx="{across.at(place):.1f}" cy="{up.at(value):.1f}" r="5"/>'
        for group in series
        for place, value in group.points
    ]
    drawn = [group for group in series if group.points]
    return _svg([*_frame(across, up, height, x=x, y=y), *dots, *_legend(drawn, height)], height, title)


def against(points: Sequence[tuple[float, float]], *, name: str, x: str, y: str, height: float = 360.0) -> str:
    """A scatter plot of predicted against true values, on one scale, with the line of exact predictions."""
    both = [value for point in points for value in point]
    across, up = _scale(both, LEFT, WIDTH - RIGHT), _scale(both, height - BOTTOM, TOP)
    line = f"M{across.start:.1f} {up.start:.1f}L{across.stop:.1f} {up.stop:.1f}"
    dots = [
        f'<circle class="dot search" cx="{across.at(true):.1f}" cy="{up.at(given):.1f}" r="2.5"/>'
        for true, given in points
    ]
    body = [*_frame(across, up, height, x=x, y=y), f'<path class="line exact" d="{line}"/>', *dots]
    return _svg(body, height, f"Predicted against true values of {name}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """Maps values from low to high linearly to pixels from start to stop."""

    low: float
    high: float
    start: float
    stop: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)


def _scale(values: Iterable[float], start: float, stop: float) -> Scale:
    """A scale with round ticks that covers all values."""
    given = list(values) or [0.0, 1.0]
    low, high = min(given), max(given)
    if high - low <= 1e-9 * max(1.0, abs(low), abs(high)):
        around = 0.005 * max(1.0, abs(low), abs(high))
        low, high = low - around, high + around
    raw = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(number * step, 12) for number in range(first, last + 1))
    return Scale(low=ticks[0], high=ticks[-1], start=start, stop=stop, ticks=ticks)


def _frame(across: Scale, up: Scale, height: float, *, x: str, y: str) -> list[str]:
    body = _ticks_below(across, height, x)
    for tick in up.ticks:
        body.append(f'<path class="grid" d="M{LEFT} {up.at(tick):.1f}H{WIDTH - RIGHT}"/>')
        body.append(f'<text class="tick" x="{LEFT - 8}" y="{up.at(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    body.append(f'<text class="label" x="8" y="{TOP + 10}">{escape(y)}</text>')
    return body


def _ticks_below(across: Scale, height: float, name: str) -> list[str]:
    floor = height - BOTTOM
    body = [f'<path class="grid" d="M{across.at(tick):.1f} {TOP}V{floor:.1f}"/>' for tick in across.ticks]
    body += [
        f'<text class="tick" x="{across.at(tick):.1f}" y="{floor + 16:.1f}" text-anchor="middle">{tick:g}</text>'
        for tick in across.ticks
    ]
    body.append(f'<text class="label" x="{WIDTH - RIGHT}" y="{floor + 33:.1f}" text-anchor="end">{escape(name)}</text>')
    return body


def _legend(series: Sequence[Series], height: float) -> list[str]:
    """The entries side by side, below the axis on the left."""
    body, place = list[str](), 8.0
    for entry in series:
        body.append(f'<circle class="dot {entry.kind}" cx="{place + 5}" cy="{height - 11:.1f}" r="4"/>')
        body.append(f'<text class="label" x="{place + 14}" y="{height - 7:.1f}">{escape(entry.name)}</text>')
        place += 30 + 7 * len(entry.name)
    return body


def _svg(body: Sequence[str], height: float, title: str) -> str:
    head = f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{escape(title, quote=True)}">'
    return "\n".join([head, f"<title>{escape(title)}</title>", *body, "</svg>"])
