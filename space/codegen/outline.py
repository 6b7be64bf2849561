"""The outline of the generated code: which folders of the module tree become classes, sequences or plain containers.

A folder is *closed* if only one value of its nodes is read outside of it; then it can be called as a whole. Closed
folders whose children stand in a row under the keys 0, 1, 2 … become a *sequence* (nn.Sequential), those with words for
keys a *block* (a class with its own forward). Any other folder, such as a list of parallel branches, is *open*: it only
holds layers, and the scope around it calls them.

Calling closed folders as a whole never makes a cycle. All nodes of such a folder lead to its one output, so every edge
between two units goes from an output earlier in topological order to a later one, and that order of the outputs is the
order of the calls.
"""

from dataclasses import dataclass, replace
from typing import Literal, Union

from space.architecture import Architecture
from space.node import Node
from space.operations import OPERATIONS
from space.operations.base import Layer
from space.sharing import repeat_of

Kind = Literal["layer", "function", "block", "sequence"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """One call in a forward pass.

    path: of the node or folder. inputs, output: the values it reads and returns, each by the node that it comes from.
    node: of a layer or function. scope: of a block. items: of a sequence.
    again: whether it calls the module of an earlier unit once more, weights and all; `path` is that unit's.
    """

    path: str
    kind: Kind
    inputs: tuple[str, ...]
    output: str
    node: Node | None = None
    scope: Union["Scope", None] = None
    items: tuple["Unit", ...] = ()
    again: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """One future class: the values that its forward is given, the calls in order, the value that it returns."""

    path: str
    inputs: tuple[str, ...]
    output: str
    units: tuple[Unit, ...]

    def relative(self, path: str) -> str:
        """A path as seen from here."""
        return path[len(self.path) + 1 :] if self.path else path


@dataclass(frozen=True, kw_only=True, slots=True)
class _Folder:
    """A folder of the module tree. children: by the next part of the path. members: all nodes below it, by name."""

    path: str
    children: dict[str, Union["_Folder", Node]]
    members: dict[str, Node]


def outline(architecture: Architecture) -> Scope:
    """The scope of the whole model."""
    return _Outliner(architecture).root


class _Outliner:
    """place: of a node in topological order. readers: of a node's value. repeats: path of a repeat -> of the first."""

    def __init__(self, architecture: Architecture) -> None:
        self.place = {node.name: number for number, node in enumerate(architecture.nodes)}
        self.readers: dict[str, list[str]] = {node.name: [] for node in architecture.nodes}
        for node in architecture.nodes:
            for source in node.inputs:
                self.readers[source].append(node.name)
        self.repeats: dict[str, str] = {}
        for node in architecture.nodes:
            if node.weights is not None:
                place, owner = repeat_of(node.name, node.weights)
                self.repeats[place] = owner
        root = _Folder(path="", children={}, members={})
        given = tuple(node.name for node in architecture.nodes if node.op in ("input", "index"))
        for node in architecture.nodes[len(given) :]:
            _plant(root, node)
        self.root = Scope(path="", inputs=given, output=architecture.output, units=self._units(root))

    def _inputs(self, folder: _Folder) -> tuple[str, ...]:
        """The values from outside that nodes of the folder read, in the order they are first read."""
        found = [s for node in folder.members.values() for s in node.inputs if s not in folder.members]
        return tuple(dict.fromkeys(found))

    def _outputs(self, folder: _Folder) -> list[str]:
        """The values of the folder's nodes that are read outside of it, or by nobody (the model's output)."""
        return [
            name
            for name in folder.members
            if not self.readers[name] or any(reader not in folder.members for reader in self.readers[name])
        ]

    def _units(self, folder: _Folder) -> tuple[Unit, ...]:
        """The calls of a scope in order; an open folder adds the calls of its children."""
        units: list[Unit] = []
        stack = list(folder.children.values())
        while stack:
            child = stack.pop()
            unit = self._leaf(child) if isinstance(child, Node) else self._closed(child)
            if unit is not None:
                units.append(unit)
            elif isinstance(child, _Folder):
                stack.extend(child.children.values())
        return tuple(sorted(units, key=lambda unit: self.place[unit.output]))

    def _leaf(self, node: Node) -> Unit:
        """A node as one call."""
        kind: Kind = "layer" if isinstance(OPERATIONS[node.op], Layer) else "function"
        path, again = node.weights or node.name, node.weights is not None
        return Unit(path=path, kind=kind, inputs=node.inputs, output=node.name, node=node, again=again)

    def _closed(self, folder: _Folder) -> Unit | None:
        """The folder as one call, or None if it must stay open."""
        unit = self._contracted(folder)
        if unit is None or folder.path not in self.repeats:
            return unit
        return replace(unit, path=self.repeats[folder.path], again=True)

    def _contracted(self, folder: _Folder) -> Unit | None:
        """`_closed`, without a look at repeats. A folder of functions only stays open: it has no module to call."""
        outputs = self._outputs(folder)
        layers = any(isinstance(OPERATIONS[node.op], Layer) for node in folder.members.values())
        if len(outputs) != 1 or not layers:
            return None
        inputs, output = self._inputs(folder), outputs[0]
        if not any(key.isdigit() for key in folder.children):
            scope = Scope(path=folder.path, inputs=inputs, output=output, units=self._units(folder))
            return Unit(path=folder.path, kind="block", inputs=inputs, output=output, scope=scope)
        items = self._row(folder, inputs)
        if items is None or items[-1].output != output:
            return None
        return Unit(path=folder.path, kind="sequence", inputs=inputs, output=output, items=items)

    def _row(self, folder: _Folder, inputs: tuple[str, ...]) -> tuple[Unit, ...] | None:
        """The children 0, 1, 2 … as units, if each reads nothing but the value of the one before; else None."""
        items: list[Unit] = []
        for number in range(len(folder.children)):
            child = folder.children.get(str(number))
            unit = self._leaf(child) if isinstance(child, Node) else self._closed(child) if child else None
            alone = unit is not None and unit.kind != "function" and not unit.again
            if unit is None or not alone or unit.inputs != inputs or len(inputs) != 1:
                return None
            items.append(unit)
            inputs = (unit.output,)
        return tuple(items)


def _plant(root: _Folder, node: Node) -> None:
    """Put a node into the tree of folders, and make the folders of its path."""
    *folders, key = node.name.split(".")
    home = root
    home.members[node.name] = node
    for number, name in enumerate(folders, start=1):
        child = home.children.setdefault(
            name, _Folder(path=".".join(node.name.split(".")[:number]), children={}, members={})
        )
        assert isinstance(child, _Folder)  # noqa: S101 - the builder lets no node lie inside a node
        home = child
        home.members[node.name] = node
    home.children[key] = node
