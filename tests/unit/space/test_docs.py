"""The examples of docs/spaces.md and docs/adding-a-block-or-operation.md are true."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from space import presets
from space.analysis import analyse
from space.architecture import GraphBuilder
from space.blocks import BLOCKS
from space.blocks.base import Style
from space.constraint import MEASURES, Constraint
from space.fields import HEAD_FIELDS, STAGE_FIELDS, STEM_FIELDS
from space.space import Space

DOCS = Path(__file__).parents[3] / "docs"
SPACES = (DOCS / "spaces.md").read_text(encoding="utf-8")
ADDING = (DOCS / "adding-a-block-or-operation.md").read_text(encoding="utf-8")


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("text", fenced(SPACES, "yaml"))
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 64, 64)])
def test_documents_of_the_page_are_spaces(text: str, shape: tuple[int, ...]) -> None:
    graph = "\ndata:" in text
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


def load(text: str, name: str, folder: Path) -> ModuleType:
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


def test_the_block_of_the_page_grows(tmp_path: Path) -> None:
    block = load(fenced(ADDING, "python")[0], "bottleneck", tmp_path).Bottleneck()
    g = GraphBuilder((3, 9, 9), 2)
    style = Style(width=16, stride=2, padding="same", norm="batch", activation="relu")
    assert g.shape(block.grow(g, "blocks.0", g.input, lambda name: 3, style)) == (16, 5, 5)
    assert g.shape("blocks.0.middle.conv")[0] == 4


def test_the_operation_of_the_page_is_what_torch_does(tmp_path: Path) -> None:
    operation = load(fenced(ADDING, "python")[1], "pixel_unshuffle", tmp_path).PixelUnshuffle()
    attrs = operation.check({"factor": 2})
    module = operation.module(attrs, [(3, 8, 6)])
    assert module(torch.zeros(1, 3, 8, 6)).shape[1:] == operation.shape(attrs, [(3, 8, 6)])
