"""What a stage does around its blocks, whatever they are: the skip around all of them, and the width times a number."""

from typing import Any

import pytest
import torch

from space.analysis import analyse
from space.architecture import Architecture
from space.blocks import BLOCKS
from space.build import build
from space.document.fields import scaled
from space.space import Space

MAPS = [name for name, block in BLOCKS.items() if block.family == "map"]
SHAPES = [(3, 12, 9), (2, 6, 5, 7)]


def network(shape: tuple[int, ...], stages: list[dict[str, Any]], *, pick: int = -1, **more: Any) -> Architecture:
    """The last option of each decision: the first of the edges of a cell is none."""
    document = {"schema": 1, "stages": stages, **more}
    return Space.parse(document, input_shape=shape, classes=2).sample(lambda decision: decision.options[pick])


def stage(block: str, **more: Any) -> dict[str, Any]:
    return {"operation": block, "width": 16, "cardinality": 2, "depth": 2, "pool": "max", **more}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("block", MAPS)
@pytest.mark.parametrize("skip", ["add", "concat"])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_stage_may_be_skipped_around(block: str, skip: str, stride: int, shape: tuple[int, ...]) -> None:
    torch.set_num_threads(1)
    found = network(shape, [stage(block, skip=skip, stride=stride), {"width": 4}])
    sides = tuple(-(-side // stride) for side in shape[1:])
    width = 16 if skip == "add" else 16 + shape[0]
    assert found.shapes[f"stages.0.skip.{skip}"] == (width, *sides)
    projection = {name for name in found.shapes if name.startswith("stages.0.skip.projection")}
    assert bool(projection) == (skip == "add" or stride == 2)
    module = build(found)
    assert sum(p.numel() for p in module.parameters()) == analyse(found).params
    assert module(torch.randn(2, *shape)).shape == (2, 2)


def test_a_skip_of_one_shape_needs_no_projection() -> None:
    first, second = {"width": 8}, {"width": 8, "skip": "add"}
    found = network((3, 8, 8), [first, second])
    [add] = [node for node in found.nodes if node.op == "add"]
    assert add.inputs == ("stages.1.blocks.0.act", "stages.0.blocks.0.act")


def test_a_stage_left_out_has_no_skip() -> None:
    found = network((3, 8, 8), [{"width": 8}, {"width": 8, "depth": [0, 1], "skip": "concat"}], pick=0)
    assert not [node for node in found.nodes if node.op == "concat"]


@pytest.mark.parametrize(
    ("width", "multiplier", "gives"),
    [(12, 1.0, 12), (16, 0.5, 8), (32, 0.25, 8), (32, 0.05, 8), (24, 1.5, 40), (20, 2.0, 40), (4096, 16.0, 65_536)],
)
def test_widths_are_multiplied_to_multiples_of_eight(width: int, multiplier: float, gives: int) -> None:
    """Howard et al. 2017, section 3.3; a multiplier of 1 changes nothing, not even a width of 12."""
    assert scaled(width, multiplier) == gives


@pytest.mark.parametrize("block", MAPS)
def test_a_multiplier_is_as_good_as_other_widths(block: str) -> None:
    stages = [stage(block), stage(block, width=24)]
    wider = [stage(block, width=32), stage(block, width=48)]
    assert network((3, 12, 12), stages, width_multiplier=2).hash == network((3, 12, 12), wider).hash


def test_one_decision_widens_every_stage() -> None:
    document = {"schema": 1, "stem": {"width": 8}, "stages": [{"width": [16, 24]}], "width_multiplier": [0.5, 1, 2]}
    space = Space.parse(document, input_shape=(1, 8, 8), classes=2)
    assert space.size().count == 6
    wide = space.sample(lambda decision: decision.options[-1])
    assert [wide.shapes[name][0] for name in ("stem.conv", "stages.0.blocks.0.conv")] == [16, 48]
