"""The space document: what may be searched, as data. Parsed here at the edge into frozen values.

Every broken rule is reported at once, each with its JSON pointer; see docs/spaces.md for the document itself.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from archsmith.errors import Fault, InvalidExpression, InvalidSpace
from space.blocks import BLOCKS
from space.constraint import Constraint
from space.decision import Option
from space.fields import (
    HEAD_FIELDS,
    MAX_BLOCKS,
    MAX_CONSTRAINTS,
    MAX_NAME,
    MAX_OPTIONS,
    MAX_STAGES,
    STAGE_FIELDS,
    STEM_FIELDS,
    VERSION,
    Field,
)
from space.reader import read_text
from space.schema import SCHEMA

__all__ = ["SCHEMA", "Options", "SpaceDocument", "Stage", "parse_document", "questions", "show"]

MAX_FAULTS = 100
"""Beyond this many a document is not being corrected but fuzzed."""

Options = Mapping[str, tuple[Option, ...]]
"""Per field, what it may be; one option means fixed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """Blocks of one width. `place` names it in decisions and nodes: "stem" or "stages.0".

    per: "stage" asks the block's questions once for all blocks, "block" asks them for each.
    """

    place: str
    options: Options
    per: Literal["stage", "block"] = "stage"

    @property
    def pointer(self) -> str:
        return "/" + self.place.replace(".", "/")

    def block_place(self, index: int) -> str:
        """Where block `index` stands in the graph; the stem is its own block."""
        return self.place if self.place == "stem" else f"{self.place}.blocks.{index}"

    def question_place(self, index: int) -> str:
        """What the decisions about block `index` start with."""
        return self.block_place(index) if self.per == "block" else self.place


@dataclass(frozen=True, kw_only=True, slots=True)
class SpaceDocument:
    """A checked document. head: options of the head's fields. baseline: answers by decision name, may be partial."""

    name: str
    stem: Stage | None
    stages: tuple[Stage, ...]
    head: Options
    constraints: tuple[Constraint, ...]
    baseline: Mapping[str, Option]

    @property
    def all_stages(self) -> tuple[Stage, ...]:
        """The stem, if there is one, then the stages."""
        return (self.stem, *self.stages) if self.stem else self.stages


def parse_document(document: object) -> SpaceDocument:
    """Check a mapping, or a YAML or JSON text. Raises InvalidSpace with all faults."""
    value = read_text(document) if isinstance(document, str) else document
    parser = _Parser()
    parsed = parser.document(value)
    if parser.faults or parsed is None:
        raise InvalidSpace(parser.faults)
    return parsed


def questions(document: SpaceDocument) -> dict[str, tuple[Option, ...]]:
    """Everything that any walk could ask or holds fixed, by decision name, with the options the document gives it."""
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
    return found


def show(value: object) -> str:
    """A user's value in a message: short and pure ASCII, whatever it was."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a huge number"
    text = ascii(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."


def _ascii(text: str) -> str:
    return text[:100].encode("ascii", "backslashreplace").decode("ascii")


def _join(pointer: str, key: object) -> str:
    return f"{pointer}/{_ascii(str(key)).replace('~', '~0').replace('/', '~1')}"


@dataclass(slots=True)
class _Parser:
    """Reads on after a fault, so that the user sees all of them; what it returns counts only without faults."""

    faults: list[Fault] = field(default_factory=list)

    def fault(self, pointer: str, rule: str, detail: str, allowed: Any = None) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(pointer=pointer, rule=rule, detail=detail, allowed=allowed))

    def document(self, value: object) -> SpaceDocument | None:
        fields = ("schema", "name", "per", "stem", "stages", "head", "constraints", "baseline")
        if not self.mapping("", value, fields, "a space document"):
            return None
        raw = cast(Mapping[str, object], value)
        self.version(raw)
        per = self.per("/per", raw.get("per", "stage"))
        stem = None
        if raw.get("stem") is not None:
            stem = Stage(place="stem", options=self.stem_options(raw["stem"]), per="stage")
        parsed = SpaceDocument(
            name=self.name(raw.get("name", "space")),
            stem=stem,
            stages=self.stages(raw, per),
            head=self.options("/head", raw.get("head", {}), HEAD_FIELDS, "the head"),
            constraints=self.constraints(raw.get("constraints", [])),
            baseline={},
        )
        known = None if self.faults else questions(parsed)
        return replace(parsed, baseline=self.baseline(raw.get("baseline", {}), known))

    def mapping(self, pointer: str, value: object, known: Sequence[str], what: str) -> bool:
        if not isinstance(value, Mapping):
            self.fault(pointer, "type_mismatch", f"{what} must be a mapping, got {show(value)}")
            return False
        for key in value:
            if not isinstance(key, str) or key not in known:
                self.unknown(_join(pointer, key), "unknown_field", f"{what} has no field", key, known)
        return True

    def unknown(self, pointer: str, rule: str, law: str, got: object, known: Iterable[str]) -> None:
        names = list(known)
        close = difflib.get_close_matches(got[:100], names, n=1) if isinstance(got, str) else []
        hint = f"; did you mean {close[0]!r}?" if close else ""
        self.fault(pointer, rule, f"{law} {show(got)}{hint}", allowed=names[:MAX_OPTIONS])

    def version(self, raw: Mapping[str, object]) -> None:
        version = raw.get("schema")
        if type(version) is not int or version != VERSION:
            got = show(version) if "schema" in raw else "none"
            self.fault("/schema", "version_unsupported", f"schema must be {VERSION}, got {got}", allowed=[VERSION])

    def name(self, value: object) -> str:
        if not isinstance(value, str):
            self.fault("/name", "type_mismatch", f"name must be text, got {show(value)}")
        elif not 1 <= len(value) <= MAX_NAME or not value.isprintable():
            detail = f"name must be 1 to {MAX_NAME} printable characters, got {show(value)}"
            self.fault("/name", "out_of_range", detail)
        else:
            return value
        return "space"

    def per(self, pointer: str, value: object) -> Literal["stage", "block"]:
        if value == "stage" or value == "block":
            return value
        rule = "choice_unknown" if isinstance(value, str) else "type_mismatch"
        detail = f"per must be one of stage, block, got {show(value)}"
        self.fault(pointer, rule, detail, allowed=["stage", "block"])
        return "stage"

    def stem_options(self, value: object) -> Options:
        given = self.options("/stem", value, STEM_FIELDS, "the stem")
        # the stem is one plain convolution block in everything else
        return {name: given.get(name, (kind.default,)) for name, kind in STAGE_FIELDS.items()}

    def stages(self, raw: Mapping[str, object], per: Literal["stage", "block"]) -> tuple[Stage, ...]:
        value = raw.get("stages", [])
        if not isinstance(value, list | tuple):
            self.fault("/stages", "type_mismatch", f"stages must be a list, got {show(value)}")
            return ()
        if len(value) > MAX_STAGES:
            self.fault("/stages", "out_of_range", f"there may be at most {MAX_STAGES} stages, got {len(value)}")
        stages = tuple(self.stage(i, one, per) for i, one in enumerate(value[:MAX_STAGES]))
        deepest = [cast(int, stage.options["depth"][-1]) for stage in stages]
        if not any(deepest):
            self.fault("/stages", "space_empty", "a space needs a stage with at least one block")
        if sum(deepest) > MAX_BLOCKS:
            detail = f"all stages at their deepest may hold {MAX_BLOCKS} blocks, got {sum(deepest)}"
            self.fault("/stages", "out_of_range", detail)
        return stages

    def stage(self, index: int, value: object, per: Literal["stage", "block"]) -> Stage:
        pointer = f"/stages/{index}"
        if isinstance(value, Mapping) and "per" in value:
            per = self.per(f"{pointer}/per", value["per"])
        options = self.options(pointer, value, STAGE_FIELDS, "a stage", extra=("per",))
        if "branching" in options["operation"] and "concat" in options["merge"]:
            narrow, many = cast(int, options["width"][0]), cast(int, options["branches"][-1])
            if many > narrow:
                detail = f"joining {many} branches by concat needs a width of at least {many}, got {narrow}"
                self.fault(f"{pointer}/width", "out_of_range", detail, allowed={"minimum": many})
        return Stage(place=f"stages.{index}", options=options, per=per)

    def options(
        self, pointer: str, value: object, fields: Mapping[str, Field], what: str, *, extra: tuple[str, ...] = ()
    ) -> Options:
        defaults: Options = {name: (kind.default,) for name, kind in fields.items()}
        if not self.mapping(pointer, value, (*fields, *extra), what):
            return defaults
        raw = cast(Mapping[str, object], value)
        return {
            name: self.choices(f"{pointer}/{name}", name, raw[name], kind) if name in raw else defaults[name]
            for name, kind in fields.items()
        }

    def choices(self, pointer: str, name: str, value: object, kind: Field) -> tuple[Option, ...]:
        if not isinstance(value, list | tuple):
            one = self.option(pointer, name, value, kind)
            return (kind.default if one is None else one,)
        detail = ""
        if not value:
            detail = f"{name} needs at least one option, got an empty list"
        elif len(value) > MAX_OPTIONS:
            detail = f"{name} may have at most {MAX_OPTIONS} options, got {len(value)}"
        elif len({isinstance(one, str) for one in value}) > 1:
            detail = f"the options of {name} must be of one type, got words and other values mixed"
        if detail:
            self.fault(pointer, "choices_invalid", detail)
            return (kind.default,)
        good = [self.option(f"{pointer}/{i}", name, one, kind) for i, one in enumerate(value)]
        options = [one for one in good if one is not None]
        if len(set(options)) < len(options):
            self.fault(pointer, "choices_invalid", f"the options of {name} must differ, got one twice")
        if kind.ordered:
            options.sort(key=float)
        return tuple(options) or (kind.default,)

    def option(self, pointer: str, name: str, value: object, kind: Field) -> Option | None:
        """The value if it is one, else None and a fault."""
        if kind.kind == "name":
            if not isinstance(value, str):
                self.fault(pointer, "type_mismatch", f"{name} must be {kind.law}, got {show(value)}", list(kind.names))
            elif value not in kind.names:
                self.unknown(pointer, "choice_unknown", f"{name} must be {kind.law}, got", value, kind.names)
            else:
                return value
            return None
        allowed = {"minimum": kind.low, "maximum": kind.high}
        if type(value) is not int and (kind.kind == "integer" or type(value) is not float):
            self.fault(pointer, "type_mismatch", f"{name} must be {kind.law}, got {show(value)}", allowed)
        elif not kind.low <= value <= kind.high or (kind.odd and value % 2 == 0):
            self.fault(pointer, "out_of_range", f"{name} must be {kind.law}, got {show(value)}", allowed)
        else:
            return value if kind.kind == "integer" else float(value)
        return None

    def constraints(self, value: object) -> tuple[Constraint, ...]:
        if not isinstance(value, list | tuple):
            detail = f"constraints must be a list of expressions, got {show(value)}"
            self.fault("/constraints", "type_mismatch", detail)
            return ()
        if len(value) > MAX_CONSTRAINTS:
            detail = f"there may be at most {MAX_CONSTRAINTS} constraints, got {len(value)}"
            self.fault("/constraints", "out_of_range", detail)
        found = []
        for i, one in enumerate(value[:MAX_CONSTRAINTS]):
            try:
                found.append(Constraint.parse(one))
            except InvalidExpression as error:
                for fault in error.faults:
                    self.fault(f"/constraints/{i}", fault.rule, fault.detail, fault.allowed)
        return tuple(found)

    def baseline(self, value: object, known: Mapping[str, tuple[Option, ...]] | None) -> Mapping[str, Option]:
        """known: None when the rest of the document is broken; then names cannot be judged."""
        if not isinstance(value, Mapping):
            detail = f"baseline must map decision names to options, got {show(value)}"
            self.fault("/baseline", "type_mismatch", detail)
            return {}
        answers: dict[str, Option] = {}
        for name, answer in value.items() if known is not None else ():
            pointer = _join("/baseline", name)
            options = known.get(name) if known is not None and isinstance(name, str) else None
            if options is None:
                self.unknown(pointer, "baseline_invalid", "the space has no decision", name, known or ())
            elif isinstance(answer, bool) or not isinstance(answer, int | float | str) or answer not in options:
                detail = f"{name} must be one of its options, got {show(answer)}"
                self.fault(pointer, "baseline_invalid", detail, allowed=list(options))
            else:
                answers[name] = options[options.index(answer)]
        return answers
