"""Every preset's architectures against PyTorch, in numbers; `make sweep` does the same for ten thousand of one."""

import pytest
import torch

from space import presets
from space.architecture import Architecture
from tests.effort import share
from tests.exactness import check_code, check_costs, check_onnx, check_texts, check_training_step, fresh
from tests.spaces import preset, sample, shapes_of

pytestmark = [pytest.mark.integration, pytest.mark.sweep]

EACH = share(9, least=3)
"""Networks of each preset; its input shapes take turns."""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def architectures(name: str, count: int) -> list[Architecture]:
    spaces = [preset(name, shape, classes=10) for shape in shapes_of(name)]
    return [sample(spaces[number % len(spaces)], number) for number in range(count)]


@pytest.mark.parametrize("name", presets.names())
def test_analysis_training_json_and_picture_hold(name: str) -> None:
    for number, architecture in enumerate(architectures(name, EACH)):
        module = fresh(architecture, number)
        check_costs(architecture, module)
        check_texts(architecture)
        check_training_step(architecture, module)


@pytest.mark.parametrize("name", presets.names())
def test_generated_code_gives_the_same_logits(name: str) -> None:
    for number, architecture in enumerate(architectures(name, EACH // 3)):
        check_code(architecture, fresh(architecture, number))


QUICK = ("branching", "graph_class", "volume3d")
"""Presets whose ONNX model `make test` makes, 5 s each: tests/conformance has every operation's."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in presets.names()]
)
def test_the_onnx_model_gives_the_same_logits(name: str) -> None:
    architecture = min(architectures(name, 4), key=lambda one: len(one.nodes))  # a large one takes ten seconds
    check_onnx(architecture, fresh(architecture, 0))
