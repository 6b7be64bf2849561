"""The space document as a checked, frozen value. `space.document.parser` makes it; docs/spaces.md describes it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from space.blocks import BLOCKS
from space.constraint import Constraint
from space.decision import Option

Per = Literal["space", "stage", "block"]
PER: tuple[Per, ...] = ("space", "stage", "block")

CELL = re.compile(r"[a-z][a-z0-9_]{0,30}")
"""The name of a cell; the names of its decisions begin with it."""

Options = Mapping[str, tuple[Option, ...]]
"""The options of each field; a single option means that the field is fixed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """Blocks of one width. `place` names it in decisions and nodes: "stem" or "stages.0".

    per: "stage" asks the block's decisions once for all blocks of the stage, "block" for each block, "space" once for
        all stages that name the same cell.
    asks: whether this stage asks them; False if an earlier stage of the same cell does.
    """

    place: str
    options: Options
    per: Per = "stage"
    cell: str = "cell"
    asks: bool = True

    @property
    def pointer(self) -> str:
        return "/" + self.place.replace(".", "/")

    def block_place(self, index: int) -> str:
        """The path of block `index` in the graph; the stem is itself a block."""
        return self.place if self.place == "stem" else f"{self.place}.blocks.{index}"

    def question_place(self, index: int) -> str:
        """What the names of the decisions about block `index` begin with."""
        return {"block": self.block_place(index), "stage": self.place, "space": self.cell}[self.per]


@dataclass(frozen=True, kw_only=True, slots=True)
class SpaceDocument:
    """A checked document.

    data: the kind of data it is for; None: images, volumes and series.
    head, general, training: options of their fields; of `training` only the fields that the document names.
    baseline: answers by decision name; it may leave decisions open.
    """

    name: str
    data: str | None
    stem: Stage | None
    stages: tuple[Stage, ...]
    head: Options
    general: Options
    training: Options
    constraints: tuple[Constraint, ...]
    baseline: Mapping[str, Option]

    @property
    def all_stages(self) -> tuple[Stage, ...]:
        """The stem, if there is one, then the stages."""
        return (self.stem, *self.stages) if self.stem else self.stages


def questions(document: SpaceDocument) -> dict[str, tuple[Option, ...]]:
    """All decisions that any path could reach, fixed ones too: name -> the options that the document gives.

    What a path really offers may be fewer: only what fits the map.
    """
    of_blocks = {"operation", *(name for block in BLOCKS.values() for name in block.fields)}
    found: dict[str, tuple[Option, ...]] = {}
    for stage in document.all_stages:
        options = stage.options
        found.update({f"{stage.place}.{name}": options[name] for name in options if name not in of_blocks})
        deepest = cast(int, options["depth"][-1])
        for place in dict.fromkeys(stage.question_place(i) for i in range(deepest)):
            found[f"{place}.operation"] = options["operation"]
            for operation in options["operation"]:
                asked = BLOCKS[str(operation)].questions(options)
                found.update({f"{place}.{name}": options[source] for name, source in asked.items()})
    found.update({f"head.{name}": options for name, options in document.head.items()})
    found.update(document.general)
    found.update({f"training.{name}": options for name, options in document.training.items()})
    return found
