"""What makes each of the convolutional blocks what its paper says: weights, order of operations, shortcuts."""

import math
from typing import Any

import pytest
import torch

from space.analysis import analyse
from space.architecture import Architecture, GraphBuilder
from space.blocks import BLOCKS
from space.blocks.base import Style
from space.build import build
from space.codegen.writer import generate
from space.decision import Option
from space.document.fields import STAGE_FIELDS
from space.node import Node
from space.operations import OPERATIONS
from space.operations.base import Layer
from tests.oracle import load_generated, network_macs

DEFAULTS: dict[str, Option] = {name: field.default for name, field in STAGE_FIELDS.items()}

MINE: dict[str, dict[str, Option]] = {
    "conv": {"kernel_width": 5, "kernel_depth": 1, "dilation": 2},
    "separable": {"dilation": 2},
    "factorised": {},
    "pointwise": {},
    "grouped": {"groups": 3},
    "residual": {"squeeze": 4, "drop_path": 0.25},
    "inverted_residual": {"expansion": 6, "squeeze": 4, "drop_path": 0.25},
    "shuffle_unit": {"groups": 3},
    "squeeze_excite": {},
}
"""Answers beside the defaults that bring out what the block can do."""


def style(width: int = 12, stride: int = 1, norm: str = "none", bias: str = "never") -> Style:
    """Nothing but weights of convolutions, unless asked for."""
    return Style(width=width, stride=stride, padding="same", norm=norm, activation="relu", bias=bias)


def grow(block: str, shape: tuple[int, ...], how: Style, **answers: Option) -> Architecture:
    """The block alone with a head of 2 · width + 2 weights."""
    g = GraphBuilder(shape, 2)
    x = BLOCKS[block].grow(g, "b", g.input, (DEFAULTS | answers).__getitem__, how)
    x = g.add("head.pool", "global_avg_pool", {}, x)
    return g.finish(g.add("head.out", "linear", {"out": 2}, g.add("head.flat", "flatten", {}, x)))


def parts(architecture: Architecture) -> dict[str, Node]:
    return {node.name.removeprefix("b."): node for node in architecture.nodes}


def weights(architecture: Architecture) -> int:
    """Of all nodes but the head's."""
    return sum(cost.params for cost in analyse(architecture).nodes if not cost.name.startswith("head."))


@pytest.mark.parametrize("block", MINE)
@pytest.mark.parametrize("shape", [(3, 9, 7), (12, 5, 6), (12, 4, 5, 3), (4, 2, 3, 5)])
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_maps_and_volumes_of_any_size_are_built_as_computed(block: str, shape: tuple[int, ...], norm: str) -> None:
    for stride in (1, 2):
        architecture = grow(block, shape, style(stride=stride, norm=norm, bias="auto"), **MINE[block])
        module = build(architecture)
        costs = analyse(architecture)
        assert costs.params == sum(p.numel() for p in module.parameters())
        assert costs.macs == network_macs(architecture, module)
        generated = load_generated(generate(architecture))
        generated.load_state_dict(module.state_dict())
        x = torch.randn(3, *shape)
        torch.testing.assert_close(generated.eval()(x), module.eval()(x), atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(4, 9, 9), (4, 9, 9, 9)])
def test_weights_of_the_convolutions(shape: tuple[int, ...]) -> None:
    """M channels in, N out, kernel k, in as many dimensions as the map has sides."""
    m, n, k, sides = 4, 12, 5, len(shape) - 1
    taps = k**sides
    assert weights(grow("conv", shape, style(), kernel=k)) == taps * m * n
    assert weights(grow("separable", shape, style(), kernel=k)) == taps * m + m * n
    assert weights(grow("separable", shape, style(), kernel=k, dilation=3)) == taps * m + m * n
    assert weights(grow("factorised", shape, style(), kernel=k)) == k * m * n + (sides - 1) * k * n * n
    assert weights(grow("pointwise", shape, style())) == m * n
    assert weights(grow("grouped", shape, style(), kernel=k, groups=4)) == taps * m * n // 4


def test_macs_are_weights_times_positions() -> None:
    for block in ("conv", "separable", "grouped", "pointwise"):
        architecture = grow(block, (4, 9, 7), style(), kernel=5)
        assert analyse(architecture).macs == weights(architecture) * 9 * 7 + 12 * 2


def test_a_kernel_of_any_shape() -> None:
    flat = parts(grow("conv", (4, 9, 7), style(), kernel=3, kernel_width=7, kernel_depth=5))
    assert flat["conv"].attrs["kernel"] == (3, 7)
    deep = parts(grow("conv", (4, 9, 9, 7), style(), kernel=3, kernel_width=7, kernel_depth=5))
    assert deep["conv"].attrs["kernel"] == (5, 3, 7)
    assert parts(grow("conv", (4, 9, 9, 7), style(), kernel=3, kernel_depth=1))["conv"].attrs["kernel"] == (1, 3, 3)


def test_a_dilated_kernel_reaches_further_with_the_same_weights() -> None:
    for block in ("conv", "separable"):
        plain, dilated = (grow(block, (4, 9, 9), style(), kernel=3, dilation=d) for d in (1, 3))
        assert analyse(plain).receptive_field == 3
        assert analyse(dilated).receptive_field == 3 * 2 + 1
        assert weights(plain) == weights(dilated)


@pytest.mark.parametrize(("padding", "left"), [("same", (5, 4)), ("valid", (3, 2))])
def test_factorised_convolutions_see_what_the_whole_kernel_sees(padding: str, left: tuple[int, int]) -> None:
    how = Style(width=12, stride=2, padding=padding, norm="none", activation="relu")
    whole, split = (grow(block, (4, 9, 7), how, kernel=5) for block in ("conv", "factorised"))
    assert parts(split)["across.conv"].attrs["kernel"] == (1, 5)
    assert parts(split)["down.conv"].attrs["kernel"] == (5, 1)
    assert analyse(whole).receptive_field == analyse(split).receptive_field == 5
    assert split.shapes["b.down.act"] == whole.shapes["b.act"] == (12, *left)


def test_a_stride_behind_factors_leaves_no_pixel_unread() -> None:
    module = build(grow("factorised", (1, 8, 8), style(stride=2), kernel=3))
    for parameter in module.parameters():
        torch.nn.init.constant_(parameter, 1.0)
    x = torch.ones(1, 1, 8, 8, requires_grad=True)
    module(x).sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).all()


def test_a_shuffle_lets_every_group_reach_every_other() -> None:
    """ShuffleNet, figure 1: without it outputs depend on their own group for ever."""

    def reached(shuffled: bool) -> int:
        g = GraphBuilder((6, 4, 4), 2)
        x = g.input
        for i in range(2):
            x = g.add(f"conv{i}", "conv2d", {"out": 6, "kernel": 1, "groups": 3}, x)
            x = g.add(f"shuffle{i}", "channel_shuffle", {"groups": 3}, x) if shuffled else x
        x = g.add("flat", "flatten", {}, x)
        module = build(g.finish(g.add("out", "linear", {"out": 2}, x)))
        for parameter in module.parameters():
            torch.nn.init.constant_(parameter, 1.0)
        module.get_submodule("out").get_parameter("weight").data[:, 16:] = 0
        image = torch.ones(1, 6, 4, 4, requires_grad=True)
        module(image).sum().backward()
        assert image.grad is not None
        return int((image.grad.abs().amax(dim=(0, 2, 3)) > 0).sum())

    assert (reached(shuffled=False), reached(shuffled=True)) == (2, 4)


def test_a_shuffle_deals_channels_out() -> None:
    operation = OPERATIONS["channel_shuffle"]
    assert isinstance(operation, Layer)
    x = torch.arange(6.0).reshape(1, 6, 1, 1)
    assert operation.module({"groups": 2}, [(6, 1, 1)])(x).flatten().tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize(("channels", "groups"), [(12, 6), (3, 3), (4, 2), (1, 1), (5, 1)])
def test_groups_that_do_not_divide_the_input_channels_are_reduced(channels: int, groups: int) -> None:
    for block, node in (("grouped", "conv"), ("shuffle_unit", "reduce.conv")):
        nodes = parts(grow(block, (channels, 6, 6), style(width=12), groups=6))
        assert nodes[node].attrs["groups"] == groups
        assert ("shuffle" in nodes) == (groups > 1)


def test_the_gate_of_squeeze_and_excitation() -> None:
    """Eq. 5 of the paper: 2 · C² / r weights, here with biases; each channel times one number from 0 to 1."""
    architecture = grow("squeeze_excite", (16, 6, 5), style(width=16, bias="auto"), reduction=4)
    assert weights(architecture) == 2 * 16 * 16 // 4 + 16 + 16 // 4
    assert "project.conv" not in parts(architecture)
    g = GraphBuilder((16, 6, 5), 16)
    x = BLOCKS["squeeze_excite"].grow(g, "b", g.input, (DEFAULTS | {"reduction": 4}).__getitem__, style(width=16))
    x = g.add("pool", "global_avg_pool", {}, x)
    gated = build(g.finish(g.add("flat", "flatten", {}, x)))
    image = torch.rand(2, 16, 6, 5) + 1
    gate = gated(image) / image.mean(dim=(2, 3))
    assert ((gate > 0) & (gate < 1)).all()
    torch.testing.assert_close(gated(image.flip(2)), gated(image))  # it sees means, not places


def test_squeeze_and_excitation_gives_a_new_shape_first() -> None:
    for shape, stride in (((3, 6, 5), 1), ((16, 6, 5), 2)):
        nodes = parts(grow("squeeze_excite", shape, style(width=16, stride=stride), reduction=4))
        assert nodes["project.conv"].attrs["kernel"] == 1


def test_a_squeeze_in_a_residual_block_stands_before_the_sum() -> None:
    nodes = parts(grow("residual", (12, 6, 6), style(), squeeze=4, drop_path=0.25))
    assert nodes["squeeze.multiply"].inputs == ("b.second.conv", "b.squeeze.gate")
    assert nodes["drop_path"].inputs == ("b.squeeze.multiply",)
    assert nodes["add"].inputs == ("b.drop_path", "input")
    plain = parts(grow("residual", (12, 6, 6), style()))
    assert not {name for name in plain if "squeeze" in name or "drop_path" in name}


@pytest.mark.parametrize("expansion", [1, 6])
@pytest.mark.parametrize(("channels", "stride"), [(12, 1), (12, 2), (4, 1)])
def test_an_inverted_residual_is_that_of_the_paper(expansion: int, channels: int, stride: int) -> None:
    architecture = grow(
        "inverted_residual", (channels, 6, 6), style(stride=stride), expansion=expansion, kernel=3, drop_path=0.25
    )
    nodes, wide = parts(architecture), expansion * channels
    expand = channels * wide if expansion > 1 else 0
    assert weights(architecture) == expand + 9 * wide + wide * 12
    assert nodes["depthwise.conv"].attrs["groups"] == wide
    assert "project.act" not in nodes
    identity = stride == 1 and channels == 12
    assert ("add" in nodes) == ("drop_path" in nodes) == identity
    assert "shortcut.conv" not in nodes
    assert "act" not in nodes


def test_a_squeeze_in_an_inverted_residual_weighs_the_wide_map() -> None:
    nodes = parts(grow("inverted_residual", (12, 6, 6), style(), expansion=2, squeeze=4))
    assert nodes["squeeze.reduce"].attrs["out"] == 24 // 4
    assert nodes["squeeze.multiply"].inputs == ("b.depthwise.act", "b.squeeze.gate")
    assert nodes["project.conv"].inputs == ("b.squeeze.multiply",)


def test_a_shuffle_unit_adds_equal_shapes() -> None:
    """Figure 2 b: m = width / 4 channels inside, c · m / g weights at each end, 9 · m between."""
    width, groups, inner = 24, 3, 6
    architecture = grow("shuffle_unit", (width, 6, 6), style(width=width), groups=groups)
    assert weights(architecture) == width * inner // groups + 9 * inner + inner * width // groups
    nodes = parts(architecture)
    assert list(nodes)[1:8] == [
        "reduce.conv", "reduce.act", "shuffle", "depthwise.conv", "expand.conv", "add", "act",
    ]  # fmt: skip
    assert nodes["add"].inputs == ("b.expand.conv", "input")


def test_a_shuffle_unit_with_a_stride_concatenates_input_and_branch() -> None:
    """Figure 2 c: means of 3×3 with stride 2, and the branch gives the other channels."""
    architecture = grow("shuffle_unit", (12, 6, 6), style(width=24, stride=2), groups=3)
    nodes = parts(architecture)
    assert dict(nodes["pool"].attrs) == {"kernel": 3, "stride": 2, "padding": "same"}
    assert nodes["expand.conv"].attrs["out"] == 12
    assert nodes["concat"].inputs == ("b.pool", "b.expand.conv")
    assert architecture.shapes["b.act"] == (24, 3, 3)
    narrower = parts(grow("shuffle_unit", (24, 6, 6), style(width=12, stride=2), groups=3))
    assert narrower["add"].inputs == ("b.expand.conv", "b.shortcut.conv")


def test_dropped_paths_leave_the_shortcut_and_keep_the_mean() -> None:
    operation = OPERATIONS["drop_path"]
    assert isinstance(operation, Layer)
    layer = operation.module({"rate": 0.25}, [(2, 3, 3)])
    torch.manual_seed(1)
    x = torch.ones(4000, 2, 3, 3)
    y = layer(x)
    torch.testing.assert_close(y.amin(dim=(1, 2, 3)), y.amax(dim=(1, 2, 3)))  # a whole sample or nothing of it
    assert sorted(set(y[:, 0, 0, 0].tolist())) == [0, pytest.approx(4 / 3)]
    assert float(y.mean()) == pytest.approx(1, abs=4 * math.sqrt(0.25 / 0.75 / 4000))
    assert layer.eval()(x) is x


CLASHES: list[tuple[str, dict[str, Any], str]] = [
    ("conv", {"padding": ("same", "valid"), "kernel_width": (0, 3)}, "kernel_width"),
    ("conv", {"padding": ("valid",), "kernel_depth": (1,)}, "kernel_depth"),
    ("conv", {"padding": ("valid",), "dilation": (1, 2)}, "dilation"),
    ("separable", {"padding": ("valid",), "dilation": (2,)}, "dilation"),
    ("grouped", {"groups": (2, 5)}, "groups"),
    ("shuffle_unit", {"groups": (5,)}, "groups"),
]


@pytest.mark.parametrize(("block", "options", "field"), CLASHES)
def test_combinations_that_cannot_work_are_named(block: str, options: dict[str, Any], field: str) -> None:
    every = {name: (default,) for name, default in DEFAULTS.items()} | options
    assert [clash.field for clash in BLOCKS[block].clashes(every, (8, 12))] == [field]
    assert not list(BLOCKS[block].clashes({name: (default,) for name, default in DEFAULTS.items()}, (8, 12)))
