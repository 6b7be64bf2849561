"""The capsule head: what it is made of, what it costs, that its layer is the paper's."""

from typing import Any

import pytest
import torch
from torch import Tensor

from archsmith.errors import InvalidSpace
from space.analysis import analyse
from space.architecture import Architecture
from space.build import build
from space.decision import Decision, Option
from space.operations import OPERATIONS
from space.operations.base import Layer
from space.space import Space


def network(shape: tuple[int, ...], **head: Any) -> Architecture:
    document = {"schema": 1, "stages": [{"width": 4}], "head": {"kind": "capsule", **head}}
    return Space.parse(document, input_shape=shape, classes=3).sample(lambda decision: decision.options[0])


@pytest.mark.parametrize(
    ("shape", "places"),
    [
        ((1, 5, 6), (5, 6)),
        ((1, 8, 7), (4, 4)),
        ((3, 28, 28), (6, 6)),
        ((3, 4, 64), (2, 6)),
        ((1, 3, 2, 3), (3, 2, 3)),
        ((1, 20, 20, 20), (3, 3, 3)),
    ],
)
def test_primary_capsules_stand_at_few_positions(shape: tuple[int, ...], places: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    found = network(shape, capsules=2, capsule_size=4)
    assert found.shapes["head.primary"] == (8, *places)
    costs = {cost.name: cost for cost in analyse(found).nodes}
    capsules = 2 * torch.Size(places).numel()
    assert costs["head.capsules"].params == costs["head.capsules"].macs == capsules * 4 * 3 * 8
    module = build(found)
    assert sum(p.numel() for p in module.parameters()) == analyse(found).params
    assert module(torch.randn(2, *shape)).shape == (2, 3)


def test_mnist_capsules_have_the_weights_of_the_paper() -> None:
    """Sabour et al. 2017, section 4: 32 · 6 · 6 capsules of 8 values, a matrix of 8 × 16 for each and each of 10."""
    attrs = OPERATIONS["class_capsules"].check({"out": 10, "size": 8})
    assert OPERATIONS["class_capsules"].params(attrs, [(256, 6, 6)]) == 1152 * 10 * 8 * 16


def routed(x: Tensor, weight: Tensor, *, classes: int, rounds: int) -> Tensor:
    """Procedure 1 of the paper, one capsule at a time: primary capsules (n, size), weight (n, classes · wide, size)."""
    votes = torch.stack([(w @ u).reshape(classes, -1) for w, u in zip(weight, x, strict=True)])  # (n, classes, wide)
    b = torch.zeros(votes.shape[:2])
    for _ in range(rounds):
        c = b.softmax(dim=1)
        s = torch.zeros(votes.shape[1:])
        for i in range(len(x)):
            for j in range(classes):
                s[j] += c[i, j] * votes[i, j]
        v = squash(s)
        b = b + torch.stack([votes[:, j] @ v[j] for j in range(classes)], dim=1)
    return s


def squash(s: Tensor) -> Tensor:
    """Equation 1."""
    length = torch.linalg.vector_norm(s, dim=-1, keepdim=True)
    shrunk: Tensor = length**2 / (1 + length**2) * s / length
    return shrunk


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_routing_is_that_of_the_paper(rounds: int) -> None:
    torch.manual_seed(rounds)
    operation = OPERATIONS["class_capsules"]
    assert isinstance(operation, Layer)
    attrs = operation.check({"out": 3, "size": 2, "wide": 4, "routing": rounds})
    module = operation.module(attrs, [(6, 2, 2)])
    x = torch.randn(1, 6, 2, 2)
    capsules = [x[0, 2 * kind : 2 * kind + 2, i, j] for kind in range(3) for i in range(2) for j in range(2)]
    [weight] = module.parameters()
    with torch.no_grad():
        s = routed(squash(torch.stack(capsules)), weight.reshape(12, 12, 2), classes=3, rounds=rounds)
        lengths = squash(s).norm(dim=1)
        torch.testing.assert_close(module(x)[0].sigmoid(), lengths, atol=1e-5, rtol=1e-3)


def test_capsules_of_zeros_have_gradients() -> None:
    operation = OPERATIONS["class_capsules"]
    assert isinstance(operation, Layer)
    module = operation.module(operation.check({"out": 2, "size": 3}), [(3, 2, 2)])
    x = torch.zeros(2, 3, 2, 2, requires_grad=True)
    module(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize(
    ("kind", "asked"),
    [("linear", ["kind", "norm", "hidden"]), ("capsule", ["kind", "capsules", "routing"])],
)
def test_a_head_asks_for_its_own_settings_only(kind: str, asked: list[str]) -> None:
    both = {"capsules": [4, 8], "routing": [1, 3], "hidden": [0, 8], "norm": ["none", "batch"]}
    document = {"schema": 1, "stages": [{"width": 4}], "head": {"kind": ["linear", "capsule"], **both}}
    space = Space.parse(document, input_shape=(1, 8, 8), classes=2)
    names: list[str] = []

    def choose(decision: Decision) -> Option:
        names.append(decision.name)
        return kind if decision.name == "head.kind" else decision.options[0]

    space.sample(choose)
    assert names == [f"head.{name}" for name in asked]


@pytest.mark.parametrize(
    ("head", "pointer", "says"),
    [
        ({"kind": "capsules"}, "/head/kind", "did you mean 'capsule'?"),
        ({"capsules": 65}, "/head/capsules", "from 1 to 64, got 65"),
        ({"capsule_size": 1}, "/head/capsule_size", "from 2 to 64, got 1"),
        ({"routing": [3, 0]}, "/head/routing/1", "from 1 to 5, got 0"),
    ],
)
def test_impossible_heads_are_refused(head: dict[str, Any], pointer: str, says: str) -> None:
    with pytest.raises(InvalidSpace) as error:
        network((1, 8, 8), **head)
    [fault] = error.value.faults
    assert fault.pointer == pointer
    assert says in fault.detail
