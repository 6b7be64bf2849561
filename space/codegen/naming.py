"""Names of the generated code's classes, as a person would give them: ConvBNReLU, SqueezeExcite, ResidualBlock, Stage2.

A class is called, in this order, after what it is (a block that has a name in the field), what it is a row of, or the
place where it stands with an adjective for what it does there.
"""

import re
from collections.abc import Sequence

from space.codegen.classes import Blueprint, Made

RESERVED = {"Model", "Tensor", "None", "True", "False"}
SHORT = {"BatchNorm": "BN", "GroupNorm": "GN", "AdaptiveAvgPool": "Pool"}
CONVOLUTIONS = ("nn.Conv2d", "nn.Conv3d", "GCNConv", "GATConv")
PLACES = re.compile(r"first|second|before|last|edge\d+_\d+|node\d+")
"""Words that say where something stands in a cell, and nothing of what it is."""

FIELD: dict[str, set[str]] = {
    "SqueezeExcite": {"pool", "reduce", "expand", "gate"},
    "ShuffleUnit": {"shuffle", "depthwise", "expand"},
    "InvertedResidual": {"depthwise", "project"},
    "Cell": {"before", "last"},
}
"""Blocks that the field has a name for, by members that tell them."""

KINDS_OF_BLOCKS: dict[str, set[str]] = {
    "Highway": {"transform", "gate"},
    "Dense": {"layers", "transition"},
    "NonLocal": {"value", "attend"},
    "Bottleneck": {"reduce", "middle", "expand"},
}
"""Members that tell what a block is."""


def name_classes(classes: Sequence[Blueprint], taken: set[str]) -> None:
    """Give each its name, those that are called alike a number as well. taken: the other classes of the file."""
    hints: list[str] = []
    for blueprint in classes:  # each after those it uses, whose hints it may go by
        blueprint.name = _hint(blueprint)
        hints.append(blueprint.name)
    for hint in dict.fromkeys(hints):
        alike = [blueprint for blueprint, other in zip(classes, hints, strict=True) if other == hint]
        own = [blueprint.instances[0].path.rpartition(".")[2] for blueprint in alike]
        single = all(len(blueprint.instances) == 1 for blueprint in alike)
        if not (single and len(set(own)) == len(own) and all(key.isdigit() for key in own)):
            own = [str(number) for number in range(1, len(alike) + 1)]
        for blueprint, number in zip(alike, own, strict=True):
            blueprint.name = hint if len(alike) == 1 else f"{hint}{number}"
            while blueprint.name in taken:
                blueprint.name += "_"
            taken.add(blueprint.name)


def _hint(blueprint: Blueprint) -> str:
    scope = blueprint.instances[0]
    if not scope.path:
        return "Model"
    *folders, word = scope.path.split(".")
    keys = {key for key, _ in blueprint.members}
    if word != "head":
        for name, members in FIELD.items():
            if members <= keys:
                return name
        if row := _row(blueprint, anonymous=bool(PLACES.fullmatch(word))):
            return row
    if any(key.startswith("edge") for key in keys):
        return "Cell"
    if word.isdigit():
        word = singular(next(folder for folder in reversed(folders) if not folder.isdigit()))
    elif re.fullmatch(r"node\d+", word):
        return "Node"
    name = _adjective(blueprint) + "".join(part.capitalize() for part in word.split("_"))
    return f"{name}Part" if name in RESERVED else name


def _row(blueprint: Blueprint, *, anonymous: bool) -> str:
    """A short row of layers by what they are, "" for anything else. anonymous: its place has no word of its own."""
    scope = blueprint.instances[0]
    made = [inner for _, inner in blueprint.members if isinstance(inner, Made)]
    if not len(made) == len(blueprint.members) == len(scope.units):
        return ""
    words = [one.target if isinstance(one.target, str) else one.target.name for one in made]
    if anonymous and "depthwise" in {key for key, _ in blueprint.members}:
        return "SeparableConv"
    if anonymous and len(words) > 1 and len(set(words)) == 1 and not isinstance(made[0].target, str):
        return f"{words[0]}Twice" if len(words) == 2 else ""
    plain = all(isinstance(one.target, str) for one in made)
    if not plain or not (anonymous or (words[0] in CONVOLUTIONS and len(words) <= 3)):
        return ""
    return "".join(SHORT.get(word, word.removesuffix("Conv") or word) for word in map(_bare, words))


def _bare(target: str) -> str:
    """nn.BatchNorm2d -> BatchNorm."""
    return target.removeprefix("nn.").rstrip("123d") if target.startswith("nn.") else target


def singular(word: str) -> str:
    """branches -> branch, blocks -> block."""
    return word.removesuffix("es") if word.endswith("ches") else word.removesuffix("s") or word


def _adjective(blueprint: Blueprint) -> str:
    """What kind of block it is: residual, branching, separable, of a graph, or nothing in particular."""
    scope = blueprint.instances[0]
    keys = {key for key, _ in blueprint.members}
    if "neighbours" in keys:
        return "SAGE" if "message" in keys else "GIN"
    for kind, members in KINDS_OF_BLOCKS.items():
        if members <= keys:
            return kind
    joins = [unit for unit in scope.units if unit.kind == "function"]
    if joins:
        skips = any(source in scope.inputs for unit in joins for source in unit.inputs)
        return "Residual" if skips or keys & {"shortcut", "skip", "projection"} else "Branching"
    return "Separable" if "depthwise" in keys else ""
