"""The presets: every path gives a network, so does the baseline, and most networks are cheap enough for a CPU."""

import pytest
import torch

from archsmith.errors import NotFound
from space import presets
from space.analysis import analyse
from space.architecture import Architecture
from space.build import build
from space.space import replay
from tests.effort import share
from tests.oracle import batch_of, rows_of
from tests.spaces import preset, sample, shapes_of

NAMES = presets.names()
CASES = [(name, shape) for name in NAMES for shape in shapes_of(name)]


def test_names_and_unknown_names() -> None:
    assert {"branching", "chain", "tiny"} <= set(NAMES)
    assert sorted(NAMES) == NAMES
    assert all(presets.load(name)["name"] == name for name in NAMES)
    with pytest.raises(NotFound):
        presets.load("../space/presets/tiny")


@pytest.mark.sweep
@pytest.mark.parametrize(("name", "shape"), CASES)
def test_every_sample_is_a_network(name: str, shape: tuple[int, ...]) -> None:
    space = preset(name, shape)
    for seed in range(share(20)):
        architecture = sample(space, seed)
        assert analyse(architecture).params > 0
        assert Architecture.from_json(architecture.to_json()) == architecture
        assert sample(space, seed).hash == architecture.hash


@pytest.mark.sweep
@pytest.mark.parametrize(("name", "shape"), CASES)
def test_samples_build_and_give_logits(name: str, shape: tuple[int, ...]) -> None:
    torch.set_num_threads(1)
    space = preset(name, shape)
    for architecture in (space.sample(replay(space.baseline())), *(sample(space, seed) for seed in range(share(3)))):
        module = build(architecture)
        logits = module(*batch_of(architecture.data, shape))
        assert logits.shape == (rows_of(architecture), *architecture.shapes[architecture.output])
        assert sum(p.numel() for p in module.parameters()) == analyse(architecture).params


@pytest.mark.parametrize("name", NAMES)
def test_the_baseline_answers_every_question_it_meets(name: str) -> None:
    space = preset(name, shapes_of(name)[1])
    assert space.baseline().items() <= space.parsed.baseline.items()


def test_tiny_is_small_and_each_path_gives_another_network() -> None:
    tiny = preset("tiny", (1, 8, 8))
    hashes = {tiny.sample(replay(choices)).hash for choices in tiny.enumerate()}
    assert tiny.size().count == len(hashes) == 192
    assert analyse(tiny.sample(replay(tiny.baseline()))).params < 5000


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["chain", "branching"])
def test_most_networks_are_cheap_on_fashion_sized_images(name: str) -> None:
    space = preset(name, (1, 28, 28))
    costs = [analyse(sample(space, seed)) for seed in range(200)]
    assert sum(cost.macs <= 15e6 for cost in costs) >= 120
    assert sum(15e3 <= cost.params <= 300e3 for cost in costs) >= 150
