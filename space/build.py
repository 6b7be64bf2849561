"""The torch builder: an architecture as a module that trains."""

from typing import NamedTuple

from torch import Tensor, nn

from space.architecture import Architecture
from space.operations import OPERATIONS
from space.operations.base import Function, Layer


class _Step(NamedTuple):
    """One node of the forward pass. Values are kept by the node's number.

    home, key: where its layer stands in the tree (looked up at each call, so that a layer may be swapped for a
        quantised or pruned one); home is None for a function.
    spent: values that nobody reads afterwards, dropped to keep memory low.
    """

    home: nn.Module | None
    key: str
    function: Function | None
    sources: tuple[int, ...]
    spent: tuple[int, ...]


class Network(nn.Module):
    """Maps a batch to logits (rows, classes). Layers stand in the tree that the nodes' paths draw."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        nodes = architecture.nodes
        numbers = {node.name: number for number, node in enumerate(nodes)}
        last_read = {numbers[source]: number for number, node in enumerate(nodes) for source in node.inputs}
        self._inputs = sum(node.op in ("input", "index") for node in nodes)
        self._steps: list[_Step] = []
        for number, node in enumerate(nodes[self._inputs :], start=self._inputs):
            operation = OPERATIONS[node.op]
            sources = tuple(numbers[source] for source in node.inputs)
            home, key = None, ""
            if isinstance(operation, Layer):
                home, key = _folder(self, node.weights or node.name)
                if node.weights is None:
                    shapes = [architecture.shapes[source] for source in node.inputs]
                    home.add_module(key, operation.module(node.attrs, shapes))
            function = operation if isinstance(operation, Function) else None
            spent = tuple({source for source in sources if last_read[source] == number})
            self._steps.append(_Step(home, key, function, sources, spent))

    def forward(self, *inputs: Tensor) -> Tensor:
        """The features, then the indices of the kind of data (see `space.kinds`) -> (rows, classes)."""
        values = dict(enumerate(inputs))
        number = self._inputs - 1
        for number, step in enumerate(self._steps, start=self._inputs):  # the last one is the output
            if step.home is not None:
                values[number] = step.home.get_submodule(step.key)(*(values[source] for source in step.sources))
            elif step.function is not None:
                values[number] = step.function.apply([values[source] for source in step.sources])
            for source in step.spent:
                del values[source]
        return values[number]


def _folder(root: nn.Module, path: str) -> tuple[nn.Module, str]:
    """The module that holds `path`, made if need be, and the last part of the path."""
    *folders, key = path.split(".")
    home = root
    for folder in folders:
        if folder not in home._modules:
            home.add_module(folder, nn.Module())
        home = home.get_submodule(folder)
    return home, key


def build(architecture: Architecture) -> nn.Module:
    """A module with fresh weights, drawn by torch's default rules from the global generator."""
    return Network(architecture)
