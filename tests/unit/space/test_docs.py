"""The examples of docs/spaces.md are true."""

import re
from pathlib import Path

import pytest

from space import presets
from space.analysis import analyse
from space.blocks import BLOCKS
from space.constraint import MEASURES, Constraint
from space.document.fields import HEAD_FIELDS, STAGE_FIELDS, STEM_FIELDS
from space.space import Space

DOCS = Path(__file__).parents[3] / "docs"
SPACES = (DOCS / "spaces.md").read_text(encoding="utf-8")


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("text", fenced(SPACES, "yaml"))
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 64, 64)])
def test_documents_of_the_page_are_spaces(text: str, shape: tuple[int, ...]) -> None:
    graph = re.search("^data: (nodes|graphs|links)", text, re.MULTILINE) is not None
    space = Space.parse(text, input_shape=shape[:1] if graph else shape, classes=4)
    assert space.sample(lambda decision: decision.options[-1]).classes == 4
    assert space.feasible(analyse(space.sample(lambda decision: decision.options[0])))


def test_the_page_lists_every_field_with_its_default_and_words() -> None:
    rows = {
        row[0]: row for row in re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \| .+ \|$", SPACES, re.MULTILINE)
    }
    assert list(rows) == list(STAGE_FIELDS)
    of_blocks = {"operation", *(name for block in BLOCKS.values() for name in block.fields)}
    for name, field in STAGE_FIELDS.items():
        _, options, default, asked = rows[name]
        assert default.strip("`") == (field.default if field.kind == "name" else f"{field.default:g}")
        assert re.findall(r"`([^`]+)`", options) == list(field.names)
        assert asked.strip("`") == ("per" if name in of_blocks else "stage")
        if field.kind != "name":
            assert f"{field.low:g} to {field.high:g}" in options
    assert all(f"`{name}`" in SPACES for name in (*STEM_FIELDS, *HEAD_FIELDS))


def test_the_page_says_what_convolutional_blocks_ask() -> None:
    section = SPACES.split("## Convolutions")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| .+? \| (.+?) \| .+? \|$", section, re.MULTILINE)
    assert len(rows) == 9
    for name, asks in rows:
        assert tuple(re.findall(r"`(\w+)`", asks)) == BLOCKS[name].fields


def test_constraints_and_presets_of_the_page_are_real() -> None:
    section = SPACES.split("## Constraints")[1].split("Examples:")[1].split("\n\n")[0]
    examples = re.findall(r"`(.+?)`", section)
    assert len(examples) == 3
    assert all(Constraint.parse(text) for text in examples)
    table = SPACES.split("## Constraints")[1].split("## Refused")[0]
    assert tuple(re.findall(r"(?m)^\| `(\w+)` \|", table)) == MEASURES
    assert all(f"`{name}`" in SPACES for name in presets.names())
