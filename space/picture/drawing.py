"""The picture: an architecture as one self-contained SVG, for people and for screen readers.

Nodes are put into boxes (`_boxes`), the boxes into rows (`space.picture.layout`), and `_Drawing` turns that into SVG.
"""

from dataclasses import dataclass, field
from html import escape

from space.analysis import Analysis, analyse
from space.architecture import Architecture
from space.kinds import KINDS
from space.node import Node
from space.operations import OPERATIONS
from space.operations.base import Layer, Shape, times
from space.picture.layout import Layout, lay_out

MARGIN, MARGIN_LEFT, HEAD = 28.0, 160.0, 84.0
"""In pixels: right and bottom; left, where the parts' names stand; top, for title and summary."""
GAP = (22.0, 30.0)
"""Pixels between boxes of a row, and between rows."""
LINE, CHARACTER = 16.0, 7.2
"""Height of a line of text and width of a character, for a font of 12 pixels."""

STYLE = """
svg { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; }
.page { fill: #ffffff } .band { fill: #f1f4f8 } .frame { fill: none; stroke: #c9d2de; stroke-dasharray: 4 3 }
.box { fill: #ffffff; stroke: #b8c2cf } .edge { fill: none; stroke: #7b8794; stroke-width: 1.4 } .tip { fill: #7b8794 }
.name { fill: #1b2733; font-weight: 600 } .more { fill: #4d5b6a }
.title { fill: #1b2733; font-size: 16px; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  .page { fill: #14181d } .band { fill: #1d232b } .frame { stroke: #3b4653 } .box { fill: #262e38; stroke: #47535f }
  .edge { stroke: #8d99a6 } .tip { fill: #8d99a6 } .name, .title { fill: #eef2f6 } .more { fill: #b4bfca }
}
"""


@dataclass(kw_only=True, slots=True)
class _Box:
    """A node, together with nodes that follow it directly in its folder and keep its shape (norm, activation, dropout).

    inputs: names of the boxes it reads. shape: of the output.
    """

    nodes: list[Node]
    shape: Shape
    inputs: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of its first node, which is also the name of the box."""
        return self.nodes[0].name

    @property
    def lines(self) -> list[str]:
        """The text: the first node's label, and on a second line those of the others."""
        labels = [OPERATIONS[node.op].label(node.attrs) for node in self.nodes]
        return [labels[0], *([" · ".join(labels[1:])] if labels[1:] else [])]

    @property
    def shown(self) -> str:
        """The output shape: 16×32×32."""
        return "×".join(map(str, self.shape))

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in pixels."""
        letters = max(len(self.lines[0]) + len(self.shown) + 3, *(len(line) for line in self.lines))
        return max(132.0, letters * CHARACTER + 26), 14 + LINE * len(self.lines)


def draw(architecture: Architecture, *, title: str = "") -> str:
    """The SVG text. Boxes show operation, attributes and output shape (C×H×W); bands are the parts of the model."""
    costs = analyse(architecture)
    boxes = _boxes(architecture)
    edges = [(source, box.name) for box in boxes.values() for source in box.inputs]
    layout = lay_out({name: box.size for name, box in boxes.items()}, edges, gap=GAP)
    key = f"arch-{architecture.hash[:8]}"
    heading = title or "Architecture"
    far = "hops" if KINDS[architecture.data].is_graph else "px"
    summary = (
        f"{times(architecture.input_shape)} to {architecture.classes} classes, {costs.params:,} parameters, "
        f"{brief(costs.macs)} MACs, receptive field {costs.receptive_field} {far}, depth {costs.depth}"
    )
    width = max(MARGIN_LEFT + layout.width + MARGIN, len(summary) * CHARACTER + 2 * MARGIN)
    height = HEAD + layout.tops[-1] + layout.heights[-1] + MARGIN
    left = MARGIN_LEFT + (width - MARGIN_LEFT - MARGIN - layout.width) / 2
    drawing = _Drawing(architecture, boxes, layout, costs, left)
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    tip = 'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="{key}-title {key}-desc">',
        f'<title id="{key}-title">{escape(heading)}</title>',
        f'<desc id="{key}-desc">{escape(summary)}. {escape(drawing.in_words())}</desc>',
        f"<style>{STYLE}</style>",
        f'<defs><marker id="{key}-tip" {tip}><path class="tip" d="M0 0.8 L8 4 L0 7.2 Z"/></marker></defs>',
        f'<rect class="page" width="{width:.0f}" height="{height:.0f}"/>',
        f'<text class="title" x="{MARGIN:.0f}" y="34">{escape(heading)}</text>',
        f'<text class="more" x="{MARGIN:.0f}" y="54">{escape(summary)}</text>',
        *drawing.bands(width),
        *drawing.frames(),
        *drawing.edges(f"{key}-tip"),
        *drawing.boxes_drawn(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def brief(number: int) -> str:
    """1234567 as 1.23 M."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def _boxes(architecture: Architecture) -> dict[str, _Box]:
    """All boxes by name, in topological order. A node joins the box before it if nothing else reads that box."""
    readers: dict[str, int] = {}
    for node in architecture.nodes:
        for source in node.inputs:
            readers[source] = readers.get(source, 0) + 1
    holder: dict[str, _Box] = {}  # node -> the box it is in
    boxes: dict[str, _Box] = {}
    for node in architecture.nodes:
        before = holder[node.inputs[0]] if node.inputs else None
        if before is not None and readers[node.inputs[0]] == 1 and _follows(architecture, before, node):
            before.nodes.append(node)
            holder[node.name] = before
            continue
        box = _Box(nodes=[node], shape=architecture.shapes[node.name])
        box.inputs = list(dict.fromkeys(holder[source].name for source in node.inputs))
        holder[node.name] = boxes[node.name] = box
    return boxes


def _follows(architecture: Architecture, box: _Box, node: Node) -> bool:
    """Whether a node may join a box: an element-wise layer of the same folder that keeps the shape."""
    operation = OPERATIONS[node.op]
    window = operation.window(node.attrs, [architecture.shapes[source] for source in node.inputs])
    small = isinstance(operation, Layer) and not operation.weighted and window is None
    together = _folder(node.name) == _folder(box.name) and box.nodes[0].op != "input"
    return small and together and architecture.shapes[node.name] == box.shape


def _folder(name: str) -> str:
    return name.rpartition(".")[0]


def _part(name: str) -> str:
    """The part of the model a node belongs to: "stages.0", "head"."""
    words = name.split(".")
    return ".".join(words[:2]) if len(words) > 2 and words[1].isdigit() else words[0]


def _block(name: str) -> str:
    """The block within the part: "stages.0.blocks.1", or "" for none."""
    words = name.split(".")
    numbers = [i for i, word in enumerate(words[:-1]) if word.isdigit()]
    return ".".join(words[: numbers[1] + 1]) if len(numbers) > 1 else ""


class _Drawing:
    """Turns the layout into SVG elements. left: x of the layout's left edge in the picture; all figures are pixels."""

    def __init__(
        self, architecture: Architecture, boxes: dict[str, _Box], layout: Layout, costs: Analysis, left: float
    ) -> None:
        self.boxes, self.layout, self.left = boxes, layout, left
        self.costs = {cost.name: cost for cost in costs.nodes}
        self.output = architecture.output

    def _frame(self, name: str) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of a box."""
        width, height = self.boxes[name].size
        row = self.layout.rows[name]
        x = self.left + self.layout.centres[name]
        top = HEAD + self.layout.tops[row] + (self.layout.heights[row] - height) / 2
        return x - width / 2, top, x + width / 2, top + height

    def bands(self, width: float) -> list[str]:
        """A band behind each part of the model that has its rows to itself, with its name and its parameters.

        width: of the picture.
        """
        owners: dict[int, set[str]] = {}  # row -> the parts that have boxes in it
        for name, row in self.layout.rows.items():
            owners.setdefault(row, set()).add(_part(name))
        parts: dict[str, list[int]] = {}  # part -> the rows that hold nothing else
        for row in sorted(owners):
            if len(owners[row]) == 1:
                parts.setdefault(next(iter(owners[row])), []).append(row)
        drawn = []
        for part, rows in parts.items():
            whole = rows == list(range(rows[0], rows[-1] + 1))  # no row of another part in between
            members = [name for name in self.boxes if _part(name) == part]
            if not whole or any(self.layout.rows[name] not in rows for name in members):
                continue
            top = HEAD + self.layout.tops[rows[0]] - 9
            bottom = HEAD + self.layout.tops[rows[-1]] + self.layout.heights[rows[-1]] + 9
            box = f'x="10" y="{top:.1f}" width="{width - 20:.1f}" height="{bottom - top:.1f}" rx="8"'
            drawn.append(f'<rect class="band" {box}/>')
            drawn.append(f'<text class="name" x="{MARGIN:.0f}" y="{top + 21:.1f}">{escape(part)}</text>')
            params = sum(self.costs[node.name].params for name in members for node in self.boxes[name].nodes)
            if params and bottom - top > 40:
                text = f"{brief(params)} parameters"
                drawn.append(f'<text class="more" x="{MARGIN:.0f}" y="{top + 37:.1f}">{text}</text>')
        return drawn

    def frames(self) -> list[str]:
        """A dashed frame around each block of several boxes, unless boxes of other blocks would lie inside it."""
        blocks: dict[str, list[str]] = {}
        for name in self.boxes:
            blocks.setdefault(_block(name), []).append(name)
        drawn = []
        for block, names in blocks.items():
            corners = [self._frame(name) for name in names]
            x, y = min(c[0] for c in corners) - 8, min(c[1] for c in corners) - 6
            right, bottom = max(c[2] for c in corners) + 8, max(c[3] for c in corners) + 6
            others = (self._frame(name) for name in self.boxes if name not in names)
            clear = all(o[2] < x or o[0] > right or o[3] < y or o[1] > bottom for o in others)
            if block and len(names) > 1 and clear:
                box = f'x="{x:.1f}" y="{y:.1f}" width="{right - x:.1f}" height="{bottom - y:.1f}" rx="8"'
                drawn.append(f'<rect class="frame" {box}><title>{escape(block)}</title></rect>')
        return drawn

    def edges(self, tip: str) -> list[str]:
        """A curve for each edge, through its lanes. tip: id of the arrow head.

        Edges into one box arrive side by side, in the order of the places they come from, so that they do not cross.
        """
        drawn = []
        for name, box in self.boxes.items():
            ordered = sorted(box.inputs, key=lambda source: self._from(source, name))
            for number, source in enumerate(ordered):
                spread = min(22.0, box.size[0] * 0.6 / len(ordered))
                end = self.left + self.layout.centres[name] + (number - (len(ordered) - 1) / 2) * spread
                drawn.append(f'<path class="edge" marker-end="url(#{tip})" d="{self._route(source, name, end)}"/>')
        return drawn

    def _from(self, source: str, target: str) -> float:
        """The x from which an edge comes into its target."""
        lanes = self.layout.routes[source, target]
        return lanes[-1] if lanes else self.layout.centres[source]

    def _route(self, source: str, target: str, end: float) -> str:
        """The path of one edge: bends between rows, straight down its lane within a row, to x = `end` at the target."""
        x, y = self.left + self.layout.centres[source], self._frame(source)[3]
        path = [f"M{x:.1f} {y:.1f}"]
        row = self.layout.rows[source]
        for number, lane in enumerate(self.layout.routes[source, target], start=row + 1):
            top = HEAD + self.layout.tops[number]
            path.append(_bend(x, y, self.left + lane, top))
            x, y = self.left + lane, top + self.layout.heights[number]
            path.append(f"L{x:.1f} {y:.1f}")
        return " ".join([*path, _bend(x, y, end, self._frame(target)[1])])

    def boxes_drawn(self) -> list[str]:
        """The boxes with their texts; pointing at a box shows its path and its costs."""
        drawn = []
        for name, box in self.boxes.items():
            x, y, right, bottom = self._frame(name)
            params = sum(self.costs[node.name].params for node in box.nodes)
            macs = sum(self.costs[node.name].macs for node in box.nodes)
            hover = f"{name}: {params:,} parameters, {macs:,} MACs"
            colour = OPERATIONS[box.nodes[0].op].colour
            drawn += [
                f"<g><title>{escape(hover)}</title>",
                f'<rect class="box" x="{x:.1f}" y="{y:.1f}" width="{right - x:.1f}" height="{bottom - y:.1f}" rx="6"/>',
                f'<rect x="{x:.1f}" y="{y + 5:.1f}" width="4" height="{bottom - y - 10:.1f}" rx="2" fill="{colour}"/>',
                f'<text class="name" x="{x + 12:.1f}" y="{y + 19:.1f}">{escape(box.lines[0])}</text>',
                f'<text class="more" text-anchor="end" x="{right - 9:.1f}" y="{y + 19:.1f}">{box.shown}</text>',
            ]
            for number, line in enumerate(box.lines[1:], start=1):
                place = f'x="{x + 12:.1f}" y="{y + 19 + LINE * number:.1f}"'
                drawn.append(f'<text class="more" {place}>{escape(line)}</text>')
            drawn.append("</g>")
        return drawn

    def in_words(self) -> str:
        """The graph in words, box by box, for screen readers; at most 60 boxes."""
        sentences = []
        for name, box in list(self.boxes.items())[:60]:
            reads = f" from {' and '.join(box.inputs)}" if box.inputs else ""
            sentences.append(f"{name}: {', '.join(box.lines)}{reads}, giving {box.shown}")
        more = len(self.boxes) - 60
        return "; ".join(sentences) + (f"; and {more} more boxes." if more > 0 else ".")


def _bend(x: float, y: float, to_x: float, to_y: float) -> str:
    """The next piece of a path: a line straight down, or an S-curve that leaves and arrives vertically."""
    if abs(x - to_x) < 0.5:
        return f"L{to_x:.1f} {to_y:.1f}"
    middle = (y + to_y) / 2
    return f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}"
