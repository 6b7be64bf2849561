"""The architecture: a frozen graph of operations that knows its shapes and its canonical hash.

`GraphBuilder` builds one node by node, `Architecture.from_json` reads one; both check every node as it is added, so
tensors can flow through any `Architecture` there is.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from archsmith.errors import ImpossibleShape, InvalidArchitecture
from space.canonical import canonical_hash
from space.kinds import KINDS, MAX_CHANNELS, Kind, kind_of
from space.node import Node, node_of
from space.node_names import check_name
from space.operations import OPERATIONS
from space.operations.attributes import Misfit
from space.operations.base import Layer, Operation, Shape
from space.operations.use import use
from space.sharing import check_repeats, check_sharing
from space.simplify import without_zeros

SCHEMA_VERSION = "2"
MAX_NODES = 4096
TRAINING: dict[str, type | tuple[type, ...]] = {
    "optimizer": str,
    "learning_rate": (int, float),
    "weight_decay": (int, float),
    "augment": (int, float),
    "label_smoothing": (int, float),
}
"""The decisions about its training that an architecture may carry, with their types."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """A network as data. It maps a batch to logits: a row of `classes` for each sample, node, graph or pair; for
    segmentation a map (classes, H, W) for each sample.

    data: the kind of data it reads, a name of `space.kinds.KINDS`, which also gives the arguments of the network.
    nodes: in topological order: the input, the indices of the kind of data, then the others, none of them dead.
    output: name of the node that gives the logits.
    input_shape: of one sample: (C, H, W), (C, D, H, W), or (F,) for each node of a graph.
    shapes: output shape of every node by name, without the batch.
    training: what the space decided about the training of this network, by the names of `TRAINING`; often empty.

    Two are equal if every node is equal, names included; `hash` is equal for all spellings of the same network.
    """

    nodes: tuple[Node, ...]
    output: str
    input_shape: Shape
    classes: int
    data: str = "image"
    training: Mapping[str, float | str] = field(default_factory=dict)
    shapes: Mapping[str, Shape] = field(repr=False, compare=False)
    _hash: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __hash__(self) -> int:
        return hash(self.hash)

    @property
    def hash(self) -> str:
        """32 hex digits, computed once; `space/canonical.py` says which networks count as the same."""
        if not self._hash:
            header = (SCHEMA_VERSION, self.data, self.input_shape, self.classes, sorted(self.training.items()))
            self._hash.append(canonical_hash(self.nodes, self.output, header))
        return self._hash[0]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` is its inverse."""
        return {
            "schema_version": SCHEMA_VERSION,
            "data": self.data,
            "input_shape": list(self.input_shape),
            "classes": self.classes,
            "output": self.output,
            "training": dict(self.training),
            "nodes": [
                {
                    "name": node.name,
                    "op": node.op,
                    "attrs": {k: list(v) if isinstance(v, tuple) else v for k, v in node.attrs.items()},
                    "inputs": list(node.inputs),
                    **({"weights": node.weights} if node.weights else {}),
                }
                for node in self.nodes
            ],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Architecture":
        """The architecture of a JSON document, written by `to_json` or by hand. Dead nodes are dropped.

        Raises InvalidArchitecture, which names the node or the member that is wrong, and ImpossibleShape.
        """
        members = {"schema_version", "data", "input_shape", "classes", "output", "training", "nodes"}
        _members("an architecture", document, members)
        if document["schema_version"] != SCHEMA_VERSION:
            shown = repr(document["schema_version"])[:40]
            raise InvalidArchitecture(f"schema_version must be {SCHEMA_VERSION!r}, got {shown}")
        nodes = document["nodes"]
        if not isinstance(nodes, list) or not 2 <= len(nodes) <= MAX_NODES:
            raise InvalidArchitecture(f"nodes must be a list of 2 to {MAX_NODES} nodes")
        for number, node in enumerate(nodes):
            _check_node(f"node {number}", node)
        if document["data"] is None:  # for the builder None means: by the shape
            raise InvalidArchitecture(f"data must be one of {', '.join(KINDS)}, got None")
        if not isinstance(document["training"], dict):
            raise InvalidArchitecture("training must be an object")
        builder = GraphBuilder(document["input_shape"], document["classes"], data=document["data"])
        own = builder.rename([node["name"] for node in nodes])
        for node, expected in zip(nodes, own, strict=False):
            if (node["op"], node["attrs"], node["inputs"]) != (expected.op, dict(expected.attrs), []):
                rule = "the first nodes must be the input and the indices of its data"
                raise InvalidArchitecture(f"{rule}; {expected.name} must be {expected.op} {dict(expected.attrs)}")
        for node in nodes[len(own) :]:
            builder.add(node["name"], node["op"], node["attrs"], *node["inputs"], weights=node.get("weights"))
        if not isinstance(document["output"], str):
            raise InvalidArchitecture("output must be the name of a node")
        return builder.finish(document["output"], training=document["training"])


def _check_node(what: str, node: object) -> None:
    """Check the types in the JSON of a node; the builder checks the rest. what: the node, for messages."""
    _members(what, node, {"name", "op", "attrs", "inputs"}, optional={"weights"})
    value = cast("Mapping[str, Any]", node)
    if not isinstance(value["name"], str) or not isinstance(value["op"], str):
        raise InvalidArchitecture(f"{what}: name and op must be strings")
    if not isinstance(value["attrs"], dict) or not isinstance(value["inputs"], list):
        raise InvalidArchitecture(f"{what}: attrs must be an object and inputs a list")
    if not all(isinstance(source, str) for source in (*value["inputs"], value.get("weights", ""))):
        raise InvalidArchitecture(f"{what}: inputs and weights must be names of nodes")


def _members(what: str, value: object, names: set[str], optional: frozenset[str] | set[str] = frozenset()) -> None:
    """Check that a value is an object with all members of `names` and no others but `optional` ones."""
    if not isinstance(value, Mapping):
        raise InvalidArchitecture(f"{what} must be an object, got {type(value).__name__}")
    if set(value) - optional != names:
        odd = ", ".join(sorted(str(key)[:40] for key in (set(value) - optional) ^ names)[:8])
        raise InvalidArchitecture(f"{what} must have exactly {', '.join(sorted(names))}; missing or unknown: {odd}")


class GraphBuilder:
    """Builds an architecture node by node; shapes are known as nodes are added.

        g = GraphBuilder((3, 32, 32), 10)
        x = g.add("stem.conv", "conv2d", {"out": 16, "kernel": 3}, g.input)
        g.shape(x)  # (16, 32, 32)

    Every error names the node. `ImpossibleShape`: a map has become too small (`place` is the node, `size` the sides
    that are left). `InvalidArchitecture`: everything else.
    """

    def __init__(self, input_shape: Sequence[int], classes: int, *, data: str | None = None) -> None:
        """data: the kind of data; None for images, volumes and series, which the shape tells apart.

        Raises InvalidArchitecture if the shape does not fit the kind, or the number of classes is out of range.
        """
        shape = tuple(input_shape) if isinstance(input_shape, list | tuple) else ()
        self.kind = _kind(kind_of(shape) or "image" if data is None else data, shape)
        if not _size(classes) or classes > MAX_CHANNELS:
            raise InvalidArchitecture(f"classes must be a number from 1 to {MAX_CHANNELS}, got {str(classes)[:60]}")
        self._classes = classes
        self._input_shape = shape
        self._nodes: dict[str, Node] = {}
        self._rows: dict[str, str] = {}
        self._folders: set[str] = set()
        self._shared: tuple[str, str] | None = None
        self.rename(["input", *self.kind.indices])

    def rename(self, names: Sequence[str]) -> tuple[Node, ...]:
        """Rename the nodes that every graph begins with, the input and the indices, before others are added.

        Returns those nodes. Raises InvalidArchitecture.
        """
        self._nodes.clear()
        self._folders.clear()
        for name, of in zip(names, ("", *self.kind.indices), strict=False):
            self._place(name)
            made = (OPERATIONS["index"], {"of": of}, ()) if of else (OPERATIONS["input"], {}, (self._input_shape,))
            self._nodes[name] = node_of(name, use(*made), ())
            self._rows[name] = of or ("node" if self.kind.is_graph else "sample")
        own = tuple(self._nodes.values())
        if len(own) != 1 + len(self.kind.indices):
            wanted = ", ".join(("input", *self.kind.indices))
            raise InvalidArchitecture(f"data of the kind {self.kind.name} needs the nodes {wanted}")
        self.input = own[0].name
        self._indices = {str(node.attrs["of"]): node.name for node in own[1:]}
        return own

    def index(self, of: str) -> str:
        """The node of an index: "edges", "graph" or "pairs". Raises InvalidArchitecture if the data has none."""
        if of not in self._indices:
            raise InvalidArchitecture(f"data of the kind {self.kind.name} has no index {of}")
        return self._indices[of]

    @contextmanager
    def sharing(self, place: str, owner: str) -> Iterator[None]:
        """A context in which layers added below `place` use the weights of the layers of the same names below `owner`.

        `add` raises InvalidArchitecture if there is no such layer, or if it differs in operation or shapes.
        """
        self._shared = (place, owner)
        try:
            yield
        finally:
            self._shared = None

    def add(self, name: str, op: str, attrs: Mapping[str, object], *inputs: str, weights: str | None = None) -> str:
        """Add a node that reads `inputs`; returns its name. Raises InvalidArchitecture, ImpossibleShape.

        The indices that an operation reads are added to the inputs where they are left out. weights: see `Node`.
        """
        operation = self._operation(name, op)
        self._place(name)
        fewest, most = operation.arity
        if operation.indices and len(inputs) < fewest:
            inputs = (*inputs, *(self.index(of) for of in operation.indices))
        try:
            shapes = tuple([self._nodes[source].use.shape for source in inputs])
        except KeyError as missing:
            raise InvalidArchitecture(f"{name} reads {str(missing)[:60]}, which is not a node before it") from None
        if not fewest <= len(inputs) <= most:
            count = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise InvalidArchitecture(f"{name}: {op} expects {count} inputs, got {len(inputs)}")
        try:
            rows = self._rows_of(operation, inputs)
            made = use(operation, attrs, shapes)
        except Misfit as misfit:
            if misfit.size is not None:
                raise ImpossibleShape(f"{name}: {misfit}", place=name, size=misfit.size) from None
            raise InvalidArchitecture(f"{name}: {misfit}") from None
        if self._shared and isinstance(operation, Layer) and name.startswith(f"{self._shared[0]}."):
            weights = self._shared[1] + name[len(self._shared[0]) :]
        node = node_of(name, made, inputs, weights)
        if weights is not None:
            check_sharing(node, self._nodes.get(str(weights)))
        self._nodes[name] = node
        self._rows[name] = rows
        return name

    def _operation(self, name: str, op: str) -> Operation:
        operation = OPERATIONS.get(op)
        if operation is None or op in ("input", "index"):
            known = ", ".join(sorted(set(OPERATIONS) - {"input", "index"}))
            detail = OPERATIONS.missing(op) or f"known are {known}"
            raise InvalidArchitecture(f"{name[:60]}: unknown operation {op[:40]!r}, {detail[:2000]}")
        return operation

    def _rows_of(self, operation: Operation, inputs: Sequence[str]) -> str:
        """What a row of the output is: a sample, node, graph or pair.

        Raises Misfit if the rows of the inputs differ, or if the indices that the operation reads do not come last.
        """
        if not operation.indices and (len(inputs) == 1 or len({self._rows[source] for source in inputs}) == 1):
            return operation.rows or self._rows[inputs[0]]
        features = inputs[: len(inputs) - len(operation.indices)]
        read = [self._rows[source] for source in inputs[len(features) :]]
        if read != list(operation.indices):
            raise Misfit(f"{operation.name} reads the indices {', '.join(operation.indices)} last, got {read}")
        rows = {self._rows[source] for source in features}
        if len(rows) > 1:
            raise Misfit(f"{operation.name} reads rows of different kinds: {', '.join(sorted(rows))}")
        given = rows.pop()
        if operation.indices and given != "node":
            raise Misfit(f"{operation.name} reads nodes of a graph, got rows of {given}")
        return operation.rows or given

    def shape(self, name: str) -> Shape:
        """Output shape of a node added before, without the batch: (C, sides), (F,) for a vector, () for an index."""
        return self._nodes[name].use.shape

    def finish(
        self, output: str, *, training: Mapping[str, float | str] | None = None, drop: bool = False
    ) -> Architecture:
        """The architecture whose logits are `output`; nodes that the output does not depend on are dropped.

        training: see `Architecture`. drop: also drop operations on zeros (see `space.simplify`), unless repeats share
        weights, because all repeats must then have the same layers. Raises InvalidArchitecture.
        """
        self._check_output(output)
        nodes = list(self._nodes.values())
        if drop and not any(node.weights for node in nodes):
            nodes, output = without_zeros(nodes, output)
        alive = {output}
        for node in reversed(nodes):
            if node.name in alive:
                alive.update(node.inputs)
        if self.input not in alive:
            raise InvalidArchitecture(f"{output} does not depend on the input")
        alive.update(self._indices.values())
        kept = {node.name: node for node in nodes if node.name in alive}
        check_repeats(kept)
        return Architecture(
            data=self.kind.name,
            training=_training({} if training is None else training),
            nodes=tuple(kept.values()),
            output=output,
            input_shape=self._input_shape,
            classes=self._classes,
            shapes={name: node.use.shape for name, node in kept.items()},
        )

    def _check_output(self, output: str) -> None:
        if output not in self._nodes:
            raise InvalidArchitecture(f"output {output[:60]!r} is not a node")
        shape = self.kind.logits(self._input_shape, self._classes)
        if self.shape(output) != shape:
            wanted = f"one value per class{' and pixel' if self.kind.dense else ''}, {shape}"
            raise InvalidArchitecture(f"{output} must give {wanted}, got {self.shape(output)}")
        if self._rows[output] != ("sample" if self.kind.dense else self.kind.rows):
            wanted = f"a row per {self.kind.rows}"
            raise InvalidArchitecture(f"{output} must give {wanted}, got one per {self._rows[output]}")

    def _place(self, name: str) -> None:
        """Check a new name: well formed, not taken, not inside another node; and that there are not too many nodes."""
        try:
            folders = check_name(name)
        except Misfit as misfit:
            raise InvalidArchitecture(str(misfit)) from None
        if name in self._nodes or name in self._folders:
            raise InvalidArchitecture(f"the name {name!r} is taken")
        if len(self._nodes) >= MAX_NODES:
            raise InvalidArchitecture(f"an architecture has at most {MAX_NODES} nodes; {name!r} would be one more")
        for folder in folders:
            if folder in self._folders:
                break
            if folder in self._nodes:
                raise InvalidArchitecture(f"the name {name!r} lies inside the node {folder!r}")
            self._folders.add(folder)


def _kind(data: object, shape: Shape) -> Kind:
    kind = KINDS.get(data) if isinstance(data, str) else None
    if kind is None:
        raise InvalidArchitecture(f"data must be one of {', '.join(KINDS)}, got {str(data)[:60]}")
    fits = len(shape) == len(kind.limits) and all(
        _size(length) and length <= limit for length, limit in zip(shape, kind.limits, strict=True)
    )
    if not fits:
        wanted = f"({', '.join(kind.axes)}) of 1 to {kind.limits}"
        raise InvalidArchitecture(f"input_shape must be {wanted}, got {str(shape)[:60]}")
    return kind


def _training(given: object) -> dict[str, float | str]:
    if not isinstance(given, Mapping):
        raise InvalidArchitecture("training must be an object")
    for name, value in given.items():
        if name not in TRAINING or isinstance(value, bool) or not isinstance(value, TRAINING[name]):
            known = ", ".join(TRAINING)
            raise InvalidArchitecture(f"training has no {str(name)[:40]!r} of {str(value)[:40]}; known are {known}")
    return {name: given[name] for name in TRAINING if name in given}


def _size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
