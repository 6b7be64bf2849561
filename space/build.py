"""The torch builder: an architecture as a trainable module."""

from typing import NamedTuple

from torch import Tensor, nn

from space.architecture import Architecture
from space.operations import OPERATIONS
from space.operations.base import Function, Layer


class _Step(NamedTuple):
    """One node of the forward pass. Values are kept by the number of the node that gives them.

    home, key: the module that holds its layer, and the layer's name there. The layer is looked up at each call, so that
        it may be replaced by a quantised or pruned one. home is None for a function.
    sources: the values it reads. spent: values that no later node reads; they are dropped to save memory.
    """

    home: nn.Module | None
    key: str
    function: Function | None
    sources: tuple[int, ...]
    spent: tuple[int, ...]


class Network(nn.Module):
    """Maps a batch to logits (rows, classes). Its tree of modules is that of the nodes' paths."""

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
        """The logits of a batch, (rows, classes).

        inputs: features (B, C, H, W), (B, C, D, H, W) or (N, F), then the indices of the kind of data: edges (2, E),
        graph (N,), pairs (2, P); see `space.kinds`.
        """
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
    """The module that holds `path`, with the modules above it created where missing, and the last part of the path."""
    *folders, key = path.split(".")
    home = root
    for folder in folders:
        if folder not in home._modules:
            home.add_module(folder, nn.Module())
        home = home.get_submodule(folder)
    return home, key


def build(architecture: Architecture) -> nn.Module:
    """A module with fresh weights, drawn from torch's global generator by the default rules of each layer."""
    return Network(architecture)
