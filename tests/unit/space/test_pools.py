"""Pooling without aliasing and resizing: what they compute, and that decision paths know the sides they leave."""

import itertools
import random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from archsmith.errors import InvalidArchitecture, InvalidSpace
from space import kinds
from space.analysis import analyse
from space.architecture import GraphBuilder
from space.build import build
from space.operations import OPERATIONS, resize
from space.operations.base import Layer
from space.pools import POOLS, pool
from space.space import Space
from tests.effort import share

UPS = ("up_nearest", "up_bilinear")


def module(op: str, shape: tuple[int, ...], **attrs: Any) -> torch.nn.Module:
    operation = OPERATIONS[op]
    assert isinstance(operation, Layer)
    return operation.module(operation.check(attrs), [shape])


@pytest.mark.parametrize("word", POOLS)
@pytest.mark.parametrize("rank", [2, 3])
def test_every_pool_leaves_the_side_it_says(word: str, rank: int) -> None:
    for side in range(1, 8):
        g = GraphBuilder((2, *[side] * rank), 2)
        expected = POOLS[word].side(side)
        if expected == 0:
            with pytest.raises(Exception, match="does not fit"):
                pool(g, "pool", g.input, word)
        else:
            assert g.shape(pool(g, "pool", g.input, word)) == (2, *[expected] * rank)


@pytest.mark.parametrize("rank", [2, 3])
def test_the_blur_is_no_weight_and_keeps_a_flat_map(rank: int) -> None:
    for of in ("max", "average"):
        layer = module("blur_pool", (3, *[8] * rank), of=of)
        assert not list(layer.parameters())
        assert not layer.state_dict()
        flat = torch.full((1, 3, *[8] * rank), 1.5)
        halved = (..., *[slice(None, None, 2)] * rank)
        torch.testing.assert_close(layer(flat), flat[halved])  # type: ignore[index]


def test_after_means_the_blur_has_the_binomial_taps_of_four() -> None:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    x = torch.randn(1, 1, 12, 12)
    expected = F.conv2d(x[..., 1:-1, 1:-1], torch.outer(taps, taps)[None, None], stride=2)
    torch.testing.assert_close(module("blur_pool", (1, 12, 12), of="average")(x)[..., 1:-1, 1:-1], expected)


def test_the_blur_follows_a_shift_better_than_plain_pooling() -> None:
    """Zhang 2019, section 4: shifted by one pixel, a signal that alternates is worst for max-pooling."""
    signal = torch.tensor([0.0, 0, 1, 1]).repeat(8)
    x = signal.expand(1, 1, 32, 32)
    shifted = x.roll(1, dims=-1)
    moved = []
    for op, attrs in (("maxpool", {"kernel": 2, "stride": 2}), ("blur_pool", {"of": "max"})):
        layer = module(op, (1, 32, 32), **attrs)
        moved.append(float((layer(x) - layer(shifted))[..., 2:-2].abs().mean()))
    assert moved[1] < 0.6 * moved[0]


@pytest.mark.parametrize(("mode", "torchs"), [("nearest", "nearest"), ("linear", "bilinear")])
def test_resizing_is_torchs(mode: str, torchs: str) -> None:
    x = torch.randn(2, 3, 5, 4)
    got = module("resize", (3, 5, 4), mode=mode)(x)
    torch.testing.assert_close(got, F.interpolate(x, scale_factor=2, mode=torchs))


def test_resizing_undoes_the_stride_of_a_pooling() -> None:
    g = GraphBuilder((1, 16, 16), 2)
    x = pool(g, "down", g.input, "max")
    x = pool(g, "up", x, "up_nearest")
    x = g.add("flat", "flatten", {}, x)
    costs = analyse(g.finish(g.add("out", "linear", {"out": 2}, x)))
    assert (costs.output_stride, costs.receptive_field) == (1, 2)


@pytest.mark.parametrize("word", UPS)
@pytest.mark.parametrize("downs", [1, 2, 3])
def test_behind_resizing_the_receptive_field_is_right_to_a_position_of_the_smaller_map(word: str, downs: int) -> None:
    """Means down, 3×3, resized, 3×3: the widest of the pixels that gradients of single positions reach."""
    g = GraphBuilder((1, 64, 64), 2)
    x = g.input
    for i in range(downs):
        x = pool(g, f"down{i}", x, "average")
    x = g.add("conv", "conv2d", {"out": 1, "kernel": 3, "bias": False}, x)
    x = pool(g, "up", x, word)
    x = g.add("last", "conv2d", {"out": 1, "kernel": 3, "bias": False}, x)
    architecture = g.finish(g.add("out", "linear", {"out": 2}, g.add("flat", "flatten", {}, x)))
    module = build(architecture)
    image = torch.rand(1, 1, 64, 64, requires_grad=True)
    value = image
    for node in architecture.nodes[1:-2]:
        layer = module.get_submodule(node.name)
        for parameter in layer.parameters():
            torch.nn.init.constant_(parameter, 1.0)
        value = layer(value)
    middle, widest = value.shape[-1] // 2, 0
    for at in (middle, middle + 1):
        [gradient] = torch.autograd.grad(value[0, 0, at, at], image, retain_graph=True)
        widest = max(widest, int((gradient[0, 0] != 0).any(dim=0).sum()))
    said = {cost.name: cost.receptive_field for cost in analyse(architecture).nodes}["last"]
    assert abs(said - widest) <= 2**downs


def test_a_resized_map_is_bounded() -> None:
    assert resize.MAX_SIDE == kinds.MAX_SIDE
    for shape in ((1, 2048, 2049), (1, 1, 2049), (1, 128, 128, 128)):
        with pytest.raises(InvalidArchitecture, match="at most 4,194,304 positions and sides of 4096"):
            pool(GraphBuilder(shape, 2), "up", "input", "up_nearest")
    g = GraphBuilder((1, 1024, 1024), 2)
    assert g.shape(pool(g, "up", g.input, "up_nearest")) == (1, 2048, 2048)


def document(*stages: dict[str, Any]) -> dict[str, Any]:
    return {"schema": 1, "stages": [{"width": 4, **stage} for stage in stages]}


def refused(document: dict[str, Any], shape: tuple[int, ...]) -> tuple[str, str, str]:
    with pytest.raises(InvalidSpace) as caught:
        Space.parse(document, input_shape=shape, classes=2)
    [fault] = caught.value.faults
    return fault.pointer, fault.rule, fault.detail


@pytest.mark.parametrize(
    ("count", "shape"), [(7, (1, 32, 32)), (1, (1, 4096, 8)), (5, (1, 6, 6, 6)), (1, (1, 3000, 3000))]
)
def test_a_document_that_may_outgrow_the_memory_is_refused(count: int, shape: tuple[int, ...]) -> None:
    pointer, rule, detail = refused(document(*[{"pool": ["none", "up_nearest"]}] * count), shape)
    assert (pointer, rule) == (f"/stages/{count - 1}/pool", "impossible_shape")
    assert "a resized map has at most" in detail
    if count > 1:
        Space.parse(document(*[{"pool": ["none", "up_nearest"]}] * (count - 1)), input_shape=shape, classes=2)


def test_a_stage_that_may_be_left_out_can_still_make_room() -> None:
    """Of 4 pixels a stride of 8 is left only by the stage that doubles them: depth 0 is not offered."""
    space = Space.parse(
        document({"depth": [0, 1], "pool": "up_bilinear"}, {"stride": 8}), input_shape=(1, 4, 4), classes=2
    )
    assert space.size().count == 1
    architecture = space.sample(lambda decision: decision.options[0])
    assert [node.op for node in architecture.nodes].count("resize") == 1


@pytest.mark.heavy
def test_a_cell_after_resizing_reads_what_was_resized() -> None:
    stages = [{"operation": "darts", "width": 8, "pool": word} for word in ("up_nearest", "none")]
    space = Space.parse(document(*stages), input_shape=(2, 4, 4), classes=2)
    for seed in range(5):
        choose = random.Random(seed)
        architecture = space.sample(lambda decision, choose=choose: choose.choice(decision.options))  # type: ignore[misc]
        assert build(architecture)(torch.zeros(2, 2, 4, 4)).shape == (2, 2)


stage = st.fixed_dictionaries(
    {
        "depth": st.sampled_from([1, 2, [0, 1], [1, 2]]),
        "kernel": st.sampled_from([1, 3, [3, 5]]),
        "stride": st.sampled_from([1, 2, [1, 2]]),
        "padding": st.sampled_from(["same", "valid", ["same", "valid"]]),
        "pool": st.lists(st.sampled_from(tuple(POOLS)), min_size=1, max_size=3, unique=True),
        "skip": st.sampled_from(["none", "add", ["concat", "none"]]),
    }
)


@settings(max_examples=share(150), deadline=None)
@given(st.lists(stage, min_size=1, max_size=4), st.sampled_from([(1, 5, 9), (2, 12, 12), (1, 4, 6, 7)]), st.randoms())
def test_every_path_of_a_valid_document_ends_in_a_network(
    stages: list[dict[str, Any]], shape: tuple[int, ...], choose: random.Random
) -> None:
    try:
        space = Space.parse(document(*stages), input_shape=shape, classes=2)
    except InvalidSpace:
        return
    for _ in itertools.repeat(None, 4):
        assert space.sample(lambda decision: choose.choice(decision.options)).classes == 2
