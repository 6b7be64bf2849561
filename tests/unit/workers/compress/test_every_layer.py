"""Masks and shared weights on networks of every preset: what was done to a weight is what its layer computes with."""

from typing import cast

import pytest
import torch
from torch import Tensor
from torch.nn.utils import parametrize

from space import presets
from space.build import build
from tests.oracle import batch_of
from tests.spaces import preset, sample, shapes_of
from workers.compress import masks
from workers.compress.sharing import Book, centres
from workers.compress.state import State, matrices

pytestmark = pytest.mark.heavy

SHAPES = [(name, shapes_of(name)[0]) for name in presets.names()]


@pytest.mark.parametrize(("name", "shape"), SHAPES)
def test_a_masked_and_shared_network_is_the_one_with_these_weights(name: str, shape: tuple[int, ...]) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    architecture = sample(preset(name, shape), 1)
    state = State(architecture=architecture, weights=build(architecture).state_dict())
    inputs = batch_of(architecture.data, shape)
    masked, shared = state.module().eval(), state.module().eval()
    keep = masks.least({key: state.weights[f"{key}.weight"] for key in matrices(masked)}, masks.all_ones(masked), 0.5)
    assert masks.share_gone(keep) == pytest.approx(0.5, abs=0.1)
    masks.put(masked, keep)
    books = {key: Book(*centres(layer.get_parameter("weight").detach(), 4)) for key, layer in matrices(shared).items()}
    for key, layer in matrices(shared).items():
        parametrize.register_parametrization(layer, "weight", books[key], unsafe=True)
    pruned = state.having({key: masks.weights_of(masked)[key] for key in state.weights})
    weights = {f"{key}.weight": cast(Tensor, layer.weight) for key, layer in matrices(shared).items()}
    alike = state.having({**state.weights, **weights})
    assert all(len(alike.weights[key].unique()) <= 4 for key in weights)
    with torch.inference_mode():
        torch.testing.assert_close(masked(*inputs), pruned.module().eval()(*inputs))
        torch.testing.assert_close(shared(*inputs), alike.module().eval()(*inputs))
