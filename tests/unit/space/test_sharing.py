"""Repeats that share their weights: one module called several times, in graph, module and generated code."""

import random

import pytest
import torch

from archsmith.errors import InvalidArchitecture, InvalidSpace
from space.analysis import analyse
from space.architecture import Architecture, GraphBuilder
from space.build import build
from space.codegen.writer import generate
from space.decision import Choices
from space.space import Space, replay
from tests.effort import share
from tests.oracle import load_generated

REPEATS = ["own", "shared"]
DOCUMENT = {
    "schema": 1,
    "name": "repeats",
    "stages": [
        {"depth": 3, "operation": ["conv", "separable", "residual", "branching"], "width": 8, "repeats": REPEATS},
        {"depth": [2, 4], "operation": ["conv", "residual"], "width": 12, "stride": 2, "repeats": REPEATS},
    ],
}


@pytest.fixture
def space() -> Space:
    return Space.parse(DOCUMENT, input_shape=(3, 12, 12), classes=4)


@pytest.mark.sweep
def test_shared_repeats_are_one_module(space: Space) -> None:
    torch.manual_seed(0)
    draw = random.Random(0)
    shared, count = 0, share(40)
    for _ in range(count):
        architecture = space.sample(lambda decision: draw.choice(decision.options))
        shared += any(node.weights for node in architecture.nodes)
        assert Architecture.from_json(architecture.to_json()) == architecture
        module = build(architecture).eval()
        assert sum(p.numel() for p in module.parameters()) == analyse(architecture).params
        written = load_generated(generate(architecture)).eval()
        written.load_state_dict(module.state_dict())
        x = torch.randn(2, 3, 12, 12)
        assert torch.allclose(module(x), written(x), atol=1e-5)
    assert shared > count / 4


def test_sharing_costs_less_and_is_another_network(space: Space) -> None:
    fixed: Choices = {"stages.0.operation": "residual", "stages.1.depth": 2}
    own, shared = (space.sample(replay({**fixed, "stages.0.repeats": word})) for word in ("own", "shared"))
    # two of the three blocks have the same shape: 2 convolutions of 8·8·9 and their norms less
    assert analyse(own).params - analyse(shared).params == 2 * (8 * 8 * 9 + 2 * 8)
    assert analyse(own).macs == analyse(shared).macs
    assert own.hash != shared.hash


def test_a_single_pair_of_unlike_blocks_has_nothing_to_share(space: Space) -> None:
    own, shared = (space.sample(replay({"stages.1.depth": 2, "stages.1.repeats": word})) for word in ("own", "shared"))
    assert own.hash == shared.hash


def test_blocks_with_decisions_of_their_own_cannot_share() -> None:
    with pytest.raises(InvalidSpace) as raised:
        Space.parse({**DOCUMENT, "per": "block"}, input_shape=(3, 12, 12), classes=4)
    assert {fault.pointer for fault in raised.value.faults} == {"/stages/0/repeats", "/stages/1/repeats"}


def conv(g: GraphBuilder, name: str, source: str, weights: str | None = None, kernel: int = 3) -> str:
    return g.add(name, "conv2d", {"out": 3, "kernel": kernel}, source, weights=weights)


@pytest.mark.parametrize(
    ("name", "weights", "kernel"),
    [
        ("a.1.conv", "a.0.norm", 3),
        ("a.1.conv", "a.0.conv", 5),
        ("b.0.conv", "a.0.conv", 3),
        ("a.1.other", "a.0.conv", 3),
    ],
)
def test_only_like_layers_of_repeats_share(name: str, weights: str, kernel: int) -> None:
    g = GraphBuilder((3, 8, 8), 2)
    x = conv(g, "a.0.conv", g.input)
    with pytest.raises(InvalidArchitecture, match="cannot use the weights"):
        conv(g, name, x, weights, kernel)


def test_a_repeat_shares_all_its_layers() -> None:
    g = GraphBuilder((3, 8, 8), 2)
    x = conv(g, "a.0.second", conv(g, "a.0.first", g.input))
    x = conv(g, "a.1.second", conv(g, "a.1.first", x, "a.0.first"))
    x = g.add("flat", "flatten", {}, x)
    x = g.add("out", "linear", {"out": 2}, x)
    with pytest.raises(InvalidArchitecture, match="all layers of one repeat"):
        g.finish(x)
