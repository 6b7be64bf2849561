"""The builder: a module whose tree is the tree of paths."""

import copy

import pytest
import torch
from hypothesis import given, settings
from torch import nn

from space.architecture import Architecture, GraphBuilder
from space.build import build
from tests.effort import share
from tests.unit.space.strategies import architectures


@settings(max_examples=share(40), deadline=None)
@given(architectures())
def test_a_batch_goes_in_and_logits_come_out(architecture: Architecture) -> None:
    module = build(architecture)
    x = torch.randn(3, *architecture.input_shape)
    logits = module(x)
    assert logits.shape == (3, architecture.classes)
    logits.sum().backward()
    names = {node.name for node in architecture.nodes}
    assert all(key.rpartition(".")[0] in names for key in module.state_dict())


def small() -> nn.Module:
    g = GraphBuilder((1, 8, 8), 3)
    x = g.add("stem.0.conv", "conv2d", {"out": 4, "kernel": 3}, g.input)
    y = g.add("stem.1.conv", "conv2d", {"out": 4, "kernel": 3}, x)
    x = g.add("head.flatten", "flatten", {}, g.add("stem.add", "add", {}, x, y))
    return build(g.finish(g.add("head.linear", "linear", {"out": 3}, x)))


@pytest.mark.heavy
def test_a_copy_is_a_module_of_its_own() -> None:
    module = small()
    x = torch.randn(2, 1, 8, 8)
    twin = copy.deepcopy(module)
    torch.testing.assert_close(twin(x), module(x))
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert twin(x).abs().sum() == 0
    assert module(x).abs().sum() > 0


def test_a_layer_may_be_swapped_in_the_tree() -> None:
    module = small()
    module.get_submodule("stem").get_submodule("1").add_module("conv", nn.Identity())
    before = module.get_submodule("stem.0.conv")(torch.ones(1, 1, 8, 8))
    expected = module.get_submodule("head.linear")((2 * before).flatten(1))
    torch.testing.assert_close(module(torch.ones(1, 1, 8, 8)), expected)


@pytest.mark.heavy
def test_it_can_be_exported() -> None:
    module = small().eval()
    x = torch.randn(2, 1, 8, 8)
    exported = torch.export.export(module, (x,)).module()
    torch.testing.assert_close(exported(x), module(x))
