"""What an architecture costs, exactly, before any tensor exists."""

from dataclasses import dataclass

from space.architecture import Architecture
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
        linear layers read all positions and leave the figure as it stands before them.
    depth: convolutions and linear layers on the longest path.
    """

    params: int
    macs: int
    receptive_field: int
    depth: int
    output_shape: Shape
    nodes: tuple[NodeCost, ...]

    @property
    def measures(self) -> dict[str, int]:
        """What constraint expressions may speak of."""
        return {
            "params": self.params,
            "macs": self.macs,
            "receptive_field": self.receptive_field,
            "depth": self.depth,
        }


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
        return _View(jump=self.jump * window.stride, low=self.low - before, high=self.high - before + reach)

    def joined(self, other: "_View") -> "_View":
        """What both see together. Maps that meet have one size, so one jump, unless borders were cut unevenly."""
        return _View(jump=max(self.jump, other.jump), low=min(self.low, other.low), high=max(self.high, other.high))


_Views = tuple[_View, _View]


def analyse(architecture: Architecture) -> Analysis:
    """Walk the graph once; the output is its last node. Never fails: an Architecture was checked when it was made."""
    shapes = architecture.shapes
    views: dict[str, _Views] = {}
    depths: dict[str, int] = {}
    costs: list[NodeCost] = []
    for node in architecture.nodes:
        operation = OPERATIONS[node.op]
        inputs = [shapes[source] for source in node.inputs]
        views[node.name] = view = _view(operation.window(node.attrs), [views[source] for source in node.inputs])
        depths[node.name] = max((depths[source] for source in node.inputs), default=0) + operation.weighted
        costs.append(
            NodeCost(
                name=node.name,
                shape=shapes[node.name],
                params=operation.params(node.attrs, inputs),
                macs=operation.macs(node.attrs, inputs),
                receptive_field=max(axis.high - axis.low + 1 for axis in view),
            )
        )
    return Analysis(
        params=sum(cost.params for cost in costs),
        macs=sum(cost.macs for cost in costs),
        receptive_field=costs[-1].receptive_field,
        depth=depths[architecture.output],
        output_shape=shapes[architecture.output],
        nodes=tuple(costs),
    )


def _view(window: Window | None, inputs: list[_Views]) -> _Views:
    if not inputs:
        return _View(), _View()
    rows, columns = inputs[0]
    for other_rows, other_columns in inputs[1:]:
        rows, columns = rows.joined(other_rows), columns.joined(other_columns)
    if window is None:
        return rows, columns
    return rows.through(window, 0), columns.through(window, 1)
