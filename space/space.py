"""The space: a program of choices. `sample(choose)` follows one decision path and returns the architecture."""

import copy
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from archsmith.errors import Fault, InvalidSpace
from space.analysis import Analysis
from space.architecture import Architecture
from space.constraint import Constraint
from space.decision import Choices, Choose, Decision, Option
from space.document.parser import parse_document
from space.document.reader import read_text
from space.document.values import SpaceDocument
from space.grow import grow
from space.kinds import KINDS, MAPS, MAX_CHANNELS, Kind, kind_of
from space.size import SizeEstimate, every_walk, measure
from space.walk import Program


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """What can be built for inputs of one shape.

    document: the space document as plain JSON. parsed: the same, checked. program: its decisions for this input size.
    data: the kind of data. input_shape: (C, H, W), (C, D, H, W), (C, T) or (F,). classes: length of the logits.
    """

    document: dict[str, Any]
    parsed: SpaceDocument
    data: str
    program: Program
    input_shape: tuple[int, ...]
    classes: int

    @classmethod
    def parse(
        cls,
        document: Mapping[str, Any] | str,
        *,
        input_shape: tuple[int, ...],
        classes: int,
        tasks: tuple[str, ...] | None = None,
    ) -> "Space":
        """Check a document (mapping, YAML or JSON text) against itself and against the input's shape.

        tasks: the kinds of data that the data set can be read as, the usual one first; None: by the shape for maps,
        else by the document. Raises InvalidSpace with all faults; one that depends on the input's size names the stage
        and the size that is left there.
        """
        value = read_text(document) if isinstance(document, str) else document
        parsed = parse_document(value)
        data = _data(parsed, tuple(input_shape), tasks)
        shape = _check_input(KINDS[data], input_shape, classes)
        program = Program(parsed, data, shape[1:] or (1,))
        return cls(
            document=_plain(value), parsed=parsed, data=data, program=program, input_shape=shape, classes=classes
        )

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

        Every decision offers only what fits the map that is left, so it may have fewer options on one path than on
        another; their order is always the same. A decision with one option is not asked for. Raises ValueError if
        `choose` returns something that was not offered.
        """
        return self.walk(choose)[0]

    def walk(self, choose: Choose) -> tuple[Architecture, Choices]:
        """Like `sample`, with the choices that were made, in the order asked."""
        recorder = self.program.walk(choose)
        return grow(self.parsed, recorder.answers, self.data, self.input_shape, self.classes), recorder.choices

    def baseline(self) -> Choices:
        """The choices of the document's baseline on this input.

        For decisions that it leaves open: the middle of a scale, or the first category.
        """
        return self.program.walk(replay(dict(self.parsed.baseline), otherwise=_middle)).choices

    def size(self, limit: int = 5_000) -> SizeEstimate:
        """How many decision paths there are; exact if counting needs at most `limit` short steps, about a second."""
        return measure(self.program, limit)

    def enumerate(self, limit: int | None = None) -> Iterator[Choices]:
        """The choices of every decision path, at most `limit`, in a fixed order. For small spaces: see `size`."""
        return itertools.islice(every_walk(self.program), limit)


def replay(choices: Choices, *, otherwise: Choose | None = None) -> Choose:
    """A `choose` that repeats earlier answers by name.

    If an answer is not offered now, the nearest option on the scale is chosen. Where no answer can be used, `otherwise`
    is asked; if that is None, the first option is chosen.
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


def _data(parsed: SpaceDocument, input_shape: tuple[int, ...], tasks: tuple[str, ...] | None) -> str:
    """The kind of data. Raises InvalidSpace if the document is for another kind."""
    there = tasks or (_by_shape(parsed.data, input_shape),)
    wanted = (parsed.data,) if parsed.data else MAPS
    for task in there:
        if task in wanted:
            return task
    detail = f"the space is for {' and '.join(wanted)}, the data for {' and '.join(there)}"
    raise InvalidSpace(Fault(pointer="/data", rule="data_mismatch", detail=detail, allowed=list(there)))


def _by_shape(data: str | None, input_shape: tuple[int, ...]) -> str:
    """The kind of data where the caller does not name it. data: of the document, for images with labels or masks."""
    if data is not None and len(KINDS[data].axes) == len(input_shape):
        return data
    return kind_of(input_shape) or data or "image"


def _check_input(kind: Kind, input_shape: tuple[int, ...], classes: int) -> tuple[int, ...]:
    """The input shape, if it and the number of classes suit the kind of data. Raises InvalidSpace."""
    shape, limits = tuple(input_shape), kind.limits
    whole = all(type(n) is int and n >= 1 for n in (*shape, classes))
    if not whole or len(shape) != len(limits) or any(n > top for n, top in zip(shape, limits, strict=True)):
        detail = f"an input must be ({', '.join(kind.axes)}) of 1 to {limits}, got {str(shape)[:60]}"
        raise InvalidSpace(Fault(pointer="", rule="out_of_range", detail=detail))
    if kind.name == "links" and classes != 2:
        detail = f"links have 2 classes, no link and link, got {str(classes)[:60]}"
        raise InvalidSpace(Fault(pointer="", rule="out_of_range", detail=detail))
    if classes > MAX_CHANNELS:
        detail = f"there may be at most {MAX_CHANNELS} classes, got {str(classes)[:60]}"
        raise InvalidSpace(Fault(pointer="", rule="out_of_range", detail=detail))
    return shape


def _plain(value: object) -> dict[str, Any]:
    """A deep copy of a checked document, made of dict, list and scalars."""

    def plain(part: object) -> object:
        if isinstance(part, Mapping):
            return {str(key): plain(inner) for key, inner in part.items()}
        if isinstance(part, list | tuple):
            return [plain(inner) for inner in part]
        return copy.copy(part)

    return cast(dict[str, Any], plain(value))
