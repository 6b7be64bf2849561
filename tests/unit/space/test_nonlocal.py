"""The non-local block: what it computes, what it costs, what it compares."""

import pytest
import torch
import torch.nn.functional as F

from space.analysis import analyse
from space.architecture import Architecture, GraphBuilder
from space.blocks import BLOCKS
from space.blocks.base import Style
from space.blocks.non_local import subsampling
from space.decision import Option
from space.operations import OPERATIONS
from space.operations.base import Layer

STYLE = Style(width=16, stride=1, padding="same", norm="batch", activation="relu")


def grow(affinity: str, reduction: int, shape: tuple[int, ...], style: Style = STYLE) -> Architecture:
    g = GraphBuilder(shape, 2)
    answers: dict[str, Option] = {"affinity": affinity, "reduction": reduction}
    x = BLOCKS["nonlocal"].grow(g, "it", g.input, answers.__getitem__, style)
    x = g.add("end.flat", "flatten", {}, g.add("end.pool", "global_avg_pool", {}, x))
    return g.finish(g.add("end.out", "linear", {"out": 2}, x))


@pytest.mark.parametrize("shape", [(4, 6, 5), (4, 3, 4, 2)])
@pytest.mark.parametrize("pool", [1, 2])
@pytest.mark.parametrize("length", [4, 2, 7])
def test_attention_is_that_of_the_paper(shape: tuple[int, ...], pool: int, length: int) -> None:
    """Wang et al. 2018: y_i = Σ_j exp(q_i · k_j) v_j / Σ_j exp(q_i · k_j), the sums over the pooled places."""
    torch.manual_seed(0)
    attend = OPERATIONS["attend"]
    assert isinstance(attend, Layer)
    wide = (length, *shape[1:])
    module = attend.module(attend.check({"pool": pool}), [shape, shape, wide])
    q, k, v = (torch.randn(3, *sizes) for sizes in (shape, shape, wide))
    largest = F.max_pool2d if len(shape) == 3 else F.max_pool3d
    rows, keys, values = q.flatten(2), largest(k, pool).flatten(2), largest(v, pool).flatten(2)
    weights = torch.einsum("bci,bcj->bij", rows, keys).exp()
    y = torch.einsum("bij,bcj->bci", weights / weights.sum(dim=2, keepdim=True), values)
    torch.testing.assert_close(module(q, k, v), y.reshape(v.shape), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("size", "by"),
    [((14, 14), 1), ((16, 16), 1), ((28, 28), 2), ((64, 64), 4), ((7, 7, 7), 2), ((28, 28, 28), 5), ((4, 4096), 4)],
)
def test_large_maps_are_compared_with_few_positions(size: tuple[int, ...], by: int) -> None:
    assert subsampling(size) == by


def test_the_weights_are_those_of_figure_2() -> None:
    """θ, φ and g to half of the channels, W back, its norm."""
    found = grow("embedded", 2, (16, 5, 5))
    assert [node.name for node in found.nodes if node.op == "conv2d"] == [
        f"it.{name}" for name in ("query", "key", "value", "out")
    ]
    assert sum(cost.params for cost in analyse(found).nodes if cost.name.startswith("it.")) == 4 * 16 * 8 + 2 * 16
    nodes = {node.name: node for node in found.nodes}
    assert nodes["it.attend"].inputs == ("it.query", "it.key", "it.value")
    assert nodes["it.add"].inputs == ("it.norm", "input")


def test_the_gaussian_compares_the_map_itself() -> None:
    nodes = {node.name: node for node in grow("gaussian", 2, (16, 5, 5)).nodes}
    assert nodes["it.attend"].inputs == ("input", "input", "it.value")
    assert "it.query" not in nodes


@pytest.mark.parametrize(("shape", "stride"), [((4, 6, 6), 1), ((16, 6, 6), 2), ((4, 5, 6, 7), 2)])
def test_another_width_or_stride_comes_before_the_block(shape: tuple[int, ...], stride: int) -> None:
    style = Style(width=16, stride=stride, padding="same", norm="batch", activation="relu")
    found = grow("embedded", 2, shape, style)
    assert found.shapes["it.entry.conv"] == (16, *(-(-side // stride) for side in shape[1:]))
    assert {node.name: node for node in found.nodes}["it.add"].inputs == ("it.norm", "it.entry.act")
