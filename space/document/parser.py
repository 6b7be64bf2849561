"""The parser of space documents: from text or plain values to a checked `SpaceDocument`.

Every broken rule is reported at once, each with its JSON pointer.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from archsmith.errors import Fault, InvalidExpression, InvalidSpace, pointer
from space.blocks import BLOCKS
from space.constraint import Constraint
from space.decision import Option
from space.document.fields import (
    HEAD_FIELDS,
    MAX_BLOCK_NODES,
    MAX_BLOCKS,
    MAX_CONSTRAINTS,
    MAX_NAME,
    MAX_OPTIONS,
    MAX_STAGES,
    SPACE_FIELDS,
    STAGE_FIELDS,
    STEM_FIELDS,
    TRAINING_FIELDS,
    VERSION,
    Field,
    of_family,
    scaled,
)
from space.document.reader import read_text
from space.document.values import CELL, PER, Options, Per, SpaceDocument, Stage, questions
from space.kinds import KINDS

MAX_FAULTS = 100
"""Later faults are dropped: nobody corrects a document with more than that many."""

SECTIONS = (
    "schema",
    "name",
    "data",
    "per",
    "stem",
    "stages",
    "head",
    *SPACE_FIELDS,
    "training",
    "constraints",
    "baseline",
)
TAKEN = ("stem", "stages", "head", "training", *SPACE_FIELDS)
"""Words that the names of other decisions begin with, so a cell may not be called so."""


def parse_document(document: object) -> SpaceDocument:
    """Check a mapping, or a YAML or JSON text. Raises InvalidSpace with all faults."""
    value = read_text(document) if isinstance(document, str) else document
    parser = _Parser()
    parsed = parser.document(value)
    if parser.faults or parsed is None:
        raise InvalidSpace(parser.faults)
    return parsed


def show(value: object) -> str:
    """A user's value as it is shown in a message: short and pure ASCII, whatever it was."""
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


def _join(where: str, key: object) -> str:
    return where + pointer(_ascii(str(key)))


def _most_nodes(stage: Stage) -> int:
    """The most nodes that the blocks of a stage can have, at its deepest."""
    options = stage.options
    each = max(BLOCKS[str(operation)].most_nodes(options) for operation in options["operation"])
    return cast(int, options["depth"][-1]) * each


@dataclass(slots=True)
class _Parser:
    """Goes on after a fault, so that the user sees all of them. What its methods return is valid only without faults.

    Each method reads one part of the document; `pointer` is the JSON pointer to it.
    """

    faults: list[Fault] = field(default_factory=list)

    def fault(self, pointer: str, rule: str, detail: str, allowed: Any = None) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(pointer=pointer, rule=rule, detail=detail, allowed=allowed))

    def document(self, value: object) -> SpaceDocument | None:
        if not self.mapping("", value, SECTIONS, "a space document"):
            return None
        raw = cast(Mapping[str, object], value)
        self.version(raw)
        data = self.data(raw.get("data"))
        family = "nodes" if data is not None and KINDS[data].is_graph else "map"
        general = {name: raw[name] for name in SPACE_FIELDS if name in raw}
        parsed = SpaceDocument(
            name=self.name(raw.get("name", "space")),
            data=data,
            stem=self.stem(raw.get("stem"), family),
            stages=self.stages(raw, self.per("/per", raw.get("per", "stage")), family),
            head=self.options("/head", raw.get("head", {}), of_family(HEAD_FIELDS, family, data), "the head"),
            general=self.options("", general, SPACE_FIELDS, "a space document"),
            training=self.training(raw.get("training", {})),
            constraints=self.constraints(raw.get("constraints", [])),
            baseline={},
        )
        parsed = replace(parsed, stages=self.cells(parsed.stages))
        self.combinations(parsed)
        known = None if self.faults else questions(parsed)
        return replace(parsed, baseline=self.baseline(raw.get("baseline", {}), known))

    def data(self, value: object) -> str | None:
        if value is None or (isinstance(value, str) and value in KINDS):
            return value
        rule = "choice_unknown" if isinstance(value, str) else "type_mismatch"
        detail = f"data must be one of {', '.join(KINDS)}, got {show(value)}"
        self.fault("/data", rule, detail, allowed=list(KINDS))
        return None

    def training(self, value: object) -> Options:
        """Options of the fields that the document names; the job sets the others."""
        options = self.options("/training", value, TRAINING_FIELDS, "the training")
        return {name: options[name] for name in options if isinstance(value, Mapping) and name in value}

    def mapping(self, pointer: str, value: object, known: Sequence[str], what: str) -> bool:
        """Whether the value is a mapping; keys that are not `known` are faults. what: its name in messages."""
        if not isinstance(value, Mapping):
            self.fault(pointer, "type_mismatch", f"{what} must be a mapping, got {show(value)}")
            return False
        for key in value:
            if not isinstance(key, str) or key not in known:
                self.unknown(_join(pointer, key), "unknown_field", f"{what} has no field", key, known)
        return True

    def unknown(self, pointer: str, rule: str, problem: str, got: object, known: Iterable[str]) -> None:
        """A fault for a name that is not `known`, with the nearest known one. problem: the sentence before the name."""
        names = list(known)
        close = difflib.get_close_matches(got[:100], names, n=1) if isinstance(got, str) else []
        hint = f"; did you mean {close[0]!r}?" if close else ""
        self.fault(pointer, rule, f"{problem} {show(got)}{hint}", allowed=names[:MAX_OPTIONS])

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

    def per(self, pointer: str, value: object) -> Per:
        for per in PER:
            if value == per:
                return per
        rule = "choice_unknown" if isinstance(value, str) else "type_mismatch"
        self.fault(pointer, rule, f"per must be one of {', '.join(PER)}, got {show(value)}", allowed=list(PER))
        return "stage"

    def stem(self, value: object, family: str) -> Stage | None:
        if value is None:
            return None
        if family != "map":
            self.fault("/stem", "combination_unsupported", "graph data has no stem; give the stages")
            return None
        given = self.options("/stem", value, STEM_FIELDS, "the stem")
        # in all other fields the stem is one plain convolution block
        options = {name: given.get(name, kind.left_out) for name, kind in STAGE_FIELDS.items()}
        return Stage(place="stem", options=options, per="stage")

    def stages(self, raw: Mapping[str, object], per: Per, family: str) -> tuple[Stage, ...]:
        value = raw.get("stages", [])
        if not isinstance(value, list | tuple):
            self.fault("/stages", "type_mismatch", f"stages must be a list, got {show(value)}")
            return ()
        if len(value) > MAX_STAGES:
            self.fault("/stages", "out_of_range", f"there may be at most {MAX_STAGES} stages, got {len(value)}")
        stages = tuple(self.stage(i, stage, per, family) for i, stage in enumerate(value[:MAX_STAGES]))
        deepest = [cast(int, stage.options["depth"][-1]) for stage in stages]
        if not any(deepest):
            self.fault("/stages", "space_empty", "a space needs a stage with at least one block")
        if sum(deepest) > MAX_BLOCKS:
            detail = f"all stages at their deepest may have at most {MAX_BLOCKS} blocks together, got {sum(deepest)}"
            self.fault("/stages", "out_of_range", detail)
        elif (nodes := sum(map(_most_nodes, stages))) > MAX_BLOCK_NODES:
            detail = f"the blocks of all stages may have at most {MAX_BLOCK_NODES} nodes together, got up to {nodes}"
            self.fault("/stages", "out_of_range", detail, allowed={"maximum": MAX_BLOCK_NODES})
        return stages

    def stage(self, index: int, value: object, per: Per, family: str) -> Stage:
        pointer = f"/stages/{index}"
        cell = "cell"
        if isinstance(value, Mapping):
            per = self.per(f"{pointer}/per", value["per"]) if "per" in value else per
            cell = self.cell(f"{pointer}/cell", value["cell"]) if "cell" in value else cell
        fields = of_family(STAGE_FIELDS, family)
        options = dict(self.options(pointer, value, fields, "a stage", extra=("per", "cell")))
        if family == "nodes" and not (isinstance(value, Mapping) and "operation" in value):
            options["operation"] = ("gcn",)
        for name, kind in STAGE_FIELDS.items():
            options.setdefault(name, kind.left_out)
        return Stage(place=f"stages.{index}", options=options, per=per, cell=cell)

    def cell(self, pointer: str, value: object) -> str:
        if isinstance(value, str) and CELL.fullmatch(value) and value not in TAKEN:
            return value
        detail = f"cell must be a lower-case word other than {', '.join(TAKEN)}, got {show(value)}"
        self.fault(pointer, "pattern", detail, allowed=CELL.pattern)
        return "cell"

    def cells(self, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        """Check the stages that share a cell, and let only the first of each cell ask its decisions.

        The stages of a cell must offer the same options, the first must have a block on every path, and the block must
        be one that always pads, so that no option depends on the map that is left.
        """
        first: dict[str, Stage] = {}
        for stage in stages:
            if stage.per != "space":
                continue
            if len(stage.options["operation"]) > 1 or not BLOCKS[str(stage.options["operation"][0])].pads:
                pads = [name for name, block in BLOCKS.items() if block.pads]
                detail = f"a cell that stages share must have exactly one operation, one of {', '.join(pads)}"
                self.fault(f"{stage.pointer}/operation", "combination_unsupported", detail, allowed=pads)
                continue
            leader = first.setdefault(stage.cell, stage)
            if leader is stage and stage.options["depth"][0] == 0:
                detail = f"the first stage of the cell {stage.cell} must have a block on every decision path"
                self.fault(f"{stage.pointer}/depth", "combination_unsupported", detail, allowed={"minimum": 1})
            shared = ("operation", *BLOCKS[str(stage.options["operation"][0])].fields)
            for name in shared:
                if stage.options[name] != leader.options[name]:
                    detail = f"{name} must be the same in all stages of the cell {stage.cell}"
                    self.fault(f"{stage.pointer}/{name}", "combination_unsupported", detail)
        leaders = [stage.place for stage in first.values()]
        return tuple(replace(stage, asks=stage.per != "space" or stage.place in leaders) for stage in stages)

    def combinations(self, parsed: SpaceDocument) -> None:
        """Options that are valid alone but not together; the blocks know which (`Block.clashes`)."""
        family = "nodes" if parsed.data is not None and KINDS[parsed.data].is_graph else "map"
        multipliers = cast("tuple[float, ...]", parsed.general["width_multiplier"])
        for stage in parsed.all_stages:
            if stage.per == "block" and "shared" in stage.options["repeats"]:
                detail = "repeats: shared needs blocks that are alike; set per to stage or space, or repeats to own"
                self.fault(f"{stage.pointer}/repeats", "combination_unsupported", detail)
            widths = cast("tuple[int, ...]", stage.options["width"])
            real = tuple(sorted({scaled(width, by) for width in widths for by in multipliers}))
            for number, operation in enumerate(stage.options["operation"]):
                block = BLOCKS[str(operation)]
                if block.family != family:
                    maps = "images, volumes and series"
                    reads = "features of a graph's nodes" if block.family == "nodes" else f"maps of {maps}"
                    pointer = f"{stage.pointer}/operation/{number}"
                    detail = f"{operation} reads {reads}, but this document is for {parsed.data or maps}"
                    self.fault(pointer, "combination_unsupported", detail)
                    continue
                for clash in block.clashes(stage.options, real):
                    self.fault(f"{stage.pointer}/{clash.field}", clash.rule, clash.detail, clash.allowed)

    def options(
        self, pointer: str, value: object, fields: Mapping[str, Field], what: str, *, extra: tuple[str, ...] = ()
    ) -> Options:
        defaults: Options = {name: kind.left_out for name, kind in fields.items()}
        if not self.mapping(pointer, value, (*fields, *extra), what):
            return defaults
        raw = cast(Mapping[str, object], value)
        return {
            name: self.choices(f"{pointer}/{name}", name, raw[name], kind) if name in raw else defaults[name]
            for name, kind in fields.items()
        }

    def choices(self, pointer: str, name: str, value: object, kind: Field) -> tuple[Option, ...]:
        if not isinstance(value, list | tuple):
            fixed = self.option(pointer, name, value, kind)
            return kind.left_out if fixed is None else (fixed,)
        detail = ""
        if not value:
            detail = f"{name} needs at least one option, got an empty list"
        elif len(value) > MAX_OPTIONS:
            detail = f"{name} may have at most {MAX_OPTIONS} options, got {len(value)}"
        elif len({isinstance(option, str) for option in value}) > 1:
            detail = f"the options of {name} must be of one type, got words and other values mixed"
        if detail:
            self.fault(pointer, "choices_invalid", detail)
            return kind.left_out
        checked = [self.option(f"{pointer}/{i}", name, option, kind) for i, option in enumerate(value)]
        options = [option for option in checked if option is not None]
        if len(set(options)) < len(options):
            self.fault(pointer, "choices_invalid", f"the options of {name} must differ, got one twice")
        if kind.ordered:
            options.sort(key=float)
        return tuple(options) or kind.left_out

    def option(self, pointer: str, name: str, value: object, kind: Field) -> Option | None:
        """The value if it is a valid option, else None and a fault."""
        if kind.kind == "name":
            if not isinstance(value, str):
                self.fault(
                    pointer, "type_mismatch", f"{name} must be {kind.requirement}, got {show(value)}", list(kind.names)
                )
            elif name == "operation" and (advice := self.plugin(value)) is not None:
                self.fault(pointer, "plugin_missing", advice)
            elif value not in kind.names and not (name == "operation" and value in BLOCKS):
                self.unknown(pointer, "choice_unknown", f"{name} must be {kind.requirement}, got", value, kind.names)
            else:
                return value
            return None
        allowed = {"minimum": kind.low, "maximum": kind.high}
        if type(value) is not int and (kind.kind == "integer" or type(value) is not float):
            self.fault(pointer, "type_mismatch", f"{name} must be {kind.requirement}, got {show(value)}", allowed)
        elif not kind.low <= value <= kind.high or (kind.odd and value % 2 == 0 and value != 0):
            self.fault(pointer, "out_of_range", f"{name} must be {kind.requirement}, got {show(value)}", allowed)
        else:
            return value if kind.kind == "integer" else float(value)
        return None

    def plugin(self, name: str) -> str | None:
        """What to install for a plugin's block that is missing; None for every other name."""
        return None if name in BLOCKS else BLOCKS.missing(name)

    def constraints(self, value: object) -> tuple[Constraint, ...]:
        if not isinstance(value, list | tuple):
            detail = f"constraints must be a list of expressions, got {show(value)}"
            self.fault("/constraints", "type_mismatch", detail)
            return ()
        if len(value) > MAX_CONSTRAINTS:
            detail = f"there may be at most {MAX_CONSTRAINTS} constraints, got {len(value)}"
            self.fault("/constraints", "out_of_range", detail)
        found = []
        for i, expression in enumerate(value[:MAX_CONSTRAINTS]):
            try:
                found.append(Constraint.parse(expression))
            except InvalidExpression as error:
                for fault in error.faults:
                    self.fault(f"/constraints/{i}", fault.rule, fault.detail, fault.allowed)
        return tuple(found)

    def baseline(self, value: object, known: Mapping[str, tuple[Option, ...]] | None) -> Mapping[str, Option]:
        """known: options by decision name; None if the rest of the document has faults, since names depend on it."""
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
                detail = f"{name} must be one of the options in the document, got {show(answer)}"
                self.fault(pointer, "baseline_invalid", detail, allowed=list(options))
            else:
                answers[name] = options[options.index(answer)]
        return answers
