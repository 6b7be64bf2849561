"""Layers that several nodes share: repeats of one part of the module tree that are calls of one module."""

from collections.abc import Mapping

from archsmith.errors import InvalidArchitecture
from space.node import Node
from space.operations.base import Layer


def repeat_of(name: str, owner: str) -> tuple[str, str]:
    """The two repeats that a layer and the one whose weights it uses stand in: the paths up to where they differ."""
    mine, theirs = name.split("."), owner.split(".")
    end = 1 + next(i for i, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b)
    return ".".join(mine[:end]), ".".join(theirs[:end])


def check_sharing(node: Node, owner: Node | None) -> None:
    """A layer may use another's weights when it stands in a repeat beside it and is the same layer.

    Raises InvalidArchitecture.
    """
    if owner is None or owner.weights is not None or not isinstance(node.use.operation, Layer):
        raise InvalidArchitecture(f"{node.name} cannot use the weights of {str(node.weights)[:60]!r}, no such layer")
    parts = list(zip(node.name.split("."), owner.name.split("."), strict=False))
    numbers = [mine.isdigit() and theirs.isdigit() for mine, theirs in parts if mine != theirs]
    same = (node.use.text, node.use.inputs) == (owner.use.text, owner.use.inputs)
    if numbers != [True] or node.name.count(".") != owner.name.count(".") or not same:
        rule = "only repeats of one layer beside each other, of the same kind and shapes, can share weights"
        raise InvalidArchitecture(f"{node.name} cannot use the weights of {owner.name}: {rule}")


def check_repeats(nodes: Mapping[str, Node]) -> None:
    """A repeat shares the weights of all its layers or of none, so that it is one call of one module.

    Raises InvalidArchitecture.
    """
    repeats = {repeat_of(node.name, node.weights) for node in nodes.values() if node.weights is not None}
    layers = [node for node in nodes.values() if isinstance(node.use.operation, Layer)] if repeats else []
    for place, owner in repeats:
        mine, theirs = ([node for node in layers if node.name.startswith(f"{part}.")] for part in (place, owner))
        one_owner = len({other for part, other in repeats if part == place}) == 1
        alike = len(mine) == len(theirs) and all(node.weights is not None for node in mine)
        if not one_owner or not alike or {_exits(nodes, part) for part in (place, owner)} != {1}:
            raise InvalidArchitecture(f"{place} must share the weights of all layers of one repeat, or of none")


def _exits(nodes: Mapping[str, Node], place: str) -> int:
    """How many values the nodes below a path hand out to others."""
    inside = {name for name in nodes if name.startswith(f"{place}.")}
    read = {source for name, node in nodes.items() if name not in inside for source in node.inputs}
    return len(inside & read)
