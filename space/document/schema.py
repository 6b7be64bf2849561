"""The JSON Schema (2020-12) of a space document, made from the field table.

`python -m space.document.schema` prints it; it is published as space/schema.json for editors and other programs. The
parser has the last word: it also checks what a schema cannot express (constraints, the names in the baseline, whether
the map is large enough), and its messages are better.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

from space.constraint import MAX_LENGTH
from space.document.fields import (
    HEAD_FIELDS,
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
)
from space.document.values import CELL, PER
from space.kinds import KINDS

Json = dict[str, Any]


def _option(kind: Field) -> Json:
    """The schema of one option of a field."""
    if kind.kind == "name":
        named: Json = {"type": "string", "enum": list(kind.names)}
        return {"anyOf": [named, _PLUGIN]} if kind is STAGE_FIELDS["operation"] else named
    limits: Json = {"type": kind.kind, "minimum": kind.low, "maximum": kind.high}
    odd = limits | {"not": {"multipleOf": 2}}
    return limits if not kind.odd else odd if kind.low else {"anyOf": [{"const": 0}, odd]}


_PLUGIN: Json = {
    "description": "a block of an installed plugin",
    "type": "string",
    "pattern": r"^[A-Za-z0-9][A-Za-z0-9_-]*\.[A-Za-z0-9_.-]+$",
}


def _field(kind: Field) -> Json:
    """The schema of a field: a value, or a list of options."""
    option = _option(kind)
    several = {"type": "array", "items": option, "minItems": 1, "maxItems": MAX_OPTIONS, "uniqueItems": True}
    default = list(kind.names) if kind.free else kind.default
    return {"description": kind.description, "default": default, "anyOf": [option, several]}


def _object(properties: Mapping[str, Json], required: tuple[str, ...] = ()) -> Json:
    schema: Json = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return schema | ({"required": list(required)} if required else {})


def _schema() -> Json:
    per = {
        "description": "whether a block's decisions are asked once for the space, for its stage, or for each block",
        "enum": list(PER),
        "default": "stage",
    }
    cell = {
        "description": "with per: space, the stages that name the same cell share its decisions",
        "type": "string",
        "pattern": CELL.pattern,
    }
    stage = _object({**{name: _field(kind) for name, kind in STAGE_FIELDS.items()}, "per": per, "cell": cell})
    stem = _object({name: _field(kind) for name, kind in STEM_FIELDS.items()})
    document = _object(
        {
            "schema": {"description": "version of this format", "const": VERSION},
            "name": {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "default": "space"},
            "data": {"description": "the kind of data; images, volumes and series if left out", "enum": list(KINDS)},
            "per": per,
            "stem": {"description": "one plain convolution block before the stages", "anyOf": [stem, {"type": "null"}]},
            "stages": {"type": "array", "items": stage, "minItems": 1, "maxItems": MAX_STAGES},
            "head": _object({name: _field(kind) for name, kind in HEAD_FIELDS.items()}),
            **{name: _field(kind) for name, kind in SPACE_FIELDS.items()},
            "training": _object({name: _field(kind) for name, kind in TRAINING_FIELDS.items()}),
            "constraints": {
                "description": "expressions that must hold for every architecture, such as 'params <= 2e6'",
                "type": "array",
                "items": {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH},
                "maxItems": MAX_CONSTRAINTS,
            },
            "baseline": {
                "description": "the architecture to beat: options by decision name, such as stages.0.width",
                "type": "object",
                "additionalProperties": {"type": ["string", "number"]},
            },
        },
        required=("schema", "stages"),
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "archsmith space document",
        **document,
    }


SCHEMA: Json = _schema()


def text() -> str:
    """The schema as it is published."""
    return json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
