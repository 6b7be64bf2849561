"""What an architecture costs, exactly, before any tensor exists."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from space.architecture import Architecture
from space.constraint import MEASURES
from space.kinds import KINDS
from space.operations.base import Shape, Window
from space.peak_memory import MIB, peak_memory


class NodeCost(NamedTuple):
    """One node's part. shape: of its output, without the batch. See Analysis for the units."""

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
    receptive_field: side in input pixels of the square that one position of the last feature map can see, on an input
        without edges (so it may exceed the input); the longer side if it is no square. Global pooling, flatten and
        linear layers read all positions and leave the figure as it stands before them. Behind a resize positions see
        different widths, and the figure may be off by one position of the smaller map. Of graph data: hops from a node
        that its row can see.
    output_stride: input pixels between two neighbours on the last feature map, on its longer side; 1 for graph data.
    depth: convolutions, message passings and linear layers on the longest path.

    peak_memory_mb, found when it is asked for: MiB (2^20 bytes) that the tensors of one training step take at its peak:
        AdamW in float32 on 128 samples, whatever the job's own batch; `space.peak_memory` says what that is of graph
        data.
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
        """What constraint expressions may speak of."""
        return Measures(self)


class Measures(Mapping[str, float]):
    """An analysis by the names of `MEASURES`; what nobody looks at costs nothing."""

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
    """Along one axis: position i of a map sees the input pixels i·jump + low to i·jump + high."""

    jump: int = 1
    low: int = 0
    high: int = 0

    def through(self, window: Window, axis: int) -> "_View":
        """After a window has slid over the map."""
        jump, low, high = self
        before = window.padding[axis] * jump
        reach = window.dilation * (window.kernel[axis] - 1) * jump
        return _View(max(1, jump * window.stride // window.up), low - before, high - before + reach)

    def joined(self, other: "_View") -> "_View":
        """What both see together. Maps that meet have one size, so one jump, unless borders were cut unevenly."""
        return _View(max(self.jump, other.jump), min(self.low, other.low), max(self.high, other.high))


_Views = tuple[_View, ...]


def analyse(architecture: Architecture) -> Analysis:
    """Walk the graph once; the output is its last node. Never fails: an Architecture was checked when it was made."""
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
    views = inputs[0]
    for other in inputs[1:]:
        if other is not views and other != views:
            views = tuple(mine.joined(theirs) for mine, theirs in zip(views, other, strict=True))
    if window is None:
        return views
    if len(set(views)) == len(set(window.kernel)) == len(set(window.padding)) == 1:
        return (views[0].through(window, 0),) * len(views)
    return tuple(view.through(window, axis) for axis, view in enumerate(views))
