"""The presets: every network they give is one, from 8×8×1 to 64×64×3."""

import random

import pytest
import torch

from archsmith.errors import NotFound
from space import presets
from space.analysis import analyse
from space.architecture import Architecture
from space.build import build
from space.space import Space, replay

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 8, 64)]


def space(name: str, shape: tuple[int, ...]) -> Space:
    return Space.parse(presets.load(name), input_shape=shape, classes=5)


def sample(of: Space, seed: int) -> Architecture:
    generator = random.Random(seed)
    return of.sample(lambda decision: generator.choice(decision.options))


def test_names_and_unknown_names() -> None:
    assert presets.names() == ["branching", "chain", "tiny"]
    with pytest.raises(NotFound):
        presets.load("../space/presets/tiny")


@pytest.mark.parametrize("name", presets.names())
@pytest.mark.parametrize("shape", SHAPES)
def test_every_sample_is_a_network(name: str, shape: tuple[int, ...]) -> None:
    one = space(name, shape)
    for seed in range(40):
        architecture = sample(one, seed)
        assert analyse(architecture).params > 0
        assert Architecture.from_json(architecture.to_json()) == architecture
        assert sample(one, seed).hash == architecture.hash


@pytest.mark.parametrize("name", presets.names())
@pytest.mark.parametrize("shape", SHAPES)
def test_samples_build_and_give_logits(name: str, shape: tuple[int, ...]) -> None:
    torch.set_num_threads(1)
    one = space(name, shape)
    batch = torch.zeros(2, *shape)
    for architecture in (one.sample(replay(one.baseline())), *(sample(one, seed) for seed in range(4))):
        module = build(architecture)
        assert module(batch).shape == (2, 5)
        assert sum(p.numel() for p in module.parameters()) == analyse(architecture).params


@pytest.mark.parametrize("name", presets.names())
def test_the_baseline_answers_every_question_it_meets(name: str) -> None:
    one = space(name, (1, 28, 28))
    assert one.baseline().items() <= one.parsed.baseline.items()


def test_tiny_is_tiny_and_has_no_two_walks_to_one_network() -> None:
    tiny = space("tiny", (1, 8, 8))
    hashes = {tiny.sample(replay(choices)).hash for choices in tiny.enumerate()}
    assert tiny.size().count == len(hashes) == 192
    assert analyse(tiny.sample(replay(tiny.baseline()))).params < 5000


@pytest.mark.parametrize("name", ["chain", "branching"])
def test_most_networks_are_cheap_on_fashion_sized_images(name: str) -> None:
    one = space(name, (1, 28, 28))
    costs = [analyse(sample(one, seed)) for seed in range(200)]
    assert sum(cost.macs <= 15e6 for cost in costs) >= 120
    assert sum(15e3 <= cost.params <= 300e3 for cost in costs) >= 150
