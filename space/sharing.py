"""Layers that several nodes share: repeats of a part of the module tree that are calls of one module."""

from collections.abc import Mapping

from archsmith.errors import InvalidArchitecture
from space.node import Node
from space.operations.base import Layer


def repeat_of(name: str, owner: str) -> tuple[str, str]:
    """The repeats that hold a layer and the owner of its weights: both paths up to the first part that differs.

    "stages.0.blocks.2.conv" and "stages.0.blocks.0.conv" are in "stages.0.blocks.2" and "stages.0.blocks.0".
    """
    mine, theirs = name.split("."), owner.split(".")
    end = 1 + next(i for i, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b)
    return ".".join(mine[:end]), ".".join(theirs[:end])


def check_sharing(node: Node, owner: Node | None) -> None:
    """Check that a layer may use the weights of another: the same layer, in a repeat beside it.

    owner: None if there is no node of that name. Raises InvalidArchitecture.
    """
    if owner is None or owner.weights is not None or not isinstance(node.use.operation, Layer):
        wanted = str(node.weights)[:60]
        raise InvalidArchitecture(f"{node.name} cannot use the weights of {wanted!r}: there is no such layer before it")
    parts = list(zip(node.name.split("."), owner.name.split("."), strict=False))
    numbers = [mine.isdigit() and theirs.isdigit() for mine, theirs in parts if mine != theirs]
    same = (node.use.text, node.use.inputs) == (owner.use.text, owner.use.inputs)
    if numbers != [True] or node.name.count(".") != owner.name.count(".") or not same:
        rule = "only repeats of one layer beside each other, of the same kind and shapes, can share weights"
        raise InvalidArchitecture(f"{node.name} cannot use the weights of {owner.name}: {rule}")


def check_repeats(nodes: Mapping[str, Node]) -> None:
    """Check that a repeat shares the weights of all its layers or of none, so that it is one call of one module.

    nodes: of the whole graph, by name. Raises InvalidArchitecture.
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
    """How many nodes below a path are read by nodes outside of it."""
    inside = {name for name in nodes if name.startswith(f"{place}.")}
    read = {source for name, node in nodes.items() if name not in inside for source in node.inputs}
    return len(inside & read)
