"""A layered drawing of a directed graph: rows by longest path, few crossings, no overlaps.

The method is that of Sugiyama, Tagawa, Toda 1981 (Methods for Visual Understanding of Hierarchical System Structures):

1. The row of a box is the longest path that leads to it.
2. An edge that spans several rows gets a lane, a narrow box of its own, in each row it crosses. So it never runs behind
   a box.
3. Boxes and lanes of a row are ordered by the mean place of their neighbours in the row above, then below (the
   barycentre method), four times down and up.
4. They are moved towards those means without changing the order, six times down and up.

Pure geometry: boxes with sizes in, places and routes out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

LANE = 14.0
"""Width in pixels that is kept free for an edge that crosses a row."""
MAX_LANES = 4000
"""Beyond this many lanes, edges are drawn straight: nobody follows single edges in a picture of thousands of boxes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Places in pixels, from (0, 0).

    centres: x of the middle of each box. rows: row of each box. tops, heights: of each row. width: of it all.
    routes: for each edge (from, to) the x of its lane in each row between the two.
    """

    centres: dict[str, float]
    rows: dict[str, int]
    tops: list[float]
    heights: list[float]
    width: float
    routes: dict[tuple[str, str], list[float]]


def lay_out(
    sizes: Mapping[str, tuple[float, float]], edges: Sequence[tuple[str, str]], *, gap: tuple[float, float]
) -> Layout:
    """Place the boxes of a graph; all lengths are in pixels.

    sizes: (width, height) by name, in topological order. edges: (from, to). gap: between boxes of a row, between rows.
    """
    sources: dict[str, list[str]] = {name: [] for name in sizes}
    for source, target in edges:
        sources[target].append(source)
    rows: dict[str, int] = {}
    for name in sizes:
        rows[name] = max((rows[source] + 1 for source in sources[name]), default=0)
    grid = _Grid(sizes, edges, rows, gap[0])
    for _ in range(4):
        grid.sweep(grid.sort)
    for _ in range(6):
        grid.sweep(grid.pull)
    heights = [max((sizes[name][1] for name in row if name in sizes), default=0.0) for row in grid.rows]
    tops = [sum(heights[:number]) + gap[1] * number for number in range(len(heights))]
    left = min(x - grid.half(name) for name, x in grid.x.items())
    return Layout(
        centres={name: grid.x[name] - left for name in sizes},
        rows=rows,
        tops=tops,
        heights=heights,
        width=max(x + grid.half(name) for name, x in grid.x.items()) - left,
        routes={edge: [grid.x[lane] - left for lane in lanes] for edge, lanes in grid.lanes.items()},
    )


class _Grid:
    """Boxes and lanes in rows. above, below: the neighbours of each in the next row up and down. x: of each middle."""

    def __init__(
        self,
        sizes: Mapping[str, tuple[float, float]],
        edges: Sequence[tuple[str, str]],
        rows: Mapping[str, int],
        gap: float,
    ) -> None:
        self.sizes, self.gap = sizes, gap
        self.rows: list[list[str]] = [[] for _ in range(max(rows.values()) + 1)]
        self.above: dict[str, list[str]] = {}
        self.below: dict[str, list[str]] = {}
        self.lanes: dict[tuple[str, str], list[str]] = {}
        for name, row in rows.items():
            self._put(name, row)
        count = 0
        for source, target in dict.fromkeys(edges):
            between = range(rows[source] + 1, rows[target])
            count += len(between)
            lanes = [f"{source}>{target}>{row}" for row in between] if count <= MAX_LANES else []
            for lane, row in zip(lanes, between, strict=False):
                self._put(lane, row)
            self.lanes[source, target] = lanes
            stops = [source, *lanes, target]
            for upper, lower in pairwise(stops):
                self.below[upper].append(lower)
                self.above[lower].append(upper)
        self.x: dict[str, float] = {}
        for names in self.rows:
            self._place(names, [0.0] * len(names))

    def _put(self, name: str, row: int) -> None:
        """Add a box or lane at the right end of a row."""
        self.rows[row].append(name)
        self.above[name], self.below[name] = [], []

    def half(self, name: str) -> float:
        """Half the width of a box or lane."""
        return (self.sizes[name][0] if name in self.sizes else LANE) / 2

    def sweep(self, step: Callable[[int, Mapping[str, list[str]]], None]) -> None:
        """Apply `step` to each row, going down with the neighbours above, then up with those below."""
        for row in range(1, len(self.rows)):
            step(row, self.above)
        for row in reversed(range(len(self.rows) - 1)):
            step(row, self.below)

    def sort(self, row: int, neighbours: Mapping[str, list[str]]) -> None:
        """Order a row by the mean x of the neighbours of each box and lane."""
        names = self.rows[row]
        wanted = {name: self._mean(name, neighbours[name]) for name in names}
        names.sort(key=lambda name: wanted[name])
        self._place(names, [wanted[name] for name in names])

    def pull(self, row: int, neighbours: Mapping[str, list[str]]) -> None:
        """Move the boxes and lanes of a row towards their neighbours; the order stays."""
        names = self.rows[row]
        self._place(names, [self._mean(name, neighbours[name]) for name in names])

    def _mean(self, name: str, neighbours: list[str]) -> float:
        """The mean x of the neighbours of a box or lane; its own x if it has none.

        A box follows boxes rather than lanes, so that a column of boxes beside a skip connection stays straight.
        """
        boxes = [other for other in neighbours if other in self.sizes] if name in self.sizes else []
        followed = boxes or neighbours
        return sum(self.x[other] for other in followed) / len(followed) if followed else self.x[name]

    def _place(self, names: list[str], wanted: list[float]) -> None:
        """Set x of a row, as near to the wanted places as the widths allow. names: in order, from left to right."""
        # steps[i]: least distance between the middles of i - 1 and i
        steps = [0.0] + [self.half(a) + self.half(b) + self.gap for a, b in pairwise(names)]
        # Pushing overlapping neighbours to the right from the left end, and to the left from the right end, both keep
        # the distances; so does their mean, which does not favour a side.
        from_left, from_right = list(wanted), list(wanted)
        for i in range(1, len(names)):
            from_left[i] = max(wanted[i], from_left[i - 1] + steps[i])
        for i in reversed(range(len(names) - 1)):
            from_right[i] = min(wanted[i], from_right[i + 1] - steps[i + 1])
        places = [(a + b) / 2 for a, b in zip(from_left, from_right, strict=True)]
        # move the whole row so that on average the boxes are where they want to be; the lanes give way
        boxes = [i for i, name in enumerate(names) if name in self.sizes]
        shift = sum(wanted[i] - places[i] for i in boxes) / len(boxes) if boxes else 0.0
        for name, place in zip(names, places, strict=True):
            self.x[name] = place + shift
