"""From the answers on a decision path to the architecture: stage by stage, then the head."""

from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from typing import cast

from space.architecture import Architecture, GraphBuilder
from space.blocks import BLOCKS
from space.blocks.base import Style, project
from space.decision import Option
from space.document.fields import TRAINING_FIELDS, scaled
from space.document.values import SpaceDocument, Stage
from space.head import grow_head
from space.operations.base import Shape
from space.pools import POOLS, pool
from space.scales import passed

Answers = Mapping[str, Option]


def grow(document: SpaceDocument, answers: Answers, data: str, input_shape: Shape, classes: int) -> Architecture:
    """The architecture of one decision path. answers: of all decisions on it, fixed ones too.

    Raises InvalidArchitecture or ImpossibleShape if a plugin's block does not fit.
    """
    g = GraphBuilder(input_shape, classes, data=data)
    x = g.input
    if answers["input_dropout"]:
        x = g.add("input_dropout", "dropout", {"rate": answers["input_dropout"]}, x)
    before, maps = x, tuple[str, ...]()
    for stage in document.all_stages:
        x, before, maps = _grow_stage(g, stage, answers, x, before, maps)
    training = {name: answers[f"training.{name}"] for name in TRAINING_FIELDS if f"training.{name}" in answers}
    logits = grow_head(g, x, answers, classes, maps=maps)
    return g.finish(logits, training=training, drop=answers["dead"] == "drop")


def _grow_stage(
    g: GraphBuilder, stage: Stage, answers: Answers, x: str, before: str, maps: tuple[str, ...]
) -> tuple[str, str, tuple[str, ...]]:
    """Add a stage that reads `x`. before: the node that the last block before it read (see `Style.before`).

    maps: the larger maps passed before (`space/scales.py`). Returns the stage's last node, the node that its last block
    read, and the maps passed after it.
    """
    place = stage.place
    depth = cast(int, answers[f"{place}.depth"])
    if depth == 0:
        return x, before, maps
    first = x
    shared = answers[f"{place}.repeats"] == "shared"
    seen: dict[object, str] = {}
    width = scaled(cast(int, answers[f"{place}.width"]), cast(float, answers["width_multiplier"]))
    for i in range(depth):
        style = Style(
            width=width,
            stride=cast(int, answers[f"{place}.stride"]) if i == 0 else 1,
            padding=str(answers[f"{place}.padding"]),
            norm=str(answers[f"{place}.norm"]),
            activation=str(answers[f"{place}.activation"]),
            bias=str(answers[f"{place}.bias"]),
            before=before,
        )
        asked, here = stage.question_place(i), stage.block_place(i)
        block = BLOCKS[str(answers[f"{asked}.operation"])]
        # blocks of one stride that read maps of one shape have the same layers: the first of them owns the weights
        owner = seen.setdefault((style.stride, g.shape(x), block.looks_back and g.shape(before)), here)
        with g.sharing(here, owner) if shared and owner != here else nullcontext():
            x, before = block.grow(g, here, x, partial(_answer, answers, asked), style), x
    x = _skip(g, f"{place}.skip", first, x, str(answers[f"{place}.skip"]))
    maps = _passed(g, maps, first, x)
    word, last = str(answers[f"{place}.pool"]), x
    x = pool(g, f"{place}.pool", x, word)
    maps = _passed(g, maps, last, x)
    if POOLS[word].doubles:
        before = x  # what was before the resize is smaller, and pooling cannot bring it to the new size
    if answers[f"{place}.dropout"]:
        x = g.add(f"{place}.dropout", "dropout", {"rate": answers[f"{place}.dropout"]}, x)
    return x, before, maps


def _passed(g: GraphBuilder, maps: tuple[str, ...], before: str, after: str) -> tuple[str, ...]:
    """The maps passed after a step from one node to another, where a decoder may go back to them."""
    return passed(maps, before, g.shape(after)[1:], partial(_sides, g)) if g.kind.dense else ()


def _sides(g: GraphBuilder, name: str) -> Shape:
    return g.shape(name)[1:]


def _answer(answers: Answers, place: str, name: str) -> Option:
    return answers[f"{place}.{name}"]


def _skip(g: GraphBuilder, place: str, first: str, last: str, how: str) -> str:
    """Join the input of a stage, projected to the size of its output, with that output."""
    if how == "none":
        return last
    target = g.shape(last) if how == "add" else (g.shape(first)[0], *g.shape(last)[1:])
    return g.add(f"{place}.{how}", how, {}, last, project(g, f"{place}.projection", first, target))
