"""Every registered block keeps the contract of `space/blocks/base.py`; and the structure of each."""

import itertools
from typing import Any, cast

import pytest

from space.analysis import analyse
from space.architecture import Architecture, GraphBuilder
from space.blocks import BLOCKS
from space.blocks.base import Style, group_count
from space.decision import Option
from space.document.fields import STAGE_FIELDS

DEFAULTS: dict[str, Option] = {name: field.default for name, field in STAGE_FIELDS.items()}

OPTIONS: dict[str, tuple[Option, ...]] = {
    **{name: (default,) for name, default in DEFAULTS.items()},
    "kernel": (1, 3, 5),
    "branches": (2, 3, 4),
    "merge": ("concat", "add"),
}

MAPS = [name for name, block in BLOCKS.items() if block.family == "map"]
NODES = [name for name, block in BLOCKS.items() if block.family == "nodes"]

STYLE = Style(width=8, stride=1, padding="same", norm="batch", activation="relu")


def ask(block: str, index: int = 0) -> dict[str, Option]:
    """Every question answered by option `index` (or the last one)."""
    answers: dict[str, Option] = {}

    def pick(name: str, source: str | None = None, among: tuple[Option, ...] | None = None) -> Option:
        options = tuple(option for option in OPTIONS[source or name] if among is None or option in among)
        answers[name] = options[min(index, len(options) - 1)]
        return answers[name]

    BLOCKS[block].ask(pick)
    return answers


def grow(block: str, answers: dict[str, Option], style: Style, shape: tuple[int, ...] = (3, 9, 7)) -> Architecture:
    g = GraphBuilder(shape, 2)
    x = BLOCKS[block].grow(g, "blocks.0", g.input, (DEFAULTS | answers).__getitem__, style)
    assert g.shape(x)[0] == style.width
    x = g.add("pool", "global_avg_pool", {}, x)
    return g.finish(g.add("out", "linear", {"out": 2}, g.add("flat", "flatten", {}, x)))


@pytest.mark.parametrize("block", BLOCKS)
def test_asks_only_for_the_decisions_it_lists(block: str) -> None:
    named = BLOCKS[block].questions(OPTIONS)
    assert set(named.values()) <= set(BLOCKS[block].fields) <= set(STAGE_FIELDS)
    for index in range(3):
        assert set(ask(block, index)) <= set(named)
        assert ask(block, index) == ask(block, index)
    assert set(ask(block, 2)) == set(named)


@pytest.mark.parametrize("block", MAPS)
@pytest.mark.parametrize("norm", ["batch", "layer", "instance", "group", "none"])
@pytest.mark.parametrize("sides", [(9, 7), (6, 9, 7)])
def test_grows_a_map_of_the_promised_size(block: str, norm: str, sides: tuple[int, ...]) -> None:
    for width, stride, padding, index in itertools.product((4, 7, 32), (1, 2), ("same", "valid"), range(3)):
        style = Style(width=width, stride=stride, padding=padding, norm=norm, activation="silu")
        answers = ask(block, index)
        if any(BLOCKS[block].clashes(OPTIONS, (width,))):
            continue  # the parser lets no such document through
        architecture = grow(block, answers, style, (3, *sides))
        assert len(architecture.nodes) - 4 <= BLOCKS[block].most_nodes(OPTIONS)  # all but input, pooling and classes
        kernel = cast(int, answers["kernel"]) if padding == "valid" and not BLOCKS[block].pads else 1
        size = tuple((side - kernel) // stride + 1 for side in sides)
        nodes = {node.name: node for node in architecture.nodes}
        [last] = nodes["pool"].inputs
        assert architecture.shapes[last] == (width, *size)


@pytest.mark.parametrize("block", NODES)
@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_grows_features_of_the_promised_length(block: str, norm: str) -> None:
    for width, features, index in itertools.product((4, 7), (1, 7, 12), range(3)):
        style = Style(width=width, stride=1, padding="same", norm=norm, activation="elu")
        if any(BLOCKS[block].clashes(OPTIONS, (width,))):
            continue  # the parser lets no such document through
        g = GraphBuilder((features,), 2, data="nodes")
        x = BLOCKS[block].grow(g, "blocks.0", g.input, (DEFAULTS | ask(block, index)).__getitem__, style)
        assert g.shape(x) == (width,)
        architecture = g.finish(g.add("out", "linear", {"out": 2}, x))
        assert len(architecture.nodes) - 3 <= BLOCKS[block].most_nodes(OPTIONS)  # all but input, edges and classes


@pytest.mark.parametrize("block", MAPS)
@pytest.mark.parametrize("norm", ["batch", "layer", "instance", "group", "none"])
@pytest.mark.parametrize("pixel", [(1, 1), (1, 1, 1)])
def test_grows_on_one_pixel_of_one_channel(block: str, norm: str, pixel: tuple[int, ...]) -> None:
    style = Style(width=32, stride=1, padding="same", norm=norm, activation="relu")
    assert grow(block, ask(block, 1), style, (1, *pixel)).shapes["pool"] == (32, *pixel)


@pytest.mark.parametrize("block", MAPS)
def test_a_convolution_has_a_bias_only_without_a_norm(block: str) -> None:
    for norm, bias in (("batch", False), ("group", False), ("none", True)):
        style = Style(width=32, stride=1, padding="same", norm=norm, activation="relu")
        nodes = grow(block, ask(block), style).nodes
        convolutions = [node for node in nodes if node.op.startswith("conv") and ".squeeze." not in node.name]
        assert {node.attrs["bias"] for node in convolutions} <= {bias}


def ops(architecture: Architecture) -> dict[str, Any]:
    return {node.name.removeprefix("blocks.0."): node for node in architecture.nodes}


def test_residual_projects_only_when_shapes_differ() -> None:
    plain = grow("residual", {"kernel": 3}, STYLE, (8, 6, 6))
    assert "shortcut.conv" not in ops(plain)
    assert ops(plain)["add"].inputs == ("blocks.0.second.norm", "input")
    for shape, stride in (((3, 6, 6), 1), ((8, 6, 6), 2)):
        style = Style(width=8, stride=stride, padding="same", norm="batch", activation="relu")
        assert ops(grow("residual", {"kernel": 3}, style, shape))["shortcut.conv"].attrs["kernel"] == 1


def test_separable_has_the_weights_of_the_paper() -> None:
    none = Style(width=16, stride=1, padding="same", norm="none", activation="relu")
    architecture = grow("separable", {"kernel": 5}, none, (4, 6, 6))
    weights = 25 * 4 + 4 + 4 * 16 + 16
    assert analyse(architecture).params == weights + 16 * 2 + 2


def branching(merge: str, *kernels: int) -> dict[str, Option]:
    """The answers of plain branches with these kernels."""
    answers: dict[str, Option] = {"branches": len(kernels), "merge": merge, "branch_reduction": 1}
    for i, kernel in enumerate(kernels):
        answers |= {f"branch{i}.operation": "conv", f"branch{i}.kernel": kernel, f"branch{i}.depth": 1}
    return answers


def test_branching_shares_the_width_or_adds_it_up() -> None:
    kernels = (1, 3, 5)
    concat = ops(grow("branching", branching("concat", *kernels), STYLE))
    assert [concat[f"branch{i}.conv"].attrs["out"] for i in range(3)] == [3, 3, 2]
    assert [concat[f"branch{i}.conv"].attrs["kernel"] for i in range(3)] == [1, 3, 5]
    add = ops(grow("branching", branching("add", *kernels), STYLE))
    assert [add[f"branch{i}.conv"].attrs["out"] for i in range(3)] == [8, 8, 8]
    assert len(add["add"].inputs) == 3


def test_the_order_of_added_branches_is_a_matter_of_spelling() -> None:
    one, other = branching("add", 1, 3), branching("add", 3, 1)
    assert grow("branching", one, STYLE).hash == grow("branching", other, STYLE).hash


@pytest.mark.parametrize(("channels", "groups"), [(1, 1), (4, 1), (8, 2), (7, 1), (24, 6), (32, 8), (48, 8), (50, 5)])
def test_group_norm_gets_groups_that_divide(channels: int, groups: int) -> None:
    assert group_count(channels) == groups
