"""The space: a program of choices. `sample(choose)` walks the document and returns the architecture that was chosen."""

import copy
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from archsmith.errors import Fault, InvalidSpace
from space.analysis import Analysis
from space.architecture import Architecture, GraphBuilder
from space.blocks import BLOCKS
from space.blocks.base import Style
from space.constraint import Constraint
from space.decision import Choices, Choose, Decision, Option
from space.document import SpaceDocument, Stage, parse_document
from space.reader import read_text
from space.size import SizeEstimate, every_walk, measure
from space.walk import Program

MAX_SIDE = 4096
MAX_CHANNELS = MAX_CLASSES = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """What can be built for inputs of one shape.

    document: the space document as plain JSON. parsed: the same, checked. program: the walk for this input size.
    input_shape: (C, H, W). classes: length of the logits.
    """

    document: dict[str, Any]
    parsed: SpaceDocument
    program: Program
    input_shape: tuple[int, int, int]
    classes: int

    @classmethod
    def parse(cls, document: Mapping[str, Any] | str, *, input_shape: tuple[int, ...], classes: int) -> "Space":
        """Check a document (mapping, YAML or JSON text) against itself and against the input's shape.

        Raises InvalidSpace with every fault; one that only the input's size brings out names the stage and size left.
        """
        value = read_text(document) if isinstance(document, str) else document
        parsed = parse_document(value)
        shape = _check_input(input_shape, classes)
        program = Program(parsed, shape[1:])
        return cls(document=_plain(value), parsed=parsed, program=program, input_shape=shape, classes=classes)

    @property
    def name(self) -> str:
        return self.parsed.name

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        return self.parsed.constraints

    def feasible(self, analysis: Analysis) -> bool:
        """Whether an architecture with these costs keeps all constraints of the document."""
        return all(constraint.holds(analysis.measures) for constraint in self.constraints)

    def sample(self, choose: Choose) -> Architecture:
        """The architecture that `choose` picks.

        Every decision offers only what fits the map that is left, so options may be fewer on one walk than on another;
        their order is always the same. A question with one option is not asked. Raises ValueError when `choose`
        returns something that was not offered.
        """
        return self.walk(choose)[0]

    def walk(self, choose: Choose) -> tuple[Architecture, Choices]:
        """Like `sample`, with the choices that were made, in the order asked."""
        asker = self.program.walk(choose)
        return _grow(self.parsed, asker.answers, self.input_shape, self.classes), asker.choices

    def baseline(self) -> Choices:
        """The document's baseline on this input; what it leaves open is the middle of a scale or the first of kinds."""
        return self.program.walk(replay(dict(self.parsed.baseline), otherwise=_middle)).choices

    def size(self, limit: int = 5_000) -> SizeEstimate:
        """How many walks there are, exact when counting needs at most `limit` short steps, about a second."""
        return measure(self.program, limit)

    def enumerate(self, limit: int | None = None) -> Iterator[Choices]:
        """The choices of every walk, at most `limit`, in a fixed order. For small spaces: see `size`."""
        return itertools.islice(every_walk(self.program), limit)


def replay(choices: Choices, *, otherwise: Choose | None = None) -> Choose:
    """A `choose` that repeats earlier answers by name.

    An answer that is not offered now gives the nearest option on a scale. Without any usable answer, `otherwise` is
    asked, the first option if that is None.
    """

    def choose(decision: Decision) -> Option:
        answer = choices.get(decision.name)
        if answer in decision.options and answer is not None:
            return decision.options[decision.options.index(answer)]
        if decision.ordered and isinstance(answer, int | float):
            return min(decision.options, key=lambda option: abs(float(option) - float(answer)))
        return otherwise(decision) if otherwise else decision.options[0]

    return choose


def _middle(decision: Decision) -> Option:
    return decision.options[(len(decision.options) - 1) // 2 if decision.ordered else 0]


def _check_input(input_shape: tuple[int, ...], classes: int) -> tuple[int, int, int]:
    limits = (MAX_CHANNELS, MAX_SIDE, MAX_SIDE)
    whole = all(type(n) is int and n >= 1 for n in (*input_shape, classes))
    if not whole or len(input_shape) != 3 or any(n > top for n, top in zip(input_shape, limits, strict=True)):
        detail = f"an input must be (channels, height, width) of 1 to {limits}, got {str(input_shape)[:60]}"
        raise InvalidSpace(Fault(pointer="", rule="out_of_range", detail=detail))
    if classes > MAX_CLASSES:
        detail = f"there may be at most {MAX_CLASSES} classes, got {str(classes)[:60]}"
        raise InvalidSpace(Fault(pointer="", rule="out_of_range", detail=detail))
    return input_shape[0], input_shape[1], input_shape[2]


def _plain(value: object) -> dict[str, Any]:
    """A checked document as dict, list and scalars of its own."""

    def plain(part: object) -> object:
        if isinstance(part, Mapping):
            return {str(key): plain(inner) for key, inner in part.items()}
        if isinstance(part, list | tuple):
            return [plain(inner) for inner in part]
        return copy.copy(part)

    return cast(dict[str, Any], plain(value))


def _grow(
    document: SpaceDocument, answers: Mapping[str, Option], input_shape: tuple[int, int, int], classes: int
) -> Architecture:
    g = GraphBuilder(input_shape, classes)
    x = g.input
    for stage in document.all_stages:
        x = _grow_stage(g, stage, answers, x)
    pool = "global_avg_pool" if answers["head.pool"] == "global" else None
    if pool:
        x = g.add("head.pool", pool, {}, x)
    x = g.add("head.flatten", "flatten", {}, x)
    if answers["head.hidden"]:
        x = g.add("head.hidden", "linear", {"out": answers["head.hidden"]}, x)
        x = g.add("head.act", "activation", {"kind": answers["head.activation"]}, x)
    if answers["head.dropout"]:
        x = g.add("head.dropout", "dropout", {"rate": answers["head.dropout"]}, x)
    return g.finish(g.add("head.linear", "linear", {"out": classes}, x))


def _grow_stage(g: GraphBuilder, stage: Stage, answers: Mapping[str, Option], x: str) -> str:
    def of(name: str, place: str = stage.place) -> Option:
        return answers[f"{place}.{name}"]

    depth = cast(int, of("depth"))
    if depth == 0:
        return x
    for i in range(depth):
        style = Style(
            width=cast(int, of("width")),
            stride=cast(int, of("stride")) if i == 0 else 1,
            padding=str(of("padding")),
            norm=str(of("norm")),
            activation=str(of("activation")),
        )
        place = stage.question_place(i)
        block = BLOCKS[str(of("operation", place))]
        x = block.grow(g, stage.block_place(i), x, partial(of, place=place), style)
    if of("pool") != "none":
        pooling = "maxpool" if of("pool") == "max" else "avgpool"
        x = g.add(f"{stage.place}.pool", pooling, {"kernel": 2, "stride": 2}, x)
    if of("dropout"):
        x = g.add(f"{stage.place}.dropout", "dropout", {"rate": of("dropout")}, x)
    return x
