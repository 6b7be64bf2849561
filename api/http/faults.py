"""Pydantic's validation errors as faults: JSON pointer, rule, one sentence, what is allowed."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from archsmith.errors import Fault, pointer

DATASET_NAME, NAME, JOB_ID = (
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
    r"^[0-9A-Za-z-]{1,64}$",
)
"""The patterns of names in requests, which messages say in words."""
_TYPES = {
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "string": "a string",
    "list": "an array",
    "tuple": "an array",
    "dict": "an object",
    "model": "an object",
    "model_attributes": "an object",
}
_IN_WORDS = {
    DATASET_NAME: "1 to 64 letters, digits, '.', '_' or '-', the first one a letter or a digit",
    NAME: "1 to 64 letters, digits, '_' or '-', the first one a letter or a digit",
    JOB_ID: "the id of a job: 1 to 64 letters, digits or '-'",
}
_BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
OWN = ("choice_unknown", "combination_unsupported", "missing_field", "name_invalid", "type_mismatch", "out_of_range")
"""Rules of our own validators."""
_RANGES = ("greater_than", "less_than", "finite_number", "too_long", "too_short", "int_from_float", "multiple_of")


def faults_of(
    errors: Sequence[Mapping[str, Any]], *, skip: int = 0, model: type[BaseModel] | None = None
) -> list[Fault]:
    """The faults of pydantic's errors. skip: number of leading parts of each location to leave out, such as "query"."""
    return [_fault(error, error["loc"][skip:], model) for error in errors]


def example_of(model: type[BaseModel] | None) -> Any:
    """The first example in the OpenAPI schema of a body's model, None if it has none."""
    extra = model.model_config.get("json_schema_extra") if model else None
    examples = extra.get("examples") if isinstance(extra, dict) else None
    return examples[0] if isinstance(examples, list) and examples else None


def _fault(error: Mapping[str, Any], path: tuple[Any, ...], model: type[BaseModel] | None) -> Fault:
    kind, context, where = str(error["type"]), error.get("ctx") or {}, pointer(*path)
    name = str(path[-1])[:100] if path else "the body"
    if kind == "extra_forbidden":
        return _unknown_field(where, name, _fields(model, path[:-1]))
    if kind == "missing":
        return Fault(pointer=where, rule="missing_field", detail=f"{name} is required")
    if kind in ("literal_error", "enum"):
        allowed = context.get("expected", "")
        return Fault(pointer=where, rule="choice_unknown", detail=f"{_shown(error)} is not one of {allowed}",
                     allowed=[part.strip(" '") for part in str(allowed).replace(" or ", ", ").split(",")])  # fmt: skip
    if kind.startswith(_RANGES) or kind.endswith(_RANGES):
        return _out_of_range(where, error, context)
    for prefix, article in _TYPES.items():
        if kind in (f"{prefix}_type", f"{prefix}_parsing"):
            return Fault(pointer=where, rule="type_mismatch", detail=f"must be {article}, got {_shown(error)}",
                         allowed=article)  # fmt: skip
    if kind in OWN:
        return Fault(pointer=where, rule=kind, detail=str(error["msg"]), allowed=context.get("allowed"))
    if kind == "string_pattern_mismatch":
        rule = _IN_WORDS.get(context["pattern"], "letters, digits, '_' and '-' only")
        detail = f"must be {rule}, got {_shown(error)}"
        return Fault(pointer=where, rule="name_invalid", detail=detail, allowed=context["pattern"])
    return Fault(pointer=where, rule="invalid", detail=str(error["msg"])[:300])


def _out_of_range(where: str, error: Mapping[str, Any], context: Mapping[str, Any]) -> Fault:
    bounds = {key: value for key, value in context.items() if key in _BOUNDS}
    bound = " and ".join(f"{_BOUNDS[key]} {value}" for key, value in bounds.items()) or str(error["msg"])[:200]
    got = "" if "length" in str(error["msg"]) else f", got {_shown(error)}"
    return Fault(pointer=where, rule="out_of_range", detail=f"must be {bound}{got}", allowed=bound)


def _unknown_field(where: str, name: str, known: Sequence[str]) -> Fault:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return Fault(pointer=where, rule="unknown_field", detail=f"there is no field {name!r}{hint}", allowed=list(known))


def _fields(model: type[BaseModel] | None, path: tuple[Any, ...]) -> list[str]:
    for part in path:
        field = model.model_fields.get(str(part)) if model else None
        kind = field.annotation if field else None
        model = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
    return sorted(model.model_fields) if model else []


def _shown(error: Mapping[str, Any]) -> str:
    text = repr(error.get("input"))
    return text if len(text) <= 80 else text[:79] + "…"
