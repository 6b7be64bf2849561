"""Removing channels: of networks of every preset, and of random ones, what held only zeros leaves no trace."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from space import presets
from space.analysis import analyse
from space.architecture import Architecture, GraphBuilder
from space.build import build
from tests.effort import share
from tests.oracle import batch_of
from tests.spaces import preset, sample, shapes_of
from tests.unit.space.strategies import architectures
from workers.weights.channels import FIXED, Numbers, Ties
from workers.weights.narrow import narrow

SHAPES = [(name, shapes_of(name)[0]) for name in presets.names()]


def half_of_each_family(ties: Ties, seed: int) -> Numbers:
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(groups, len(groups) // 2, replace=False) for groups in ties.families().values()]
    return np.concatenate(chosen) if chosen else np.array([], dtype=np.int64)


def check(architecture: Architecture, seed: int) -> Architecture:
    """Removes half of the channels, after everything that speaks of them was set to zero."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    module = build(architecture).eval()
    ties = Ties(architecture)
    removed = half_of_each_family(ties, seed)
    weights = module.state_dict()
    places = {key: torch.arange(tensor.numel()).view(tensor.shape) for key, tensor in weights.items()}
    _, left = narrow(ties, places, removed)
    for key, tensor in weights.items():
        gone = torch.ones(tensor.numel(), dtype=torch.bool)
        gone[left[key].reshape(-1)] = False
        tensor.view(-1)[gone] = 0
    smaller, cut = narrow(ties, weights, removed)
    small = build(smaller).eval()
    small.load_state_dict(cut)
    inputs = batch_of(architecture.data, architecture.input_shape)
    groups = [node for node in architecture.nodes if node.op == "group_norm"]
    with torch.inference_mode():
        logits, after = module(*inputs), small(*inputs)
    assert after.shape == logits.shape
    if all(node.attrs["groups"] == architecture.shapes[node.name][0] for node in groups):
        torch.testing.assert_close(after, logits, rtol=1e-4, atol=1e-4)
    return smaller


@pytest.mark.heavy
@pytest.mark.parametrize(("name", "shape"), SHAPES)
def test_removing_channels_of_zeros_changes_no_logit(name: str, shape: tuple[int, ...]) -> None:
    one = preset(name, shape)
    for seed in range(2):
        architecture = sample(one, seed)
        smaller = check(architecture, seed)
        assert analyse(smaller).params < analyse(architecture).params


@settings(max_examples=share(40), deadline=None)
@given(architectures())
def test_random_graphs_as_well(architecture: Architecture) -> None:
    check(architecture, 0)


def test_a_sum_binds_what_it_adds_and_nothing_leaves_the_ends() -> None:
    g = GraphBuilder((3, 8, 8), 5)
    stem = g.add("stem", "conv2d", {"out": 8, "kernel": 3}, g.input)
    inner = g.add("inner", "conv2d", {"out": 6, "kernel": 3}, stem)
    outer = g.add("outer", "conv2d", {"out": 8, "kernel": 3}, inner)
    flat = g.add("flat", "flatten", {}, g.add("sum", "add", {}, stem, outer))
    ties = Ties(g.finish(g.add("head", "linear", {"out": 5}, flat)))
    assert {names: len(groups) for names, groups in ties.families().items()} == {("stem", "outer"): 8, ("inner",): 6}
    assert (ties.groups["stem"] == ties.groups["outer"]).all()
    assert (ties.groups["flat"] == np.repeat(ties.groups["sum"], 64)).all()
    assert set(ties.groups["input"]) == set(ties.groups["head"]) == {FIXED}
