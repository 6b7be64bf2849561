"""What an architecture costs, exactly, before any tensor exists."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from space.architecture import Architecture
from space.constraint import MEASURES
from space.kinds import KINDS
from space.memory import MIB, peak_memory
from space.operations import OPERATIONS
from space.operations.base import Shape, Window


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeCost:
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
        linear layers read all positions and leave the figure as it stands before them. Of graph data: hops from a
        node that its row can see.
    output_stride: input pixels between two neighbours on the last feature map, on its longer side; 1 for graph data.
    depth: convolutions, message passings and linear layers on the longest path.

    peak_memory_mb, found when it is asked for: MiB (2^20 bytes) that the tensors of one training step take at its peak:
        AdamW in float32 on 128 samples, whatever the job's own batch; `space.memory` says what that is of graph data.
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
            params = {cost.name: cost.params for cost in self.nodes}
            self._peak.append(round(peak_memory(self.architecture, params) / MIB, 3))
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _View:
    """Along one axis: position i of a map sees the input pixels i·jump + low to i·jump + high."""

    jump: int = 1
    low: int = 0
    high: int = 0

    def through(self, window: Window, axis: int) -> "_View":
        """After a window has slid over the map."""
        before = window.padding[axis] * self.jump
        reach = window.dilation * (window.kernel[axis] - 1) * self.jump
        return _View(
            jump=max(1, self.jump * window.stride // window.up), low=self.low - before, high=self.high - before + reach
        )

    def joined(self, other: "_View") -> "_View":
        """What both see together. Maps that meet have one size, so one jump, unless borders were cut unevenly."""
        return _View(jump=max(self.jump, other.jump), low=min(self.low, other.low), high=max(self.high, other.high))


_Views = tuple[_View, ...]


def analyse(architecture: Architecture) -> Analysis:
    """Walk the graph once; the output is its last node. Never fails: an Architecture was checked when it was made."""
    shapes = architecture.shapes
    graph = KINDS[architecture.data].is_graph
    sides = 1 if graph else len(architecture.input_shape) - 1
    views: dict[str, _Views] = {}
    depths: dict[str, int] = {}
    costs: list[NodeCost] = []
    for node in architecture.nodes:
        operation = OPERATIONS[node.op]
        inputs = [shapes[source] for source in node.inputs]
        window = operation.window(node.attrs, inputs) if inputs else None
        views[node.name] = view = _view(window, [views[source] for source in node.inputs], sides)
        depths[node.name] = max((depths[source] for source in node.inputs), default=0) + operation.weighted
        costs.append(
            NodeCost(
                name=node.name,
                shape=shapes[node.name],
                params=0 if node.weights else operation.params(node.attrs, inputs),
                macs=operation.macs(node.attrs, inputs),
                receptive_field=max(side.high - side.low + (not graph) for side in view),
            )
        )
    return Analysis(
        params=sum(cost.params for cost in costs),
        macs=sum(cost.macs for cost in costs),
        receptive_field=costs[-1].receptive_field,
        output_stride=max(side.jump for side in views[architecture.output]),
        depth=depths[architecture.output],
        output_shape=shapes[architecture.output],
        nodes=tuple(costs),
        architecture=architecture,
    )


def _view(window: Window | None, inputs: list[_Views], sides: int) -> _Views:
    if not inputs:
        return (_View(),) * sides
    views = inputs[0]
    for other in inputs[1:]:
        views = tuple(mine.joined(theirs) for mine, theirs in zip(views, other, strict=True))
    if window is None:
        return views
    return tuple(view.through(window, axis) for axis, view in enumerate(views))
