"""Names of the generated code's classes, as a person would give them: ConvBNReLU, SqueezeExcite, ResidualBlock, Stage2.

A class is named after the first of these that applies: the block it is, if the field has a name for it; the layers it
is a row of; the place where it stands, with an adjective for the kind of block.
"""

import re
from collections.abc import Sequence

from space.codegen.classes import Blueprint, Construct

RESERVED = {"Model", "Tensor", "None", "True", "False"}
SHORT = {"BatchNorm": "BN", "GroupNorm": "GN", "AdaptiveAvgPool": "Pool"}
CONVOLUTIONS = ("nn.Conv1d", "nn.Conv2d", "nn.Conv3d", "nn.ConvTranspose2d", "GCNConv", "GATConv")
PLACES = re.compile(r"first|second|before|last|edge\d+_\d+|node\d+")
"""Words that say where something stands in a cell, not what it is."""

FIELD: dict[str, set[str]] = {
    "SqueezeExcite": {"pool", "reduce", "expand", "gate"},
    "ShuffleUnit": {"shuffle", "depthwise", "expand"},
    "InvertedResidual": {"depthwise", "project"},
    "Cell": {"before", "last"},
    "DecoderStep": {"enlarge"},
}
"""Blocks that the field has a name for -> the members they are recognised by."""

KINDS_OF_BLOCKS: dict[str, set[str]] = {
    "Highway": {"transform", "gate"},
    "Dense": {"layers", "transition"},
    "NonLocal": {"value", "attend"},
    "Bottleneck": {"reduce", "middle", "expand"},
}
"""Adjectives for the name of a block -> the members it is recognised by."""


def name_classes(classes: Sequence[Blueprint], taken: set[str]) -> None:
    """Set the name of each class, with a number where several would have the same. taken: other names in the file.

    The numbers are those of the places (Stage0, Stage1) where each class stands at one numbered place, else 1, 2, 3 …
    """
    hints: list[str] = []
    for blueprint in classes:  # a class comes after those it uses, whose names its own may be made of
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
    """The name of a class before numbers."""
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
    """The name of a short row of layers, made of theirs (ConvBNReLU); "" for anything else.

    anonymous: the place where it stands does not say what it is.
    """
    scope = blueprint.instances[0]
    calls = [inner for _, inner in blueprint.members if isinstance(inner, Construct)]
    if not len(calls) == len(blueprint.members) == len(scope.units):
        return ""
    words = [call.target if isinstance(call.target, str) else call.target.name for call in calls]
    if anonymous and "depthwise" in {key for key, _ in blueprint.members}:
        return "SeparableConv"
    if anonymous and len(words) > 1 and len(set(words)) == 1 and not isinstance(calls[0].target, str):
        return f"{words[0]}Twice" if len(words) == 2 else ""
    plain = all(isinstance(call.target, str) for call in calls)
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
    """What kind of block a class is, such as Residual, Branching, Separable or SAGE; "" if nothing tells."""
    scope = blueprint.instances[0]
    keys = {key for key, _ in blueprint.members}
    if "neighbours" in keys:
        return "SAGE" if "message" in keys else "GIN"
    for kind, members in KINDS_OF_BLOCKS.items():
        if members <= keys:
            return kind
    joins = [unit for unit in scope.units if unit.kind == "function"]
    if joins:  # a join that reads what came into the class, or a projection of it, is the end of a shortcut
        skips = any(source in scope.inputs for unit in joins for source in unit.inputs)
        return "Residual" if skips or keys & {"shortcut", "skip", "projection"} else "Branching"
    return "Separable" if "depthwise" in keys else ""
