"""The presets' architectures against PyTorch, in numbers: analysis on 2,000 of them, generated code on 200."""

import random
from collections.abc import Iterator

import pytest
import torch

from space import presets
from space.analysis import analyse
from space.architecture import Architecture
from space.build import build
from space.codegen import generate
from space.space import Space
from tests.oracle import hooked_macs, hooked_shapes, load_generated

SHAPES = ((1, 8, 8), (1, 28, 28), (3, 17, 23))
pytestmark = pytest.mark.integration


def architectures(count: int, *, seed: int) -> Iterator[Architecture]:
    """Uniform draws, preset and input shape in turn."""
    spaces = [
        Space.parse(presets.load(name), input_shape=shape, classes=10) for name in presets.names() for shape in SHAPES
    ]
    rng = random.Random(seed)
    for number in range(count):
        yield spaces[number % len(spaces)].sample(lambda decision: rng.choice(decision.options))


def test_shapes_parameters_and_macs_of_2000_are_pytorchs() -> None:
    torch.set_num_threads(1)
    for architecture in architectures(2000, seed=1):
        costs, module = analyse(architecture), build(architecture)
        assert costs.params == sum(p.numel() for p in module.parameters() if p.requires_grad)
        assert costs.macs == hooked_macs(module, [architecture.input_shape])
        expected = {node.name: node.shape for node in costs.nodes}
        seen = hooked_shapes(module, architecture.input_shape)
        assert {path: expected[path] for path in seen} == seen


def test_generated_code_of_200_gives_the_same_logits() -> None:
    torch.set_num_threads(1)
    for number, architecture in enumerate(architectures(200, seed=2)):
        torch.manual_seed(number)
        ours, written = build(architecture).eval(), load_generated(generate(architecture)).eval()
        written.load_state_dict(ours.state_dict(), strict=True)
        x = torch.randn(2, *architecture.input_shape)
        with torch.no_grad():
            torch.testing.assert_close(written(x), ours(x), rtol=0, atol=1e-5)
