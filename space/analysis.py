"""What an architecture costs: exact figures, computed before any tensor exists."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from space.architecture import Architecture
from space.constraint import MEASURES
from space.kinds import KINDS
from space.operations.base import Shape, Window
from space.peak_memory import MIB, peak_memory


class NodeCost(NamedTuple):
    """The costs of one node. shape: of its output, without the batch. See Analysis for the units."""

    name: str
    shape: Shape
    params: int
    macs: int
    receptive_field: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Analysis:
    """The costs of one architecture.

    params: trainable parameters.
    macs: multiply-accumulates of convolutions and linear layers in one sample's forward pass.
    receptive_field: side, in input pixels (of series, steps), of the square that one position of the last feature map
        can see, on an input without edges (so it may exceed the input); the longer side if it is not a square. Global
        pooling, flatten and linear layers read all positions and leave the figure unchanged. After a resize the
        positions see different widths, and the figure may be off by one position of the smaller map. For graph data:
        how many hops a row sees.
    output_stride: input pixels between two neighbours on the last feature map, along the axis where they are furthest
        apart; 1 for graph data.
    depth: convolutions, message passings and linear layers on the longest path.
    nodes: the costs of each node, in the order of the graph.

    peak_memory_mb, computed when first read: MiB (2^20 bytes) that the tensors of one training step take at the peak,
        with AdamW in float32 on 128 samples, whatever the job's own batch; `space.peak_memory` gives the sizes that are
        assumed for graph data.
    """

    params: int
    macs: int
    receptive_field: int
    output_stride: int
    depth: int
    output_shape: Shape
    nodes: tuple[NodeCost, ...]
    architecture: Architecture = field(repr=False, compare=False)
    _peak: list[float] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def peak_memory_mb(self) -> float:
        if not self._peak:
            self._peak.append(round(peak_memory(self.architecture) / MIB, 3))
        return self._peak[0]

    @property
    def measures(self) -> "Measures":
        """The figures that constraint expressions may use."""
        return Measures(self)


class Measures(Mapping[str, float]):
    """An analysis by the names of `MEASURES`; a figure that is not read is not computed."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis

    def __getitem__(self, name: str) -> float:
        if name not in MEASURES:
            raise KeyError(name)
        return cast(float, getattr(self._analysis, name))

    def __iter__(self) -> Iterator[str]:
        return iter(MEASURES)

    def __len__(self) -> int:
        return len(MEASURES)


class _View(NamedTuple):
    """The view along one axis: position i of a map sees the input pixels i · jump + low to i · jump + high."""

    jump: int = 1
    low: int = 0
    high: int = 0

    def through(self, window: Window, axis: int) -> "_View":
        """The view of a map that a window makes of this one."""
        jump, low, high = self
        before = window.padding[axis] * jump  # both in input pixels
        reach = window.dilation * (window.kernel[axis] - 1) * jump
        return _View(max(1, jump * window.stride // window.up), low - before, high - before + reach)

    def joined(self, other: "_View") -> "_View":
        """The view of both together. Maps that are joined have one size and so one jump, unless borders were cut."""
        return _View(max(self.jump, other.jump), min(self.low, other.low), max(self.high, other.high))


_Views = tuple[_View, ...]


def analyse(architecture: Architecture) -> Analysis:
    """The costs, in one pass over the graph. Raises nothing: an `Architecture` was checked when it was made."""
    graph = KINDS[architecture.data].is_graph
    itself = 0 if graph else 1
    start = (_View(),) * (1 if graph else len(architecture.input_shape) - 1)
    views: dict[str, _Views] = {}
    depths: dict[str, int] = {}
    costs: list[NodeCost] = []
    for node in architecture.nodes:
        name, use, inputs = node.name, node.use, node.inputs
        view = _view(use.window, [views[source] for source in inputs]) if inputs else start
        views[name] = view
        depths[name] = max([depths[source] for source in inputs], default=0) + use.operation.weighted
        seen = max([high - low for _, low, high in view]) + itself
        costs.append(NodeCost(name, use.shape, 0 if node.weights else use.params, use.macs, seen))
    output = architecture.output
    return Analysis(
        params=sum([cost.params for cost in costs]),
        macs=sum([cost.macs for cost in costs]),
        receptive_field=costs[-1].receptive_field,
        output_stride=max(side.jump for side in views[output]),
        depth=depths[output],
        output_shape=architecture.shapes[output],
        nodes=tuple(costs),
        architecture=architecture,
    )


def _view(window: Window | None, inputs: list[_Views]) -> _Views:
    """The view of a node's output, by axis. inputs: those of what it reads; window: None if it changes nothing."""
    views = inputs[0]
    for other in inputs[1:]:
        if other is not views and other != views:
            views = tuple(mine.joined(theirs) for mine, theirs in zip(views, other, strict=True))
    if window is None:
        return views
    if len(set(views)) == len(set(window.kernel)) == len(set(window.padding)) == 1:  # all axes alike: compute one
        return (views[0].through(window, 0),) * len(views)
    return tuple(view.through(window, axis) for axis, view in enumerate(views))
