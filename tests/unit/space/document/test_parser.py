"""The space document: what is accepted, and that everything else is refused with pointers and reasons."""

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsmith.errors import InvalidSpace
from space import presets
from space.document import schema
from space.document.fields import STAGE_FIELDS
from space.document.parser import parse_document
from space.document.schema import SCHEMA
from space.document.values import questions
from space.space import Space
from tests.effort import share

Json = dict[str, Any]


def document(**changes: Any) -> Json:
    return {"schema": 1, "stages": [{"width": 8}], **changes}


def faults(value: object) -> dict[str, tuple[str, str]]:
    with pytest.raises(InvalidSpace) as caught:
        parse_document(value)
    for fault in caught.value.faults:
        assert fault.detail.isascii()
        json.dumps([fault.pointer, fault.allowed], allow_nan=False).encode()
    return {fault.pointer: (fault.rule, fault.detail) for fault in caught.value.faults}


def test_the_smallest_document() -> None:
    parsed = parse_document({"schema": 1, "stages": [{}]})
    [stage] = parsed.stages
    assert parsed.stem is None
    assert stage.options["operation"] == ("conv",)
    assert all(len(options) == 1 for options in parsed.head.values())
    assert {name for name, options in stage.options.items() if len(options) > 1} == {
        name for name, field in STAGE_FIELDS.items() if field.free
    }


def test_a_value_is_fixed_and_a_list_is_a_decision_in_the_order_of_its_scale() -> None:
    [stage] = parse_document(document(stages=[{"kernel": [5, 3], "norm": ["none", "batch"], "dropout": 0}])).stages
    assert stage.options["kernel"] == (3, 5)
    assert stage.options["norm"] == ("none", "batch")
    assert stage.options["dropout"] == (0.0,)


def test_yaml_and_json_text_mean_the_same() -> None:
    text = "schema: 1\nstages:\n  - {width: [8, 16], norm: none}\n"
    value = {"schema": 1, "stages": [{"width": [8, 16], "norm": "none"}]}
    assert parse_document(text) == parse_document(json.dumps(value)) == parse_document(value)


@pytest.mark.parametrize(
    ("value", "pointer", "rule", "says"),
    [
        (document(stagse=[]), "/stagse", "unknown_field", "did you mean 'stages'"),
        (document(stages=[{"kernal": 3}]), "/stages/0/kernal", "unknown_field", "did you mean 'kernel'"),
        (document(stages=[{"a/b~c": 3}]), "/stages/0/a~1b~0c", "unknown_field", "no field"),
        (document(stages=[{3: 3}]), "/stages/0/3", "unknown_field", "no field 3"),
        (document(stages=[{"width": "8"}]), "/stages/0/width", "type_mismatch", "from 1 to 4096, got '8'"),
        (document(stages=[{"width": 8.0}]), "/stages/0/width", "type_mismatch", "got 8.0"),
        (document(stages=[{"width": True}]), "/stages/0/width", "type_mismatch", "got True"),
        (document(stages=[{"width": None}]), "/stages/0/width", "type_mismatch", "got None"),
        (document(stages=[{"width": [8, [9]]}]), "/stages/0/width/1", "type_mismatch", "got a list"),
        (document(stages=[{"width": 0}]), "/stages/0/width", "out_of_range", "got 0"),
        (document(stages=[{"width": [8, 4097]}]), "/stages/0/width/1", "out_of_range", "got 4097"),
        (document(stages=[{"width": 10**5000}]), "/stages/0/width", "out_of_range", "got a huge number"),
        (document(stages=[{"kernel": 4}]), "/stages/0/kernel", "out_of_range", "odd"),
        (document(stages=[{"dropout": math.nan}]), "/stages/0/dropout", "out_of_range", "got nan"),
        (document(stages=[{"dropout": math.inf}]), "/stages/0/dropout", "out_of_range", "got inf"),
        (document(stages=[{"depth": 65}]), "/stages/0/depth", "out_of_range", "0 to 64"),
        (document(stages=[{"norm": "bach"}]), "/stages/0/norm", "choice_unknown", "did you mean 'batch'"),
        (document(stages=[{"norm": "\ud800"}]), "/stages/0/norm", "choice_unknown", "got '\\ud800'"),
        (document(stages=[{"norm": ["batch", 3]}]), "/stages/0/norm", "choices_invalid", "mixed"),
        (document(stages=[{"kernel": []}]), "/stages/0/kernel", "choices_invalid", "empty"),
        (document(stages=[{"kernel": [3, 3]}]), "/stages/0/kernel", "choices_invalid", "twice"),
        (document(stages=[{"dropout": [0, 0.0]}]), "/stages/0/dropout", "choices_invalid", "twice"),
        (document(stages=[{"width": list(range(1, 66))}]), "/stages/0/width", "choices_invalid", "at most 64"),
        (document(stages=[{"per": "blok"}]), "/stages/0/per", "choice_unknown", "stage, block"),
        (document(stages=[]), "/stages", "space_empty", "at least one block"),
        (document(stages=[{"depth": 0}]), "/stages", "space_empty", "at least one block"),
        (document(stages=[{}] * 33), "/stages", "out_of_range", "at most 32"),
        (document(stages=[{"depth": 64}] * 3), "/stages", "out_of_range", "got 192"),
        (document(stages={"0": {}}), "/stages", "type_mismatch", "must be a list"),
        (document(stages=[[]]), "/stages/0", "type_mismatch", "must be a mapping"),
        (
            document(stages=[{"operation": "branching", "width": 2, "branches": 3}]),
            "/stages/0/width",
            "out_of_range",
            "3",
        ),
        (document(stem={"depth": 2}), "/stem/depth", "unknown_field", "the stem"),
        (document(head={"hidden": -1}), "/head/hidden", "out_of_range", "0 to 4096"),
        (document(head=None), "/head", "type_mismatch", "the head"),
        (document(schema=2), "/schema", "version_unsupported", "must be 1, got 2"),
        (document(schema=True), "/schema", "version_unsupported", "got True"),
        ({"stages": [{}]}, "/schema", "version_unsupported", "got none"),
        (document(name=""), "/name", "out_of_range", "1 to 100"),
        (document(name="a\x00b"), "/name", "out_of_range", "printable"),
        (document(name=3), "/name", "type_mismatch", "text"),
        (document(constraints="params < 3"), "/constraints", "type_mismatch", "list"),
        (document(constraints=["params < 3", "size < 3"]), "/constraints/1", "expression_invalid", "'size'"),
        (document(constraints=["params < 3"] * 65), "/constraints", "out_of_range", "at most 64"),
        (document(baseline=[]), "/baseline", "type_mismatch", "decision names"),
        (document(baseline={"stages.0.widht": 8}), "/baseline/stages.0.widht", "baseline_invalid", "'stages.0.width'"),
        (document(baseline={"stages.0.width": 9}), "/baseline/stages.0.width", "baseline_invalid", "got 9"),
        (document(baseline={"stages.0.width": [8]}), "/baseline/stages.0.width", "baseline_invalid", "a list"),
        (document(baseline={"stages.0.dropout": False}), "/baseline/stages.0.dropout", "baseline_invalid", "False"),
        ([], "", "type_mismatch", "a space document must be a mapping"),
        (None, "", "type_mismatch", "got None"),
    ],
)
def test_every_rule_has_a_pointer_and_a_sentence(value: object, pointer: str, rule: str, says: str) -> None:
    found = faults(value)
    assert pointer in found
    assert found[pointer][0] == rule
    assert says in found[pointer][1]


def test_all_faults_are_reported_at_once() -> None:
    stages = [{"width": 0, "kernel": 4}, {"norm": "x", "bogus": 1}]
    found = faults({"schema": 3, "stages": stages, "head": {"pool": "maximum"}, "constraints": ["x"], "extra": 1})
    assert set(found) == {
        "/extra",
        "/schema",
        "/stages/0/width",
        "/stages/0/kernel",
        "/stages/1/norm",
        "/stages/1/bogus",
        "/head/pool",
        "/constraints/0",
    }


def test_a_flood_of_faults_is_cut_off() -> None:
    assert len(faults({str(i): i for i in range(10_000)})) == 100


BILLION_LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("text", "rule", "says"),
    [
        (BILLION_LAUGHS, "yaml_unsupported", "anchors and aliases"),
        ("a: &a 1", "yaml_unsupported", "line 1"),
        ("stages: &a [*a]", "yaml_unsupported", "anchors and aliases"),
        ("&a {stages: *a}", "yaml_unsupported", "anchors and aliases"),
        ("name: " + "a" * 10_000_000, "out_of_range", "262144"),
        ("schema: !!python/object/apply:os.system [ls]", "yaml_unsupported", "tags"),
        ("schema: !!str 1", "yaml_unsupported", "tags"),
        ("a: 1\na: 2", "yaml_unsupported", "'a' appears twice"),
        ('{"a": 1, "a": 2}', "yaml_unsupported", "'a' appears twice"),
        ("<<: {a: 1}", "yaml_unsupported", "merge"),
        ("? [1, 2]\n: 3", "yaml_unsupported", "key must be a plain word"),
        ("a: [1", "yaml_unsupported", "line 1"),
        ("a: 1\n---\nb: 2", "yaml_unsupported", "another document"),
        ("a: \x00", "yaml_unsupported", "not readable"),
        ("a: \ud800", "yaml_unsupported", "not readable"),
        ("a: " + "9" * 5000, "yaml_unsupported", "not readable"),
        ("a: 0x", "unknown_field", ""),
        ("[" * 1000 + "]" * 1000, "out_of_range", "16 levels"),
        ('{"a":' * 100_000, "out_of_range", "262144"),
        ('{"a":' * 40_000, "out_of_range", "16 levels"),
        ("- " * 2000, "out_of_range", "16 levels"),
        ("{" + "a," * 60_000 + "}", "out_of_range", "10000 keys and values"),
        ("#" * 300_000, "out_of_range", "262144"),
        ("", "type_mismatch", "got None"),
        ("schema: 2020-01-01", "version_unsupported", "'2020-01-01'"),
        ("just words", "type_mismatch", "got 'just words'"),
    ],
)
def test_hostile_text(text: str, rule: str, says: str) -> None:
    found = faults(text)
    assert any(got == rule and says in detail for got, detail in found.values()), found


def test_a_document_that_holds_itself() -> None:
    circle = document()
    circle["stages"] = [circle]
    circle["constraints"] = circle["stages"]
    assert {"/stages/0/stages", "/constraints/0"} <= faults(circle).keys()


def test_the_published_schema_is_the_generated_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    published = (Path(schema.__file__).parents[1] / "schema.json").read_text(encoding="utf-8")
    assert published == schema.text(), "run: python -m space.document.schema > space/schema.json"


@pytest.mark.heavy
@pytest.mark.parametrize("name", presets.names())
def test_presets_keep_the_published_schema(name: str) -> None:
    jsonschema.validate(presets.load(name), SCHEMA)


def test_questions_name_all_that_a_baseline_may_answer() -> None:
    stages = [{"per": "block", "depth": [1, 2], "operation": ["conv", "branching"], "kernel": [1, 3]}]
    found = questions(parse_document(document(stages=stages)))
    assert found["stages.0.blocks.1.operation"] == ("conv", "branching")
    assert found["stages.0.blocks.1.branch1.kernel"] == (1, 3)
    assert "stages.0.blocks.2.operation" not in found
    assert "stages.0.operation" not in found
    assert found["head.pool"] == ("global",)


# Mutations of valid documents: some part is replaced, removed, repeated or renamed.

junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(
        [10**400, -1, 0, 2**63, 1e308, -0.0, "", "stage", "none", "\ud800", "params <= 1", b"x", {1}, object]
    ),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2), max_size=4),
    st.dictionaries(st.text(max_size=5) | st.integers() | st.none(), st.integers() | st.text(max_size=3), max_size=3),
)


def paths(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, part in inner for found in paths(part, (*path, key)))]


@st.composite
def mutants(draw: Callable[..., Any]) -> object:
    value: Any = copy.deepcopy(presets.load(draw(st.sampled_from(presets.names()))))
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(paths(value)))
        new = copy.deepcopy(draw(junk))  # the document grows inside it
        if not path:
            continue
        parent = value
        for key in path[:-1]:
            parent = parent[key]
        how = draw(st.sampled_from(["replace", "remove", "add"]))
        if how == "replace":
            parent[path[-1]] = new
        elif how == "remove":
            del parent[path[-1]]
        elif isinstance(parent, dict):
            parent[draw(st.text(max_size=6) | st.integers() | st.none())] = new
        else:
            parent.insert(0, new)
    return value


@settings(max_examples=share(300), deadline=None)
@given(mutants(), st.sampled_from([(1, 8, 8), (3, 5, 64)]))
def test_a_mutant_is_a_space_or_an_invalid_space(value: Any, shape: tuple[int, ...]) -> None:
    try:
        space = Space.parse(value, input_shape=shape, classes=3)
    except InvalidSpace as error:
        found = [[fault.pointer, fault.detail, fault.allowed] for fault in error.faults]
        json.dumps(found, allow_nan=False).encode()
        return
    jsonschema.validate(space.document, SCHEMA)
    assert space.sample(lambda decision: decision.options[-1]).classes == 3


@settings(max_examples=share(200), deadline=None)
@given(
    st.text(max_size=200) | st.lists(st.sampled_from(list("{}[]:,-&*!|>'\"\n ab1#?%@`<\t")), max_size=60).map("".join)
)
def test_any_text_is_refused_as_an_invalid_space(text: str) -> None:
    with pytest.raises(InvalidSpace):
        parse_document(text)
