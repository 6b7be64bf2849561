"""The architecture: a frozen graph of operations that knows its shapes and its canonical hash.

Builders use `GraphBuilder`, readers of JSON `Architecture.from_json`; both check every node as it comes, so that an
`Architecture` in hand is one that tensors can flow through.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from archsmith.errors import ImpossibleShape, InvalidArchitecture
from space.canonical import canonical_hash
from space.names import check_name
from space.operations import OPERATIONS
from space.operations.attributes import Misfit
from space.operations.base import Attrs, Shape

SCHEMA_VERSION = "1"
MAX_NODES = 4096
MAX_SIDE = 4096
MAX_CHANNELS = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One operation of the graph.

    name: dotted path ("stages.0.blocks.1.conv"); the tree of paths is the module tree, so a layer's weight is
        `f"{name}.weight"` in the state dict of the built module and of the generated code.
    attrs: complete and in normal form (see `Operation.check`); pairs are tuples.
    inputs: names of the nodes it reads, in order.
    """

    name: str
    op: str
    attrs: Attrs
    inputs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """A network as data: maps a batch (B, C, H, W) to logits (B, classes).

    nodes: in topological order, the first is the input; none is dead.
    output: name of the node that gives the logits.
    input_shape: (C, H, W) of one sample.
    shapes: output shape of every node by name, without the batch.

    Equal when every node is equal, names included; `hash` is equal for all spellings of the same network.
    """

    nodes: tuple[Node, ...]
    output: str
    input_shape: Shape
    classes: int
    shapes: Mapping[str, Shape] = field(repr=False, compare=False)
    _hash: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __hash__(self) -> int:
        return hash(self.hash)

    @property
    def hash(self) -> str:
        """32 hex digits; see `space/canonical.py` for what counts as the same network. Computed once."""
        if not self._hash:
            header = (SCHEMA_VERSION, self.input_shape, self.classes)
            self._hash.append(canonical_hash(self.nodes, self.shapes, self.output, header))
        return self._hash[0]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` is its inverse."""
        return {
            "schema_version": SCHEMA_VERSION,
            "input_shape": list(self.input_shape),
            "classes": self.classes,
            "output": self.output,
            "nodes": [
                {
                    "name": node.name,
                    "op": node.op,
                    "attrs": {k: list(v) if isinstance(v, tuple) else v for k, v in node.attrs.items()},
                    "inputs": list(node.inputs),
                }
                for node in self.nodes
            ],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Architecture":
        """Read what `to_json` wrote, or a person. Dead nodes are dropped. Raises InvalidArchitecture."""
        members = {"schema_version", "input_shape", "classes", "output", "nodes"}
        _members("an architecture", document, members)
        if document["schema_version"] != SCHEMA_VERSION:
            shown = repr(document["schema_version"])[:40]
            raise InvalidArchitecture(f"schema_version must be {SCHEMA_VERSION!r}, got {shown}")
        nodes = document["nodes"]
        if not isinstance(nodes, list) or not 2 <= len(nodes) <= MAX_NODES:
            raise InvalidArchitecture(f"nodes must be a list of 2 to {MAX_NODES} nodes")
        for number, node in enumerate(nodes):
            _check_node(f"node {number}", node)
        first = nodes[0]
        if first["op"] != "input" or first["attrs"] != {} or first["inputs"] != []:
            raise InvalidArchitecture("the first node must be the input, without attributes and inputs")
        builder = GraphBuilder(document["input_shape"], document["classes"], input_name=first["name"])
        for node in nodes[1:]:
            builder.add(node["name"], node["op"], node["attrs"], *node["inputs"])
        if not isinstance(document["output"], str):
            raise InvalidArchitecture("output must be the name of a node")
        return builder.finish(document["output"])


def _check_node(what: str, node: object) -> None:
    """The types of a node's JSON; what they mean is the builder's to check."""
    _members(what, node, {"name", "op", "attrs", "inputs"})
    value = cast("Mapping[str, Any]", node)
    if not isinstance(value["name"], str) or not isinstance(value["op"], str):
        raise InvalidArchitecture(f"{what}: name and op must be words")
    if not isinstance(value["attrs"], dict) or not isinstance(value["inputs"], list):
        raise InvalidArchitecture(f"{what}: attrs must be an object and inputs a list")
    if not all(isinstance(source, str) for source in value["inputs"]):
        raise InvalidArchitecture(f"{what}: inputs must be names of nodes")


def _members(what: str, value: object, names: set[str]) -> None:
    if not isinstance(value, Mapping):
        raise InvalidArchitecture(f"{what} must be an object, got {type(value).__name__}")
    if set(value) != names:
        odd = ", ".join(sorted(str(key)[:40] for key in set(value) ^ names)[:8])
        raise InvalidArchitecture(f"{what} must have exactly {', '.join(sorted(names))}; missing or unknown: {odd}")


class GraphBuilder:
    """Assembles an architecture node by node; shapes are known as nodes are added.

        g = GraphBuilder((3, 32, 32), 10)
        x = g.add("stem.conv", "conv2d", {"out": 16, "kernel": 3}, g.input)
        g.shape(x)  # (16, 32, 32)

    Every error names the node: `ImpossibleShape` where a map has become too small (`place` is the node, `size` the
    (H, W) left), `InvalidArchitecture` for everything else.
    """

    def __init__(self, input_shape: Sequence[int], classes: int, *, input_name: str = "input") -> None:
        limits = (MAX_CHANNELS, MAX_SIDE, MAX_SIDE)
        shape = tuple(input_shape) if isinstance(input_shape, list | tuple) else ()
        if len(shape) != 3 or not all(_size(v) and v <= limit for v, limit in zip(shape, limits, strict=True)):
            raise InvalidArchitecture(f"input_shape must be (C, H, W) of 1 to {limits}, got {str(input_shape)[:60]}")
        if not _size(classes) or classes > MAX_CHANNELS:
            raise InvalidArchitecture(f"classes must be a number from 1 to {MAX_CHANNELS}, got {str(classes)[:60]}")
        self._classes = classes
        self._input_shape = shape
        self._nodes: dict[str, Node] = {}
        self._shapes: dict[str, Shape] = {}
        self._folders: set[str] = set()
        self._place(input_name)
        self._nodes[input_name] = Node(name=input_name, op="input", attrs={}, inputs=())
        self._shapes[input_name] = shape
        self.input = input_name

    def add(self, name: str, op: str, attrs: Mapping[str, object], *inputs: str) -> str:
        """Add a node that reads `inputs`; returns its name. Raises InvalidArchitecture, ImpossibleShape."""
        operation = OPERATIONS.get(op)
        if operation is None or op == "input":
            known = ", ".join(sorted(set(OPERATIONS) - {"input"}))
            raise InvalidArchitecture(f"{name[:60]}: unknown operation {op[:40]!r}, known are {known}")
        self._place(name)
        try:
            shapes = [self._shapes[source] for source in inputs]
        except KeyError as missing:
            raise InvalidArchitecture(f"{name} reads {str(missing)[:60]}, which does not stand before it") from None
        fewest, most = operation.arity
        if not fewest <= len(inputs) <= most:
            law = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise InvalidArchitecture(f"{name}: {op} expects {law} inputs, got {len(inputs)}")
        try:
            checked = operation.check(attrs)
            shape = operation.shape(checked, shapes)
        except Misfit as misfit:
            if misfit.size is not None:
                raise ImpossibleShape(f"{name}: {misfit}", place=name, size=misfit.size) from None
            raise InvalidArchitecture(f"{name}: {misfit}") from None
        self._nodes[name] = Node(name=name, op=op, attrs=checked, inputs=inputs)
        self._shapes[name] = shape
        return name

    def shape(self, name: str) -> Shape:
        """Output shape of a node added before: (C, H, W) or (F,)."""
        return self._shapes[name]

    def finish(self, output: str) -> Architecture:
        """The architecture whose logits are `output`; nodes that do not lead there are dropped."""
        if output not in self._nodes:
            raise InvalidArchitecture(f"output {output[:60]!r} is no node")
        if self._shapes[output] != (self._classes,):
            raise InvalidArchitecture(
                f"{output} must give one value per class, ({self._classes},), got {self._shapes[output]}"
            )
        alive = {output}
        for node in reversed(self._nodes.values()):
            if node.name in alive:
                alive.update(node.inputs)
        if self.input not in alive:
            raise InvalidArchitecture(f"{output} does not depend on the input")
        return Architecture(
            nodes=tuple(node for node in self._nodes.values() if node.name in alive),
            output=output,
            input_shape=self._input_shape,
            classes=self._classes,
            shapes={name: shape for name, shape in self._shapes.items() if name in alive},
        )

    def _place(self, name: object) -> None:
        """Check the name and its place in the tree: no repeats, no node inside a node, no overcrowding."""
        try:
            path = check_name(name)
        except Misfit as misfit:
            raise InvalidArchitecture(str(misfit)) from None
        if path in self._nodes or path in self._folders:
            raise InvalidArchitecture(f"the name {path!r} is taken")
        if len(self._nodes) >= MAX_NODES:
            raise InvalidArchitecture(f"more than {MAX_NODES} nodes")
        folder = path.rpartition(".")[0]
        while folder and folder not in self._folders:
            if folder in self._nodes:
                raise InvalidArchitecture(f"the name {path!r} lies inside the node {folder!r}")
            self._folders.add(folder)
            folder = folder.rpartition(".")[0]


def _size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
