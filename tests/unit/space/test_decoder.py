"""Segmentation in a space: the maps that a decoder goes back to, its steps, and logits for every pixel."""

import random
from itertools import pairwise
from typing import Any

import pytest
import torch

from archsmith.errors import ImpossibleShape, InvalidArchitecture, InvalidSpace
from space import presets
from space.analysis import analyse
from space.architecture import Architecture, GraphBuilder
from space.build import build
from space.codegen.writer import generate
from space.operations import OPERATIONS
from space.operations.attributes import Misfit
from space.scales import passed
from space.space import Space, replay
from tests.oracle import load_generated

SHAPES = ((3, 32, 32), (1, 17, 23))
BY = ("nearest", "linear", "transposed")


def document(**head: Any) -> dict[str, Any]:
    """Three poolings, so three larger maps."""
    pooled = [{"width": 8, "pool": "max"}, {"width": 16, "pool": "max"}, {"width": 16, "pool": "average"}]
    stages = [*pooled, {"width": 24}]
    return {"schema": 1, "data": "segmentation", "stages": stages, "head": head}


def grown(shape: tuple[int, ...] = (3, 32, 32), **head: Any) -> Architecture:
    space = Space.parse(document(**head), input_shape=shape, classes=4)
    return space.sample(lambda decision: decision.options[-1])


def check(architecture: Architecture) -> torch.Tensor:
    """Runs it; shapes, costs and generated code agree with torch."""
    module, x = build(architecture).eval(), torch.randn(2, *architecture.input_shape)
    with torch.no_grad():
        logits: torch.Tensor = module(x)
        assert logits.shape == (2, 4, *architecture.input_shape[1:])
        assert analyse(architecture).params == sum(weight.numel() for weight in module.parameters())
        generated = load_generated(generate(architecture))
        generated.load_state_dict(module.state_dict())
        torch.testing.assert_close(generated.eval()(x), logits, atol=1e-5, rtol=0)
    return logits


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("head", [{"up_skip": "concat", "up_depth": 2}, {"up_skip": "add"}, {"up_of": "scores"}])
def test_every_decoder_gives_logits_of_the_inputs_size(shape: tuple[int, ...], by: str, head: dict[str, Any]) -> None:
    torch.manual_seed(0)
    check(grown(shape, up=3, up_by=by, **head))


def test_a_step_goes_to_each_larger_map_and_joins_the_last_one_of_its_size() -> None:
    nodes = {node.name: node for node in grown(up=3).nodes}
    joined = [nodes[f"decoder.{step}.concat"].inputs[0] for step in range(3)]
    assert joined == [f"stages.{stage}.blocks.0.act" for stage in (2, 1, 0)]
    assert [nodes[f"decoder.{step}.blocks.0.conv"].attrs["out"] for step in range(3)] == [16, 16, 16]
    assert "head.resize" not in nodes, "the last step is as large as the input"


def test_without_a_decoder_it_is_a_convolution_and_a_resize() -> None:
    architecture = grown(hidden=12)
    ends = [node.name for node in architecture.nodes if node.name.startswith(("head", "decoder"))]
    assert ends == ["head.hidden", "head.act", "head.classify", "head.resize"]
    assert analyse(architecture).output_stride == 1


def test_scores_are_joined_by_1x1_convolutions_of_earlier_maps() -> None:
    nodes = {node.name: node for node in grown(up=2, up_of="scores", up_skip="add", up_by="transposed").nodes}
    assert nodes["decoder.0.score"].inputs == ("stages.2.blocks.0.act",)
    assert nodes["decoder.0.score"].attrs["out"] == 4
    assert nodes["decoder.0.enlarge"].attrs["kernel"] == 4
    assert nodes["head.resize"].attrs["size"] == 32


def test_only_as_many_steps_are_offered_as_there_are_maps() -> None:
    space = Space.parse(document(up=[0, 1, 3, 5]), input_shape=(3, 32, 32), classes=4)
    seen: dict[str, Any] = {}
    space.sample(lambda decision: seen.setdefault(decision.name, decision.options)[0])
    assert seen["head.up"] == (0, 1, 3)
    assert "decoder.1.concat" in grown(up=8).shapes, "a fixed number stops at the first map"


def test_what_a_document_decides_for_nothing_is_not_asked() -> None:
    space = Space.parse(document(up=[0, 2], up_of=["features", "scores"], up_depth=[0, 1], up_norm=["batch", "group"]),
                        input_shape=(3, 32, 32), classes=4)  # fmt: skip

    def asked(**answers: Any) -> set[str]:
        choices = {f"head.{name}": value for name, value in answers.items()}
        return {name for name in space.walk(replay(choices))[1] if name.startswith("head")}

    assert asked(up=0) == {"head.up"}
    assert asked(up=2, up_of="scores") == {"head.up", "head.up_of"}
    assert asked(up=2, up_of="features", up_depth=0) == {"head.up", "head.up_of", "head.up_depth"}
    assert asked(up=2, up_of="features", up_depth=1) == {"head.up", "head.up_of", "head.up_depth", "head.up_norm"}
    size = space.size()
    assert size.exact
    assert size.count == sum(1 for _ in space.enumerate())


def test_a_space_for_no_kind_serves_pictures_and_masks() -> None:
    for name in ("chain", "everything", "capsule"):
        made = [
            Space.parse(presets.load(name), input_shape=(3, 16, 16), classes=4, tasks=(task,)).sample(first)
            for task in ("image", "segmentation")
        ]
        assert [one.shapes[one.output] for one in made] == [(4,), (4, 16, 16)]
    with pytest.raises(InvalidSpace, match="the space is for segmentation, the data for image"):
        Space.parse(presets.load("unet"), input_shape=(3, 16, 16), classes=4, tasks=("image",))


def first(decision: Any) -> Any:
    return decision.options[0]


def test_fields_of_pooling_and_of_decoders_belong_to_their_kinds() -> None:
    for data, name, value in (("segmentation", "pool", "max"), ("image", "up", 1), ("segmentation", "kind", "capsule")):
        with pytest.raises(InvalidSpace, match=f"the head has no field '{name}'"):
            Space.parse({**document(), "data": data, "head": {name: value}}, input_shape=(3, 32, 32), classes=4)


def test_logits_must_be_as_large_as_the_input() -> None:
    g = GraphBuilder((3, 8, 8), 4, data="segmentation")
    small = g.add("small", "conv2d", {"out": 4, "kernel": 3, "stride": 2}, g.input)
    with pytest.raises(InvalidArchitecture, match=r"one value per class and pixel, \(4, 8, 8\), got \(4, 4, 4\)"):
        g.finish(small)
    architecture = g.finish(g.add("large", "resize_to", {"size": 8, "mode": "linear"}, small))
    again = Architecture.from_json(architecture.to_json())
    assert (again, again.hash) == (architecture, architecture.hash)


@pytest.mark.parametrize(
    ("sizes", "left"),
    [
        ([64, 32, 16], [64, 32]),
        ([64, 62, 60, 58], []),  # what unpadded kernels take off the edges
        ([64, 32, 16, 32], [64]),  # resized up again
        ([64, 21, 11, 5], [64, 21, 11]),
        ([3, 2, 1], [3, 2]),
    ],
)
def test_which_maps_are_larger_scales(sizes: list[int], left: list[int]) -> None:
    maps: tuple[tuple[int, int], ...] = ()
    for before, after in pairwise(sizes):
        maps = passed(maps, (before, before), (after, after), lambda size: size)
    assert [side for side, _ in maps] == left


def test_a_walk_and_the_graph_find_the_same_maps() -> None:
    """As many steps as the decisions offer are as many as the graph can go back."""
    for seed in range(8):
        rng = random.Random(seed)
        shape = (3, rng.choice((17, 24, 33, 64)), rng.choice((19, 32)))
        space = Space.parse(presets.load("everything") | {"head": {"up": [0, 1, 2, 3, 4, 5, 6]}, "baseline": {}},
                            input_shape=shape, classes=4, tasks=("segmentation",))  # fmt: skip
        offered: dict[str, tuple[Any, ...]] = {}

        def choose(decision: Any, rng: random.Random = rng, offered: dict[str, Any] = offered) -> Any:
            offered[decision.name] = decision.options
            return decision.options[-1] if decision.name == "head.up" else rng.choice(decision.options)

        architecture = space.sample(choose)
        steps = {name.split(".")[1] for name in architecture.shapes if name.startswith("decoder.")}
        assert len(steps) == max(offered.get("head.up", (0,)))
        assert architecture.shapes[architecture.output] == (4, *shape[1:])


def test_enlarging_operations_say_what_is_wrong() -> None:
    up, to = OPERATIONS["conv_transpose2d"], OPERATIONS["resize_to"]
    with pytest.raises(Misfit, match="output_padding 2 must be below the stride of 2"):
        up.shape(up.check({"out": 2, "kernel": 2, "stride": 2, "output_padding": 2}), [(3, 4, 4)])
    with pytest.raises(Misfit, match="cuts away all that it makes of the 1×1 left"):
        up.shape(up.check({"out": 2, "kernel": 2, "padding": 1}), [(3, 1, 1)])
    with pytest.raises(Misfit, match="reads maps with 2 sides"):
        up.shape(up.check({"out": 2, "kernel": 2}), [(3, 4, 4, 4)])
    with pytest.raises(Misfit, match="positions and sides of 4096"):
        up.shape(up.check({"out": 2, "kernel": 64, "stride": 64}), [(3, 128, 128)])
    with pytest.raises(Misfit, match="cannot shrink the 9×9 it reads"):
        to.shape(to.check({"size": 8, "mode": "linear"}), [(3, 9, 9)])
    g = GraphBuilder((3, 1, 1), 2)
    with pytest.raises(ImpossibleShape, match=r"up: conv_transpose2d cuts away"):
        g.add("up", "conv_transpose2d", {"out": 2, "kernel": 2, "padding": 1}, g.input)


@pytest.mark.parametrize("size", [(27, 21), (9, 12), (40, 7)])
def test_resize_to_sizes_that_are_no_multiples(size: tuple[int, int]) -> None:
    operation, x = OPERATIONS["resize_to"], torch.randn(2, 3, 9, 7)
    for mode in ("nearest", "linear"):
        attrs = operation.check({"size": list(size), "mode": mode})
        module = operation.module(attrs, [(3, 9, 7)])  # type: ignore[attr-defined]
        assert module(x).shape == (2, *operation.shape(attrs, [(3, 9, 7)])) == (2, 3, *size)


def test_no_position_of_an_enlarged_map_sees_more_than_its_receptive_field() -> None:
    g = GraphBuilder((1, 12, 12), 2)
    up = g.add("up", "conv_transpose2d", OPERATIONS["conv_transpose2d"].examples[0].attrs, g.input)
    last = g.add("head.flatten", "flatten", {}, g.add("head.pool", "global_avg_pool", {}, up))
    architecture = g.finish(g.add("head.linear", "linear", {"out": 2}, last))
    field = next(cost.receptive_field for cost in analyse(architecture).nodes if cost.name == "up")
    layer = build(architecture).get_submodule("up")
    x = torch.rand(1, 1, 12, 12, requires_grad=True)
    y = layer(x)
    for place in range(y.shape[2]):
        (grad,) = torch.autograd.grad(y[0, :, place, place].sum(), x, retain_graph=True)
        assert int((grad[0, 0] != 0).any(dim=1).sum()) <= field
